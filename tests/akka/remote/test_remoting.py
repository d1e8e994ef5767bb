"""Two actor systems of ours on the wire: tell, ask, watch, selections, what cannot be sent, who is away."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from smackbox.akka import Actor, ActorRef, ActorSystem, AskTimeoutError, DeadLetter, PoisonPill, Props, Terminated
from smackbox.akka.remote import transport
from smackbox.akka.remote.remoting import Remoting
from smackbox.akka.remote.serialization import SerializationError
from smackbox.net.listener import free_port
from tests.akka.actor.test_life import Echo
from tests.akka.watcher import Watcher

LIMIT_S = 20.0


class Hello(msgspec.Struct, frozen=True):
    name: str
    reply_to: ActorRef[Any] | None = None


class Polite(Actor[Hello]):
    def receive(self, message: Hello) -> None:
        assert message.reply_to is not None
        message.reply_to.tell(Hello(f"hello {message.name}", self.context.ref))


class Nodes:
    def __init__(self, first: Remoting, second: Remoting) -> None:
        self.first, self.second = first, second
        self.a, self.b = first.system, second.system

    def remote(self, ref: ActorRef[Any]) -> ActorRef[Any]:
        """The reference by which the other system knows an actor."""
        owner, other = (self.first, self.second) if ref.system is self.a else (self.second, self.first)
        return other.resolve(owner.path_of(ref))


@asynccontextmanager
async def two_nodes() -> AsyncIterator[Nodes]:
    async with ActorSystem("lab") as a, ActorSystem("lab") as b:
        first, second = await Remoting.start(a), await Remoting.start(b)
        for remoting in (first, second):
            remoting.serialization.register("lab.Hello", Hello)
        yield Nodes(first, second)


def run(work: Coroutine[Any, Any, None]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(LIMIT_S):
            await work

    asyncio.run(limited())


async def until(condition: Any) -> None:
    while not condition():
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("message", ["text", b"\x00bytes", 7, -(2**63), True, None, "x" * 1_000_000])
def test_an_ask_goes_there_and_back(message: Any) -> None:
    async def main() -> None:
        async with two_nodes() as nodes:
            echo = nodes.remote(nodes.b.spawn(Echo, "echo"))
            assert await echo.request(message, LIMIT_S) == message

    run(main())


def test_messages_keep_their_order(tmp_path: Any) -> None:
    async def main() -> None:
        async with two_nodes() as nodes:
            seen: list[int] = []

            class Recorder(Actor[int]):
                def receive(self, message: int) -> None:
                    seen.append(message)

            ref = nodes.remote(nodes.b.spawn(Recorder))
            for number in range(2_000):
                ref.tell(number)
            await until(lambda: len(seen) == 2_000)
            assert seen == list(range(2_000))

    run(main())


def test_a_message_with_a_reference_is_answered_to_it() -> None:
    async def main() -> None:
        async with two_nodes() as nodes:
            polite = nodes.b.spawn(Polite, "polite")
            reply = await nodes.remote(polite).ask(lambda reply_to: Hello("you", reply_to), LIMIT_S)
            assert reply == Hello("hello you", nodes.remote(polite))

    run(main())


def test_watch_hears_of_a_stop_exactly_once() -> None:
    async def main() -> None:
        async with two_nodes() as nodes:
            heard: list[Any] = []

            echo = nodes.b.spawn(Echo)
            remote = nodes.remote(echo)
            nodes.a.spawn(Props.of(Watcher, heard)).tell(remote)
            assert await remote.request("alive", LIMIT_S) == "alive"
            remote.tell(PoisonPill())
            await until(lambda: heard)
            nodes.a.spawn(Props.of(Watcher, heard)).tell(remote)
            await until(lambda: len(heard) == 2)
            assert heard == [Terminated(remote)] * 2

    run(main())


def test_selections_find_what_is_there_when_a_message_arrives() -> None:
    async def main() -> None:
        async with two_nodes() as nodes:
            seen: list[str] = []

            class Named(Actor[str]):
                def receive(self, message: str) -> None:
                    seen.append(self.context.path.name)

            refs = [nodes.b.spawn(Named, name) for name in ("worker-1", "worker-2", "other")]
            nodes.first.select(f"{nodes.second.address}/user/worker-*").tell("go")
            await until(lambda: len(seen) == 2)
            assert sorted(seen) == ["worker-1", "worker-2"]
            found = await nodes.first.select(f"{nodes.second.address}/user/other").resolve(LIMIT_S)
            assert found == nodes.remote(refs[2])
            with pytest.raises(LookupError):
                await nodes.first.select(f"{nodes.second.address}/user/nobody").resolve(LIMIT_S)

    run(main())


def test_what_has_no_serializer_is_a_dead_letter_and_harms_nobody() -> None:
    class Unknown(msgspec.Struct):
        name: str

    async def main() -> None:
        async with two_nodes() as nodes:
            letters: list[DeadLetter] = []
            nodes.a.events.subscribe(DeadLetter, letters.append)
            nodes.b.events.subscribe(DeadLetter, letters.append)
            echo = nodes.remote(nodes.b.spawn(Echo))
            echo.tell(object())
            echo.tell(Unknown("x"))
            assert [letter.reason.partition(" has no")[0] for letter in letters] == ["object", "Unknown"]
            nodes.first.serialization.register("lab.Unknown", Unknown)
            echo.tell(Unknown("x"))
            await until(lambda: len(letters) == 3)
            assert "lab.Unknown" in letters[2].reason
            assert await echo.request("still here", LIMIT_S) == "still here"

    run(main())


def test_a_system_that_is_away_costs_bounded_memory_and_no_exception() -> None:
    async def main() -> None:
        async with ActorSystem("lab") as system:
            letters: list[DeadLetter] = []
            system.events.subscribe(DeadLetter, letters.append)
            remoting = await Remoting.start(system)
            nobody = remoting.resolve("pekko://lab@127.0.0.1:1/user/nobody")
            for number in range(5_000):
                nobody.tell(number)
            assert len(letters) == 5_000 - 3_072
            assert letters[0].message == 3_072

    run(main())


def test_a_system_that_restarts_is_another_one() -> None:
    async def main() -> None:
        async with ActorSystem("lab") as a:
            first = await Remoting.start(a)
            heard: list[Any] = []

            async with ActorSystem("lab") as b:
                second = await Remoting.start(b)
                port = second.address.port
                echo = first.resolve(second.path_of(b.spawn(Echo, "echo")))
                a.spawn(Props.of(Watcher, heard)).tell(echo)
                assert await echo.request("one", LIMIT_S) == "one"
                await until(lambda: second.system.resolve("pekko://lab/user/echo").cell._watchers)  # type: ignore[attr-defined]
            async with ActorSystem("lab") as c:
                third = await Remoting.start(c, port=port or 0)
                c.spawn(Echo, "echo")
                again = third.resolve(f"{first.address}/user/x")
                again.tell("who I am now")
                await until(lambda: heard)
                assert heard == [Terminated(echo)]

    run(main())


def test_tls_with_certificates_on_both_sides() -> None:
    certificates = Path(__file__).parents[2] / "certificates"

    def contexts() -> dict[str, ssl.SSLContext]:
        ca = str(certificates / "ca.pem")
        server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=ca)
        server.load_cert_chain(certificates / "server.pem", certificates / "server.key")
        server.verify_mode = ssl.CERT_REQUIRED
        client = ssl.create_default_context(cafile=ca)
        client.load_cert_chain(certificates / "client.pem", certificates / "client.key")
        return {"server_tls": server, "client_tls": client}

    async def main() -> None:
        async with ActorSystem("lab") as a, ActorSystem("lab") as b, ActorSystem("lab") as c:
            first, second = await Remoting.start(a, **contexts()), await Remoting.start(b, **contexts())
            plain = await Remoting.start(c)
            echo = second.path_of(b.spawn(Echo, "echo"))
            assert await first.resolve(echo).request("secret", LIMIT_S) == "secret"
            with pytest.raises(AskTimeoutError):
                await plain.resolve(echo).request("no certificate", 0.5)

    run(main())


def test_bytes_that_are_no_artery_close_their_connection_only() -> None:
    async def main() -> None:
        async with two_nodes() as nodes:
            echo = nodes.remote(nodes.b.spawn(Echo))
            assert await echo.request("before", LIMIT_S) == "before"
            for data in (b"GET / HTTP/1.1\r\n\r\n", b"AKKA\x01" + b"\xff" * 50, b"AKKA\x02\x1c\0\0\0" + b"\x07" * 28):
                reader, writer = await asyncio.open_connection("127.0.0.1", nodes.second.address.port)
                writer.write(data)
                try:
                    assert await reader.read() == b""
                except ConnectionResetError:
                    pass
                writer.close()
            assert await echo.request("after", LIMIT_S) == "after"

    run(main())


def test_integers_over_64_bits_are_refused_where_they_are_sent() -> None:
    async def main() -> None:
        async with two_nodes() as nodes:
            with pytest.raises(SerializationError, match="64 bits"):
                nodes.first.serialization.write(2**63)

    run(main())


def test_a_system_that_shows_that_it_is_there_is_connected_to_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "RETRY_FIRST_S", 3600.0)
    monkeypatch.setattr(transport, "RETRY_LIMIT_S", 3600.0)
    monkeypatch.setattr(transport, "HANGING_S", -1.0)

    async def work() -> None:
        received: list[bytes] = []

        async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            received.append(await reader.readexactly(5 + 1))
            writer.close()

        port = free_port("127.0.0.1")
        outbound = transport.Outbound("127.0.0.1", port, b"AKKA\x02", None)
        outbound.send(b"x")
        await until(lambda: outbound._pause_s > 3600 or outbound._attempted_s)
        server = await asyncio.start_server(receive, "127.0.0.1", port)
        outbound.wake()
        await until(lambda: received)
        assert received == [b"AKKA\x02x"]
        outbound.close()
        server.close()
        await server.wait_closed()

    run(work())
