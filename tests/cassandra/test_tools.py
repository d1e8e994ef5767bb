"""`smack cql flush`, `compact`, `snapshot` and its kin, and `restore`, with a server and without."""

from __future__ import annotations

import re
import subprocess
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tests.cassandra.test_server import Client
from tests.cassandra.test_snapshot import SMACK, Address, fill, keys, make_table

from smackbox.base.errors import UserError
from smackbox.cassandra.server import CassandraServer
from smackbox.cassandra.server import snapshot as snapshot_module
from smackbox.cassandra.server.snapshot import (
    STORE,
    clear,
    clear_expired,
    let_expire,
    named,
    restore,
    snapshots,
    ttl_s,
)
from smackbox.cassandra.server.tools import ask, compact, flush
from smackbox.cassandra.settings import CassandraSettings
from smackbox.cassandra.state.engine import SCHEMA_FAMILY
from smackbox.net.control import server_status
from smackbox.net.service import ServiceThread
from smackbox.store.rocks import open_store


def smack(*arguments: str, directory: Path) -> subprocess.CompletedProcess[str]:
    command = [*SMACK, "cql", *arguments, "--dir", str(directory)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    """The directory of a server that holds rows 1 to 20 and has deleted 1 to 15 at once."""
    directory = tmp_path / "data"
    with ServiceThread(CassandraServer(CassandraSettings(dir=directory))) as thread, Client(thread) as client:
        make_table(client)
        assert client.query("ALTER TABLE k.t WITH gc_grace_seconds = 0")[0] == 8
        fill(client, *range(1, 21))
        for number in range(1, 16):
            assert client.query(f"DELETE FROM k.t WHERE a = {number}")[0] == 8
    return directory


def entries(directory: Path) -> int:
    """How many fragments the store of a stopped server holds."""
    store = open_store(directory / STORE, families=(SCHEMA_FAMILY,))
    try:
        return sum(1 for _ in store.items())
    finally:
        store.close()


def test_a_running_server_is_asked(stopped: Path) -> None:
    command = [*SMACK, "cassandra", "serve", "--port", "0", "--dir", str(stopped)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        address = Address(server.stdout.readline().split()[2])
        done = smack("flush", directory=stopped)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("all data is flushed to files")
        done = smack("compact", "k.t", directory=stopped)
        assert (done.returncode, done.stderr) == (0, "")
        assert re.match(r"1 tables: \d+ entries dropped, ", done.stdout)
        assert smack("compact", directory=stopped).stdout.startswith("1 tables: 0 entries dropped")
        done = smack("compact", "k.none", directory=stopped)
        assert done.returncode == 1
        assert "there is no table k.none" in done.stderr
        assert smack("snapshot", "-t", "first", directory=stopped).returncode == 0
        assert "first\t" in smack("listsnapshots", directory=stopped).stdout
        done = smack("restore", "first", directory=stopped)
        assert done.returncode == 1
        assert "is held by process" in done.stderr
        with Client(address) as client:  # type: ignore[arg-type]
            client.startup()
            fill(client, 99)
    finally:
        server.terminate()
        server.communicate(timeout=30)
    assert entries(stopped) == 6
    assert keys(stopped) == {16, 17, 18, 19, 20, 99}
    assert smack("restore", "first", directory=stopped).returncode == 0
    assert keys(stopped) == {16, 17, 18, 19, 20}
    assert smack("clearsnapshot", "first", directory=stopped).stdout == "1 snapshots removed\n"
    assert keys(stopped) == {16, 17, 18, 19, 20}


def test_without_a_server_the_store_itself_is_tidied(stopped: Path) -> None:
    assert flush(stopped, 1).startswith("all data is flushed to files")
    assert compact(stopped, "k", 1).startswith("1 tables: ")
    assert entries(stopped) == 5
    with pytest.raises(UserError, match="there is no keyspace other"):
        compact(stopped, "other", 1)
    with pytest.raises(UserError, match="is not a Cassandra server's data directory"):
        compact(stopped / "none", "", 1)
    assert keys(stopped) == {16, 17, 18, 19, 20}


def test_the_passes_of_a_server_that_is_served(stopped: Path) -> None:
    server = CassandraServer(CassandraSettings(dir=stopped))
    with ServiceThread(server) as thread, Client(thread) as client:
        client.startup()
        assert compact(stopped, "k.t", 20).startswith("1 tables: ")
        assert sum(1 for _ in server.running.state.engine.store.items()) == 5
        with pytest.raises(UserError, match="there is no keyspace other"):
            compact(stopped, "other", 20)
        assert "bytes on disk" in "\n".join(server_status(stopped))
        fill(client, 1)
    assert keys(stopped) == {1, 16, 17, 18, 19, 20}


def test_a_snapshot_with_a_time_to_live_is_removed_when_it_is_over(stopped: Path) -> None:
    for name in ("short", "long", "kept"):
        ask(stopped, named(stopped, name), 1)
    let_expire(named(stopped, "short"), 1000)
    let_expire(named(stopped, "long"), 2000)
    assert {found.name: found.expires_s for found in snapshots(stopped)} == {"short": 1000, "long": 2000, "kept": None}
    assert clear_expired(stopped, 999.9) == []
    assert clear_expired(stopped, 1000) == ["short"]
    assert {found.name for found in snapshots(stopped)} == {"long", "kept"}


def test_the_list_of_snapshots_has_none_that_are_over(stopped: Path) -> None:
    assert smack("snapshot", "-t", "new", "--ttl", "2h", directory=stopped).returncode == 0
    ask(stopped, named(stopped, "old"), 1)
    let_expire(named(stopped, "old"), 1)
    head, line = smack("listsnapshots", directory=stopped).stdout.splitlines()
    assert head.split("\t") == ["name", "taken", "MB", "expires"]
    name, taken, _, expires = line.split("\t")
    assert (name, datetime.fromisoformat(expires) - datetime.fromisoformat(taken) >= timedelta(hours=1)) == (
        "new",
        True,
    )
    done = smack("snapshot", "-t", "x", "--ttl", "59s", directory=stopped)
    assert (done.returncode, "at least 60 s" in done.stderr) == (1, True)


def test_a_server_removes_snapshots_that_are_over(stopped: Path) -> None:
    ask(stopped, named(stopped, "old"), 1)
    let_expire(named(stopped, "old"), 1)
    server = CassandraServer(CassandraSettings(dir=stopped))
    with ServiceThread(server) as thread:
        thread.call(server.running.upkeep.clear_snapshots())
    assert snapshots(stopped) == []


@pytest.mark.parametrize(("text", "seconds"), [("60s", 60), ("90m", 5400), ("12h", 43_200), ("30d", 2_592_000)])
def test_times_to_live(text: str, seconds: int) -> None:
    assert ttl_s(text) == seconds


@pytest.mark.parametrize("text", ["", "60", "1w", "-1h", "1.5h", "0s", "59s", "h"])
def test_what_is_no_time_to_live(text: str) -> None:
    with pytest.raises(UserError, match="time to live is a number|at least 60 s"):
        ttl_s(text)


def test_snapshots_by_name(stopped: Path) -> None:
    for name in ("one", "two", "three"):
        ask(stopped, named(stopped, name), 1)
    assert {found.name for found in snapshots(stopped)} == {"one", "two", "three"}
    assert clear(stopped, "two") == 1
    with pytest.raises(UserError, match="there is no snapshot two"):
        clear(stopped, "two")
    for wrong in ("", "..", ".x", "a/b"):
        with pytest.raises(UserError, match="a snapshot's name consists of"):
            named(stopped, wrong)
    assert clear(stopped, "") == 2
    assert snapshots(stopped) == []
    done = smack("clearsnapshot", directory=stopped)
    assert done.returncode == 2


def test_a_snapshot_is_restored_more_than_once(stopped: Path, tmp_path: Path) -> None:
    ask(stopped, tmp_path / "copy", 1)
    for _ in range(2):
        with ServiceThread(CassandraServer(CassandraSettings(dir=stopped))) as thread, Client(thread) as client:
            client.startup()
            fill(client, *range(500, 900))
            assert client.query("DELETE FROM k.t WHERE a = 16")[0] == 8
        compact(stopped, "", 1)
        restore(stopped, tmp_path / "copy")
        assert keys(stopped) == {16, 17, 18, 19, 20}
    assert keys(tmp_path / "copy") == {16, 17, 18, 19, 20}
    restore(tmp_path / "new", tmp_path / "copy")
    assert keys(tmp_path / "new") == {16, 17, 18, 19, 20}
    with pytest.raises(UserError, match="is not a snapshot"):
        restore(stopped, tmp_path)


def test_a_restore_that_dies_half_way_is_finished_by_the_next_start(
    stopped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(stopped, tmp_path / "copy", 1)
    with ServiceThread(CassandraServer(CassandraSettings(dir=stopped))) as thread, Client(thread) as client:
        client.startup()
        fill(client, 99)

    def dies(_: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(snapshot_module, "finish_restoring", dies)
        with pytest.raises(KeyboardInterrupt):
            restore(stopped, tmp_path / "copy")
    assert keys(stopped) == {16, 17, 18, 19, 20}
    assert sorted(entry.name for entry in stopped.iterdir() if entry.is_dir()) == ["data"]
