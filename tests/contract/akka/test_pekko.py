"""A Python actor system and a real Pekko 1.4 on one wire: tell, ask, watch, selections, JSON messages, both ways."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from bench.engines import real_pekko
from tests.akka.watcher import Watcher

from smackbox.akka import Actor, ActorRef, ActorSystem, PoisonPill, Props, Terminated
from smackbox.akka.actor.messages import ActorIdentity, Identify
from smackbox.akka.remote.remoting import Remoting

pytestmark = [pytest.mark.polyglot, pytest.mark.xdist_group("pekko")]

LIMIT_S = 20.0


class Hello(msgspec.Struct, frozen=True, rename="camel"):
    name: str
    number: int
    reply_to: ActorRef[Any] | None = None


class Packed(msgspec.Struct, frozen=True, rename="camel"):
    user_name: str
    data: bytes
    amount: int
    at: datetime | None = None
    tags: list[str] = []
    reply_to: ActorRef[Any] | None = None


class Echo(Actor[Any]):
    def receive(self, message: Any) -> None:
        if isinstance(message, Hello):
            assert message.reply_to is not None
            message.reply_to.tell(Hello(f"hello {message.name}", message.number + 1, self.context.ref))
        else:
            self.context.sender.tell(message, self.context.ref)


@pytest.fixture(scope="module")
def pekko() -> Iterator[real_pekko.RealPekko]:
    if reason := real_pekko.missing():
        pytest.skip(reason)
    with real_pekko.RealPekko() as node:
        yield node


class Lab:
    """Our system, and the JVM's actors."""

    def __init__(self, remoting: Remoting, pekko: real_pekko.RealPekko) -> None:
        self.remoting = remoting
        self.system = remoting.system
        self.address = pekko.address
        self.echo = remoting.resolve(f"{pekko.address}/user/echo")
        self.control = remoting.resolve(f"{pekko.address}/user/control")

    def path(self, ref: ActorRef[Any]) -> str:
        return self.remoting.path_of(ref)


