"""The database step by step, with a clock that stands still until it is told to move."""

from __future__ import annotations

from pathlib import Path

import pytest

from smackbox.base.clock import FakeClock
from smackbox.zookeeper.state.database import Database, Savepoint
from smackbox.zookeeper.state.tree import OPEN_ACL
from smackbox.zookeeper.state.txn import CreateTxn, DeleteTxn, SetDataTxn
from smackbox.zookeeper.state.watches import Mode
from smackbox.zookeeper.wire.codes import EventType


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def database(tmp_path: Path, clock: FakeClock) -> Database:
    return Database(tmp_path, clock)


def create(path: str, owner: int = 0, *, container: bool = False, ttl_ms: int = 0, creations: int = 1) -> CreateTxn:
    return CreateTxn(path, b"", OPEN_ACL, owner, container, ttl_ms, creations)


def test_a_silent_session_ends_and_takes_its_ephemeral_nodes(database: Database, clock: FakeClock) -> None:
    silent = database.create_session(1, 4_000, b"")
    heard = database.create_session(2, 4_000, b"")
    database.commit(create("/silent", owner=silent.id))
    database.commit(create("/heard", owner=heard.id))
    clock.advance_ms(4_000)
    assert database.expire_sessions() == []
    database.sessions.touch(heard, clock.monotonic_ms())
    clock.advance_ms(1)
    assert database.expire_sessions() == [1]
    assert ("/silent" in database.tree.nodes, "/heard" in database.tree.nodes) == (False, True)


def test_a_restart_gives_sessions_their_whole_time_again(database: Database, tmp_path: Path, clock: FakeClock) -> None:
    database.create_session(1, 4_000, b"")
    database.journal.flush()
    clock.advance_ms(3_999)
    again = Database(tmp_path, clock)
    clock.advance_ms(4_000)
    assert again.expire_sessions() == []
    clock.advance_ms(1)
    assert again.expire_sessions() == [1]


def test_a_session_is_resumed_by_its_password_alone(database: Database, clock: FakeClock) -> None:
    database.create_session(1, 4_000, b"secret")
    assert database.sessions.resume(1, b"guess", 4_000, 0) is None
    assert database.sessions.resume(9, b"secret", 4_000, 0) is None
    resumed = database.sessions.resume(1, b"secret", 9_000, clock.monotonic_ms())
    assert resumed is not None
    assert (resumed.timeout_ms, resumed.deadline_ms) == (9_000, 9_000)


def test_containers_go_when_empty_again_and_others_when_their_time_is_over(
    database: Database, clock: FakeClock
) -> None:
    database.commit(create("/fresh", container=True))
    database.commit(create("/used", container=True))
    database.commit(create("/used/child"))
    database.commit(create("/timed", ttl_ms=1_000))
    assert database.sweep() == 0
    database.commit(DeleteTxn("/used/child"))
    clock.advance_ms(1_001)
    assert database.sweep() == 2
    assert "/fresh" in database.tree.nodes


def test_wall_time_going_back_does_not_make_nodes_older(tmp_path: Path) -> None:
    clock = FakeClock(start_wall_ms=5_000)
    database = Database(tmp_path, clock)
    database.commit(create("/a"))
    clock._start_wall_ms = 1_000
    database.commit(SetDataTxn("/a", b"", 1))
    assert database.tree.get("/a").mtime == 5_000


def test_an_undone_multi_leaves_nothing(database: Database) -> None:
    session = database.create_session(1, 4_000, b"")
    database.commit(create("/a"))
    before = {path: node.stat() for path, node in database.tree.nodes.items()}
    savepoint = Savepoint(database)
    savepoint.apply(create("/a/b", owner=session.id))
    savepoint.apply(SetDataTxn("/a", b"x", 1))
    savepoint.apply(DeleteTxn("/a/b"))
    savepoint.apply(create("/a/c", owner=session.id, creations=2))
    savepoint.undo()
    assert {path: node.stat() for path, node in database.tree.nodes.items()} == before
    assert database.tree.ephemerals.get(session.id, set()) == set()


def test_what_watchers_hear(database: Database) -> None:
    watches = database.watches
    watches.data.add("/a", "once")
    watches.child.add("/", "parent")
    watches.add("/a", "persistent", Mode.PERSISTENT)
    watches.add("/", "recursive", Mode.RECURSIVE)
    database.commit(create("/a"))
    assert set(database.outbox) == {
        ("once", EventType.CREATED, "/a"),
        ("persistent", EventType.CREATED, "/a"),
        ("recursive", EventType.CREATED, "/a"),
        ("parent", EventType.CHILDREN_CHANGED, "/"),
    }
    database.outbox.clear()
    database.commit(DeleteTxn("/a"))
    assert sorted(map(str, database.outbox)) == sorted(
        map(str, [("persistent", EventType.DELETED, "/a"), ("recursive", EventType.DELETED, "/a")])
    )
    watches.remove_watcher("persistent")
    watches.remove_watcher("recursive")
    assert (len(watches.data), len(watches.child)) == (0, 0)
