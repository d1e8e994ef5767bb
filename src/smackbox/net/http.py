"""HTTP as plain data: the requests and responses of handlers. `http_server` and `http_client` put it on sockets.

A handler is a function from a request to a response, to a stream, or to an awaitable of one of them. A stream is an
answer with an open-ended body: its owner sends when there is data, and never waits for the reader.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

JSON = "application/json"
STREAM_BUFFER_LIMIT = 16 * 1024 * 1024
"""How many bytes the reader of a stream may leave unread before it is disconnected."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A complete request. Header names are in lower case; `path` is decoded, `target` is path and query as sent."""

    method: str
    path: str
    query: dict[str, list[str]] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    peer: str = ""
    target: str = ""

    def parameter(self, name: str, default: str | None = None) -> str | None:
        """The first value of a query parameter."""
        values = self.query.get(name)
        return values[0] if values else default


@dataclass(slots=True)
class HttpResponse:
    """A complete response."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain"
    headers: dict[str, str] = field(default_factory=dict)
    cookies: tuple[str, ...] = ()
    """Values of `Set-Cookie` fields, which must not be joined by commas (RFC 9110, 5.3)."""

    @classmethod
    def json(cls, value: Any, status: int = 200, headers: dict[str, str] | None = None) -> HttpResponse:
        """An answer with `value` as JSON, by msgspec."""
        return cls(status, msgspec.json.encode(value), JSON, headers or {})

    @classmethod
    def text(cls, text: str, status: int = 200) -> HttpResponse:
        """An answer in plain text, as UTF-8."""
        return cls(status, text.encode(), "text/plain; charset=utf-8")


class HttpStream:
    """A response with an open-ended body, in chunks."""

    def __init__(
        self,
        status: int = 200,
        content_type: str = JSON,
        headers: dict[str, str] | None = None,
        buffer_limit: int = STREAM_BUFFER_LIMIT,
    ) -> None:
        self.status = status
        self.content_type = content_type
        self.headers = headers or {}
        self.closed = False
        self.cut_off = False
        self.on_closed: Callable[[], None] | None = None
        self.wake: Callable[[], None] | None = None
        self._buffer_limit = buffer_limit
        self._pending: list[bytes] = []
        self._pending_bytes = 0

    def send(self, data: bytes) -> None:
        """Send `data`; never blocks. A reader that leaves more than the limit unread is disconnected."""
        if self.closed:
            return
        self._pending.append(data)
        self._pending_bytes += len(data)
        if self._pending_bytes > self._buffer_limit:
            self.cut_off = True
            self._pending.clear()
            self.close()
        elif self.wake is not None:
            self.wake()

    def close(self) -> None:
        """End the response after pending data; `on_closed` is called once, however it ends."""
        if self.closed:
            return
        self.closed = True
        if self.wake is not None:
            self.wake()
        if self.on_closed is not None:
            self.on_closed()

    def take(self) -> bytes:
        """Everything that waits to be written."""
        data = b"".join(self._pending)
        self._pending.clear()
        self._pending_bytes = 0
        return data


Answer = HttpResponse | HttpStream
Handler = Callable[[HttpRequest], Answer | Awaitable[Answer]]


def basic_authorization(principal: str, secret: str) -> str:
    """The value of an `Authorization` header (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{principal}:{secret}".encode()).decode()


def basic_credentials(header: str | None) -> tuple[str, str] | None:
    """Principal and secret of an `Authorization` header; None if it is missing or malformed."""
    scheme, _, value = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        principal, colon, secret = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except ValueError:
        return None
    return (principal, secret) if colon else None
