import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.OpResult;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooDefs.Perms;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.client.ZKClientConfig;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Id;
import org.apache.zookeeper.data.Stat;
import org.apache.zookeeper.server.auth.DigestAuthenticationProvider;

/** Arguments: host:port and a path of its own. Prints one line for each thing that holds. */
public class Main {
    private static final int TIMEOUT_MS = 10_000;
    private static final BlockingQueue<WatchedEvent> EVENTS = new LinkedBlockingQueue<>();

    public static void main(String[] arguments) throws Exception {
        String address = arguments[0];
        String root = arguments[1];
        ZooKeeper zk = connect(address);
        zk.create(root, new byte[0], Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        nodes(zk, root);
        watches(zk, root);
        multi(zk, root);
        sessions(zk, address, root);
        accessLists(zk, address, root);
        zk.close();
    }

    private static ZooKeeper connect(String address) throws Exception {
        ZKClientConfig config = new ZKClientConfig();
        BlockingQueue<WatchedEvent> states = new LinkedBlockingQueue<>();
        ZooKeeper zk = new ZooKeeper(address, TIMEOUT_MS, event -> {
            (event.getType() == Watcher.Event.EventType.None ? states : EVENTS).add(event);
        }, config);
        WatchedEvent first = states.poll(TIMEOUT_MS, TimeUnit.MILLISECONDS);
        check(first != null && first.getState() == Watcher.Event.KeeperState.SyncConnected, "connected");
        return zk;
    }

    private static void nodes(ZooKeeper zk, String root) throws Exception {
        Stat stat = new Stat();
        zk.create(root + "/a", "one".getBytes(), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT, stat);
        check(stat.getVersion() == 0 && stat.getDataLength() == 3, "create with stat");
        check(zk.setData(root + "/a", "two".getBytes(), 0).getVersion() == 1, "set");
        try {
            zk.setData(root + "/a", new byte[0], 0);
            check(false, "a wrong version is refused");
        } catch (KeeperException.BadVersionException expected) {
            check(true, "a wrong version is refused");
        }
        String first = zk.create(root + "/s-", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL);
        String second = zk.create(root + "/s-", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL);
        check(first.compareTo(second) < 0, "sequential");
        zk.create(root + "/c", null, Ids.OPEN_ACL_UNSAFE, CreateMode.CONTAINER);
        check(zk.exists(root + "/c", false) != null, "container");
        zk.create(root + "/t", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_WITH_TTL, stat, 60_000);
        check(zk.exists(root + "/t", false) != null, "ttl");
        check(zk.getAllChildrenNumber(root) == zk.getChildren(root, false).size(), "all children");
        zk.delete(root + "/a", 1);
        check(zk.exists(root + "/a", false) == null, "delete");
        zk.sync(root, (code, path, context) -> { }, null);
    }

    private static void watches(ZooKeeper zk, String root) throws Exception {
        zk.create(root + "/w", "x".getBytes(), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.getData(root + "/w", true, null);
        zk.setData(root + "/w", "y".getBytes(), -1);
        check(next().getType() == Watcher.Event.EventType.NodeDataChanged, "data watch");
        zk.addWatch(root + "/w", AddWatchMode.PERSISTENT_RECURSIVE);
        for (int round = 0; round < 2; round++) {
            zk.create(root + "/w/c", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            WatchedEvent created = next();
            check(created.getType() == Watcher.Event.EventType.NodeCreated
                && created.getPath().equals(root + "/w/c"), "recursive watch");
            zk.delete(root + "/w/c", -1);
            check(next().getType() == Watcher.Event.EventType.NodeDeleted, "recursive watch");
        }
        zk.removeAllWatches(root + "/w", Watcher.WatcherType.Any, false);
        next();
        check(true, "watches removed");
    }

    private static void multi(ZooKeeper zk, String root) throws Exception {
        List<OpResult> results = zk.multi(List.of(
            Op.create(root + "/m", "1".getBytes(), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
            Op.setData(root + "/m", "2".getBytes(), 0),
            Op.check(root + "/m", 1)));
        check(results.size() == 3 && new String(zk.getData(root + "/m", false, null)).equals("2"), "multi");
        try {
            zk.multi(List.of(Op.setData(root + "/m", "3".getBytes(), -1), Op.check(root + "/none", -1)));
            check(false, "all or none");
        } catch (KeeperException.NoNodeException expected) {
            check(new String(zk.getData(root + "/m", false, null)).equals("2"), "all or none");
        }
        List<OpResult> reads = zk.multi(List.of(Op.getData(root + "/m"), Op.getChildren(root + "/m")));
        check(new String(((OpResult.GetDataResult) reads.get(0)).getData()).equals("2"), "multi read");
    }

    private static void sessions(ZooKeeper zk, String address, String root) throws Exception {
        ZooKeeper other = connect(address);
        other.create(root + "/e", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        check(zk.exists(root + "/e", true).getEphemeralOwner() == other.getSessionId(), "ephemeral");
        check(other.getEphemerals(root).equals(List.of(root + "/e")), "ephemerals of a session");
        check(zk.whoAmI().stream().anyMatch(one -> one.getAuthScheme().equals("ip")), "who am I");
        other.close();
        check(next().getType() == Watcher.Event.EventType.NodeDeleted, "gone with its session");
    }

    private static void accessLists(ZooKeeper zk, String address, String root) throws Exception {
        String digest = DigestAuthenticationProvider.generateDigest("me:secret");
        List<ACL> acl = new ArrayList<>(List.of(new ACL(Perms.ALL, new Id("digest", digest))));
        zk.create(root + "/d", "hidden".getBytes(), acl, CreateMode.PERSISTENT);
        try {
            zk.getData(root + "/d", false, null);
            check(false, "refused without the password");
        } catch (KeeperException.NoAuthException expected) {
            check(true, "refused without the password");
        }
        zk.addAuthInfo("digest", "me:secret".getBytes());
        check(new String(zk.getData(root + "/d", false, null)).equals("hidden"), "allowed with it");
        check(zk.getACL(root + "/d", new Stat()).get(0).getId().getScheme().equals("digest"), "the list itself");
    }

    private static WatchedEvent next() throws Exception {
        WatchedEvent event = EVENTS.poll(TIMEOUT_MS, TimeUnit.MILLISECONDS);
        if (event == null) {
            throw new AssertionError("no event came");
        }
        return event;
    }

    private static void check(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
        System.out.println(what);
    }
}
