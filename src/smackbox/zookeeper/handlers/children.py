"""GetChildren, GetChildren2, GetEphemerals, GetAllChildrenNumber."""

from __future__ import annotations

from smackbox.zookeeper.handlers.call import Call
from smackbox.zookeeper.state.acl import check_allowed
from smackbox.zookeeper.state.paths import check_path
from smackbox.zookeeper.wire.codes import Permission
from smackbox.zookeeper.wire.jute import Writer
from smackbox.zookeeper.wire.records import stat_bytes


def get_children(call: Call) -> bytes:
    """GetChildren: only the names."""
    return _children(call).done()


def get_children2(call: Call) -> bytes:
    """The children, and the Stat of their parent."""
    return _children(call, with_stat=True).done()


def get_ephemerals(call: Call) -> bytes:
    """The caller's ephemeral nodes whose paths begin with a prefix."""
    prefix = call.reader.string()
    own = call.database.tree.ephemerals.get(call.caller.session_id, set())
    return Writer().strings(sorted(path for path in own if path.startswith(prefix))).done()


def get_all_children_number(call: Call) -> bytes:
    """The number of nodes below a node, at any depth."""
    path = call.reader.string()
    node = call.database.tree.get(check_path(path))
    check_allowed(node.acl, Permission.READ, call.caller.identities, path)
    return Writer().int32(sum(1 for _ in call.database.tree.under(path))).done()


def _children(call: Call, *, with_stat: bool = False) -> Writer:
    path, watch = call.reader.string(), call.reader.boolean()
    node = call.database.tree.get(check_path(path))
    check_allowed(node.acl, Permission.READ, call.caller.identities, path)
    if watch:
        call.database.watches.child.add(path, call.caller.watcher)
    writer = Writer().strings(list(node.children))
    return writer.raw(stat_bytes(node.stat())) if with_stat else writer
