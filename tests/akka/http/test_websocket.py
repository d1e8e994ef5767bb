"""WebSocket: frames by hand (the sections of the Autobahn suite), and the `websockets` library on either side."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import websockets
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from smackbox.akka import ActorSystem
from smackbox.akka.http import (
    Http,
    HttpCookie,
    Route,
    UpgradeRejectedError,
    WebSocketError,
    WebSocketRequest,
    WebSocketSettings,
    complete,
    get,
    handle_websocket,
    path,
    respond_with_headers,
    set_cookie,
)
from smackbox.akka.stream import Flow, Sink, Source
from tests.akka.http.server import TIMEOUT_S, Client, serving

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
KEY = base64.b64encode(b"0123456789abcdef").decode()
CERTIFICATES = Path(__file__).parents[2] / "certificates"
ECHO: Flow[Any, Any, Any] = Flow.of()


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, masked: bool = True) -> bytes:
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    bit = 0x80 if masked else 0
    if len(payload) < 126:
        head += bytes([bit | len(payload)])
    elif len(payload) < 65536:
        head += bytes([bit | 126]) + len(payload).to_bytes(2, "big")
    else:
        head += bytes([bit | 127]) + len(payload).to_bytes(8, "big")
    if not masked:
        return head + payload
    mask = b"\x01\x82\x43\xc4"
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


def frames_of(data: bytes) -> list[tuple[int, bool, bytes]]:
    """Opcode, whether it is the last of its message, and payload; without one that is not whole."""
    found: list[tuple[int, bool, bytes]] = []
    while len(data) > 10 or (len(data) >= 2 and data[1] < 126):
        assert not data[1] & 0x80, "a server does not mask"
        size, at = data[1], 2
        if size >= 126:
            width = 2 if size == 126 else 8
            size, at = int.from_bytes(data[2 : 2 + width], "big"), 2 + width
        if len(data) < at + size:
            break
        found.append((data[0] & 15, bool(data[0] & 0x80), data[at : at + size]))
        data = data[at + size :]
    return found


def handshake(target: str = "/", **fields: str) -> bytes:
    headers = {
        "Host": "h",
        "Connection": "keep-alive, Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": KEY,
    } | {name.replace("_", "-"): value for name, value in fields.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if value)
    return f"GET {target} HTTP/1.1\r\n{lines}\r\n".encode()


async def conversation(client: Client, sent: bytes, *, step: int = 0) -> list[tuple[int, bool, bytes]]:
    """What comes back for `sent`, cut into pieces of `step` bytes, until the server closes."""
    reader, writer = await asyncio.open_connection(*client.address)
    try:
        writer.write(handshake())
        async with asyncio.timeout(TIMEOUT_S):
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 101 ")
            collecting = asyncio.ensure_future(_collect(reader))
            for at in range(0, len(sent), step or len(sent)):
                writer.write(sent[at : at + (step or len(sent))])
                await asyncio.sleep(0)
            return frames_of(await collecting)
    finally:
        writer.close()


async def _collect(reader: asyncio.StreamReader) -> bytes:
    received = b""
    try:
        while piece := await reader.read(1 << 20):
            received += piece
    except ConnectionError:
        pass  # the server was gone before everything was sent
    return received


def code(value: int, reason: bytes = b"") -> bytes:
    return value.to_bytes(2, "big") + reason


END = frame(CLOSE, code(1000))
TALKS: dict[str, tuple[bytes, list[tuple[int, bytes]], int | None]] = {
    # sent, messages and pongs that come back, code of the close
    "text": (frame(TEXT, b"hello") + END, [(TEXT, b"hello")], 1000),
    "empty text": (frame(TEXT) + END, [(TEXT, b"")], 1000),
    "empty binary": (frame(BINARY) + END, [(BINARY, b"")], 1000),
    **{
        f"{size} bytes": (frame(BINARY, b"\xfe" * size) + END, [(BINARY, b"\xfe" * size)], 1000)
        for size in (125, 126, 127, 128, 65535, 65536)
    },
    "ping": (frame(PING) + END, [(PONG, b"")], 1000),
    "ping with any bytes": (frame(PING, b"\x00\xff\xfe") + END, [(PONG, b"\x00\xff\xfe")], 1000),
    "ping of 125 bytes": (frame(PING, b"p" * 125) + END, [(PONG, b"p" * 125)], 1000),
    "ping of 126 bytes": (frame(PING, b"p" * 126), [], 1002),
    "ten pings": (
        b"".join(frame(PING, b"%d" % n) for n in range(10)) + END, [(PONG, b"%d" % n) for n in range(10)], 1000
    ),
    "unsolicited pongs": (frame(PONG, b"x") + frame(PONG) + frame(TEXT, b"t") + END, [(TEXT, b"t")], 1000),
    **{f"reserved bits {rsv}": (frame(TEXT, b"x", rsv=rsv), [], 1002) for rsv in range(1, 8)},
    **{f"opcode {opcode}": (frame(opcode, b"x"), [], 1002) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "a fragmented ping": (frame(PING, b"a", fin=False) + frame(CONTINUATION, b"b"), [], 1002),
    "a fragmented pong": (frame(PONG, b"a", fin=False) + frame(CONTINUATION, b"b"), [], 1002),
    "fragments": (
        frame(TEXT, b"frag", fin=False) + frame(CONTINUATION, b"ment", fin=False) + frame(CONTINUATION, b"s") + END,
        [(TEXT, b"fragments")],
        1000,
    ),
    "empty fragments": (
        frame(TEXT, fin=False) + frame(CONTINUATION, fin=False) + frame(CONTINUATION) + END,
        [(TEXT, b"")],
        1000,
    ),
    "pings between fragments": (
        frame(BINARY, b"a", fin=False) + frame(PING, b"1") + frame(CONTINUATION, b"b", fin=False) + frame(PING, b"2")
        + frame(CONTINUATION, b"c") + END,
        [(PONG, b"1"), (PONG, b"2"), (BINARY, b"abc")],
        1000,
    ),
    "a continuation of nothing": (frame(CONTINUATION, b"x"), [], 1002),
    "a last continuation of nothing": (frame(CONTINUATION, b"x", fin=False), [], 1002),
    "a continuation after the last": (
        frame(TEXT, b"a", fin=False) + frame(CONTINUATION, b"b") + frame(CONTINUATION, b"c"),
        [(TEXT, b"ab")],
        1002,
    ),
    "a text within a message": (frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"), [], 1002),
    "not masked": (frame(TEXT, b"x", masked=False), [], 1002),
    "a character cut by fragments": (
        frame(TEXT, "µ".encode()[:1], fin=False) + frame(CONTINUATION, "µ€".encode()[1:]) + END,
        [(TEXT, "µ€".encode())],
        1000,
    ),
    **{
        f"valid text {text!a}": (frame(TEXT, text.encode()) + END, [(TEXT, text.encode())], 1000)
        for text in ("\0", "κόσμε", "\ud7ff\ue000", "\ufffd", "\uffff", "\U0010ffff", "\U0001fffe")
    },
    **{
        f"invalid text {raw!r}": (frame(TEXT, raw), [], 1007)
        for raw in (
            b"\x80", b"\xbf", b"\xc0\xaf", b"\xc1\xbf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xed\xa0\x80",
            b"\xed\xbf\xbf", b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80", b"\xfe",
            b"\xff", b"ok\xce", b"\xe1\xbd",
        )
    },
    # the text is wrong already, whatever follows
    "invalid text in a first fragment": (frame(TEXT, b"\xf4\x90", fin=False), [], 1007),
    "close without a code": (frame(CLOSE), [], None),
    "close with a reason": (frame(CLOSE, code(1001, "leaving µ".encode())), [], 1001),
    "close with a reason of 123 bytes": (frame(CLOSE, code(1000, b"r" * 123)), [], 1000),
    "close of one byte": (frame(CLOSE, b"\x03"), [], 1002),
    "close of 126 bytes": (frame(CLOSE, code(1000, b"r" * 124)), [], 1002),
    "close with an invalid reason": (frame(CLOSE, code(1000, b"\xff")), [], 1007),
    "text after close": (END + frame(TEXT, b"late") + frame(PING), [], 1000),
    "two closes": (END + frame(CLOSE, code(1001)), [], 1000),
    "close within a message": (frame(TEXT, b"a", fin=False) + END, [], 1000),
    **{
        f"close {number}": (frame(CLOSE, code(number)), [], number)
        for number in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)
    },
    **{
        f"close {number} is no code": (frame(CLOSE, code(number)), [], 1002)
        for number in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
    },
}  # fmt: skip


def check_talk(received: list[tuple[int, bool, bytes]], expected: list[tuple[int, bytes]], close: int | None) -> None:
    *messages, (opcode, _, payload) = received
    assert opcode == CLOSE
    assert (int.from_bytes(payload[:2], "big") if payload else None) == close
    controls = {PING, PONG}
    # pongs are sent at once, messages go through the flow; what the client closed over may be dropped by it
    assert [item[2] for item in messages if item[0] in controls] == [p for o, p in expected if o in controls]
    answers = [(o, p) for o, _, p in messages if o not in controls]
    wanted = [(o, p) for o, p in expected if o not in controls]
    # a failure may overtake the answers to what came before it
    assert answers == (wanted[: len(answers)] if close == 1002 else wanted)


@pytest.mark.parametrize("step", [0, 1], ids=["whole", "byte by byte"])
def test_frames(step: int) -> None:
    async def run() -> None:
        settings = WebSocketSettings(close_timeout_s=0.2)
        async with serving(handle_websocket(ECHO, settings=settings)) as client:

            async def talk(name: str) -> None:
                sent, expected, close = TALKS[name]
                if step and len(sent) > 1000:
                    return
                answers = sum(opcode not in {PING, PONG} for opcode, _ in expected)
                ends = sent.endswith(END) and answers
                received = (
                    await _until_echoed(client, sent, answers, step=step)
                    if ends
                    else (await conversation(client, sent, step=step))
                )
                try:
                    check_talk(received, expected, close)
                except AssertionError as error:
                    raise AssertionError(f"{name}: {received}") from error

            gate = asyncio.Semaphore(16)

            async def limited(name: str) -> None:
                async with gate:
                    await talk(name)

            await asyncio.gather(*map(limited, TALKS))

    asyncio.run(run())


async def _until_echoed(client: Client, sent: bytes, answers: int, *, step: int) -> list[tuple[int, bool, bytes]]:
    """Sends the close only when the messages have come back: what a client closes over is dropped."""
    reader, writer = await asyncio.open_connection(*client.address)
    received = b""
    try:
        writer.write(handshake())
        async with asyncio.timeout(TIMEOUT_S):
            await reader.readuntil(b"\r\n\r\n")
            body = sent.removesuffix(END)
            for at in range(0, len(body), step or len(body)):
                writer.write(body[at : at + (step or len(body))])
                await asyncio.sleep(0)
            while sum(opcode in {TEXT, BINARY} and fin for opcode, fin, _ in frames_of(received)) < answers:
                piece = await reader.read(1 << 20)
                assert piece, frames_of(received)
                received += piece
            writer.write(END)
            return frames_of(received + await reader.read())
    finally:
        writer.close()


def test_any_bytes_close_only_their_own_connection() -> None:
    async def run() -> None:
        settings = WebSocketSettings(ping_s=0.1)  # cuts off those that wait for the rest of a frame
        async with serving(handle_websocket(ECHO, settings=settings)) as client, connect(_url(client)) as other:
            for _ in range(10):
                await asyncio.gather(*(conversation(client, os.urandom(60)) for _ in range(20)))
            await other.send("still here")
            assert await other.recv() == "still here"

    asyncio.run(run())


def test_handshakes_that_are_refused() -> None:
    async def run() -> None:
        route = path("ws")(get(handle_websocket(ECHO, "chat")))
        async with serving(route) as client:

            async def status(head: bytes) -> int:
                answer = await client.raw(head.replace(b"keep-alive, Upgrade", b"Upgrade, close"))
                return int(answer[9:12])

            assert await status(handshake("/other")) == 404
            assert await status(handshake("/ws")) == 400  # the subprotocol is not offered
            assert await status(handshake("/ws", Sec_WebSocket_Protocol="chat", Sec_WebSocket_Version="8")) == 400
            assert await status(handshake("/ws", Sec_WebSocket_Protocol="chat", Sec_WebSocket_Key="")) == 400
            assert await status(handshake("/ws", Sec_WebSocket_Protocol="chat", Host="")) == 400
            assert await status(handshake("/ws", Sec_WebSocket_Protocol="chat", Host="hé")) == 400
            plain = await client.get("/ws")
            assert (plain.status, plain.text) == (
                400,
                "Expected WebSocket Upgrade request: GET with Connection: Upgrade and Upgrade: websocket",
            )
            head = handshake("/ws", Sec_WebSocket_Protocol="other, chat")
            reader, writer = await asyncio.open_connection(*client.address)
            writer.write(head)
            async with asyncio.timeout(TIMEOUT_S):
                answer = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            accept = base64.b64encode(hashlib.sha1(f"{KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest())
            assert f"sec-websocket-accept: {accept.decode().lower()}\r\n" in answer
            assert "sec-websocket-protocol: chat\r\n" in answer
            writer.close()

    asyncio.run(run())


def test_a_refused_upgrade_goes_on_with_http() -> None:
    async def run() -> None:
        route = path("ws")(handle_websocket(ECHO)) | path("a")(lambda: "a") | path("late")(_late)
        async with serving(route) as client:
            for target in ("/a", "/late"):
                answer = await client.raw(
                    handshake(target) + b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
                )
                assert answer.count(b"HTTP/1.1 200 OK") == 2
            # answers before the upgrade come before it
            reader, writer = await asyncio.open_connection(*client.address)
            writer.write(b"GET /late HTTP/1.1\r\nHost: h\r\n\r\n" + handshake("/ws") + frame(TEXT, b"early"))
            async with asyncio.timeout(TIMEOUT_S):
                assert (await reader.readuntil(b"late")).startswith(b"HTTP/1.1 200 OK")
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
                assert frames_of(await reader.readexactly(7)) == [(TEXT, True, b"early")]
            writer.close()

    asyncio.run(run())


@pytest.mark.parametrize("asynchronous", [False, True])
def test_thousands_of_upgrades_in_one_packet_are_each_answered(*, asynchronous: bool) -> None:
    count = 2000

    async def later() -> str:
        await asyncio.sleep(0)
        return "http"

    async def run() -> None:
        route = get(later if asynchronous else complete("http"))
        async with serving(route) as client:
            answer = await client.raw(handshake() * count + b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert answer.count(b"HTTP/1.1 200 OK\r\n") == count + 1

    asyncio.run(run())


def test_a_flow_that_speaks_first_waits_for_the_answers_before_it() -> None:
    async def run() -> None:
        gate = asyncio.Event()

        async def slow() -> str:
            await gate.wait()
            return "slow"

        speaks = Flow.from_sink_and_source(Sink.ignore(), Source.single("first"))
        route = path("ws")(handle_websocket(speaks)) | path("slow")(slow) | path("a")(lambda: "a")
        async with serving(route) as client, asyncio.timeout(TIMEOUT_S):
            reader, writer = await asyncio.open_connection(*client.address)
            writer.write(b"GET /slow HTTP/1.1\r\nHost: h\r\n\r\n" + handshake("/ws"))
            for _ in range(3):
                assert (await client.get("/a")).text == "a"  # the flow would have begun
            gate.set()
            await reader.readuntil(b"slow")
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
            assert frames_of(await reader.readexactly(7)) == [(TEXT, True, b"first")]
            writer.close()

    asyncio.run(run())


def test_headers_of_a_client_that_would_be_others() -> None:
    async def run() -> None:
        async with ActorSystem("ws") as system:
            for headers in ({"X-A": "1\r\nX-B: 2"}, {"X:A": "1"}, {"": "1"}):
                with pytest.raises(ValueError, match="has a line break, or no name"):
                    await Http(system).single_websocket_request(
                        WebSocketRequest("ws://127.0.0.1:9/", headers=headers), ECHO
                    )

    asyncio.run(run())


async def _late() -> str:
    await asyncio.sleep(0)
    return "late"


def _url(client: Client, target: str = "/") -> str:
    host, port = client.address
    return f"ws://{host}:{port}{target}"


def test_a_client_of_another_library() -> None:
    async def run() -> None:
        flow = Flow.of(str).map(lambda name: f"Hello {name}")
        route: Route = respond_with_headers({"X-A": "1"})(
            set_cookie(HttpCookie("a", "b"))(handle_websocket(flow, "greet"))
        )
        async with serving(route) as client:
            async with asyncio.timeout(TIMEOUT_S), connect(_url(client), subprotocols=["greet"]) as socket:  # type: ignore[list-item]
                assert socket.subprotocol == "greet"
                assert socket.response is not None
                assert (socket.response.headers["X-A"], socket.response.headers["Set-Cookie"]) == ("1", "a=b")
                await socket.send(["in ", "three ", "fragments"])
                assert await socket.recv() == "Hello in three fragments"
                waiter = await socket.ping(b"ping")
                await waiter
            assert socket.close_code == 1000

    asyncio.run(run())


def test_how_a_flow_ends() -> None:
    async def run() -> None:
        def fail(message: str) -> str:
            if message == "end":
                raise StopIteration
            raise ValueError(message)

        seen: list[Any] = []
        ended = asyncio.Event()

        async def watched(messages: AsyncIterator[Any]) -> None:
            try:
                async for message in messages:
                    seen.append(message)  # noqa: PERF401
                seen.append("complete")
            except WebSocketError as error:
                seen.append(error.code)
            ended.set()

        def listening() -> Flow[Any, Any, Any]:
            return Flow.from_sink_and_source(_sink(watched), Source.never())

        route = (
            path("once")(handle_websocket(Flow.of().take(1)))
            | path("fails")(handle_websocket(Flow.of(str).map(fail)))
            | path("listens")(lambda: handle_websocket(listening()))
        )
        async with serving(route) as client, asyncio.timeout(TIMEOUT_S):
            async with connect(_url(client, "/once")) as socket:
                await socket.send("a")
                assert await socket.recv() == "a"
                with pytest.raises(websockets.ConnectionClosedOK):
                    await socket.recv()
            assert socket.close_code == 1000
            async with connect(_url(client, "/fails")) as socket:
                await socket.send("a")
                with pytest.raises(websockets.ConnectionClosedError):
                    await socket.recv()
            assert socket.close_code == 1011
            for close_code, last in ((1000, "complete"), (1001, "complete"), (1008, 1008), (4000, 4000)):
                async with connect(_url(client, "/listens")) as socket:
                    await socket.send("m")
                    await socket.close(close_code)
                await ended.wait()
                ended.clear()
                assert seen == ["m", last]
                seen.clear()
            reader, writer = await asyncio.open_connection(*client.address)
            writer.write(handshake("/listens"))
            await reader.readuntil(b"\r\n\r\n")
            writer.transport.abort()
            await ended.wait()
            assert seen == [1006]

    asyncio.run(run())


def _sink(reader: Any) -> Sink[Any, Any]:
    """A sink that `reader` reads as an async iterator."""
    queue: Sink[Any, Any] = Sink.queue(1)
    return queue.map_materialized_value(lambda elements: asyncio.ensure_future(reader(elements)))


def test_messages_have_a_limit() -> None:
    async def run() -> None:
        settings = WebSocketSettings(message_limit=1000)
        async with serving(handle_websocket(ECHO, settings=settings)) as client:
            for first in (TEXT, BINARY):
                assert (await conversation(client, frame(first, b"x" * 1001)))[-1][2][:2] == code(1009)
            # fragments count together, and a message that never ends is refused before its end
            parts = frame(TEXT, b"x" * 600, fin=False) + frame(CONTINUATION, b"x" * 401, fin=False)
            assert (await conversation(client, parts))[-1][2][:2] == code(1009)
            async with connect(_url(client)) as socket:
                await socket.send("x" * 1000)
                assert len(await socket.recv()) == 1000

    asyncio.run(run())


def test_a_flow_that_does_not_pull_stops_the_client() -> None:
    async def run() -> None:
        gate = asyncio.Event()
        taken = 0

        async def slow(message: Any) -> Any:
            nonlocal taken
            taken += 1
            await gate.wait()
            return b""

        count, size = 300, 64 * 1024
        async with serving(handle_websocket(Flow.of().map_async(1, slow))) as client:
            sent = 0
            reader, writer = await asyncio.open_connection(*client.address)
            writer.transport.set_write_buffer_limits(0)
            writer.write(handshake())
            await reader.readuntil(b"\r\n\r\n")

            packet = frame(BINARY, bytes(size))

            async def send() -> None:
                nonlocal sent
                for _ in range(count):
                    writer.write(packet)
                    await writer.drain()
                    sent += 1

            sending = asyncio.ensure_future(send())
            await asyncio.wait({sending}, timeout=1)
            assert not sending.done()
            assert (taken, sent < count) == (1, True)
            gate.set()
            async with asyncio.timeout(TIMEOUT_S):
                await sending
                assert len(await reader.readexactly(2 * count)) == 2 * count
            writer.close()

    asyncio.run(run())


def test_a_client_that_does_not_read_stops_the_flow_and_is_cut_off() -> None:
    async def run() -> None:
        pulled = 0

        def message(number: int) -> bytes:
            nonlocal pulled
            pulled = number
            return bytes(64 * 1024)

        flow = Flow.from_sink_and_source(Sink.ignore(), Source.range(1, 100_000).map(message))
        async with serving(handle_websocket(flow, settings=WebSocketSettings(ping_s=0.2))) as client:
            reader, writer = await asyncio.open_connection(*client.address)
            writer.write(handshake())
            async with asyncio.timeout(TIMEOUT_S):
                await reader.readuntil(b"\r\n\r\n")
                with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                    while True:  # stdin of this side stays unread: only its pongs go out
                        writer.write(frame(PONG))
                        await writer.drain()
                        await asyncio.sleep(0.05)
            assert pulled < 1000
            writer.close()

    asyncio.run(run())


def test_a_silent_client_is_pinged_and_cut_off() -> None:
    async def run() -> None:
        settings = WebSocketSettings(ping_s=0.1)
        async with serving(handle_websocket(ECHO, settings=settings)) as client:
            assert await conversation(client, frame(PONG)) == [(PING, True, b"")]

    asyncio.run(run())


def test_a_server_that_stops_says_so() -> None:
    async def run() -> None:
        async with ActorSystem("ws") as system:
            binding = await Http(system).new_server_at("127.0.0.1", 0).bind(handle_websocket(ECHO))
            host, port = binding.local_address
            async with asyncio.timeout(TIMEOUT_S), connect(f"ws://{host}:{port}/") as socket:
                stopping = asyncio.ensure_future(binding.terminate(TIMEOUT_S))
                with pytest.raises(websockets.ConnectionClosedOK):
                    await socket.recv()
                await stopping
            assert socket.close_code == 1001

    asyncio.run(run())


def test_the_client_with_a_server_of_another_library() -> None:
    async def answer(socket: ServerConnection) -> None:
        assert socket.request is not None
        async for message in socket:
            if message == "close":
                await socket.close(4001, "as you wish")
            else:
                await socket.send([message[:2], message[2:]])  # type: ignore[list-item]

    async def run() -> None:
        async with (
            ActorSystem("ws") as system,
            serve(answer, "127.0.0.1", 0, subprotocols=["a", "b"]) as server,  # type: ignore[list-item]
            asyncio.timeout(TIMEOUT_S),
        ):
            port = server.sockets[0].getsockname()[1]
            url = f"ws://127.0.0.1:{port}/chat?x=1"
            messages = ["text", b"bytes", "x" * 100_000]
            flow = Flow.from_sink_and_source(Sink.seq(), Source.from_iterable(messages).concat(Source.never()))
            collected: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()

            async def first_three(elements: Any) -> None:
                collected.set_result([await elements.pull() for _ in messages])
                elements.cancel()

            flow = Flow.from_sink_and_source(_sink(first_three), Source.from_iterable(messages).concat(Source.never()))
            upgrade = await Http(system).single_websocket_request(
                WebSocketRequest(url, {"X-A": "1"}, subprotocols=("b",)), flow
            )
            assert upgrade.subprotocol == "b"
            assert await collected == messages

            failed: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

            async def until_failed(elements: Any) -> None:
                try:
                    await elements.pull()
                except WebSocketError as error:
                    failed.set_result(error.code)

            closing = Flow.from_sink_and_source(_sink(until_failed), Source.single("close").concat(Source.never()))
            upgrade = await Http(system).single_websocket_request(WebSocketRequest(url, subprotocols=("a",)), closing)
            assert await failed == 4001
            await upgrade.ended

    asyncio.run(run())


def test_what_a_client_is_told_when_it_cannot_connect() -> None:
    async def run() -> None:
        async with serving(path("http")(complete("no"))) as client, asyncio.timeout(TIMEOUT_S):
            http = Http(client.system)
            with pytest.raises(UpgradeRejectedError, match="answered 200"):
                await http.single_websocket_request(WebSocketRequest(_url(client, "/http")), ECHO)
            with pytest.raises(UpgradeRejectedError, match="answered 404"):
                await http.single_websocket_request(WebSocketRequest(_url(client, "/other")), ECHO)
            with pytest.raises(ValueError, match="ws://"):
                await http.single_websocket_request(WebSocketRequest("http://127.0.0.1/"), ECHO)

    asyncio.run(run())


def test_tls_on_both_sides() -> None:
    async def run() -> None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(CERTIFICATES / "server.pem", CERTIFICATES / "server.key")
        trust = ssl.create_default_context(cafile=str(CERTIFICATES / "ca.pem"))
        async with ActorSystem("ws") as system, asyncio.timeout(TIMEOUT_S):
            http = Http(system)
            server = http.new_server_at("127.0.0.1", 0, tls=tls)
            async with await server.bind(handle_websocket(ECHO)) as binding:
                port = binding.local_address[1]
                answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

                async def first(elements: Any) -> None:
                    answer.set_result(await elements.pull())
                    elements.cancel()

                flow = Flow.from_sink_and_source(_sink(first), Source.single("over TLS").concat(Source.never()))
                request = WebSocketRequest(f"wss://localhost:{port}/")
                await http.single_websocket_request(request, flow, tls=trust)
                assert await answer == "over TLS"

    asyncio.run(run())
