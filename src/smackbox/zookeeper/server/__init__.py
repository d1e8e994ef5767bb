"""The server of the ZooKeeper room: sockets, the log before the replies, sessions' clocks."""

from smackbox.zookeeper.server.service import RunningZooKeeper, ZooKeeperServer

__all__ = ["RunningZooKeeper", "ZooKeeperServer"]
