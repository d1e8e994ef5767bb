"""Messages and files between driver and executors: who does not know the secret gets nothing."""

from __future__ import annotations

import contextlib
import queue
import socket
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from smackbox.spark.rdd.cluster import blocks
from smackbox.spark.rdd.cluster.channel import Listener, connect, own_host, peer_host, receive, send
from smackbox.spark.rdd.cluster.worker import DriverFiles
from smackbox.spark.rdd.errors import FetchFailedError
from smackbox.spark.rdd.shuffle_files import read_shuffle, write_shuffle

HOST, SECRET = "127.0.0.1", b"known"
WAIT_S = 60.0


@pytest.fixture
def accepted() -> Iterator[tuple[Listener, queue.Queue[Connection]]]:
    connections: queue.Queue[Connection] = queue.Queue()
    listener = Listener(HOST, 0, SECRET, connections.put)
    yield listener, connections
    listener.close()
    while not connections.empty():
        connections.get().close()


def test_messages_go_both_ways(accepted: tuple[Listener, queue.Queue[Connection]]) -> None:
    listener, connections = accepted
    with connect(f"{HOST}:{listener.port}", SECRET) as ours:
        theirs = connections.get(timeout=WAIT_S)
        send(ours, ("task", 1))
        assert receive(theirs, WAIT_S) == ("task", 1)
        send(theirs, {"answer": [1, 2]})
        assert receive(ours, WAIT_S) == {"answer": [1, 2]}
        assert own_host(ours) == peer_host(theirs) == HOST
        with pytest.raises(TimeoutError):
            receive(ours, 0)
    with pytest.raises(EOFError):
        receive(theirs, WAIT_S)


def test_who_does_not_know_the_secret_is_refused(accepted: tuple[Listener, queue.Queue[Connection]]) -> None:
    listener, connections = accepted
    with pytest.raises((EOFError, OSError)):
        connect(f"{HOST}:{listener.port}", b"guessed")
    with socket.create_connection((HOST, listener.port)) as stranger, contextlib.suppress(OSError):
        stranger.sendall(b"GET / HTTP/1.1\r\n\r\n" * 100)
        stranger.shutdown(socket.SHUT_WR)
        while stranger.recv(4096):
            pass
    assert connections.empty()
    with connect(f"{HOST}:{listener.port}", SECRET):
        connections.get(timeout=WAIT_S).close()


def test_a_bucket_is_read_from_another_executor_and_a_missing_file_is_named(tmp_path: Path) -> None:
    write_shuffle(tmp_path / "shuffle-3-0.data", [(key, "x" * key) for key in range(100)], 4, lambda key: key)
    server = blocks.BlockServer(HOST, SECRET, tmp_path)
    try:
        blocks.use(SECRET, "blocks://elsewhere:1/", tmp_path)
        location = f"blocks://{HOST}:{server.port}"
        for bucket in range(4):
            rows = list(read_shuffle(3, [f"{location}/shuffle-3-0.data"], bucket))
            assert rows == [(key, "x" * key) for key in range(bucket, 100, 4)]
        assert list(read_shuffle(3, [f"{location}/shuffle-3-0.data"], 7)) == []
        for path in (f"{location}/shuffle-3-1.data", f"{location}/..", None):
            with pytest.raises(FetchFailedError) as caught:
                list(read_shuffle(3, [f"{location}/shuffle-3-0.data", path], 0))
            assert (caught.value.shuffle_id, caught.value.map_index) == (3, 1)
        half = read_shuffle(3, [f"{location}/shuffle-3-0.data"] * 2, 0)
        next(half)
        half.close()
        assert len(list(read_shuffle(3, [f"{location}/shuffle-3-0.data"], 1))) == 25
    finally:
        server.close()
    with pytest.raises(FetchFailedError):
        list(read_shuffle(3, [f"{location}/shuffle-3-9.data"], 0))


def test_files_of_the_driver_are_copied_once_and_no_others(tmp_path: Path) -> None:
    driver, executor = tmp_path / "driver", tmp_path / "executor"
    driver.mkdir()
    executor.mkdir()
    (driver / "broadcast-0").write_bytes(b"value" * 1_000_000)
    (tmp_path / "secret").write_text("not theirs")
    folder = driver.resolve()

    def serve(connection: Connection) -> None:
        blocks.serve_files(connection, receive(connection, WAIT_S), lambda path: path.is_relative_to(folder))

    listener = Listener(HOST, 0, SECRET, serve)
    try:
        blocks.use(SECRET, "", executor)
        files = DriverFiles(f"{HOST}:{listener.port}", executor)
        copy = files.fetch(driver / "broadcast-0", "files")
        assert copy == executor / "files" / "broadcast-0"
        assert copy.read_bytes() == b"value" * 1_000_000
        (driver / "broadcast-0").unlink()
        assert files.fetch(driver / "broadcast-0", "files") == copy
        for path in (tmp_path / "secret", driver / ".." / "secret", driver, driver / "nothing"):
            with pytest.raises(FileNotFoundError, match="does not have"):
                files.fetch(path, "files")
        assert sorted(path.name for path in (executor / "files").iterdir()) == ["broadcast-0"]
    finally:
        listener.close()
