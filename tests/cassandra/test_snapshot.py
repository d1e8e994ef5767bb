"""Snapshots: a copy as of one moment, taken under load, that a server serves."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.cassandra.test_server import Client

from smackbox.base.errors import UserError
from smackbox.cassandra.server import CassandraServer
from smackbox.cassandra.server.tools import ask
from smackbox.cassandra.settings import CassandraSettings
from smackbox.net.service import ServiceThread

SMACK = (sys.executable, "-m", "smackbox")


class Address:
    def __init__(self, url: str) -> None:
        self.url = url


def fill(client: Client, *numbers: int) -> None:
    for number in numbers:
        assert client.query(f"INSERT INTO k.t (a, b) VALUES ({number}, {number})")[0] == 8


def make_table(client: Client) -> None:
    client.startup()
    for statement in (
        "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
        "CREATE TABLE k.t (a int PRIMARY KEY, b int)",
    ):
        assert client.query(statement)[0] == 8


def keys(directory: Path) -> set[int]:
    with ServiceThread(CassandraServer(CassandraSettings(dir=directory))) as thread, Client(thread) as client:
        client.startup()
        _, body = client.query("SELECT a FROM k.t")
    rows = body[body.index(b"\x00\x01a\x00\x09") + 5 :]
    count = int.from_bytes(rows[:4], "big")
    return {int.from_bytes(rows[8 + 8 * row : 12 + 8 * row], "big") for row in range(count)}


def test_a_snapshot_under_load_holds_all_that_was_acknowledged_before(tmp_path: Path) -> None:
    command = [*SMACK, "cassandra", "serve", "--port", "0", "--dir", str(tmp_path / "data")]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        address = Address(server.stdout.readline().split()[2])
        acknowledged: list[int] = []
        stop = threading.Event()
        with Client(address) as client:  # type: ignore[arg-type]
            make_table(client)

            def load() -> None:
                while not stop.is_set():
                    fill(client, len(acknowledged))
                    acknowledged.append(len(acknowledged))

            loading = threading.Thread(target=load)
            loading.start()
            while len(acknowledged) < 500:
                stop.wait(0.01)
            before = len(acknowledged)
            done = subprocess.run(
                [*SMACK, "cassandra", "snapshot", str(tmp_path / "copy"), "--dir", str(tmp_path / "data")],
                capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
            after = len(acknowledged)
            while len(acknowledged) == after:
                stop.wait(0.01)
            stop.set()
            loading.join()
        assert (done.returncode, done.stderr) == (0, "")
        assert f"MB in {tmp_path / 'copy'}" in done.stdout
        again = subprocess.run(
            [*SMACK, "cassandra", "snapshot", str(tmp_path / "copy"), "--dir", str(tmp_path / "data")],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert again.returncode == 1
        assert "is not empty" in again.stderr
        assert not list((tmp_path / "data").glob("copy-*"))
    finally:
        server.terminate()
        server.communicate(timeout=30)
    found = keys(tmp_path / "copy")
    assert found >= set(range(before))
    assert found == set(range(len(found)))
    assert keys(tmp_path / "data") == set(acknowledged)


def test_without_a_server_the_store_itself_is_copied(tmp_path: Path) -> None:
    with ServiceThread(CassandraServer(CassandraSettings(dir=tmp_path / "data"))) as thread, Client(thread) as client:
        make_table(client)
        fill(client, 1, 2)
    taken = ask(tmp_path / "data", tmp_path / "copy", 10)
    assert taken.files > 2
    assert keys(tmp_path / "copy") == {1, 2}


def test_a_server_in_a_thread_is_asked_too(tmp_path: Path) -> None:
    settings = CassandraSettings(dir=tmp_path / "data")
    with ServiceThread(CassandraServer(settings)):
        assert ask(tmp_path / "data", tmp_path / "copy", 10).files > 0


def test_what_is_no_data_directory_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not a Cassandra server's data directory"):
        ask(tmp_path, tmp_path / "copy", 1)
