"""What a body that arrives in parts holds, and that all of it is given back however its reader ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from smackbox.net.request_body import RequestBody, RequestBodyError


class Connection:
    """A connection that counts what its body holds."""

    def __init__(self, limit: int = 100) -> None:
        self.held = 0
        self.body = RequestBody(self, limit, None)

    def body_wanted(self) -> None: ...

    def body_taken(self, size: int) -> None:
        self.held -= size

    def feed(self, chunk: bytes) -> None:
        self.held += len(chunk)
        self.body.feed(chunk)


async def _leaves_early(connection: Connection) -> None:
    chunks = connection.body.chunks()
    assert await anext(chunks) == b"first"
    await chunks.aclose()  # type: ignore[attr-defined]
    connection.feed(b"more")
    connection.body.end()


async def _is_cancelled(connection: Connection) -> None:
    reading = asyncio.ensure_future(connection.body.whole())
    await asyncio.sleep(0)
    connection.feed(b"more")
    connection.body.end()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading


async def _has_a_lower_limit(connection: Connection) -> None:
    connection.body.limit = 4
    with pytest.raises(RequestBodyError, match="larger than 4"):
        await connection.body.whole()
    connection.body.end()


async def _never_begins(connection: Connection) -> None:
    connection.body.end()


@pytest.mark.parametrize("read", [_leaves_early, _is_cancelled, _has_a_lower_limit, _never_begins])
def test_an_answered_request_holds_nothing_of_its_body(read: Callable[[Connection], Awaitable[None]]) -> None:
    async def run() -> None:
        connection = Connection()
        connection.feed(b"first")
        await read(connection)
        connection.body.discard_unread()
        assert (connection.held, connection.body.waiting) == (0, 0)

    asyncio.run(run())


def test_a_reader_that_goes_on_after_the_answer_gets_the_rest() -> None:
    async def run() -> None:
        connection = Connection()
        chunks = connection.body.chunks()
        connection.feed(b"first")
        assert await anext(chunks) == b"first"
        connection.feed(b"second")
        connection.body.end()
        connection.body.discard_unread()
        assert [chunk async for chunk in chunks] == [b"second"]
        assert connection.held == 0

    asyncio.run(run())
