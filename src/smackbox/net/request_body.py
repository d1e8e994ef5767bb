"""The body of a request, read while it arrives.

The reader pulls, and the connection stops reading its socket while `BUFFER` bytes wait; so a client sends no faster
than the body is read. A reader that wants the whole body gets up to `limit` bytes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Protocol

from smackbox.base.errors import RequestError

BUFFER = 64 * 1024
"""How many bytes wait for a reader before the socket is no longer read."""


class RequestBodyError(RequestError):
    """A body cannot be read completely. `status` answers the request."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class BodyOwner(Protocol):
    """A body's notifications to its connection."""

    def body_wanted(self) -> None:
        """A reader waits: the client may send."""

    def body_taken(self, size: int) -> None:
        """This many bytes have left the buffer."""


class RequestBody:
    """Read once by `chunks`, or by `whole`, which may be repeated.

    `announced` is its `Content-Length`, None for a chunked body. `limit` may be changed before the body is read; None
    means no limit.
    """

    __slots__ = ("_chunks", "_collects", "_content", "_failure", "_is_left", "_is_read", "_owner", "_size", "_waiter",
                 "announced", "complete", "limit", "progress", "waiting")  # fmt: skip

    def __init__(self, owner: BodyOwner, limit: int, announced: int | None) -> None:
        self.limit: int | None = limit
        self.announced = announced
        self.complete = False
        self.waiting = 0
        """Bytes that have arrived and have not been read."""
        self.progress = 0
        """Increases whenever bytes arrive or are read."""
        self._owner = owner
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._collects = False
        self._is_read = False
        self._is_left = False
        """The rest will not be read."""
        self._content: bytes | None = None
        self._failure: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def is_full(self) -> bool:
        """Whether the socket must not be read."""
        return self.waiting >= BUFFER and not self._collects

    @property
    def is_collected(self) -> bool:
        """Whether it is read as a whole."""
        return self._collects

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives. Raises `RequestBodyError`, and `ConnectionResetError` if the client has
        disconnected.
        """
        if self._content is not None:
            yield self._content
            return
        self._begin()
        try:
            while True:
                if self._chunks:
                    chunk = self._chunks.popleft()
                    self.waiting -= len(chunk)
                    self.progress += 1
                    self._owner.body_taken(len(chunk))
                    yield chunk
                elif self._failure is not None:
                    raise self._failure
                elif self.complete:
                    return
                else:
                    await self._wait()
        finally:
            self._is_left = True
            self._discard()

    async def whole(self) -> bytes:
        """The whole body. Raises like `chunks`."""
        if self._content is not None:
            return self._content
        self._collects = True
        self._begin()
        try:
            while not self.complete and self._failure is None:
                await self._wait()
            if self._failure is not None:
                raise self._failure
            self._content = b"".join(self._chunks)
            return self._content
        finally:
            self._is_left = True
            self._discard()

    # -- the connection's side

    def feed(self, chunk: bytes) -> None:
        """A part has arrived. Raises `RequestBodyError` (413) if the body exceeds its limit."""
        self._size += len(chunk)
        self.progress += 1
        if self.limit is not None and self._size > self.limit:
            raise self.too_large()
        self._chunks.append(chunk)
        self.waiting += len(chunk)
        self._wake()

    def end(self) -> None:
        """The body is complete."""
        self.complete = True
        self._wake()

    def fail(self, failure: Exception) -> None:
        """The rest will not arrive: the reader gets `failure` instead of unread bytes."""
        if not self.complete and self._failure is None:
            self._failure = failure
            self._discard()
            self._wake()

    def discard_unread(self) -> None:
        """The request is answered, or its client has disconnected: free the unread bytes."""
        if self._is_left or not self._is_read:
            self._is_read = True
            self._discard()

    def too_large(self) -> RequestBodyError:
        """The error of a body beyond its limit."""
        return RequestBodyError(413, f"the body is larger than {self.limit} bytes")

    def _begin(self) -> None:
        if self._is_read:
            raise RuntimeError("the body of a request can be read once")
        self._is_read = True
        known = self._size if self.announced is None else self.announced
        if self.limit is not None and known > self.limit:
            self._is_left = True
            raise self.too_large()
        if not self.complete:
            self._owner.body_wanted()

    def _discard(self) -> None:
        waiting, self.waiting = self.waiting, 0
        self._chunks.clear()
        if waiting:
            self._owner.body_taken(waiting)

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
