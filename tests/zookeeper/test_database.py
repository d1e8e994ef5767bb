"""The database step by step, with a clock that stands still until it is told to move."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from smackbox.base.clock import FakeClock
from smackbox.base.errors import StorageError
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


def test_the_operations_of_a_multi_see_one_another(database: Database, clock: FakeClock) -> None:
    session = database.create_session(1, 4_000, b"")
    database.commit(create("/a"))
    database.watches.data.add("/a", "watcher")
    savepoint = Savepoint(database)
    savepoint.apply(create("/a/b", owner=session.id))
    savepoint.apply(SetDataTxn("/a", b"x", 1))
    assert database.tree.get("/a/b").stat().czxid == database.zxid + 1 == 3
    assert database.tree.get("/a").data == b"x"
    assert database.outbox == [], "nobody is notified before it is decided"
    clock.advance_ms(10)
    assert savepoint.commit() == database.zxid == 3, "one transaction"
    assert database.tree.get("/a/b").stat()[:4] == (3, 3, 1_700_000_000_000, 1_700_000_000_000)
    assert database.tree.get("/a").stat().version == 1
    assert database.tree.ephemerals == {1: {"/a/b"}}
    assert database.outbox == [("watcher", EventType.DATA_CHANGED, "/a")]


def test_an_undone_deletion_of_an_ephemeral_node(database: Database) -> None:
    session = database.create_session(1, 4_000, b"")
    database.commit(create("/a", owner=session.id))
    savepoint = Savepoint(database)
    savepoint.apply(DeleteTxn("/a"))
    assert "/a" not in database.tree.nodes
    savepoint.undo()
    assert database.tree.get("/").children == {"a", "zookeeper"}
    database.close_session(1)
    database.close_session(1)
    assert "/a" not in database.tree.nodes, "it still goes with its session"
    assert database.zxid == 3, "a session ends once"


def test_a_log_is_named_by_its_first_transaction(database: Database, tmp_path: Path, clock: FakeClock) -> None:
    database.commit(create("/a"))
    database.commit(create("/b"))
    database.close()
    again = Database(tmp_path, clock)
    assert (again.zxid, "/b" in again.tree.nodes) == (2, True), "a close writes what was appended"
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"log.{1:016x}", f"log.{3:016x}"]
    assert again.commit(create("/c")) == 3


def test_a_snapshot_is_taken_when_it_is_due(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smackbox.zookeeper.state.database.SNAPSHOT_EVERY_ENTRIES", 2)
    database.commit(create("/a"))
    assert database.snapshot_step() is False
    assert not list(tmp_path.glob("snapshot.*"))
    database.commit(create("/b"))
    steps = [database.snapshot_step(), database.snapshot_step(), database.snapshot_step()]
    assert steps == [True, False, False], "one slice of nodes, the end of it, and nothing is due"
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"log.{3:016x}", f"snapshot.{2:016x}"], "the log before it is needed no more"


def test_a_snapshot_that_the_disk_refuses_is_taken_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smackbox.zookeeper.state.database.SNAPSHOT_EVERY_ENTRIES", 1)
    database = Database(tmp_path, FakeClock())

    def refuse(*_: object) -> Iterator[None]:
        raise StorageError("full")
        yield

    monkeypatch.setattr("smackbox.zookeeper.state.database.write_snapshot", refuse)
    database.commit(create("/a"))
    with pytest.raises(StorageError):
        database.snapshot_step()
    assert database.snapshot_step() is False, "given up, until it is due again"
