"""Create, Create2, CreateContainer, CreateTTL: create a node that may be ephemeral, sequential, a container, or have a
TTL.

Flags: 0 persistent, 1 ephemeral, 2 and 3 the same sequential, 4 container, 5 and 6 with a TTL, 6 sequential.
"""

from __future__ import annotations

from smackbox.zookeeper.handlers.call import Call
from smackbox.zookeeper.state.acl import check_allowed, resolve
from smackbox.zookeeper.state.errors import ZooKeeperError
from smackbox.zookeeper.state.paths import check_path
from smackbox.zookeeper.state.tree import split
from smackbox.zookeeper.state.txn import CreateTxn
from smackbox.zookeeper.wire.codes import Code, Permission
from smackbox.zookeeper.wire.jute import Writer
from smackbox.zookeeper.wire.records import read_acl, stat_bytes

EPHEMERAL = frozenset({1, 3})
SEQUENTIAL = frozenset({2, 3, 6})
CONTAINER = 4
WITH_TTL = frozenset({5, 6})
LAST_FLAG = 6
TTL_LIMIT_MS = (1 << 40) - 1


def handle(call: Call) -> bytes:
    """Create: the answer is the path of the new node."""
    txn = prepare(call, with_ttl=False)
    call.database.commit(txn)
    return Writer().string(txn.path).done()


def handle2(call: Call, *, with_ttl: bool = False) -> bytes:
    """Create2, CreateContainer, CreateTTL: the answer is the path and the Stat."""
    txn = prepare(call, with_ttl=with_ttl)
    call.database.commit(txn)
    return Writer().string(txn.path).raw(stat_bytes(call.database.tree.get(txn.path).stat())).done()


def handle_ttl(call: Call) -> bytes:
    """CreateTTL: a node that is deleted when it has not been written to for that long."""
    return handle2(call, with_ttl=True)


def prepare(call: Call, *, with_ttl: bool) -> CreateTxn:
    """Prepare the creation. Raises BAD_ARGUMENTS, INVALID_ACL, NO_NODE, NO_AUTH, NO_CHILDREN_FOR_EPHEMERALS or
    NODE_EXISTS.
    """
    reader = call.reader
    path, data, acl, flags = reader.string(), reader.buffer(), read_acl(reader), reader.int32()
    ttl_ms = reader.int64() if with_ttl else 0
    if not 0 <= flags <= LAST_FLAG or (flags in WITH_TTL) != with_ttl or not 0 <= ttl_ms <= TTL_LIMIT_MS:
        raise ZooKeeperError(Code.BAD_ARGUMENTS, path)
    if with_ttl and ttl_ms == 0:
        raise ZooKeeperError(Code.BAD_ARGUMENTS, path)
    resolved = resolve(acl, call.caller.identities, path)
    if not path.startswith("/") or "\0" in path:
        raise ZooKeeperError(Code.BAD_ARGUMENTS, path)
    parent = call.database.tree.get(split(path)[0])
    check_allowed(parent.acl, Permission.CREATE, call.caller.identities, path)
    if flags in SEQUENTIAL:
        path = f"{path}{parent.creations:010d}"
    check_path(path)
    if path in call.database.tree.nodes:
        raise ZooKeeperError(Code.NODE_EXISTS, path)
    if parent.owner:
        raise ZooKeeperError(Code.NO_CHILDREN_FOR_EPHEMERALS, path)
    return CreateTxn(
        path=path,
        data=data,
        acl=resolved,
        owner=call.caller.session_id if flags in EPHEMERAL else 0,
        container=flags == CONTAINER,
        ttl_ms=ttl_ms,
        creations=parent.creations + 1,
    )
