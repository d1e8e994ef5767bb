"""What all connections of a broker share: the broker itself, one receive buffer, and the limit on connections."""

from __future__ import annotations

import asyncio
import secrets
from typing import Protocol

from smackbox.base.errors import SettingError
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.broker_config import MAX_CONNECTIONS
from smackbox.net.connection import FREE
from smackbox.net.read_buffer import ReadBuffer

NONCE_BYTES = 18
READ_BUFFER_BYTES = 512 * 1024


HELD = FREE << 1
"""Reason to stop reading: no connection is served, so that the broker's data stay unchanged."""


class Connection(Protocol):
    """A connection as it is counted, held and closed here."""

    def stop(self, reason: int) -> None:
        """Serve no further request while the reason applies."""
        ...

    def go(self, reason: int) -> None:
        """The reason no longer applies."""
        ...

    def abort(self) -> None:
        """Close at once."""
        ...


class Connections:
    """The open connections. `advertised` is the host and port that clients receive, None for the address that each
    connected to.
    """

    def __init__(self, broker: Broker, advertised: tuple[str, int] | None) -> None:
        self.broker = broker
        self.advertised = advertised
        self.read_buffer = ReadBuffer(READ_BUFFER_BYTES)
        self._open: set[Connection] = set()
        self._hold: asyncio.TimerHandle | None = None
        self._silence = ""

    def admit(self, connection: Connection) -> bool:
        """Whether one more connection may be opened: `max_connections`, or the changed value of `max.connections`."""
        changed = self.broker.catalog.broker_config(MAX_CONNECTIONS)
        if len(self._open) >= (self.broker.settings.max_connections if changed is None else int(changed)):
            return False
        self._open.add(connection)
        if self._hold is not None:
            connection.stop(HELD)
        metrics = self.broker.metrics
        metrics.connections = len(self._open)
        metrics.connections_total += 1
        return True

    def dismiss(self, connection: Connection) -> None:
        """A connection has ended."""
        if connection in self._open:
            self._open.discard(connection)
            self.broker.metrics.connections = len(self._open)

    def hold(self, limit_s: float) -> str:
        """Serve no request on any connection until `resume`, for `limit_s` at most; returns a name for this period."""
        if self._hold is None:
            self._silence = secrets.token_hex(NONCE_BYTES)
        else:
            self._hold.cancel()
        self._hold = asyncio.get_running_loop().call_later(limit_s, self.resume)
        for connection in self._open:
            connection.stop(HELD)
        return self._silence

    def resume(self, silence: str = "") -> bool:
        """Serve requests again. Returns whether requests were held without a break since the `hold` that gave that
        name.
        """
        if self._hold is None or silence not in {"", self._silence}:
            return False
        self._hold.cancel()
        self._hold = None
        for connection in self._open:
            connection.go(HELD)
        return True

    def close_all(self) -> None:
        """Close every connection at once."""
        for connection in list(self._open):
            connection.abort()

    @staticmethod
    def new_nonce() -> str:
        """The server's part of a SCRAM nonce."""
        return secrets.token_urlsafe(NONCE_BYTES)


def parse_advertised(text: str | None) -> tuple[str, int] | None:
    """Host and port of the setting. Raises `SettingError`."""
    if text is None:
        return None
    host, colon, port = text.rpartition(":")
    if not (host and colon and port.isdigit()):
        raise SettingError(f"kafka: advertised must be host:port, not {text!r}")
    return host.strip("[]"), int(port)
