"""Who is notified of what (`WatchManager`, and ZOOKEEPER-1416 for persistent and recursive watches)."""

from __future__ import annotations

import pytest

from smackbox.zookeeper.state.watches import Mode, Watches, WatchTable
from smackbox.zookeeper.wire.codes import EventType

CREATED, DELETED = EventType.CREATED, EventType.DELETED
DATA, CHILDREN = EventType.DATA_CHANGED, EventType.CHILDREN_CHANGED
ONCE, PERSISTENT, RECURSIVE = Mode.ONCE, Mode.PERSISTENT, Mode.RECURSIVE


def heard(watches: Watches, *changes: tuple[EventType, str]) -> list[tuple[str, EventType, str]]:
    return sorted(watches.fire(list(changes)))  # type: ignore[type-var]


def test_a_watch_fires_once() -> None:
    watches = Watches()
    watches.data.add("/a", "x")
    assert heard(watches, (DATA, "/a")) == [("x", DATA, "/a")]
    assert heard(watches, (DATA, "/a")) == []
    assert (len(watches.data), watches.data.paths, watches.data.by_watcher()) == (0, 0, {})


@pytest.mark.parametrize(
    ("change", "data", "child"),
    [(CREATED, True, False), (DATA, True, False), (CHILDREN, False, True), (DELETED, True, True)],
)
def test_which_table_hears_which_change(change: EventType, data: bool, child: bool) -> None:
    for name, expected in (("data", data), ("child", child)):
        watches = Watches()
        getattr(watches, name).add("/a", "x")
        assert heard(watches, (change, "/b")) == []
        assert heard(watches, (change, "/a")) == ([("x", change, "/a")] if expected else [])


def test_one_who_watches_data_and_children_hears_of_a_deletion_once() -> None:
    watches = Watches()
    watches.data.add("/a", "x")
    watches.child.add("/a", "x")
    watches.child.add("/a", "y")
    assert heard(watches, (DELETED, "/a")) == [("x", DELETED, "/a"), ("y", DELETED, "/a")]
    assert len(watches.child) == 0, "the watch of children has fired, too"


def test_a_persistent_watch_hears_all_of_its_path_alone() -> None:
    watches = Watches()
    watches.add("/a", "x", PERSISTENT)
    for change in (CREATED, DATA, CHILDREN, DELETED, DATA):
        assert heard(watches, (change, "/a")) == [("x", change, "/a")]
    assert heard(watches, (CREATED, "/a/b")) == []


def test_a_recursive_watch_hears_all_below_but_changes_of_children() -> None:
    watches = Watches()
    watches.add("/a", "x", RECURSIVE)
    for path in ("/a", "/a/b", "/a/b/c"):
        for change in (CREATED, DATA, DELETED):
            assert heard(watches, (change, path)) == [("x", change, path)]
        assert heard(watches, (CHILDREN, path)) == []
    assert heard(watches, (DATA, "/ab"), (DATA, "/")) == []
    watches.add("/", "root", RECURSIVE)
    assert heard(watches, (DATA, "/ab")) == [("root", DATA, "/ab")]


def test_a_watch_for_once_does_not_replace_one_that_stays() -> None:
    for mode in (PERSISTENT, RECURSIVE):
        table = WatchTable()
        table.add("/a", "x", mode)
        table.add("/a", "x")
        assert table.has("/a", "x", frozenset({mode}))
        assert table.trigger(DATA, "/a") == {"x"}
        assert table.trigger(DATA, "/a") == {"x"}


def test_a_watch_that_stays_replaces_the_one_before() -> None:
    table = WatchTable()
    for mode in (ONCE, PERSISTENT, RECURSIVE, PERSISTENT):
        table.add("/a", "x", mode)
        assert table.by_path() == {"/a": {"x": mode}}
    assert len(table) == 1
    assert table.trigger(DATA, "/a/b") == set(), "it is recursive no more"
    table.add("/a", "x", RECURSIVE)
    table.add("/a", "x", RECURSIVE)
    table.remove("/a", "x")
    assert table._recursive == 0
    assert table.trigger(DATA, "/a/b") == set()


def test_removing() -> None:
    table = WatchTable()
    table.add("/a", "x", RECURSIVE)
    table.add("/a", "y", RECURSIVE)
    table.add("/b", "x")
    table.remove("/a", "nobody")
    table.remove("/c", "x")
    assert (len(table), table.paths) == (3, 2)
    table.remove("/a", "x")
    assert table.by_watcher() == {"x": {"/b"}, "y": {"/a"}}
    assert table.trigger(DATA, "/a/b") == {"y"}, "another recursive watch is left"
    table.remove_watcher("x")
    table.remove_watcher("x")
    assert (table.by_watcher(), table.by_path()) == ({"y": {"/a"}}, {"/a": {"y": RECURSIVE}})
    assert not table.has("/a", "x", frozenset(Mode))
    assert not table.has("/a", "y", frozenset({ONCE, PERSISTENT}))


def test_events_come_in_the_order_of_the_changes() -> None:
    watches = Watches()
    watches.data.add("/a", "x")
    watches.child.add("/", "x")
    events = list(watches.fire([(CREATED, "/a"), (CHILDREN, "/")]))
    assert events == [("x", CREATED, "/a"), ("x", CHILDREN, "/")]


def test_those_that_were_told_are_left_out() -> None:
    table = WatchTable()
    table.add("/a", "x")
    table.add("/a", "y")
    assert table.trigger(DELETED, "/a", {"x"}) == {"y"}
    assert len(table) == 0


def test_a_connection_that_is_gone_watches_nothing() -> None:
    watches = Watches()
    watches.data.add("/a", "x")
    watches.child.add("/a", "x")
    watches.add("/b", "y", PERSISTENT)
    watches.remove_watcher("x")
    assert [len(watches.data), len(watches.child)] == [1, 1]
    watches.remove_watcher("y")
    assert [len(watches.data), len(watches.child)] == [0, 0]
