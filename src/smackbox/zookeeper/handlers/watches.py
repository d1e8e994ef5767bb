"""SetWatches, SetWatches2, AddWatch, CheckWatches, RemoveWatches."""

from __future__ import annotations

from collections.abc import Iterator

from smackbox.zookeeper.handlers.call import Call
from smackbox.zookeeper.state.errors import ZooKeeperError
from smackbox.zookeeper.state.paths import check_path
from smackbox.zookeeper.state.watches import Mode, WatchTable
from smackbox.zookeeper.wire.codes import Code, EventType

NO_ERROR = bytes(4)
CHILDREN, DATA, ANY, PERSISTENT, PERSISTENT_RECURSIVE = 1, 2, 3, 4, 5
_ONCE = frozenset({Mode.ONCE})
_MODES = {
    PERSISTENT: frozenset({Mode.PERSISTENT}),
    PERSISTENT_RECURSIVE: frozenset({Mode.RECURSIVE}),
}


def set_watches(call: Call) -> bytes:
    """A reconnected client sets its watches again: those that changed meanwhile fire at once, the rest are set."""
    reader, database, watcher = call.reader, call.database, call.caller.watcher
    since = reader.int64()
    data, exist, child = reader.strings(), reader.strings(), reader.strings()
    nodes, watches, outbox = database.tree.nodes, database.watches, database.outbox
    for path in data:
        node = nodes.get(path)
        if node is None:
            outbox.append((watcher, EventType.DELETED, path))
        elif node.mzxid > since:
            outbox.append((watcher, EventType.DATA_CHANGED, path))
        else:
            watches.data.add(path, watcher)
    for path in exist:
        if path in nodes:
            outbox.append((watcher, EventType.CREATED, path))
        else:
            watches.data.add(path, watcher)
    for path in child:
        node = nodes.get(path)
        if node is None:
            outbox.append((watcher, EventType.DELETED, path))
        elif node.pzxid > since:
            outbox.append((watcher, EventType.CHILDREN_CHANGED, path))
        else:
            watches.child.add(path, watcher)
    return b""


def set_watches2(call: Call) -> bytes:
    """SetWatches with persistent and recursive watches."""
    set_watches(call)
    for mode in (Mode.PERSISTENT, Mode.RECURSIVE):
        for path in call.reader.strings():
            call.database.watches.add(path, call.caller.watcher, mode)
    return b""


def add_watch(call: Call) -> bytes:
    """A persistent (0) or recursive (1) watch; answered with an ErrorResponse of 0. Raises BAD_ARGUMENTS."""
    path, mode = call.reader.string(), call.reader.int32()
    if mode not in {Mode.PERSISTENT, Mode.RECURSIVE}:
        raise ZooKeeperError(Code.BAD_ARGUMENTS, path)
    call.database.watches.add(check_path(path), call.caller.watcher, Mode(mode))
    return NO_ERROR


def check_watches(call: Call) -> bytes:
    """Raises NO_WATCHER if the caller has no such watch."""
    path, kind = call.reader.string(), call.reader.int32()
    if not list(_found(call, path, kind)):
        raise ZooKeeperError(Code.NO_WATCHER, path)
    return b""


def remove_watches(call: Call) -> bytes:
    """Remove the caller's watches. Raises NO_WATCHER if it has no such watch."""
    path, kind = call.reader.string(), call.reader.int32()
    tables = list(_found(call, path, kind))
    if not tables:
        raise ZooKeeperError(Code.NO_WATCHER, path)
    for table in tables:
        table.remove(path, call.caller.watcher)
    return b""


def _found(call: Call, path: str, kind: int) -> Iterator[WatchTable]:
    """The tables that have a watch of that kind by the caller."""
    watches = call.database.watches
    if kind in _MODES:
        tables, modes = (watches.data, watches.child), _MODES[kind]
    elif kind in {CHILDREN, DATA, ANY}:
        tables = {CHILDREN: (watches.child,), DATA: (watches.data,), ANY: (watches.data, watches.child)}[kind]  # type: ignore[assignment]
        modes = frozenset(Mode) if kind == ANY else _ONCE
    else:
        raise ZooKeeperError(Code.BAD_ARGUMENTS, path)
    return (table for table in tables if table.has(path, call.caller.watcher, modes))
