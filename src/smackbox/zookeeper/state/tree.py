"""The tree of nodes. Only `apply` of a transaction changes it, and returns the events for watchers.

`creations` counts the children ever created under a node. It gives sequential names their numbers. The children version
that clients see is twice this count minus the number of children, as each deletion counts too.
"""

from __future__ import annotations

from collections.abc import Iterator

from smackbox.zookeeper.state.errors import ZooKeeperError
from smackbox.zookeeper.state.txn import CheckTxn, CreateTxn, DeleteTxn, NodeTxn, SetAclTxn, SetDataTxn
from smackbox.zookeeper.wire.codes import Code, EventType
from smackbox.zookeeper.wire.records import Acl, Stat

OPEN_ACL = (Acl(31, "world", "anyone"),)
READ_ONLY_ACL = (Acl(1, "world", "anyone"),)
SYSTEM_PATHS = frozenset({"/", "/zookeeper", "/zookeeper/config", "/zookeeper/quota"})

Change = tuple[EventType, str]


class Node:
    """One node. Times are in milliseconds; `owner` is the session of an ephemeral node, else 0."""

    __slots__ = (
        "acl", "aversion", "children", "container", "creations", "ctime", "czxid", "data", "mtime", "mzxid", "owner",
        "pzxid", "ttl_ms", "version",
    )  # fmt: skip

    def __init__(self, data: bytes | None, acl: tuple[Acl, ...], zxid: int, time_ms: int) -> None:
        self.data = data
        self.acl = acl
        self.czxid = self.mzxid = self.pzxid = zxid
        self.ctime = self.mtime = time_ms
        self.version = self.aversion = self.creations = 0
        self.owner = 0
        self.container = False
        self.ttl_ms = 0
        self.children: set[str] = set()

    def stat(self) -> Stat:
        """The node's stat, as clients see it."""
        return Stat(
            self.czxid,
            self.mzxid,
            self.ctime,
            self.mtime,
            self.version,
            2 * self.creations - len(self.children),
            self.aversion,
            self.owner,
            len(self.data or b""),
            len(self.children),
            self.pzxid,
        )


class Tree:
    """All nodes by path, and the ephemeral nodes of each session."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.ephemerals: dict[int, set[str]] = {}
        for path in sorted(SYSTEM_PATHS):
            self.nodes[path] = Node(b"", OPEN_ACL if path != "/zookeeper/config" else READ_ONLY_ACL, 0, 0)
            if path != "/":
                parent, name = split(path)
                self.nodes[parent].children.add(name)

    def get(self, path: str) -> Node:
        """The node at `path`. Raises `ZooKeeperError` NO_NODE."""
        node = self.nodes.get(path)
        if node is None:
            raise ZooKeeperError(Code.NO_NODE, path)
        return node

    def apply(self, txn: NodeTxn, zxid: int, time_ms: int) -> list[Change]:
        """Change the tree. Applying a transaction a second time changes nothing, and returns no wrong events."""
        match txn:
            case CreateTxn():
                return self._create(txn, zxid, time_ms)
            case DeleteTxn():
                return self._delete(txn.path, zxid)
            case SetDataTxn():
                node = self.nodes.get(txn.path)
                if node is None:
                    return []
                node.data, node.version = txn.data, txn.version
                node.mzxid, node.mtime = zxid, time_ms
                return [(EventType.DATA_CHANGED, txn.path)]
            case SetAclTxn():
                node = self.nodes.get(txn.path)
                if node is not None:
                    node.acl, node.aversion = txn.acl, txn.version
                return []
            case CheckTxn():
                return []

    def close_session(self, session_id: int, paths: tuple[str, ...], zxid: int) -> list[Change]:
        """Delete the session's ephemeral nodes."""
        changes = [change for path in paths for change in self._delete(path, zxid)]
        self.ephemerals.pop(session_id, None)
        return changes

    def under(self, path: str) -> Iterator[str]:
        """The paths below `path`, without itself."""
        prefix = path if path.endswith("/") else path + "/"
        return (other for other in self.nodes if other.startswith(prefix) and other != path)

    def _create(self, txn: CreateTxn, zxid: int, time_ms: int) -> list[Change]:
        parent_path, name = split(txn.path)
        parent = self.nodes.get(parent_path)
        if parent is None:
            return []
        node = Node(txn.data, txn.acl, zxid, time_ms)
        there = self.nodes.get(txn.path)
        if there is not None:  # a replay over a snapshot that already has it
            node.children = there.children
        node.owner, node.container, node.ttl_ms = txn.owner, txn.container, txn.ttl_ms
        self.nodes[txn.path] = node
        parent.children.add(name)
        parent.creations = max(parent.creations, txn.creations)
        parent.pzxid = max(parent.pzxid, zxid)
        if txn.owner:
            self.ephemerals.setdefault(txn.owner, set()).add(txn.path)
        return [(EventType.CREATED, txn.path), (EventType.CHILDREN_CHANGED, parent_path)]

    def _delete(self, path: str, zxid: int) -> list[Change]:
        node = self.nodes.pop(path, None)
        parent_path, name = split(path)
        parent = self.nodes.get(parent_path)
        if parent is not None:  # in a replay over a snapshot the node, or even its parent, may already be gone
            parent.children.discard(name)
            parent.pzxid = max(parent.pzxid, zxid)
        if node is None:
            return []
        if node.owner:
            self.ephemerals.get(node.owner, set()).discard(path)
        return [(EventType.DELETED, path), (EventType.CHILDREN_CHANGED, parent_path)]


def split(path: str) -> tuple[str, str]:
    """`/a/b` -> `/a`, `b`; `/a` -> `/`, `a`."""
    parent, _, name = path.rpartition("/")
    return parent or "/", name
