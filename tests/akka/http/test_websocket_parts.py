"""WebSocket messages in parts: received while they arrive, sent as a stream's elements come, and their limits."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest
import websockets
from websockets.asyncio.client import ClientConnection, connect

from smackbox.akka import ActorSystem
from smackbox.akka.http import (
    BinaryMessage,
    Deflate,
    Http,
    MessageError,
    TextMessage,
    WebSocketRequest,
    WebSocketSettings,
    handle_websocket,
)
from smackbox.akka.http import websockets as our_websockets
from smackbox.akka.stream import Flow, Sink, Source
from smackbox.net.websocket import BUFFER_BYTES, SLICE
from tests.akka.http.server import TIMEOUT_S, serving
from tests.akka.http.test_websocket import (
    BINARY,
    CONTINUATION,
    ECHO,
    TEXT,
    _sink,
    _url,
    code,
    conversation,
    frame,
    frames_of,
    handshake,
)

PARTS = WebSocketSettings(in_parts=True)
QUICK = WebSocketSettings(in_parts=True, close_timeout_s=0.1)
"""For clients that do not answer a close."""
PACKED = WebSocketSettings(in_parts=True, deflate=Deflate())
both = pytest.mark.parametrize("settings", [PARTS, PACKED], ids=["plain", "deflate"])


class Fragments:
    """A message of a client that goes on when it is told to."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Any] = asyncio.Queue()

    def send(self, part: Any) -> None:
        self._queue.put_nowait(part)

    async def __aiter__(self) -> AsyncIterator[Any]:
        while (part := await self._queue.get()) is not None:
            yield part


@both
def test_parts_are_echoed_before_the_message_ends(settings: WebSocketSettings) -> None:
    async def run() -> None:
        async with (
            serving(handle_websocket(ECHO, settings=settings)) as client,
            asyncio.timeout(TIMEOUT_S),
            connect(_url(client)) as socket,
        ):
            for pieces in (["µ first", "second", "third 地"], [b"first", b"second" * 10_000, b"\x00"]):
                message = Fragments()
                sending = asyncio.ensure_future(socket.send(message))
                echoed = socket.recv_streaming()
                for piece in pieces:
                    message.send(piece)
                    received = piece[:0]
                    while received != piece:
                        received += await anext(echoed)  # type: ignore[operator]
                message.send(None)
                await sending
                assert [part async for part in echoed] in ([], [piece[:0]])
            await socket.send("whole")
            assert await socket.recv() == "whole"

    asyncio.run(run())


def test_what_a_flow_gets() -> None:
    async def run() -> None:
        seen: list[Any] = []

        async def look(message: TextMessage | BinaryMessage) -> TextMessage:
            strict = await message.to_strict(TIMEOUT_S)
            seen.append(
                (type(message), message.is_strict, strict.text if isinstance(strict, TextMessage) else strict.data)
            )
            if not message.is_strict:
                with pytest.raises(ValueError, match="comes in parts"):
                    _ = message.text if isinstance(message, TextMessage) else message.data
                with pytest.raises(MessageError, match="read once"):
                    await message.to_strict(TIMEOUT_S)
            return TextMessage("ok")

        async with serving(handle_websocket(Flow.of().map_async(1, look), settings=PARTS)) as client:
            sent = (
                frame(TEXT, b"whole")
                + frame(BINARY, b"a", fin=False)
                + frame(CONTINUATION, b"", fin=False)
                + frame(CONTINUATION, b"b")
                + frame(TEXT, "地".encode()[:2], fin=False)
                + frame(CONTINUATION, "地".encode()[2:], fin=False)
                + frame(CONTINUATION, b"")
                + frame(TEXT)
            )
            reader, writer = await asyncio.open_connection(*client.address)
            writer.write(handshake() + sent)
            async with asyncio.timeout(TIMEOUT_S):
                await reader.readuntil(b"\r\n\r\n")
                assert frames_of(await reader.readexactly(16)) == [(TEXT, True, b"ok")] * 4
            writer.close()
        assert seen == [
            (TextMessage, True, "whole"),
            (BinaryMessage, False, b"ab"),
            (TextMessage, False, "地"),
            (TextMessage, True, ""),
        ]

    asyncio.run(run())


