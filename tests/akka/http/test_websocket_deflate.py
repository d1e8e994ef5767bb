"""permessage-deflate: the RFC's examples, what is agreed to, bombs, and the `websockets` library on either side."""

from __future__ import annotations

import asyncio
import itertools
import random
import zlib
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory
from wsproto.frame_protocol import CloseReason, Opcode, RsvBits
from wsproto.utilities import RemoteProtocolError

from smackbox.akka import ActorSystem
from smackbox.akka.http import (
    Deflate,
    Http,
    UpgradeRejectedError,
    WebSocketRequest,
    WebSocketSettings,
    handle_websocket,
)
from smackbox.akka.stream import Flow, Source
from smackbox.net.websocket import SLICE
from smackbox.net.websocket_deflate import TAIL, PerMessageDeflate
from tests.akka.http.server import TIMEOUT_S, Client, serving
from tests.akka.http.test_websocket import (
    BINARY,
    CONTINUATION,
    ECHO,
    PING,
    PONG,
    TEXT,
    _sink,
    _url,
    code,
    frame,
    frames_of,
    handshake,
)

DEFLATE = WebSocketSettings(deflate=Deflate())
RSV1 = 4
OFFER = "permessage-deflate; client_max_window_bits"
HELLO = bytes.fromhex("f248cdc9c90700")


async def talk(client: Client, sent: bytes, count: int) -> tuple[str, list[tuple[int, bool, bytes]]]:
    """What the server agreed to, and the first `count` frames that it sends, fewer where it closes before."""
    reader, writer = await asyncio.open_connection(*client.address)
    try:
        writer.write(handshake(Sec_WebSocket_Extensions=OFFER) + sent)
        async with asyncio.timeout(TIMEOUT_S):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            (agreed,) = (line for line in head.split("\r\n") if line.lower().startswith("sec-websocket-extensions"))
            got = b""
            while len(frames_of(got)) < count and (piece := await reader.read(1 << 16)):
                got += piece
            return agreed.partition(": ")[2], frames_of(got)
    finally:
        writer.close()


def packed(data: bytes) -> bytes:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (deflater.compress(data) + deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]


def inflated(*payloads: bytes) -> list[bytes]:
    inflater = zlib.decompressobj(-15)
    return [inflater.decompress(payload + TAIL) for payload in payloads]


# RFC 7692, 7.2.3: each is "Hello"
EXAMPLES = {
    "one block": frame(TEXT, HELLO, rsv=RSV1),
    "two frames": frame(TEXT, HELLO[:3], fin=False, rsv=RSV1) + frame(CONTINUATION, HELLO[3:]),
    "a ping between two frames": frame(TEXT, HELLO[:3], fin=False, rsv=RSV1)
    + frame(PING)
    + frame(CONTINUATION, HELLO[3:]),
    "an empty last frame": frame(TEXT, HELLO, fin=False, rsv=RSV1) + frame(CONTINUATION),
    "stored": frame(TEXT, bytes.fromhex("000500faff48656c6c6f00"), rsv=RSV1),
    "a last block": frame(TEXT, bytes.fromhex("f348cdc9c9070000"), rsv=RSV1),
    "a last block, without the empty one": frame(TEXT, bytes.fromhex("f348cdc9c907"), rsv=RSV1),
    "two blocks": frame(TEXT, bytes.fromhex("f248050000 00ffffcac9c90700".replace(" ", "")), rsv=RSV1),
    "not compressed": frame(TEXT, b"Hello"),
}


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_of_the_rfc(example: str) -> None:
    async def run() -> None:
        async with serving(handle_websocket(ECHO, settings=DEFLATE)) as client:
            # each a second time: the state between messages holds
            pongs = 2 * ("ping" in example)
            agreed, got = await talk(client, EXAMPLES[example] * 2 + frame(TEXT, HELLO, rsv=RSV1), 3 + pongs)
        assert agreed == "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12"
        messages = [payload for opcode, _, payload in got if opcode == TEXT]
        assert inflated(*messages) == [b"Hello"] * 3
        assert len(messages[1]) < len(messages[0])  # it is found in the window
        assert sum(opcode == PONG for opcode, _, _ in got) == pongs

    asyncio.run(run())


