"""Bodies of requests that are read while they arrive: back-pressure, limits, timeouts, what follows them."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from smackbox.akka.http import (
    HttpCookie,
    Route,
    StreamedResponse,
    as_,
    complete,
    decode_request,
    decode_request_with,
    entity,
    extract,
    extract_data_bytes,
    extract_request,
    path,
    post,
    set_cookie,
    with_request_timeout,
    with_size_limit,
    without_request_timeout,
    without_size_limit,
)
from smackbox.akka.stream import Source
from smackbox.net.http import HttpResponse
from smackbox.net.request_body import RequestBodyError
from tests.akka.http.server import TIMEOUT_S, Client, serving

HEAD = b"POST %s HTTP/1.1\r\nHost: h\r\n%s\r\n"


class Sender:
    """A socket that sends a request in parts."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def begin(cls, client: Client, target: str, fields: str) -> Sender:
        sender = cls(*await asyncio.open_connection(*client.address))
        sender.writer.write(HEAD % (target.encode(), fields.encode()))
        return sender

    async def answer(self) -> tuple[int, bytes]:
        """Status and body, by `Content-Length`."""
        async with asyncio.timeout(TIMEOUT_S):
            head = await self.reader.readuntil(b"\r\n\r\n")
            size = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            return int(head[9:12]), await self.reader.readexactly(size)

    async def rest(self) -> bytes:
        async with asyncio.timeout(TIMEOUT_S):
            return await self.reader.read()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def sizes() -> Route:
    """Adds up a streamed body."""

    async def total(source: Source[bytes, None]) -> str:
        return str(await source.run_fold(0, lambda size, piece: size + len(piece), _SYSTEM[0]))

    return entity(as_(Source))(total)


_SYSTEM: list[Any] = []


@contextmanager
def on(client: Client) -> Iterator[None]:
    _SYSTEM[:] = [client.system]
    yield
    _SYSTEM.clear()


def test_a_body_is_read_as_it_arrives() -> None:
    async def run() -> None:
        seen: list[bytes] = []
        arrived = asyncio.Event()

        async def take(source: Source[bytes, None]) -> str:
            def note(piece: bytes) -> bytes:
                seen.append(piece)
                arrived.set()
                return piece

            return b"".join(await source.map(note).run_list(_SYSTEM[0])).decode()

        async with serving(post(extract_data_bytes(take))) as client, asyncio.timeout(TIMEOUT_S):
            for fields, frame, end in (
                ("Content-Length: 6\r\n", bytes, b""),
                ("Transfer-Encoding: chunked\r\n", chunk, b"0\r\n\r\n"),
            ):
                with on(client):
                    sender = await Sender.begin(client, "/", fields)
                    for piece in (b"ab", b"cd", b"ef"):
                        sender.writer.write(frame(piece))
                        await arrived.wait()
                        assert seen[-1] == piece
                        arrived.clear()
                    # the next request may follow in the same packet
                    sender.writer.write(end + HEAD % (b"/", b"Content-Length: 4\r\n") + b"next")
                    assert await sender.answer() == (200, b"abcdef")
                    assert await sender.answer() == (200, b"next")
                    sender.writer.close()
                seen.clear()
                arrived.clear()
            # a body that came with its head, and none at all
            with on(client):
                assert (await client.ask("POST", "/", b"whole")).text == "whole"
                assert (await client.ask("POST", "/")).text == ""

    asyncio.run(run())


