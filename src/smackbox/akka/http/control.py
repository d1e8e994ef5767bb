"""What a route may do to the request that it answers: read its body as it comes, change its timeout, upgrade it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol

from smackbox.net.http import HttpRequest, HttpResponse


class Body(Protocol):
    """A body that is read once while it arrives, or whole."""

    limit: int | None
    """Bytes at most, 413 beyond; None is no limit. May be changed before it is read."""

    def chunks(self) -> AsyncIterator[bytes]:
        """As it arrives. Raises `RequestBodyError`, and `ConnectionResetError` where the client is gone."""
        ...

    async def whole(self) -> bytes:
        """All of it, any number of times. Raises as `chunks` does."""
        ...


class RequestControl:
    """Of one request."""

    __slots__ = ("changed", "late_answer", "timeout_s", "upgradable")

    def __init__(self, timeout_s: float | None, *, upgradable: bool) -> None:
        self.timeout_s = timeout_s
        """For the route to answer, from the request's beginning; None is no limit."""
        self.late_answer: Callable[[HttpRequest], HttpResponse] | None = None
        """What a client gets after that, unless it is the server's own answer."""
        self.upgradable = upgradable
        """Whether the client asks for WebSocket."""
        self.changed: Callable[[], Any] | None = None
        """Called when the timeout is another."""


class UnreadRequest(HttpRequest):
    """A request whose body is still to come: using `body` is an error that says what to do."""

    __slots__ = ()

    @property
    def body(self) -> bytes:
        """Raises `RuntimeError`."""
        raise RuntimeError("the body of this request is still to be read: use entity(…) or extract_request")

    @body.setter
    def body(self, value: bytes) -> None:
        pass


def with_body(request: HttpRequest, body: bytes) -> HttpRequest:
    """The same request with that body."""
    return HttpRequest(request.method, request.path, request.query, request.headers, body, request.peer, request.target)