def test_a_second_message_uses_the_window_of_the_first() -> None:
    async def run() -> None:
        async with serving(handle_websocket(ECHO, settings=DEFLATE)) as client:
            again = bytes.fromhex("f200110000")
            _, got = await talk(client, frame(TEXT, HELLO, rsv=RSV1) + frame(TEXT, again, rsv=RSV1), 2)
        assert inflated(*(payload for _, _, payload in got[:2])) == [b"Hello", b"Hello"]

    asyncio.run(run())


BROKEN = {
    "RSV1 on a continuation": (frame(TEXT, HELLO[:3], fin=False, rsv=RSV1) + frame(CONTINUATION, b"", rsv=RSV1), 1002),
    "RSV1 on a ping": (frame(PING, b"", rsv=RSV1), 1002),
    "RSV2": (frame(TEXT, HELLO, rsv=2), 1002),
    "not DEFLATE": (frame(TEXT, b"\xff" * 10, rsv=RSV1), 1007),
    "beyond the window": (frame(TEXT, bytes.fromhex("f200110000"), rsv=RSV1), 1007),
    "ends of streams again and again": (frame(TEXT, b"\x03\x00" * 100, rsv=RSV1), 1007),
    "no UTF-8": (frame(TEXT, packed(b"\xff\xfe"), rsv=RSV1), 1007),
    "a bomb": (frame(BINARY, packed(bytes(1 << 24)), rsv=RSV1), 1009),
    "a bomb of text": (frame(TEXT, packed(b"x" * (1 << 24)), rsv=RSV1), 1009),
    "a bomb in fragments": (
        frame(BINARY, packed(bytes(700_000)) + TAIL, fin=False, rsv=RSV1)
        + frame(CONTINUATION, packed(bytes(700_000)), fin=False),
        1009,
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_wrong_closes_the_connection(case: str) -> None:
    sent, expected = BROKEN[case]

    async def run() -> None:
        async with serving(handle_websocket(ECHO, settings=DEFLATE)) as client:
            _, got = await talk(client, sent, 2)
        assert got[-1][2][:2] == code(expected)

    asyncio.run(run())


def test_a_message_of_just_the_limit_passes_and_no_more_than_it_is_ever_inflated() -> None:
    deflate = PerMessageDeflate(Deflate(), 1000)
    deflate.accept(OFFER)

    class Server:
        client = False

    def receive(opcode: Opcode, data: bytes) -> list[Any]:
        assert deflate.frame_inbound_header(Server, opcode, RsvBits(True, False, False), len(data))
        found = [deflate.frame_inbound_payload_data(Server, data)]
        if isinstance(found[0], bytes):
            found.append(deflate.frame_inbound_complete(Server, fin=True))
        return found

    assert b"".join(receive(Opcode.BINARY, packed(b"x" * 1000))) == b"x" * 1000
    assert b"".join(receive(Opcode.TEXT, packed("µ".encode() * 1000))) == "µ".encode() * 1000
    assert receive(Opcode.BINARY, packed(b"x" * 1001))[-1] is CloseReason.MESSAGE_TOO_BIG
    sizes: list[int] = []

    class Spy:
        eof = False

        def decompress(self, data: bytes, most: int) -> bytes:
            sizes.append(most)
            return b""

    deflate._inflater = Spy()
    receive(Opcode.BINARY, b"abc")
    assert sizes == [1001, 1001]  # one beyond the limit shows that it is exceeded


ANSWERS: list[tuple[Deflate, str, str | None]] = [
    # a server's wishes, an offer, the answer; None declines
    (Deflate(), "", "server_max_window_bits=12"),
    (Deflate(), "client_max_window_bits", "server_max_window_bits=12; client_max_window_bits=12"),
    (Deflate(), "client_max_window_bits=10", "server_max_window_bits=12; client_max_window_bits=10"),
    (Deflate(), "client_max_window_bits=15", "server_max_window_bits=12; client_max_window_bits=12"),
    (Deflate(), "server_max_window_bits=10", "server_max_window_bits=10"),
    (Deflate(), "server_max_window_bits=8", "server_max_window_bits=8"),
    (Deflate(), 'server_max_window_bits="9"', "server_max_window_bits=9"),
    (
        Deflate(),
        "server_no_context_takeover; client_no_context_takeover",
        "server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12",
    ),
    (Deflate(server_max_window_bits=15, client_max_window_bits=15), "client_max_window_bits", ""),
    (
        Deflate(True, True, 15, 15),
        "",
        "server_no_context_takeover; client_no_context_takeover",
    ),
    (Deflate(), "server_max_window_bits", None),
    (Deflate(), "server_max_window_bits=7", None),
    (Deflate(), "server_max_window_bits=16", None),
    (Deflate(), "server_max_window_bits=010", None),
    (Deflate(), "client_max_window_bits=abc", None),
    (Deflate(), "server_no_context_takeover=1", None),
    (Deflate(), "server_no_context_takeover; server_no_context_takeover", None),
    (Deflate(), "unknown", None),
]


@pytest.mark.parametrize(("wanted", "offer", "answer"), ANSWERS)
def test_what_a_server_agrees_to(wanted: Deflate, offer: str, answer: str | None) -> None:
    deflate = PerMessageDeflate(wanted, None)
    assert deflate.accept(f"permessage-deflate; {offer}" if offer else "permessage-deflate") == answer
    assert deflate.enabled() == (answer is not None)
    if answer is not None:
        assert deflate.accept("permessage-deflate") is None  # the first offer holds


@pytest.mark.parametrize(
    ("wanted", "answer"),
    [
        (Deflate(), ""),  # we asked for 12 bits
        (Deflate(), "server_max_window_bits=13"),
        (Deflate(), "server_max_window_bits=12; unknown"),
        (Deflate(), "server_max_window_bits=12; client_max_window_bits"),
        (Deflate(server_no_context_takeover=True), "server_max_window_bits=12"),
    ],
)
def test_a_client_refuses_what_it_did_not_offer(wanted: Deflate, answer: str) -> None:
    deflate = PerMessageDeflate(wanted, None)
    with pytest.raises(RemoteProtocolError, match="was agreed to as it was not offered"):
        deflate.finalize(f"permessage-deflate; {answer}")
    assert not deflate.enabled()


def test_a_server_that_agrees_to_what_was_not_offered_is_refused() -> None:
    async def run() -> None:
        factory = ServerPerMessageDeflateFactory(server_max_window_bits=15)

        async def nothing(_: ServerConnection) -> None:
            pass

        class Wrong(ServerPerMessageDeflateFactory):
            def process_request_params(self, params: Any, accepted_extensions: Any) -> Any:
                _, extension = factory.process_request_params([], accepted_extensions)
                return [], extension

        async with (
            ActorSystem("ws") as system,
            serve(nothing, "127.0.0.1", 0, extensions=[Wrong()], compression=None) as server,
            asyncio.timeout(TIMEOUT_S),
        ):
            url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            with pytest.raises(UpgradeRejectedError):
                await Http(system).single_websocket_request(WebSocketRequest(url), ECHO, settings=DEFLATE)

    asyncio.run(run())


def test_settings_that_zlib_does_not_have() -> None:
    for wrong in ({"server_max_window_bits": 8}, {"client_max_window_bits": 16}, {"level": 10}, {"memory_level": 0}):
        with pytest.raises(ValueError, match=f"^{next(iter(wrong))} is"):
            Deflate(**wrong)  # type: ignore[arg-type]


def test_each_part_is_flushed_and_an_empty_end_is_a_block() -> None:
    deflate = PerMessageDeflate(Deflate(), None)
    deflate.finalize("permessage-deflate; server_max_window_bits=12; client_max_window_bits=12")

    class Own:
        client = True

    plain = RsvBits(False, False, False)
    rsv, first = deflate.frame_outbound(Own, Opcode.TEXT, plain, b"first", fin=False)
    assert rsv.rsv1 and zlib.decompressobj(-15).decompress(first) == b"first"
    rsv, end = deflate.frame_outbound(Own, Opcode.CONTINUATION, plain, b"", fin=True)
    assert (rsv.rsv1, end) == (False, b"\x00")
    _, second = deflate.frame_outbound(Own, Opcode.TEXT, plain, b"", fin=True)
    _, third = deflate.frame_outbound(Own, Opcode.TEXT, plain, b"third", fin=True)
    assert inflated(first + end, second, third) == [b"first", b"", b"third"]
    assert deflate.frame_outbound(Own, Opcode.PING, plain, b"ping", fin=True) == (plain, b"ping")


def messages() -> list[Any]:
    chance = random.Random(7)
    words = ["click", "view", "campaign", "µ", "地", '{"id":']
    texts = ["".join(chance.choices(words, k=chance.randrange(3000))) for _ in range(6)]
    return [*texts, "", b"", "", chance.randbytes(70_000), bytes(300_000), ["in ", "", "parts", ""], "again", "again"]


COMBINATIONS = [
    *itertools.product((False, True), (False, True), (12,), (12,)),
    (False, False, 9, 15),
    (False, False, 15, 9),
]


@pytest.mark.parametrize(("server_forgets", "client_forgets", "server_bits", "client_bits"), COMBINATIONS)
def test_clients_of_another_library(
    *, server_forgets: bool, client_forgets: bool, server_bits: int, client_bits: int
) -> None:
    offer = ClientPerMessageDeflateFactory(server_forgets, client_forgets, server_bits, client_bits)

    async def run() -> None:
        settings = WebSocketSettings(deflate=Deflate())
        async with (
            serving(handle_websocket(ECHO, settings=settings)) as client,
            asyncio.timeout(TIMEOUT_S),
            connect(_url(client), extensions=[offer], compression=None) as socket,
        ):
            (extension,) = socket.protocol.extensions
            assert extension.name == "permessage-deflate"
            for message in messages():
                await socket.send(message)
                assert await socket.recv() == ("in parts" if isinstance(message, list) else message)

    asyncio.run(run())


def test_without_the_offer_or_the_setting_messages_go_as_they_are() -> None:
    async def run() -> None:
        for settings, compression in ((DEFLATE, None), (WebSocketSettings(), "deflate")):
            async with (
                serving(handle_websocket(ECHO, settings=settings)) as client,
                asyncio.timeout(TIMEOUT_S),
                connect(_url(client), compression=compression) as socket,
            ):
                assert not socket.protocol.extensions
                await socket.send("x" * 100_000)
                assert await socket.recv() == "x" * 100_000

    asyncio.run(run())


@pytest.mark.parametrize(("server_forgets", "client_forgets", "server_bits", "client_bits"), COMBINATIONS)
def test_the_client_with_servers_of_another_library(
    *, server_forgets: bool, client_forgets: bool, server_bits: int, client_bits: int
) -> None:
    wanted = Deflate(server_no_context_takeover=server_forgets, server_max_window_bits=server_bits)
    agreed = ServerPerMessageDeflateFactory(
        client_no_context_takeover=client_forgets, client_max_window_bits=client_bits
    )
    sent = [message for message in messages() if not isinstance(message, list)]
    used: list[str] = []

    async def answer(socket: ServerConnection) -> None:
        used.extend(str(extension.name) for extension in socket.protocol.extensions)
        async for message in socket:
            await socket.send(message)

    async def run() -> None:
        async with (
            ActorSystem("ws") as system,
            serve(answer, "127.0.0.1", 0, extensions=[agreed], compression=None) as server,
            asyncio.timeout(TIMEOUT_S),
        ):
            received: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()

            async def collect(elements: Any) -> None:
                received.set_result([await elements.pull() for _ in sent])
                elements.cancel()

            flow = Flow.from_sink_and_source(_sink(collect), Source.from_iterable(sent).concat(Source.never()))
            url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            settings = WebSocketSettings(deflate=wanted)
            await Http(system).single_websocket_request(WebSocketRequest(url), flow, settings=settings)
            assert await received == sent
        assert used == ["permessage-deflate"]

    asyncio.run(run())


def test_a_flow_that_does_not_pull_leaves_a_packet_of_bombs_packed() -> None:
    async def run() -> None:
        gate = asyncio.Event()
        sizes: list[int] = []

        async def slow(message: Any) -> Any:
            sizes.append(len(message))
            await gate.wait()
            return ""

        inflated_sizes: list[int] = []
        inflate = PerMessageDeflate._inflate

        def counting(self: PerMessageDeflate, data: bytes, bits: int) -> Any:
            result = inflate(self, data, bits)
            inflated_sizes.append(len(result) if isinstance(result, bytes) else 0)
            return result

        PerMessageDeflate._inflate = counting  # type: ignore[method-assign]
        try:
            async with (
                serving(handle_websocket(Flow.of().map_async(1, slow), settings=DEFLATE)) as client,
                asyncio.timeout(TIMEOUT_S),
            ):
                count = 60
                bomb = frame(BINARY, packed(bytes(1 << 20)), rsv=RSV1)
                talking = asyncio.ensure_future(talk(client, bomb * count, count))
                while not sizes:
                    await asyncio.sleep(0.01)
                for _ in range(20):
                    await asyncio.sleep(0)
                before = sum(inflated_sizes)
                gate.set()
                _, got = await talking
        finally:
            PerMessageDeflate._inflate = inflate  # type: ignore[method-assign]
        assert before <= 2 * SLICE * 1032 + (1 << 20)
        assert sizes == [1 << 20] * count
        assert sum(opcode == TEXT for opcode, _, _ in got) == count

    asyncio.run(run())


def test_frames_may_come_byte_by_byte() -> None:
    async def run() -> None:
        async with serving(handle_websocket(ECHO, settings=DEFLATE)) as client, asyncio.timeout(TIMEOUT_S):
            reader, writer = await asyncio.open_connection(*client.address)
            writer.write(handshake(Sec_WebSocket_Extensions=OFFER))
            await reader.readuntil(b"\r\n\r\n")
            for byte in EXAMPLES["a ping between two frames"] + EXAMPLES["one block"]:
                writer.write(bytes([byte]))
                await asyncio.sleep(0)
            got = b""
            while len(frames_of(got)) < 3:
                got += await reader.read(1000)
            writer.close()
        assert inflated(*(payload for opcode, _, payload in frames_of(got) if opcode == TEXT)) == [b"Hello", b"Hello"]

    asyncio.run(run())


pieces = st.lists(
    st.binary(max_size=40) | st.sampled_from([HELLO, packed(bytes(100_000)), b"\x03\x00", TAIL]), max_size=6
)


@given(pieces, st.sampled_from([0, 1, 1000]), st.booleans())
def test_any_payload_inflates_within_the_limit_or_closes(parts: list[bytes], limit: int, is_text: bool) -> None:
    deflate = PerMessageDeflate(Deflate(), limit)
    deflate.accept(OFFER)

    class Server:
        client = False

    for _ in range(2):
        opcode = Opcode.TEXT if is_text else Opcode.BINARY
        deflate.frame_inbound_header(Server, opcode, RsvBits(True, False, False), 0)
        size = 0
        for found in [
            *(deflate.frame_inbound_payload_data(Server, part) for part in parts),
            deflate.frame_inbound_complete(Server, fin=True),
        ]:
            if isinstance(found, CloseReason):
                assert found in {CloseReason.MESSAGE_TOO_BIG, CloseReason.INVALID_FRAME_PAYLOAD_DATA}
                return
            size += len(found or b"")
        assert size <= limit * (4 if is_text else 1)


def test_aiohttp_on_either_side() -> None:
    async def answer(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=True)
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(f"{message.data.upper()}")
        return socket

    async def run() -> None:
        text = "µ text " * 5000
        async with serving(handle_websocket(ECHO, settings=DEFLATE)) as client, asyncio.timeout(TIMEOUT_S):
            async with aiohttp.ClientSession() as session, session.ws_connect(_url(client), compress=15) as socket:
                assert socket.compress
                for sent in (text, text, ""):
                    await socket.send_str(sent)
                    assert await socket.receive_str() == sent
            application = web.Application()
            application.router.add_get("/", answer)
            runner = web.AppRunner(application)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            try:
                port = runner.addresses[0][1]
                got: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()

                async def collect(elements: Any) -> None:
                    got.set_result([await elements.pull() for _ in range(2)])
                    elements.cancel()

                flow = Flow.from_sink_and_source(
                    _sink(collect), Source.from_iterable([text, text]).concat(Source.never()), coupled=True
                )
                request = WebSocketRequest(f"ws://127.0.0.1:{port}/")
                upgrade = await Http(client.system).single_websocket_request(request, flow, settings=DEFLATE)
                assert await got == [text.upper()] * 2
                await upgrade.ended
            finally:
                await runner.cleanup()

    asyncio.run(run())
