"""The transaction log and snapshots: what is on disk comes back, and nothing else, wherever a crash cut it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from smackbox.base.clock import FakeClock
from smackbox.base.errors import StorageError
from smackbox.store.fs import FaultyDisk
from smackbox.zookeeper.state import database as database_module
from smackbox.zookeeper.state.database import Database
from smackbox.zookeeper.state.tree import OPEN_ACL, Tree
from smackbox.zookeeper.state.txn import CreateTxn, DeleteTxn, SetDataTxn


def create(database: Database, path: str, data: bytes = b"", owner: int = 0) -> None:
    parent = database.tree.get(path.rpartition("/")[0] or "/")
    database.commit(CreateTxn(path, data, OPEN_ACL, owner, False, 0, parent.creations + 1))


def contents(tree: Tree) -> dict[str, tuple[object, ...]]:
    return {path: (node.data, node.acl, node.stat(), sorted(node.children)) for path, node in tree.nodes.items()}


def open_database(directory: Path) -> Database:
    return Database(directory, FakeClock())


def fill(database: Database) -> None:
    database.create_session(7, 6_000, b"p" * 16)
    create(database, "/a", b"1")
    create(database, "/a/b", b"2", owner=7)
    database.commit(SetDataTxn("/a", b"changed", 1))
    create(database, "/a/c")
    database.commit(DeleteTxn("/a/c"))


def test_a_restart_finds_everything_flushed(tmp_path: Path) -> None:
    before = open_database(tmp_path)
    fill(before)
    before.journal.flush()
    after = open_database(tmp_path)
    assert contents(after.tree) == contents(before.tree)
    assert (after.zxid, after.tree.ephemerals) == (6, {7: {"/a/b"}})
    session = after.sessions.get(7)
    assert session is not None
    assert (session.timeout_ms, session.password) == (6_000, b"p" * 16)


def test_a_log_cut_at_every_byte_gives_its_whole_transactions(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    writing = open_database(tmp_path / "whole")
    states = [(0, contents(writing.tree))]
    log = tmp_path / "whole" / f"log.{1:016x}"
    for step in (
        lambda: create(writing, "/a", b"1"),
        lambda: create(writing, "/a/b", b"2"),
        lambda: writing.commit(SetDataTxn("/a", b"x", 1)),
        lambda: writing.commit(DeleteTxn("/a/b")),
    ):
        step()
        writing.journal.flush()
        states.append((log.stat().st_size, contents(writing.tree)))
    whole = log.read_bytes()
    for cut in range(len(whole) + 1):
        directory = tmp_path / "cut"
        directory.mkdir()
        (directory / log.name).write_bytes(whole[:cut])
        database = open_database(directory)
        size, state = max((item for item in states if item[0] <= cut), key=lambda item: item[0])
        assert contents(database.tree) == state
        assert database.cut_bytes == cut - size
        create(database, "/after")
        database.journal.flush()
        assert "/after" in open_database(directory).tree.nodes
        shutil.rmtree(directory)


def test_a_flipped_bit_ends_the_log_there(tmp_path: Path) -> None:
    database = open_database(tmp_path)
    create(database, "/a")
    database.journal.flush()
    log = tmp_path / f"log.{1:016x}"
    first = log.stat().st_size
    create(database, "/b")
    database.journal.flush()
    data = bytearray(log.read_bytes())
    data[first + 12] ^= 1
    log.write_bytes(data)
    assert sorted(open_database(tmp_path).tree.nodes.keys() & {"/a", "/b"}) == ["/a"]


def test_a_hole_before_a_later_log_is_refused(tmp_path: Path) -> None:
    database = open_database(tmp_path)
    create(database, "/a")
    create(database, "/b")
    database.journal.rotate(database.zxid + 1)
    create(database, "/c")
    database.journal.flush()
    log = tmp_path / f"log.{1:016x}"
    log.write_bytes(log.read_bytes()[:-1])
    with pytest.raises(StorageError, match="damaged in its middle"):
        open_database(tmp_path)


def test_a_snapshot_taken_while_the_tree_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "SNAPSHOT_EVERY_ENTRIES", 5)
    monkeypatch.setattr("smackbox.zookeeper.state.journal.SNAPSHOT_SLICE_NODES", 2)
    database = open_database(tmp_path)
    fill(database)
    number = 0
    while database.snapshot_step():
        create(database, f"/n{number}")
        if "/a/b" in database.tree.nodes:
            database.commit(DeleteTxn("/a/b"))
        number += 1
    assert number > 1
    database.commit(SetDataTxn("/a", b"later", 2))
    database.journal.flush()
    assert len(list(tmp_path.glob("snapshot.????????????????"))) == 1
    assert contents(open_database(tmp_path).tree) == contents(database.tree)


def test_old_snapshots_and_logs_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "SNAPSHOT_EVERY_ENTRIES", 1)
    database = open_database(tmp_path)
    for number in range(8):
        create(database, f"/n{number}")
        while database.snapshot_step():
            pass
    assert len(list(tmp_path.glob("snapshot.*"))) == 3
    assert len(list(tmp_path.glob("log.*"))) <= 4
    database.journal.flush()
    assert contents(open_database(tmp_path).tree) == contents(database.tree)


def test_an_unfinished_snapshot_is_not_used(tmp_path: Path) -> None:
    database = open_database(tmp_path)
    create(database, "/a")
    database.journal.flush()
    (tmp_path / f"snapshot.{1:016x}").write_bytes(b"half of one")
    assert "/a" in open_database(tmp_path).tree.nodes


def test_a_rotation_leaves_what_was_appended_in_the_old_log(tmp_path: Path) -> None:
    database = open_database(tmp_path)
    create(database, "/a")
    database.journal.rotate(2)
    assert database.journal.entries == 0
    assert (tmp_path / f"log.{1:016x}").stat().st_size > 0
    assert (tmp_path / f"log.{2:016x}").stat().st_size == 0


def test_a_session_that_was_closed_does_not_come_back(tmp_path: Path) -> None:
    database = open_database(tmp_path)
    database.create_session(7, 6_000, b"p")
    database.create_session(8, 6_000, b"p")
    database.close_session(7)
    database.close()
    assert [session.id for session in open_database(tmp_path).sessions.all()] == [8]


def test_a_log_that_a_snapshot_covers_may_be_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "SNAPSHOT_EVERY_ENTRIES", 2)
    database = open_database(tmp_path)
    create(database, "/a")
    create(database, "/b")
    database.journal.flush()
    log = tmp_path / f"log.{1:016x}"
    damaged = log.read_bytes()[:-1]
    while database.snapshot_step():
        pass
    create(database, "/c")
    database.close()
    log.write_bytes(damaged)
    again = open_database(tmp_path)
    assert ({"/a", "/b", "/c"} <= again.tree.nodes.keys(), again.cut_bytes) == (True, 0)
    assert log.read_bytes() == damaged, "nobody looks at it"


def test_what_is_left_of_an_earlier_snapshot_is_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "SNAPSHOT_EVERY_ENTRIES", 1)
    database = open_database(tmp_path)
    create(database, "/a")
    (tmp_path / f"snapshot.{1:016x}.fresh").write_bytes(b"a crash left this")
    while database.snapshot_step():
        pass
    database.close()
    (tmp_path / f"log.{1:016x}").unlink(missing_ok=True)
    assert "/a" in open_database(tmp_path).tree.nodes
    assert not list(tmp_path.glob("*.fresh"))


def test_a_snapshot_is_on_the_disk_before_the_log_before_it_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "SNAPSHOT_EVERY_ENTRIES", 1)
    disk = FaultyDisk()
    rename = disk.rename
    unsynced: list[int] = []

    def noted(source: Path, target: Path) -> None:
        unsynced.append(source.stat().st_size - disk.synced[source])
        rename(source, target)

    monkeypatch.setattr(disk, "rename", noted)
    database = Database(tmp_path, FakeClock(), disk)
    create(database, "/a")
    while database.snapshot_step():
        pass
    assert unsynced == [0]
    assert not (tmp_path / f"log.{1:016x}").exists()
    assert "/a" in open_database(tmp_path).tree.nodes


def test_a_damaged_snapshot_and_the_one_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The older one is used, with every log behind it."""
    database = open_database(tmp_path)
    for number, due in ((1, False), (2, True), (3, True), (4, False)):
        create(database, f"/n{number}")
        monkeypatch.setattr(database_module, "SNAPSHOT_EVERY_ENTRIES", 1 if due else 100)
        while database.snapshot_step():
            pass
    database.close()
    (tmp_path / f"snapshot.{3:016x}").write_bytes(b"damaged")
    again = open_database(tmp_path)
    assert (again.zxid, contents(again.tree)) == (4, contents(database.tree))


