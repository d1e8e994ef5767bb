"""Lines from a TCP server, an event each. Lines that wait for a batch are lost with the process, for a socket cannot
be asked again. When the peer closes, or is not there yet, it is connected again.
"""

from __future__ import annotations

import contextlib
import socket

from smackbox.spark.streaming.inputs.pushed import CONNECT_TIMEOUT_S, EVENT_BYTES, PushedInput


class SocketInput(PushedInput):
    """One connection."""

    def __init__(self, name: str, host: str, port: int) -> None:
        super().__init__(name, f"{host}:{port}")
        self._address = (host, port)
        self._socket: socket.socket | None = None

    def _read(self) -> None:
        # where it is not there, or cut off, it is connected again
        with contextlib.suppress(OSError), socket.create_connection(self._address, CONNECT_TIMEOUT_S) as connection:
            connection.settimeout(None)
            self._socket = connection
            with connection.makefile("rb") as file:
                while not self._stopping.is_set() and (line := file.readline(EVENT_BYTES)):
                    if line := line.rstrip(b"\r\n"):
                        self._push(line)
        self._socket = None

    def _disconnect(self) -> None:
        connection = self._socket
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
