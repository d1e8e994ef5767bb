"""A transport without a socket: bytes are fed to a protocol as the loop would, while it reads."""

from __future__ import annotations

import asyncio
from typing import Any

from smackbox.net.connection import FrameConnection


class FakeTransport(asyncio.Transport):
    """What a connection does to its transport is remembered; nothing goes anywhere."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self.reads = True
        self.closed = False
        self.aborted = False
        self.written = bytearray()

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True

    def is_closing(self) -> bool:
        return self.closed or self.aborted

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = True

    def write(self, data: Any) -> None:
        self.written += data

    def get_write_buffer_size(self) -> int:
        return len(self.written)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass


def feed(connection: FrameConnection, data: bytes) -> None:
    """One read of the socket after another, whether or not the connection wants them."""
    while data:
        buffer = connection.get_buffer(-1)
        size = min(len(buffer), len(data))
        buffer[:size] = data[:size]
        connection.buffer_updated(size)
        data = data[size:]