def test_a_log_whose_torn_end_held_nothing_is_cut(tmp_path: Path) -> None:
    database = open_database(tmp_path)
    create(database, "/a")
    database.journal.rotate(2)
    create(database, "/b")
    database.close()
    log = tmp_path / f"log.{1:016x}"
    whole = log.read_bytes()
    log.write_bytes(whole + b"torn")
    again = open_database(tmp_path)
    assert (again.cut_bytes, again.zxid, log.read_bytes()) == (4, 2, whole)


def test_the_three_newest_snapshots_stay_with_the_logs_behind_the_oldest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "SNAPSHOT_EVERY_ENTRIES", 1)
    database = open_database(tmp_path)
    for number in range(0x13):
        create(database, f"/n{number}")
        while database.snapshot_step():
            pass
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == [f"log.{n:016x}" for n in (0x12, 0x13, 0x14)] + [f"snapshot.{n:016x}" for n in (0x11, 0x12, 0x13)]


def test_every_log_is_read_where_there_is_no_snapshot(tmp_path: Path) -> None:
    database = open_database(tmp_path)
    for number in range(4):
        create(database, f"/n{number}")
        database.journal.rotate(database.zxid + 1)
    database.close()
    again = open_database(tmp_path)
    assert (again.zxid, contents(again.tree)) == (4, contents(database.tree))
