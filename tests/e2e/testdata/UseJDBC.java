import java.io.StringWriter;
import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import org.postgresql.PGConnection;
import org.postgresql.util.PSQLException;

/** What an application does through pgJDBC. Arguments: host, port. */
public class UseJDBC {
    public static void main(String[] args) throws Exception {
        String url = "jdbc:postgresql://" + args[0] + ":" + args[1] + "/materialize";
        Properties settings = new Properties();
        settings.setProperty("user", "materialize");
        try (Connection conn = DriverManager.getConnection(url, settings)) {
            types(conn);
            writeAndPoll(conn);
            fetchSize(conn);
            metadata(conn);
            errors(conn);
            subscription(conn);
            copy(conn);
            cancel(conn);
        }
    }

    static void check(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    /** From the fifth execution on, the driver uses a named statement and asks for binary. */
    static void types(Connection conn) throws SQLException {
        String query = "SELECT id, name, price, made, data, ok FROM items WHERE id = ?";
        try (PreparedStatement st = conn.prepareStatement(query)) {
            for (int i = 0; i < 10; i++) {
                st.setLong(1, 1);
                try (ResultSet rows = st.executeQuery()) {
                    check(rows.next(), "a row");
                    check(rows.getLong("id") == 1 && rows.getString("name").equals("one"), "id and name");
                    check(rows.getBigDecimal("price").equals(new BigDecimal("1.50")), "price " + rows.getBigDecimal("price"));
                    check(rows.getTimestamp("made").getTime() == 1619461059000L, "made " + rows.getTimestamp("made"));
                    byte[] data = rows.getBytes("data");
                    check(data.length == 2 && data[0] == 0 && data[1] == -1, "data");
                    check(rows.getBoolean("ok") && !rows.next(), "ok, and one row");
                }
            }
        }
        System.out.println("types, prepared");
    }

    static void writeAndPoll(Connection conn) throws SQLException {
        try (PreparedStatement insert = conn.prepareStatement("INSERT INTO items (id, name, price) VALUES (?, ?, ?)");
                Statement st = conn.createStatement()) {
            for (int n = 3; n < 13; n++) {
                insert.setLong(1, n);
                insert.setString(2, "jdbc");
                insert.setBigDecimal(3, new BigDecimal("0.10"));
                check(insert.executeUpdate() == 1, "one row inserted");
                try (ResultSet rows = st.executeQuery("SELECT n FROM totals")) {
                    check(rows.next() && rows.getLong(1) == n, "the view has the write");
                }
            }
            check(st.executeUpdate("DELETE FROM items WHERE name = 'jdbc'") == 10, "ten rows deleted");
        }
        System.out.println("write and poll");
    }

    /** In a transaction, a fetch size makes the driver read a portal in pieces. */
    static void fetchSize(Connection conn) throws SQLException {
        conn.setAutoCommit(false);
        try (Statement st = conn.createStatement()) {
            st.setFetchSize(7);
            try (ResultSet rows = st.executeQuery("SELECT x FROM generate_series(1, 1000) AS s(x) ORDER BY x")) {
                int n = 0;
                while (rows.next()) {
                    check(rows.getInt(1) == ++n, "rows in order");
                }
                check(n == 1000, n + " rows");
            }
        }
        conn.commit();
        conn.setAutoCommit(true);
        System.out.println("fetch size");
    }

    static void metadata(Connection conn) throws SQLException {
        List<String> found = new ArrayList<>();
        try (ResultSet rows = conn.getMetaData().getTables(null, "public", "%", new String[] {"TABLE", "MATERIALIZED VIEW"})) {
            while (rows.next()) {
                found.add(rows.getString("TABLE_NAME") + " " + rows.getString("TABLE_TYPE"));
            }
        }
        check(found.contains("items TABLE") && found.contains("totals MATERIALIZED VIEW"), "tables " + found);
        List<String> columns = new ArrayList<>();
        try (ResultSet rows = conn.getMetaData().getColumns(null, "public", "items", "%")) {
            while (rows.next()) {
                columns.add(rows.getInt("ORDINAL_POSITION") + " " + rows.getString("COLUMN_NAME") + " " + rows.getString("TYPE_NAME"));
            }
        }
        check(columns.size() == 6 && columns.get(0).equals("1 id int8") && columns.get(2).startsWith("3 price numeric"),
                "columns " + columns);
        System.out.println("metadata");
    }

    static void errors(Connection conn) throws SQLException {
        String[][] cases = {{"SELECT * FROM nothing", "42P01"}, {"SELECT 1/0", "22012"}, {"SELECT FROM WHERE", "42601"}};
        for (String[] c : cases) {
            try (Statement st = conn.createStatement()) {
                st.execute(c[0]);
                check(false, c[0] + " is no error");
            } catch (PSQLException e) {
                check(e.getSQLState().equals(c[1]), c[0] + ": " + e.getSQLState() + " " + e.getMessage());
            }
        }
        System.out.println("errors");
    }

    static void subscription(Connection conn) throws SQLException {
        conn.setAutoCommit(false);
        try (Statement st = conn.createStatement()) {
            st.execute("DECLARE c CURSOR FOR TAIL totals");
            try (ResultSet rows = st.executeQuery("FETCH ALL c WITH (timeout='1s')")) {
                check(rows.next() && rows.getLong("mz_diff") == 1 && rows.getLong("n") == 2 && !rows.next(), "the snapshot");
            }
        }
        conn.commit();
        conn.setAutoCommit(true);
        System.out.println("subscription");
    }

    static void copy(Connection conn) throws Exception {
        StringWriter out = new StringWriter();
        conn.unwrap(PGConnection.class).getCopyAPI().copyOut("COPY (SELECT id, name FROM items ORDER BY id) TO STDOUT", out);
        check(out.toString().equals("1\tone\n2\ttwo\n"), "copy gives " + out);
        System.out.println("copy");
    }

    static void cancel(Connection conn) throws Exception {
        try (Statement st = conn.createStatement()) {
            Thread canceller = new Thread(() -> {
                try {
                    Thread.sleep(500);
                    st.cancel();
                } catch (InterruptedException | SQLException e) {
                    throw new IllegalStateException(e);
                }
            });
            canceller.start();
            try {
                st.executeQuery("SUBSCRIBE totals");
                check(false, "a cancelled subscription ends without an error");
            } catch (PSQLException e) {
                check(e.getSQLState().equals("57014"), "cancelled with " + e.getSQLState());
            }
            canceller.join();
            try (ResultSet rows = st.executeQuery("SELECT 1")) {
                check(rows.next() && rows.getInt(1) == 1, "the connection lives on");
            }
        }
        System.out.println("cancel");
    }
}
