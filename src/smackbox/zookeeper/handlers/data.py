"""Exists, GetData, SetData, Check, Sync: a node's data and its Stat."""

from __future__ import annotations

from smackbox.zookeeper.handlers.call import Call
from smackbox.zookeeper.handlers.delete import check_version
from smackbox.zookeeper.state.acl import check_allowed
from smackbox.zookeeper.state.paths import check_path
from smackbox.zookeeper.state.txn import CheckTxn, SetDataTxn
from smackbox.zookeeper.wire.codes import Permission
from smackbox.zookeeper.wire.jute import Writer
from smackbox.zookeeper.wire.records import stat_bytes


def exists(call: Call) -> bytes:
    """Exists: the watch is set whether or not the node exists."""
    path, watch = call.reader.string(), call.reader.boolean()
    check_path(path)
    if watch:
        call.database.watches.data.add(path, call.caller.watcher)
    return stat_bytes(call.database.tree.get(path).stat())


def get_data(call: Call) -> bytes:
    """GetData: the data and the stat, with a watch if requested."""
    path, watch = call.reader.string(), call.reader.boolean()
    node = call.database.tree.get(check_path(path))
    check_allowed(node.acl, Permission.READ, call.caller.identities, path)
    if watch:
        call.database.watches.data.add(path, call.caller.watcher)
    return Writer().buffer(node.data).raw(stat_bytes(node.stat())).done()


def set_data(call: Call) -> bytes:
    """SetData: the new stat."""
    txn = prepare_set_data(call)
    call.database.commit(txn)
    return stat_bytes(call.database.tree.get(txn.path).stat())


def prepare_set_data(call: Call) -> SetDataTxn:
    """Prepare a SetData. Raises BAD_ARGUMENTS, NO_NODE, NO_AUTH or BAD_VERSION."""
    path, data, version = call.reader.string(), call.reader.buffer(), call.reader.int32()
    node = call.database.tree.get(check_path(path))
    check_allowed(node.acl, Permission.WRITE, call.caller.identities, path)
    check_version(version, node.version, path)
    return SetDataTxn(path, data, node.version + 1)


def prepare_check(call: Call) -> CheckTxn:
    """Prepare a Check. Raises BAD_ARGUMENTS, NO_NODE, NO_AUTH or BAD_VERSION."""
    path, version = call.reader.string(), call.reader.int32()
    node = call.database.tree.get(check_path(path))
    check_allowed(node.acl, Permission.READ, call.caller.identities, path)
    check_version(version, node.version, path)
    return CheckTxn(path)


def sync(call: Call) -> bytes:
    """Sync: a single server has nothing to wait for."""
    return Writer().string(call.reader.string()).done()