def test_a_reader_that_waits_stops_the_client() -> None:
    async def run() -> None:
        gate = asyncio.Event()
        taken = 0

        async def take(source: Source[bytes, None]) -> str:
            async def slow(piece: bytes) -> int:
                nonlocal taken
                taken += len(piece)
                await gate.wait()
                return len(piece)

            return str(await source.map_async(1, slow).run_fold(0, lambda a, b: a + b, _SYSTEM[0]))

        size = 24 * 1024 * 1024
        async with serving(without_size_limit(extract_data_bytes(take)), answer_timeout_s=60) as client:
            with on(client):
                sender = await Sender.begin(client, "/", f"Content-Length: {size}\r\n")
                sender.writer.transport.set_write_buffer_limits(0)

                async def send() -> None:
                    for _ in range(size // 65536):
                        sender.writer.write(bytes(65536))
                        await sender.writer.drain()

                sending = asyncio.ensure_future(send())
                await asyncio.wait({sending}, timeout=0.5)
                assert not sending.done()
                assert 0 < taken <= 512 * 1024
                gate.set()
                assert await sender.answer() == (200, b"%d" % size)
                await sending
                sender.writer.close()

    asyncio.run(run())


def test_a_stream_through_the_server_and_back() -> None:
    async def run() -> None:
        def upper(source: Source[bytes, None]) -> Route:
            return complete(StreamedResponse(source.map(bytes.upper)))

        async with serving(post(extract_data_bytes(upper))) as client, asyncio.timeout(TIMEOUT_S):
            sender = await Sender.begin(client, "/", "Transfer-Encoding: chunked\r\n")
            for piece in (b"one", b"two"):
                sender.writer.write(chunk(piece))
                await sender.reader.readuntil(chunk(piece.upper()))
            sender.writer.write(b"0\r\n\r\n")
            assert await sender.reader.readuntil(b"0\r\n\r\n") == b"0\r\n\r\n"
            sender.writer.write(HEAD % (b"/", b"Content-Length: 1\r\n") + b"x")
            assert (await sender.reader.readuntil(b"0\r\n\r\n")).endswith(chunk(b"X") + b"0\r\n\r\n")
            sender.writer.close()

    asyncio.run(run())


def test_limits_of_streamed_bodies() -> None:
    async def run() -> None:
        route = (
            path("default")(sizes())
            | path("more")(with_size_limit(300)(sizes()))
            | path("less")(with_size_limit(10)(sizes()))
            | path("any")(without_size_limit(sizes()))
            | path("less-whole")(with_size_limit(10)(extract_request(lambda request: complete(request.body))))
        )
        async with serving(route, body_limit=100) as client:
            with on(client):
                for target, limit in (("/default", 100), ("/more", 300), ("/less", 10), ("/less-whole", 10)):
                    assert (await client.ask("POST", target, b"x" * limit)).status == 200
                    answer = await client.ask("POST", target, b"x" * (limit + 1))
                    assert (answer.status, str(limit) in answer.text) == (413, True)
                    # without a length it shows only while it comes, also over several packets
                    sender = await Sender.begin(client, target, "Transfer-Encoding: chunked\r\n")
                    for _ in range(limit // 10 + 1):
                        sender.writer.write(chunk(b"x" * 10))
                        await asyncio.sleep(0)
                    assert (await sender.answer())[0] == 413
                    assert await sender.rest() == b""
                    sender.writer.close()
                assert (await client.ask("POST", "/any", b"x" * 100_000)).text == "100000"

    asyncio.run(run())


def test_bodies_that_were_refused_leave_the_budget_to_others() -> None:
    async def run() -> None:
        async with serving(sizes(), body_limit=50_000, body_buffer_limit=100_000) as client:
            with on(client):
                for _ in range(8):
                    sender = await Sender.begin(client, "/", "Transfer-Encoding: chunked\r\n")
                    for _ in range(6):
                        sender.writer.write(chunk(bytes(10_000)))
                        await asyncio.sleep(0)
                    assert (await sender.answer())[0] == 413
                    sender.writer.close()
                assert (await client.ask("POST", "/", bytes(40_000))).text == "40000"

    asyncio.run(run())


def test_whole_bodies_share_a_budget() -> None:
    async def run() -> None:
        route = extract_request(lambda request: complete(str(len(request.body))))
        async with serving(route, body_limit=100_000, body_buffer_limit=100_000) as client:
            first = await Sender.begin(client, "/", "Content-Length: 60001\r\n")
            first.writer.write(bytes(60_000))
            async with asyncio.timeout(TIMEOUT_S):
                while True:  # until the server has the first one
                    second = await Sender.begin(client, "/", "Content-Length: 60000\r\n")
                    second.writer.write(bytes(60_000))
                    status, _ = await second.answer()
                    second.writer.close()
                    if status == 503:
                        break
            first.writer.write(b"x")
            assert await first.answer() == (200, b"60001")
            first.writer.close()
            assert (await client.ask("POST", "/", bytes(90_000))).text == "90000"

    asyncio.run(run())


def test_clients_that_stop_in_the_middle() -> None:
    async def run() -> None:
        failures: list[Any] = []
        failed = asyncio.Event()

        async def take(source: Source[bytes, None]) -> str:
            try:
                await source.run_list(_SYSTEM[0])
            except (RequestBodyError, ConnectionResetError) as error:
                failures.append(getattr(error, "status", None))
                failed.set()
                raise
            return "whole"

        async with serving(extract_data_bytes(take), request_timeout_s=1) as client, asyncio.timeout(TIMEOUT_S):
            with on(client):
                slow = await Sender.begin(client, "/", "Content-Length: 5\r\n")
                slow.writer.write(b"ab")
                assert (await slow.answer())[0] == 408
                assert await slow.rest() == b""
                await failed.wait()
                failed.clear()
                gone = await Sender.begin(client, "/", "Content-Length: 5\r\n")
                gone.writer.write(b"ab")
                await gone.writer.drain()
                gone.writer.transport.abort()
                await failed.wait()
                failed.clear()
                early = await Sender.begin(client, "/", "Content-Length: 5\r\n")
                early.writer.write(b"ab")
                early.writer.write_eof()
                assert (await early.answer())[0] == 400
                wrong = await Sender.begin(client, "/", "Transfer-Encoding: chunked\r\n")
                wrong.writer.write(b"2\r\nab\r\n")
                await wrong.writer.drain()
                wrong.writer.write(b"no chunk\r\n")
                assert (await wrong.answer())[0] == 400
                assert [failures[0], failures[2]] == [408, 400]
                for sender in (slow, early, wrong):
                    sender.writer.close()

    asyncio.run(run())


def test_an_answer_without_the_body_ends_the_connection() -> None:
    async def run() -> None:
        async with serving(path("only")(complete("yes"))) as client:
            sender = await Sender.begin(client, "/other", "Content-Length: 1000000\r\n")
            sender.writer.write(b"some of it")
            assert (await sender.answer())[0] == 404
            sender.writer.write(b"more of it")
            assert await sender.rest() == b""
            sender.writer.close()

    asyncio.run(run())


def test_a_client_is_asked_for_the_body_when_it_is_read() -> None:
    async def run() -> None:
        route = path("reads")(sizes()) | path("ignores")(complete("no")) | path("first")(complete("first"))
        async with serving(route) as client, asyncio.timeout(TIMEOUT_S):
            with on(client):
                expects = "Expect: 100-continue\r\nContent-Length: 3\r\n"
                sender = await Sender.begin(client, "/reads", expects)
                assert await sender.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
                sender.writer.write(b"abc")
                assert await sender.answer() == (200, b"3")
                # in its turn, after the answer to the request before
                sender.writer.write(HEAD % (b"/first", b"Content-Length: 0\r\n") + HEAD % (b"/reads", expects.encode()))
                assert await sender.answer() == (200, b"first")
                assert await sender.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
                sender.writer.write(b"abc")
                assert await sender.answer() == (200, b"3")
                sender.writer.close()
                sender = await Sender.begin(client, "/ignores", expects)
                assert await sender.answer() == (200, b"no")
                assert await sender.rest() == b""
                sender.writer.close()

    asyncio.run(run())


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress], ids=["gzip", "deflate"])
def test_packed_streams(pack: Any) -> None:
    async def run() -> None:
        encoding = "gzip" if pack is gzip.compress else "deflate"
        route = (
            path("limited")(decode_request_with(100)(sizes()))
            | path("whole")(decode_request(entity(as_(str))(lambda text: complete(str(len(text))))))
            | path("any")(decode_request(sizes()))
        )
        fields = f"Content-Encoding: {encoding}\r\nTransfer-Encoding: chunked\r\n"
        body = pack(b"x" * 1_000_000)
        async with serving(route) as client:
            with on(client):

                async def send(target: str, packed: bytes) -> tuple[int, bytes]:
                    sender = await Sender.begin(client, target, fields)
                    for at in range(0, len(packed), 100):
                        sender.writer.write(chunk(packed[at : at + 100]))
                        await sender.writer.drain()
                    sender.writer.write(b"0\r\n\r\n")
                    try:
                        return await sender.answer()
                    finally:
                        sender.writer.close()

                assert await send("/any", body) == (200, b"1000000")
                assert await send("/whole", body) == (200, b"1000000")
                assert (await send("/limited", body))[0] == 413
                assert (await send("/any", body[:-1]))[0] == 400
                assert (await send("/any", b"not packed" * 20))[0] == 400
                if encoding == "gzip":
                    assert await send("/any", body + body) == (200, b"2000000")

    asyncio.run(run())