def run(pekko: real_pekko.RealPekko, work: Callable[[Lab], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(2 * LIMIT_S), ActorSystem("lab") as system:
            remoting = await Remoting.start(system)
            remoting.serialization.register("lab.Node$Hello", Hello)
            remoting.serialization.register("lab.Node$Packed", Packed, cbor=True)
            await work(Lab(remoting, pekko))

    asyncio.run(main())


async def until(condition: Callable[[], Any]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("message", ["text", b"\x00bytes", 7, -(2**63), True, "x" * 200_000])
def test_python_asks_the_jvm(pekko: real_pekko.RealPekko, message: Any) -> None:
    async def work(lab: Lab) -> None:
        assert await lab.echo.request(message, LIMIT_S) == message

    run(pekko, work)


def test_the_jvm_asks_python(pekko: real_pekko.RealPekko) -> None:
    async def work(lab: Lab) -> None:
        echo = lab.system.spawn(Echo, "echo")
        assert await lab.control.request(f"ask {lab.path(echo)} from the jvm", LIMIT_S) == "from the jvm"
        assert await lab.control.request(f"tell {lab.path(echo)} told", LIMIT_S) == "told"

    run(pekko, work)


def test_json_messages_with_references_go_both_ways(pekko: real_pekko.RealPekko) -> None:
    async def work(lab: Lab) -> None:
        reply = await lab.echo.ask(lambda reply_to: Hello("python", 1, reply_to), LIMIT_S)
        assert (reply.name, reply.number, reply.reply_to.path.name) == ("hello python", 2, "echo")
        echo = lab.system.spawn(Echo, "polite")
        assert await lab.control.request(f"hello {lab.path(echo)}", LIMIT_S) == "hello jvm 42 from polite"

    run(pekko, work)


def test_cbor_messages_go_both_ways(pekko: real_pekko.RealPekko) -> None:
    async def work(lab: Lab) -> None:
        for amount, at in (
            (1, None),
            (2**63 - 1, None),
            (-(2**63), None),
            (2**79 + 5, None),
            (-(2**80), datetime(2026, 1, 2, 3, 4, 5, 678900, UTC)),
        ):
            sent = Packed("µ", bytes(range(256)), amount, at, ["a", ""])
            reply = await lab.echo.ask(
                lambda reply_to, sent=sent: msgspec.structs.replace(sent, reply_to=reply_to), LIMIT_S
            )
            assert reply.reply_to == await lab.remoting.select(f"{lab.address}/user/echo").resolve(LIMIT_S)
            expected = msgspec.structs.replace(sent, user_name="hello µ", amount=amount + 1)
            assert msgspec.structs.replace(reply, reply_to=None) == expected

    run(pekko, work)


COMPRESSION = """
pekko.remote.artery.advanced.compression.actor-refs.advertisement-interval = 1s
pekko.remote.artery.advanced.compression.manifests.advertisement-interval = 1s
"""


def test_both_sides_send_numbers_once_tables_are_advertised() -> None:
    if reason := real_pekko.missing():
        pytest.skip(reason)
    with real_pekko.RealPekko(config=COMPRESSION) as node:

        async def work(lab: Lab) -> None:
            lab.remoting.compression.every_s = 1.0
            echo = await lab.remoting.select(f"{lab.address}/user/echo").resolve(LIMIT_S)
            greeted: list[Hello] = []

            class Greeter(Actor[Any]):
                def receive(self, message: Any) -> None:
                    if isinstance(message, int):
                        echo.tell(Hello("python", message, self.context.ref), self.context.ref)
                    else:
                        greeted.append(message)

            greeter = lab.system.spawn(Greeter, "greeter")

            async def greet(until_there: Callable[[], bool]) -> None:
                while not until_there():
                    count = len(greeted)
                    greeter.tell(count)
                    await until(lambda count=count: len(greeted) > count)

            def tables() -> Any:
                return next(iter(lab.remoting._transport.tables.values()))

            # the JVM uses what we have advertised
            await greet(lambda: bool(greeted) and tables().refs.numbers_read >= 100)
            assert tables().manifests.numbers_read > 0
            # and we what it has: it reads our numbers, or no answer would come
            ours = lab.remoting.association(echo.path.address).tables
            await greet(lambda: str(echo.path) in ours.refs and "lab.Node$Hello" in ours.manifests)
            before = len(greeted)
            await greet(lambda: len(greeted) == before + 500)
            assert [hello.number for hello in greeted] == list(range(1, before + 501))
            assert {hello.name for hello in greeted} == {"hello python"}

        run(node, work)


def test_python_watches_the_jvm(pekko: real_pekko.RealPekko) -> None:
    async def work(lab: Lab) -> None:
        heard: list[Any] = []

        victim = await lab.control.request(f"spawn victim-{id(heard)}", LIMIT_S)
        lab.system.spawn(Props.of(Watcher, heard)).tell(victim)
        assert await victim.request("alive", LIMIT_S) == "alive"
        victim.tell(PoisonPill())
        await until(lambda: heard)
        assert heard == [Terminated(victim)]

    run(pekko, work)


def test_the_jvm_watches_python(pekko: real_pekko.RealPekko) -> None:
    async def work(lab: Lab) -> None:
        victim = lab.system.spawn(Echo, "victim")
        heard: list[Any] = []

        class Asker(Actor[Any]):
            def pre_start(self) -> None:
                lab.control.tell(f"watch {lab.path(victim)}", self.context.ref)

            def receive(self, message: Any) -> None:
                heard.append(message)

        lab.system.spawn(Asker)
        await until(lambda: heard == ["watching"])
        await until(lambda: victim.cell._watchers)
        lab.system.stop(victim)
        await until(lambda: len(heard) == 2)
        assert heard[1].startswith(f"terminated {lab.address.partition('@')[0]}")
        assert "/user/victim" in heard[1]

    run(pekko, work)


def test_selections_go_both_ways(pekko: real_pekko.RealPekko) -> None:
    async def work(lab: Lab) -> None:
        found = await lab.remoting.select(f"{lab.address}/user/echo").resolve(LIMIT_S)
        assert found.path.name == "echo" and found.path.uid != 0
        with pytest.raises(LookupError):
            await lab.remoting.select(f"{lab.address}/user/nobody").resolve(LIMIT_S)
        lab.system.spawn(Echo, "chosen-1")
        reply = await lab.control.request(f"select {lab.remoting.address}/user/chosen-* you", LIMIT_S)
        assert reply == "you"
        identity = await lab.echo.request(Identify("who"), LIMIT_S)
        assert isinstance(identity, ActorIdentity) and identity.correlation_id == "who" and identity.ref == found

    run(pekko, work)


def test_many_messages_keep_their_order(pekko: real_pekko.RealPekko) -> None:
    async def work(lab: Lab) -> None:
        seen: list[int] = []

        class Sender(Actor[Any]):
            def pre_start(self) -> None:
                for number in range(2_000):
                    lab.echo.tell(number, self.context.ref)

            def receive(self, message: int) -> None:
                seen.append(message)

        await lab.echo.request("hello", LIMIT_S)
        lab.system.spawn(Sender)
        await until(lambda: len(seen) == 2_000)
        assert seen == list(range(2_000))

    run(pekko, work)


@pytest.mark.slow
def test_a_jvm_that_is_killed_is_noticed_by_its_silence() -> None:
    if reason := real_pekko.missing():
        pytest.skip(reason)
    with real_pekko.RealPekko() as node:

        async def work(lab: Lab) -> None:
            heard: list[Any] = []

            class EchoWatcher(Actor[Any]):
                def pre_start(self) -> None:
                    self.context.watch(lab.echo)

                def on_signal(self, signal: Any) -> None:
                    heard.append(signal)

            assert await lab.echo.request("alive", LIMIT_S) == "alive"
            lab.system.spawn(EchoWatcher)
            await asyncio.sleep(3)
            node.kill()
            await until(lambda: heard)
            assert heard == [Terminated(lab.echo)]

        run(node, work)
