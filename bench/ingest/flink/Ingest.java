import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.flink.types.Row;
import org.apache.flink.types.RowKind;
import org.apache.flink.util.CloseableIterator;

/**
 * Runs a query over a table in one task, as often as standard input says: "check" answers with what the query gives in the end, "run" puts
 * its changes nowhere, "start" does so too, and begins where the table ends.
 */
public class Ingest {
  public static void main(String[] args) throws Exception {
    String table = args[0];
    String query = args[1];
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
    for (String word = in.readLine(); word != null; word = in.readLine()) {
      StreamTableEnvironment env = environment();
      env.executeSql(word.equals("start") ? table.replace("earliest-offset", "latest-offset") : table);
      String answer = "done";
      if (word.equals("check")) {
        answer = check(env, query);
      } else {
        env.executeSql("CREATE TABLE nowhere WITH ('connector'='blackhole') AS " + query).await();
      }
      System.out.println("ANSWER " + answer);
      System.out.flush();
    }
    System.exit(0);
  }

  static StreamTableEnvironment environment() {
    Configuration c = new Configuration();
    c.setString("pipeline.object-reuse", "true");
    c.setString("rest.port", "0");
    c.setString("rest.bind-address", "127.0.0.1");
    c.setString("rest.address", "127.0.0.1");
    c.setString("taskmanager.memory.managed.size", "256m");
    c.setString("taskmanager.numberOfTaskSlots", "1");
    return StreamTableEnvironment.create(StreamExecutionEnvironment.createLocalEnvironment(1, c));
  }

  /** Folds the changes of the query: records, groups, and the sum of their sums. */
  static String check(StreamTableEnvironment env, String query) throws Exception {
    Map<Object, Row> groups = new HashMap<>();
    try (CloseableIterator<Row> rows = env.executeSql(query).collect()) {
      while (rows.hasNext()) {
        Row row = rows.next();
        Object key = row.getField("k");
        if (row.getKind() == RowKind.INSERT || row.getKind() == RowKind.UPDATE_AFTER) {
          groups.put(key, row);
        } else if (row.getKind() == RowKind.DELETE) {
          groups.remove(key);
        }
      }
    }
    long records = 0;
    long sum = 0;
    for (Row row : groups.values()) {
      records += (Long) row.getField("n");
      sum += (Long) row.getField("v");
    }
    return records + " " + groups.size() + " " + sum;
  }
}