@both
def test_a_stream_that_is_not_read_stops_the_client(settings: WebSocketSettings) -> None:
    async def run() -> None:
        gate = asyncio.Event()
        read = 0
        longest = 0

        async def slow(message: BinaryMessage) -> str:
            nonlocal read, longest
            async for part in message.source.run_async_iterator(client.system, 1):
                await gate.wait()
                read += len(part)
                longest = max(longest, len(part))
            return "read"

        total = 64 * 1024 * 1024
        route = handle_websocket(Flow.of().map_async(1, slow), settings=settings)
        async with serving(route) as client, asyncio.timeout(2 * TIMEOUT_S):
            sent = 0

            async def pieces() -> AsyncIterator[bytes]:
                nonlocal sent
                # what is packed well is sent at once, so a part is one that is not
                piece = bytes(range(256)) * 4096
                while sent < total:
                    yield piece
                    sent += len(piece)

            async with connect(_url(client), compression="deflate", max_queue=None) as socket:
                sending = asyncio.ensure_future(socket.send(pieces()))
                if settings is PARTS:
                    await asyncio.wait({sending}, timeout=0.5)
                    assert not sending.done() and sent < total
                gate.set()
                await sending
                assert await socket.recv() == "read"
            assert read == total
            assert longest <= max(SLICE * 1032, 4 * BUFFER_BYTES)

    asyncio.run(run())


def test_what_is_left_of_a_cancelled_stream_is_read_over() -> None:
    async def run() -> None:
        async def first_part(message: TextMessage) -> str:
            return await message.source.take(1).run_with(Sink.head(), client.system)

        route = handle_websocket(Flow.of().map_async(1, first_part), settings=PARTS)
        async with serving(route) as client, asyncio.timeout(TIMEOUT_S), connect(_url(client)) as socket:
            for number in range(3):
                await socket.send([f"{number}", *["x" * 10_000] * 50])
                assert await socket.recv() == f"{number}"

    asyncio.run(run())


def test_a_message_that_nobody_reads_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(our_websockets, "BEGIN_TIMEOUT_S", 0.05)

    async def run() -> None:
        async with serving(handle_websocket(Flow.of().map(lambda _: "ok"), settings=QUICK)) as client:
            sent = frame(TEXT, b"a", fin=False) + frame(CONTINUATION, b"b") + frame(TEXT, b"c")
            got = await conversation(client, sent)
        assert got[0] == (TEXT, True, b"ok")
        assert got[-1][2].startswith(code(1011, b"nobody began to read a message in parts"))

    asyncio.run(run())


@pytest.mark.parametrize(
    ("sent", "timeout_s", "expected"),
    [
        (frame(TEXT, b"x" * 60, fin=False) + frame(CONTINUATION, b"x" * 41), TIMEOUT_S, 1009),
        (frame(BINARY, b"x" * 101), TIMEOUT_S, 1009),
        (frame(BINARY, b"x", fin=False), 0.05, 1008),
    ],
    ids=["in parts", "whole", "late"],
)
def test_whole_messages_have_a_limit_and_a_time(sent: bytes, timeout_s: float, expected: int) -> None:
    async def whole(message: TextMessage | BinaryMessage) -> Any:
        return await message.to_strict(timeout_s, limit=100)

    async def run() -> None:
        async with serving(handle_websocket(Flow.of().map_async(1, whole), settings=QUICK)) as client:
            assert (await conversation(client, sent))[-1][2][:2] == code(expected)

    asyncio.run(run())


def test_a_flow_that_takes_a_message_for_too_long_goes_on_with_the_next() -> None:
    async def answer(message: TextMessage | BinaryMessage) -> str:
        try:
            await message.to_strict(TIMEOUT_S, limit=100)
        except MessageError as error:
            return f"{error.code}"
        return "taken"

    async def run() -> None:
        async with (
            serving(handle_websocket(Flow.of().map_async(1, answer), settings=PARTS)) as client,
            asyncio.timeout(TIMEOUT_S),
            connect(_url(client)) as socket,
        ):
            for sent, expected in (
                (["x" * 60] * 100, "1009"),
                (["x"] * 3, "taken"),
                (["y" * 101, "z"], "1009"),
                ("z", "taken"),
            ):
                await socket.send(sent)
                assert await socket.recv() == expected

    asyncio.run(run())


@pytest.mark.parametrize("in_order", [True, False])
def test_a_connection_that_ends_within_a_message_fails_its_stream(*, in_order: bool) -> None:
    async def run() -> None:
        failure: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

        async def read(message: TextMessage) -> str:
            try:
                await message.to_strict(TIMEOUT_S)
            except Exception as error:
                failure.set_result(error)
                raise
            return ""

        route = handle_websocket(Flow.of().map_async(1, read), settings=PARTS)
        async with serving(route) as client, asyncio.timeout(TIMEOUT_S):
            reader, writer = await asyncio.open_connection(*client.address)
            writer.write(handshake() + frame(TEXT, b"a", fin=False))
            await reader.readuntil(b"\r\n\r\n")
            if in_order:
                writer.write(frame(8, code(1000)))
            else:
                writer.transport.abort()
            assert getattr(await failure, "code", None) == (1000 if in_order else 1006)
            writer.close()

    asyncio.run(run())