def test_alternatives_see_the_same_body_and_a_head_has_none() -> None:
    async def run() -> None:
        first = path("a")(entity(as_(int))(lambda number: complete(str(number))))
        second = path("a")(entity(as_(list[int]))(lambda numbers: complete(str(sum(numbers)))))
        head = path("b")(extract(lambda context: context.request)(lambda request: complete(str(request.body))))
        async with serving(first | second | head) as client:
            for body, text in ((b"[1,2]", b"3"), (b"5", b"5")):
                sender = await Sender.begin(
                    client, "/a", f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
                )
                await asyncio.sleep(0.01)
                sender.writer.write(body)
                assert await sender.answer() == (200, text)
                sender.writer.close()
            sender = await Sender.begin(client, "/b", "Content-Length: 5\r\n")
            assert (await sender.answer())[0] == 500  # the log says what to do
            sender.writer.close()

    asyncio.run(run())


def test_timeouts_of_a_part_of_a_route() -> None:
    async def run() -> None:
        async def never() -> Route:
            await asyncio.Event().wait()
            raise AssertionError

        gate = asyncio.Event()

        async def long() -> str:
            await gate.wait()
            return "at last"

        async def late(source: Source[bytes, None]) -> str:
            await source.run_list(_SYSTEM[0])
            return "read"

        teapot = with_request_timeout(0.05, lambda request: HttpResponse.text(f"{request.path} is late", 504))
        route = (
            path("short")(with_request_timeout(0.05)(never))
            | path("own")(teapot(never))
            | path("inner")(with_request_timeout(60)(with_request_timeout(0.05)(never)))
            | path("long")(without_request_timeout(long))
            | path("upload")(extract_data_bytes(late))
        )
        async with serving(route, answer_timeout_s=0.3) as client:
            with on(client):
                assert (await client.get("/short")).status == 503
                answer = await client.get("/own")
                assert (answer.status, answer.text) == (504, "/own is late")
                assert (await client.get("/inner")).status == 503
                asking = asyncio.ensure_future(client.get("/long"))
                # the time of a route does not run out while its body comes
                sender = await Sender.begin(client, "/upload", "Content-Length: 10\r\n")
                for _ in range(10):
                    sender.writer.write(b"x")
                    await asyncio.sleep(0.1)
                assert await sender.answer() == (200, b"read")
                sender.writer.close()
                gate.set()
                assert (await asking).text == "at last"
        with pytest.raises(ValueError, match="more than 0"):
            with_request_timeout(0)

    asyncio.run(run())


def test_cookies_survive_streams() -> None:
    async def run() -> None:
        async with serving(set_cookie(HttpCookie("a", "1"), HttpCookie("b", "2"))(complete("ok"))) as client:
            answer = await client.raw(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            assert [line for line in answer.split(b"\r\n") if line.startswith(b"Set-Cookie")] == [
                b"Set-Cookie: a=1",
                b"Set-Cookie: b=2",
            ]

    asyncio.run(run())
