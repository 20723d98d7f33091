import org.codelibs.opensearch.runner.OpenSearchRunner;
import org.codelibs.opensearch.runner.OpenSearchRunner.Configs;

/** One search server on loopback, in this process. Arguments: the folder of its data, its port, and that between nodes. */
public final class Node {
    private Node() {
    }

    public static void main(String[] args) throws InterruptedException {
        OpenSearchRunner runner = new OpenSearchRunner();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                runner.close();
            } catch (Exception e) {
                System.err.println("close: " + e);
            }
        }));
        Configs configs = OpenSearchRunner.newConfigs().basePath(args[0]).clusterName("stack").numOfNode(1).disableESLogger();
        runner.onBuild((number, settings) -> {
            settings.put("network.host", "127.0.0.1");
            settings.put("http.port", args[1]);
            settings.put("transport.port", args[2]);
            // A test machine whose disk is nearly full is no reason to refuse writes.
            settings.put("cluster.routing.allocation.disk.threshold_enabled", false);
        }).build(configs);
        Thread.currentThread().join();
    }
}