async def _fragments(socket: ClientConnection) -> list[Any]:
    return [part async for part in socket.recv_streaming()]


@both
def test_streams_are_sent_in_fragments(settings: WebSocketSettings) -> None:
    async def run() -> None:
        async def numbers() -> AsyncIterator[str]:
            for number in range(3):
                yield str(number)

        sent = [
            TextMessage(Source.from_iterable(["a", "", "b"])),
            BinaryMessage(Source.from_iterable([b"a", b"b"])),
            TextMessage(numbers()),
            TextMessage(Source.empty()),
            BinaryMessage(b"whole"),
            "plain",
        ]
        flow: Flow[Any, Any, Any] = Flow.from_sink_and_source(Sink.ignore(), Source.from_iterable(sent))
        async with (
            serving(handle_websocket(flow, settings=settings)) as client,
            asyncio.timeout(TIMEOUT_S),
            connect(_url(client)) as socket,
        ):
            got = [await _fragments(socket) for _ in sent]
            assert got[:3] == [["a", "b", ""], [b"a", b"b", b""], ["0", "1", "2", ""]]
            assert got[3:] == [[""], [b"whole"], ["plain"]]

    asyncio.run(run())


def test_a_stream_that_fails_or_is_of_another_kind_ends_the_connection() -> None:
    async def run() -> None:
        for wrong in (
            TextMessage(Source.from_iterable(["a"]).concat(Source.failed(ValueError("broken")))),
            TextMessage(Source.from_iterable(["a", b"b"])),
        ):
            flow: Flow[Any, Any, Any] = Flow.from_sink_and_source(Sink.ignore(), Source.single(wrong))
            async with (
                serving(handle_websocket(flow)) as client,
                asyncio.timeout(TIMEOUT_S),
                connect(_url(client)) as socket,
            ):
                with pytest.raises(websockets.ConnectionClosedError):
                    await socket.recv()
                assert socket.close_code == 1011

    asyncio.run(run())


def test_a_client_that_does_not_read_stops_a_stream_that_is_sent() -> None:
    async def run() -> None:
        made = itertools.count()
        last = 0

        def piece(_: int) -> bytes:
            nonlocal last
            last = next(made)
            return bytes(64 * 1024)

        message = BinaryMessage(Source.range(1, 10_000).map(piece))
        flow: Flow[Any, Any, Any] = Flow.from_sink_and_source(Sink.ignore(), Source.single(message))
        async with serving(handle_websocket(flow)) as client, asyncio.timeout(TIMEOUT_S):
            reader, writer = await asyncio.open_connection(*client.address)
            writer.write(handshake())
            await reader.readuntil(b"\r\n\r\n")
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            before = -1
            while before != last or not last:
                before = last
                await asyncio.sleep(0.1)
            assert last < 1000
            writer.transport.abort()

    asyncio.run(run())


def test_two_of_us_in_parts_and_compressed() -> None:
    async def run() -> None:
        upper = Flow.of().map(lambda message: TextMessage(message.source.map(str.upper)))
        async with serving(handle_websocket(upper, settings=PACKED)) as client, asyncio.timeout(TIMEOUT_S):
            answers: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
            sent = [TextMessage(Source.from_iterable(["ab", "c" * 100_000])), TextMessage("d"), "e"]

            async def collect(elements: Any) -> None:
                answers.set_result([(await (await elements.pull()).to_strict(TIMEOUT_S)).text for _ in sent])
                elements.cancel()

            flow = Flow.from_sink_and_source(_sink(collect), Source.from_iterable(sent).concat(Source.never()))
            await Http(client.system).single_websocket_request(WebSocketRequest(_url(client)), flow, settings=PACKED)
            assert await answers == ["AB" + "C" * 100_000, "D", "E"]

    asyncio.run(run())


def test_a_message_of_a_source_needs_a_system_to_be_read() -> None:
    async def run() -> None:
        async with ActorSystem("ws") as system:
            message = TextMessage(Source.from_iterable(["a", "b"]))
            assert (await message.to_strict(TIMEOUT_S, system=system)).text == "ab"
            with pytest.raises(ValueError, match="needs its system"):
                await message.to_strict(TIMEOUT_S)
            assert (await TextMessage("whole").to_strict(TIMEOUT_S)).text == "whole"

    asyncio.run(run())
