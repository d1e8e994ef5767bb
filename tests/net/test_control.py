"""Requests over the control socket: served one after another, refused with a reason, never a hang."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from smackbox.base.errors import UserError
from smackbox.net.control import CONTROL_FILE, ControlSocket, Request, Served, call, server_status

TIMEOUT_S = 10.0


class Double(Request, frozen=True):
    number: int


class Halve(Request, frozen=True):
    number: int


class Doubled(msgspec.Struct, frozen=True):
    number: int


async def double(request: Double) -> Doubled:
    if request.number < 0:
        raise UserError("give a number that is not negative")
    return Doubled(2 * request.number)


@contextmanager
def served(directory: Path, serve: Callable[[Double], Awaitable[msgspec.Struct]] = double) -> Iterator[None]:
    """A control socket on a loop in a thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = Served("doubler", "nowhere:1", lambda: {"numbers": 2}, Double, serve)
    opened = asyncio.run_coroutine_threadsafe(ControlSocket.open(directory, server), loop).result(TIMEOUT_S)
    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(opened.close(), loop).result(TIMEOUT_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(TIMEOUT_S)
        loop.close()


def socket_of(directory: Path) -> Path:
    return Path((directory / CONTROL_FILE).read_text().strip())


def test_a_request_is_answered_in_its_type(tmp_path: Path) -> None:
    with served(tmp_path):
        assert call(tmp_path, Double(21), Doubled, TIMEOUT_S) == Doubled(42)


def test_a_refusal_says_why(tmp_path: Path) -> None:
    with served(tmp_path), pytest.raises(UserError, match="not negative"):
        call(tmp_path, Double(-1), Doubled, TIMEOUT_S)


def test_every_server_has_a_status(tmp_path: Path) -> None:
    with served(tmp_path):
        first, numbers = server_status(tmp_path)
    assert first.startswith(f"doubler nowhere:1, process {os.getpid()}, up for ")
    assert numbers.split() == ["2", "numbers"]


def test_a_request_that_the_server_does_not_know_is_refused(tmp_path: Path) -> None:
    with served(tmp_path):
        with pytest.raises(UserError, match="does not know the request"):
            call(tmp_path, Halve(2), Doubled, TIMEOUT_S)
        assert call(tmp_path, Double(1), Doubled, TIMEOUT_S) == Doubled(2)


def test_a_path_longer_than_the_kernel_takes(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120) / ("e" * 120)
    deep.mkdir(parents=True)
    with served(deep):
        assert call(deep, Double(3), Doubled, TIMEOUT_S) == Doubled(6)


def test_nobody_serves(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="takes no requests"):
        call(tmp_path, Double(1), Doubled, TIMEOUT_S)


def test_what_a_killed_server_left_is_replaced(tmp_path: Path) -> None:
    with served(tmp_path):
        left = socket_of(tmp_path)
        said = (tmp_path / CONTROL_FILE).read_text()
    left.parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(left))
    (tmp_path / CONTROL_FILE).write_text(said)
    with pytest.raises(UserError, match="takes no requests"):
        call(tmp_path, Double(1), Doubled, TIMEOUT_S)
    with served(tmp_path):
        assert not left.exists()
        assert call(tmp_path, Double(1), Doubled, TIMEOUT_S) == Doubled(2)


def test_only_the_servers_user_may_enter(tmp_path: Path) -> None:
    with served(tmp_path):
        folder = socket_of(tmp_path).parent
        assert folder.stat().st_mode & 0o077 == 0
        assert folder.stat().st_uid == os.getuid()
    assert not folder.exists()
    assert not (tmp_path / CONTROL_FILE).exists()


def test_a_late_answer_is_an_error_and_requests_do_not_overlap(tmp_path: Path) -> None:
    running, most = 0, 0
    release = threading.Event()

    async def slow(request: Double) -> Doubled:
        nonlocal running, most
        running += 1
        most = max(most, running)
        while not release.is_set():
            await asyncio.sleep(0.01)
        running -= 1
        return Doubled(request.number)

    with served(tmp_path, slow):
        with pytest.raises(UserError, match="did not finish within 0 s"):
            call(tmp_path, Double(1), Doubled, 0.2)
        threading.Timer(0.2, release.set).start()
        assert call(tmp_path, Double(2), Doubled, TIMEOUT_S) == Doubled(2)
    assert most == 1


@pytest.mark.parametrize("junk", [b"", b"{", b"[1,2]\n", b"\xff\xfe\n", b"x" * 4096 + b"\n"])
def test_junk_harms_nobody(tmp_path: Path, junk: bytes) -> None:
    with served(tmp_path):
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.connect(str(socket_of(tmp_path)))
            stranger.sendall(junk)
            stranger.shutdown(socket.SHUT_WR)
            stranger.settimeout(TIMEOUT_S)
            stranger.recv(4096)
        assert call(tmp_path, Double(1), Doubled, TIMEOUT_S) == Doubled(2)


def test_a_data_directory_can_be_copied_while_it_is_served(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with served(tmp_path / "data"):
        shutil.copytree(tmp_path / "data", tmp_path / "copy")
