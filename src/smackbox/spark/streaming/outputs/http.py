"""An HTTP endpoint as a target: each batch in POSTs of JSON arrays, at least once, with a key by which it can be told.

`Idempotency-Key: STREAM-CHECKPOINT-BATCH-PART` is the same when a batch is repeated, and so are its rows: a server that
remembers the keys takes each part once. 2xx is taken; 408, 425, 429 and 5xx, and a server that does not answer, are
tried again; any other answer ends the stream, for repeating it would not help.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from smackbox.base.errors import SettingError
from smackbox.base.shown_url import without_secrets
from smackbox.spark.streaming.errors import AwayError, StreamError
from smackbox.spark.streaming.outputs.output import OutputBatch, as_json

ANSWER_SHOWN = 200
ANSWER_LIMIT = 64 * 1024
STEPS = 6
"""A request may take so many times the limit of one step; a server that answers byte by byte is given up then."""
_AGAIN = frozenset({408, 425, 429})


class HttpOutput:
    """`rows` in a request; `timeout_s` for each step of it. Raises `SettingError` for a URL that is none."""

    def __init__(
        self, url: str, stream: str, headers: Mapping[str, str], *, rows: int = 500, timeout_s: float = 10.0
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise SettingError(f"{url!r} is not the URL of an HTTP endpoint")
        self._shown = without_secrets(url)
        self._parts = parts
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._stream = stream
        self._headers = {"Content-Type": "application/json", **headers}
        self._rows = rows
        self._timeout_s = timeout_s
        self._connection: http.client.HTTPConnection | None = None

    def open(self, checkpoint: str) -> None: ...

    def put(self, batch: OutputBatch) -> None:
        for part, first in enumerate(range(0, len(batch.rows), self._rows)):
            key = f"{self._stream}-{batch.checkpoint}-{batch.number}-{part}"
            self._post(batch.rows[first : first + self._rows], key)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _post(self, rows: Sequence[Any], key: str) -> None:
        body = b"[" + b",".join(map(as_json, rows)) + b"]"
        try:
            status, answer = self._request(body, key)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise AwayError(f"{self._shown} does not answer: {error or type(error).__name__}") from error
        if 200 <= status < 300:
            return
        text = f"{self._shown} answers {status}: {answer[:ANSWER_SHOWN].decode(errors='replace')}"
        if status in _AGAIN or status >= 500:
            raise AwayError(text)
        raise StreamError(f"{text}; the stream ends, its batch {key} stays planned and comes first at the next start")

    def _request(self, body: bytes, key: str) -> tuple[int, bytes]:
        if self._connection is None:
            self._connection = self._connect()
        elif self._connection.sock is not None and _is_closed(self._connection.sock):
            self._connection.close()
        given_up = threading.Timer(STEPS * self._timeout_s, _shut, (self._connection,))
        given_up.daemon = True
        given_up.start()
        try:
            self._connection.request("POST", self._path, body, {**self._headers, "Idempotency-Key": key})
            response = self._connection.getresponse()
            answer = response.read(ANSWER_LIMIT)
        finally:
            given_up.cancel()
        if not response.isclosed():
            self.close()  # more than anybody wants to read
        return response.status, answer

    def _connect(self) -> http.client.HTTPConnection:
        assert self._parts.hostname is not None
        if self._parts.scheme == "https":
            return http.client.HTTPSConnection(
                self._parts.hostname,
                self._parts.port,
                timeout=self._timeout_s,
                context=ssl.create_default_context(),
            )
        return http.client.HTTPConnection(self._parts.hostname, self._parts.port, timeout=self._timeout_s)


def _shut(connection: http.client.HTTPConnection) -> None:
    """End the reads and writes of another thread."""
    if connection.sock is not None:
        with contextlib.suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)


def _is_closed(connection: socket.socket) -> bool:
    """Whether the peer has closed a kept connection while nobody was looking."""
    timeout = connection.gettimeout()
    try:
        connection.settimeout(0)
        return connection.recv(1, socket.MSG_PEEK) == b""
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except (OSError, ValueError):
        return True
    finally:
        connection.settimeout(timeout)
