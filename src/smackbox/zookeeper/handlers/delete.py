"""Delete: a node without children, with a version, or -1 for any version."""

from __future__ import annotations

from smackbox.zookeeper.handlers.call import Call
from smackbox.zookeeper.state.acl import check_allowed
from smackbox.zookeeper.state.errors import ZooKeeperError
from smackbox.zookeeper.state.paths import check_path
from smackbox.zookeeper.state.tree import SYSTEM_PATHS, split
from smackbox.zookeeper.state.txn import DeleteTxn
from smackbox.zookeeper.wire.codes import Code, Permission

ANY_VERSION = -1


def handle(call: Call) -> bytes:
    """Delete."""
    call.database.commit(prepare(call))
    return b""


def prepare(call: Call) -> DeleteTxn:
    """Prepare a deletion. Raises BAD_ARGUMENTS, NO_NODE, NO_AUTH, BAD_VERSION or NOT_EMPTY."""
    path, version = call.reader.string(), call.reader.int32()
    if check_path(path) in SYSTEM_PATHS:
        raise ZooKeeperError(Code.BAD_ARGUMENTS, path)
    tree = call.database.tree
    check_allowed(tree.get(split(path)[0]).acl, Permission.DELETE, call.caller.identities, path)
    node = tree.get(path)
    check_version(version, node.version, path)
    if node.children:
        raise ZooKeeperError(Code.NOT_EMPTY, path)
    return DeleteTxn(path)


def check_version(wanted: int, version: int, path: str) -> None:
    """Raises BAD_VERSION unless the versions match."""
    if wanted not in {ANY_VERSION, version}:
        raise ZooKeeperError(Code.BAD_VERSION, path)
