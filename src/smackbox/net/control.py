"""Typed requests to a running server on this machine: backup, snapshot, flush, compaction, status.

A server listens on a Unix socket; a CLI command connects, sends one request as a line of JSON and reads one line back.
Requests are served one after another. The socket is in its own directory among the system's temporary files, which only
the server's user may enter. In the data directory its path could exceed the kernel's limit (108 bytes on Linux), and it
would get in the way when the directory is copied. The file `control` in the data directory has its path.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from smackbox.base.errors import SmackError, StartError, UserError

CONTROL_FILE = "control"
SOCKET = "socket"
LINE_LIMIT_BYTES = 1 << 20
FOLDER_PREFIX = "smackbox-control-"
REQUEST_LIMIT_S = 5.0
STOP_LIMIT_S = 5.0

A = TypeVar("A", bound=msgspec.Struct)
log = logging.getLogger(__name__)


class Request(msgspec.Struct, frozen=True, tag=True):
    """A request; a server's requests are subclasses, identified by their class names."""


class Status(Request, frozen=True):
    """Asks for the server's status, `ServerStatus`."""


class ServerStatus(msgspec.Struct, frozen=True):
    """The server's identity, and a few figures about it, by name."""

    name: str
    url: str
    pid: int
    up_s: float
    numbers: dict[str, int]


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """The request failed, for this reason."""

    reason: str


async def _nothing(request: Any) -> msgspec.Struct:
    raise AssertionError(f"no server takes {request!r}")


@dataclass(frozen=True, slots=True)
class Served:
    """A server as its control socket sees it. `numbers` returns the figures of its status on request.

    `requests` are those accepted besides `Status`, a `Request` class or a union of them; `serve` answers one, or raises
    `SmackError` or `OSError`.
    """

    name: str
    url: str
    numbers: Callable[[], dict[str, int]]
    requests: Any = None
    serve: Callable[[Any], Awaitable[msgspec.Struct]] = _nothing


class ControlSocket:
    """The server side of the control socket, between `open` and `close`."""

    def __init__(self, file: Path, folder: Path, server: asyncio.Server, lock: asyncio.Lock) -> None:
        self._file = file
        self._folder = folder
        self._server = server
        self._lock = lock

    @classmethod
    async def open(cls, directory: Path, server: Served) -> ControlSocket:
        """Listen for requests to `server`. The directory must be locked by this process. Raises `StartError`."""
        file = directory / CONTROL_FILE
        decoder = msgspec.json.Decoder(Status if server.requests is None else Status | server.requests)
        lock = asyncio.Lock()
        started_s = time.monotonic()

        async def answered(line: bytes) -> msgspec.Struct:
            try:
                request = decoder.decode(line)
                if isinstance(request, Status):
                    up_s = time.monotonic() - started_s
                    return ServerStatus(server.name, server.url, os.getpid(), up_s, server.numbers())
                return await server.serve(request)
            except msgspec.DecodeError as error:
                return Refused(f"this server does not know the request: {error}")
            except (SmackError, OSError) as error:
                log.error("a control request failed: %s", error)
                return Refused(str(error))

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                async with asyncio.timeout(REQUEST_LIMIT_S):
                    line = await reader.readuntil(b"\n")
                async with lock:
                    answer = await answered(line)
                writer.write(msgspec.json.encode(answer) + b"\n")
                await writer.drain()
            except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError) as error:
                log.debug("a control request failed: %s", error)
            finally:
                writer.close()

        try:
            _sweep(file)
            folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
            listening = await asyncio.start_unix_server(talk, folder / SOCKET, limit=LINE_LIMIT_BYTES)
            try:
                file.write_text(f"{folder / SOCKET}\n")
            except OSError:
                listening.close()
                shutil.rmtree(folder, ignore_errors=True)
                raise
        except OSError as error:
            raise StartError(f"cannot take requests for {directory}: {error.strerror or error}") from error
        return cls(file, folder, listening, lock)

    async def close(self) -> None:
        """Accept no more requests; one in progress has `STOP_LIMIT_S` to finish."""
        self._server.close()
        self._file.unlink(missing_ok=True)
        shutil.rmtree(self._folder, ignore_errors=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_LIMIT_S), self._lock:
                pass


def _sweep(file: Path) -> None:
    """Remove what a killed server left: the directory's lock proves that it is gone."""
    with contextlib.suppress(FileNotFoundError):
        folder = Path(file.read_text().strip()).parent
        if folder.name.startswith(FOLDER_PREFIX):
            shutil.rmtree(folder, ignore_errors=True)


def server_status(directory: Path, timeout_s: float = REQUEST_LIMIT_S) -> list[str]:
    """The status of the server that holds `directory`, as lines to show. Raises `UserError`."""
    status = call(directory, Status(), ServerStatus, timeout_s)
    lines = [f"{status.name} {status.url}, process {status.pid}, up for {status.up_s:.0f} s"]
    return lines + [f"{value:>15,} {name}" for name, value in status.numbers.items()]


def call(directory: Path, request: Request, answer: type[A], timeout_s: float) -> A:
    """Have the server that holds `directory` serve the request. Raises `UserError` with its reason, or when it times
    out.
    """
    deadline = time.monotonic() + timeout_s
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.settimeout(timeout_s)
            connection.connect((directory / CONTROL_FILE).read_text().strip())
            connection.sendall(msgspec.json.encode(request) + b"\n")
            line = bytearray()
            while not line.endswith(b"\n"):
                connection.settimeout(max(deadline - time.monotonic(), 0.001))
                received = connection.recv(1 << 16)
                if not received:
                    raise UserError(f"the server of {directory} stopped before it had answered")
                line += received
        except TimeoutError as error:
            raise UserError(f"the server of {directory} did not finish within {timeout_s:.0f} s") from error
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise UserError(f"the process that holds {directory} takes no requests") from error
        except PermissionError as error:
            raise UserError(f"only the user that runs the server of {directory} may ask it for anything") from error
        except OSError as error:
            raise UserError(f"cannot ask the server of {directory}: {error.strerror or error}") from error
    try:
        return msgspec.json.decode(line, type=answer)
    except msgspec.DecodeError:
        pass
    try:
        reason = msgspec.json.decode(line, type=Refused).reason
    except msgspec.DecodeError as error:
        raise UserError(f"the server of {directory} is of another version: {error}") from error
    raise UserError(reason)
