"""Streams between a Python system and a real Pekko, by references to sources and sinks, in all four directions."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest
from bench.engines import real_pekko
from tests.contract.akka.jvm_lab import LIMIT_S

from smackbox.akka import Actor, ActorSystem, Props
from smackbox.akka.remote.remoting import Remoting
from smackbox.akka.stream import Keep, Sink, SinkRef, Source, SourceRef, StreamRefs
from smackbox.akka.stream.stream_refs import StreamRefError

pytestmark = [pytest.mark.polyglot, pytest.mark.xdist_group("pekko")]

COUNT = 2_000
ELEMENTS = [f"n{number}" for number in range(1, COUNT + 1)]


class Mailbox(Actor[Any]):
    """Keeps what comes."""

    def __init__(self, messages: asyncio.Queue[Any]) -> None:
        self._messages = messages

    def receive(self, message: Any) -> None:
        self._messages.put_nowait(message)


def test_sources_and_sinks_cross_in_both_directions() -> None:
    if reason := real_pekko.missing():
        pytest.skip(reason)

    async def main() -> None:
        async with asyncio.timeout(3 * LIMIT_S), AsyncExitStack() as stack:
            pekko = stack.enter_context(real_pekko.RealPekko())
            system = await stack.enter_async_context(ActorSystem("lab"))
            remoting = await Remoting.start(system)
            theirs = remoting.resolve(f"{pekko.address}/user/streams")
            messages: asyncio.Queue[Any] = asyncio.Queue()
            mailbox = system.spawn(Props.of(Mailbox, messages))

            # a source of the JVM
            theirs.tell(f"offer {COUNT}", mailbox)
            offered = await messages.get()
            assert isinstance(offered, SourceRef)
            assert await offered.source().run_list(system) == ELEMENTS
            # taken in part: the JVM's side is cancelled, and a second one works
            theirs.tell(f"offer {COUNT}", mailbox)
            assert await (await messages.get()).source().take(3).run_list(system) == ELEMENTS[:3]
            theirs.tell("offer -1", mailbox)
            with pytest.raises(StreamRefError, match="why"):
                await (await messages.get()).source().run_list(system)
            # a sink of the JVM
            theirs.tell("collect", mailbox)
            sink = await messages.get()
            assert isinstance(sink, SinkRef)
            Source.from_iterable(ELEMENTS).run_with(sink.sink(), system)
            assert await messages.get() == " ".join(ELEMENTS)
            # a source of ours
            theirs.tell(Source.from_iterable(ELEMENTS).run_with(StreamRefs.source_ref(), system), mailbox)
            assert await messages.get() == " ".join(ELEMENTS)
            theirs.tell(Source.failed(KeyError("ours")).run_with(StreamRefs.source_ref(), system), mailbox)
            failed = await messages.get()
            assert failed.startswith("failed: ") and "ours" in failed
            # a sink of ours
            ref, done = StreamRefs.sink_ref().to_mat(Sink.seq(), Keep.both).run(system)
            theirs.tell(ref, mailbox)
            assert await done == ELEMENTS

    asyncio.run(main())
