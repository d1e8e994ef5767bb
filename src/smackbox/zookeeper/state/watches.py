"""Watches: who is notified of which path, once or until removed.

There are two tables, as in ZooKeeper: `data` watches are notified when a node is created, deleted or changed, `child`
watches when its children change or it is deleted. A persistent watch is in both; a recursive one is notified of all
changes below its path except children events, as it receives each creation and deletion anyway.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from enum import IntEnum

from smackbox.zookeeper.state.tree import Change, split
from smackbox.zookeeper.wire.codes import EventType

Watcher = Hashable


class Mode(IntEnum):
    """PERSISTENT and RECURSIVE are the numbers of an AddWatch request."""

    PERSISTENT = 0
    RECURSIVE = 1
    ONCE = 2


class WatchTable:
    """Watchers by path, and paths by watcher."""

    def __init__(self) -> None:
        self._by_path: dict[str, dict[Watcher, Mode]] = {}
        self._by_watcher: dict[Watcher, set[str]] = {}
        self._recursive = 0

    def __len__(self) -> int:
        return sum(map(len, self._by_path.values()))

    @property
    def paths(self) -> int:
        """The number of watched paths."""
        return len(self._by_path)

    def by_watcher(self) -> dict[Watcher, set[str]]:
        """The watched paths of each connection."""
        return self._by_watcher

    def by_path(self) -> dict[str, dict[Watcher, Mode]]:
        """The connections that watch each path, and their modes."""
        return self._by_path

    def add(self, path: str, watcher: Watcher, mode: Mode = Mode.ONCE) -> None:
        """Watch a path; a one-time watch does not replace a persistent one."""
        modes = self._by_path.setdefault(path, {})
        before = modes.get(watcher)
        if mode is Mode.ONCE and before is not None:
            return  # a persistent watch covers it already
        self._recursive += (mode is Mode.RECURSIVE) - (before is Mode.RECURSIVE)
        modes[watcher] = mode
        self._by_watcher.setdefault(watcher, set()).add(path)

    def has(self, path: str, watcher: Watcher, modes: frozenset[Mode]) -> bool:
        """Whether that connection watches the path in one of these ways."""
        return self._by_path.get(path, {}).get(watcher) in modes

    def remove(self, path: str, watcher: Watcher) -> None:
        """Remove the connection's watch of that path."""
        modes = self._by_path.get(path, {})
        mode = modes.pop(watcher, None)
        if mode is None:
            return
        self._recursive -= mode is Mode.RECURSIVE
        if not modes:
            del self._by_path[path]
        paths = self._by_watcher[watcher]
        paths.discard(path)
        if not paths:
            del self._by_watcher[watcher]

    def remove_watcher(self, watcher: Watcher) -> None:
        """Remove all watches of that connection."""
        for path in list(self._by_watcher.get(watcher, ())):
            self.remove(path, watcher)

    def trigger(self, kind: EventType, path: str, told: set[Watcher] | None = None) -> set[Watcher]:
        """The watchers to notify of this change, except those in `told`; one-time watches are removed."""
        heard: set[Watcher] = set()
        for watcher, mode in list(self._by_path.get(path, {}).items()):
            if mode is Mode.RECURSIVE and kind is EventType.CHILDREN_CHANGED:
                continue
            heard.add(watcher)
            if mode is Mode.ONCE:
                self.remove(path, watcher)
        if self._recursive and kind is not EventType.CHILDREN_CHANGED:
            for above in _above(path):
                heard |= {watcher for watcher, mode in self._by_path.get(above, {}).items() if mode is Mode.RECURSIVE}
        return heard - told if told else heard


class Watches:
    """Both tables, and the events of a change."""

    def __init__(self) -> None:
        self.data = WatchTable()
        self.child = WatchTable()

    def add(self, path: str, watcher: Watcher, mode: Mode) -> None:
        """A persistent or recursive watch."""
        self.data.add(path, watcher, mode)
        self.child.add(path, watcher, mode)

    def remove_watcher(self, watcher: Watcher) -> None:
        """Remove all watches of that connection from both tables."""
        self.data.remove_watcher(watcher)
        self.child.remove_watcher(watcher)

    def fire(self, changes: list[Change]) -> Iterator[tuple[Watcher, EventType, str]]:
        """Each watcher with its event, in the order of the changes."""
        for kind, path in changes:
            if kind is EventType.CHILDREN_CHANGED:
                heard = self.child.trigger(kind, path)
            else:
                heard = self.data.trigger(kind, path)
                if kind is EventType.DELETED:
                    heard |= self.child.trigger(kind, path, heard)
            for watcher in heard:
                yield watcher, kind, path


def _above(path: str) -> Iterator[str]:
    while path != "/":
        path, _ = split(path)
        yield path
