"""The ZooKeeper server: sockets, the log before the replies, session timers."""

from smackbox.zookeeper.server.service import RunningZooKeeper, ZooKeeperServer

__all__ = ["RunningZooKeeper", "ZooKeeperServer"]
