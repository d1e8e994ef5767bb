"""Connections between a driver and its executors, and between executors: messages over TCP after a handshake.

Both ends prove that they know the application's secret (`multiprocessing.connection`'s challenge, HMAC) before
anything is unpickled. A peer that does not read or write for `IO_TIMEOUT_S` in the middle of a message counts as gone,
and one whose machine is gone is noticed by TCP keepalive.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import socket
import struct
import threading
from collections.abc import Callable
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, answer_challenge, deliver_challenge
from typing import Any

CONNECT_TIMEOUT_S = 10.0
HANDSHAKE_TIMEOUT_S = 10.0
IO_TIMEOUT_S = 60.0
KEEPALIVE_IDLE_S, KEEPALIVE_EVERY_S, KEEPALIVE_PROBES = 20, 5, 4
BACKLOG = 512
HANDSHAKES_LIMIT = 256


class Listener:
    """Accepts connections of peers that know the secret; `accepted` gets each in a thread of its own."""

    def __init__(self, host: str, port: int, secret: bytes, accepted: Callable[[Connection], None]) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family, backlog=BACKLOG)
        self._secret = secret
        self._accepted = accepted
        self._handshakes = threading.BoundedSemaphore(HANDSHAKES_LIMIT)
        self._thread = threading.Thread(target=self._run, name="accept executors", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def close(self) -> None:
        """Accept no more; connections stay."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()

    def _run(self) -> None:
        while True:
            try:
                peer, _ = self._socket.accept()
            except OSError:
                return
            self._handshakes.acquire()
            threading.Thread(target=self._shake, args=(peer,), name="executor", daemon=True).start()

    def _shake(self, peer: socket.socket) -> None:
        try:
            connection = _connection(peer)
            try:
                deliver_challenge(connection, self._secret)
                answer_challenge(connection, self._secret)
            except (OSError, EOFError, AuthenticationError):
                connection.close()
                return
            _set_timeouts(connection, IO_TIMEOUT_S)
        finally:
            self._handshakes.release()
        self._accepted(connection)


def connect(address: str, secret: bytes, timeout_s: float = CONNECT_TIMEOUT_S) -> Connection:
    """A connection to a `Listener` at `host:port`. Raises `OSError`, and `EOFError` where the secret is another."""
    host, _, port = address.rpartition(":")
    peer = socket.create_connection((host.strip("[]"), int(port)), timeout_s)
    connection = _connection(peer)
    try:
        answer_challenge(connection, secret)
        deliver_challenge(connection, secret)
    except AuthenticationError as error:
        connection.close()
        raise EOFError(f"{address} does not know the application's secret") from error
    except BaseException:
        connection.close()
        raise
    _set_timeouts(connection, IO_TIMEOUT_S)
    return connection


def send(connection: Connection, message: Any) -> None:
    """Raises `OSError`."""
    connection.send_bytes(pickle.dumps(message, pickle.HIGHEST_PROTOCOL))


def receive(connection: Connection, timeout_s: float | None = None) -> Any:
    """The next message. Raises `EOFError` or `OSError` where there will be none, `TimeoutError` where it is late."""
    if not connection.poll(timeout_s):
        raise TimeoutError(f"nothing came for {timeout_s:g} s")
    return pickle.loads(connection.recv_bytes())  # noqa: S301 - a peer that knows the secret


def own_host(connection: Connection) -> str:
    """This end's address."""
    with socket.socket(fileno=_duplicate(connection)) as same:
        return str(same.getsockname()[0])


def peer_host(connection: Connection) -> str:
    """The other end's address."""
    with socket.socket(fileno=_duplicate(connection)) as same:
        return str(same.getpeername()[0])


def url_host(host: str) -> str:
    """An address as it stands before a port."""
    return f"[{host}]" if ":" in host else host


def _duplicate(connection: Connection) -> int:
    return os.dup(connection.fileno())


def _connection(peer: socket.socket) -> Connection:
    peer.settimeout(None)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", KEEPALIVE_IDLE_S), ("TCP_KEEPINTVL", KEEPALIVE_EVERY_S), ("TCP_KEEPCNT", KEEPALIVE_PROBES)
    ):  # fmt: skip
        if hasattr(socket, name):
            peer.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    connection = Connection(peer.detach())
    _set_timeouts(connection, HANDSHAKE_TIMEOUT_S)
    return connection


def _set_timeouts(connection: Connection, timeout_s: float) -> None:
    """For reads and writes that have begun. The kernel's own, for `Connection` reads its descriptor directly."""
    limit = struct.pack("ll", int(timeout_s), 0)
    with socket.socket(fileno=_duplicate(connection)) as same:
        same.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        same.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
