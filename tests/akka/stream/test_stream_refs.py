"""Stream references: in one system by the clock, and between two systems over Artery."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from smackbox.akka import Actor
from smackbox.akka.stream import Keep, Sink, SinkRef, Source, SourceRef, StreamRefs
from smackbox.akka.stream.errors import StreamTimeoutError
from smackbox.akka.stream.stream_ref_messages import (
    CumulativeDemand,
    OnSubscribeHandshake,
    RemoteStreamCompleted,
    SequencedOnNext,
)
from smackbox.akka.stream.stream_refs import StreamRefError
from smackbox.akka.testkit.kit import ActorTestKit
from smackbox.akka.testkit.streams import TestSink, TestSource
from tests.akka.remote.test_remoting import LIMIT_S, Nodes, run, two_nodes


def test_demand_crosses_and_the_end_does(akka_testkit: ActorTestKit) -> None:
    graph = TestSource.probe(akka_testkit).to_mat(StreamRefs.source_ref(), Keep.both)
    pub, ref = graph.run(akka_testkit.system)
    akka_testkit.settle()
    assert not pub.is_wanted, "nobody has used the reference"
    sub = ref.source().run_with(TestSink.probe(akka_testkit), akka_testkit.system)
    sub.request(2)
    pub.send_next(1, 2, 3)
    sub.expect_next(1, 2).expect_nothing()
    pub.send_complete()
    sub.request(2).expect_next(3).expect_complete()


def test_a_failure_and_a_cancellation_cross(akka_testkit: ActorTestKit) -> None:
    for end in ("failure", "cancel"):
        graph = TestSource.probe(akka_testkit).to_mat(StreamRefs.source_ref(), Keep.both)
        pub, ref = graph.run(akka_testkit.system)
        sub = ref.source().run_with(TestSink.probe(akka_testkit), akka_testkit.system)
        sub.request(2)
        if end == "failure":
            pub.send_error(KeyError("why"))
            assert "KeyError: 'why'" in str(sub.expect_error(StreamRefError))
        else:
            sub.cancel()
            pub.expect_cancel()


def test_a_reference_is_used_once_and_within_its_time(akka_testkit: ActorTestKit) -> None:
    pub, ref = TestSource.probe(akka_testkit).to_mat(StreamRefs.source_ref(), Keep.both).run(akka_testkit.system)
    first = ref.source().run_with(TestSink.probe(akka_testkit), akka_testkit.system)
    second = ref.source().run_with(TestSink.probe(akka_testkit), akka_testkit.system)
    assert "used already" in str(second.expect_error(StreamRefError))
    pub.send_next(1)
    first.request(1).expect_next(1)
    pub, _ = TestSource.probe(akka_testkit).to_mat(StreamRefs.source_ref(), Keep.both).run(akka_testkit.system)
    akka_testkit.advance(31)
    assert isinstance(pub.expect_cancel(), StreamTimeoutError)


def test_a_source_and_a_sink_cross_to_another_system() -> None:
    async def main() -> None:
        async with two_nodes() as nodes:
            got: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()

            class Station(Actor[Any]):
                def receive(self, message: Any) -> None:
                    if isinstance(message, SourceRef):
                        done = message.source().run_with(Sink.seq(), self.context.system)
                        done.add_done_callback(lambda future: got.set_result(future.result()))
                    elif isinstance(message, SinkRef):
                        Source.range(1, 2_000).map(str).run_with(message.sink(), self.context.system)

            station = nodes.remote(nodes.b.spawn(Station, "station"))
            station.tell(Source.range(1, 2_000).run_with(StreamRefs.source_ref(), nodes.a))
            assert await got == list(range(1, 2_001))
            ref, done = StreamRefs.sink_ref().to_mat(Sink.seq(), Keep.both).run(nodes.a)
            station.tell(ref)
            assert await done == [str(number) for number in range(1, 2_001)]

    run(main())


def test_cancelling_and_failing_cross_to_another_system() -> None:
    async def main() -> None:
        async with two_nodes() as nodes:
            taken: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

            class Taker(Actor[Any]):
                def receive(self, message: Any) -> None:
                    done = message.source().take(3).run_with(Sink.seq(), self.context.system)
                    done.add_done_callback(lambda future: taken.set_result(future.exception() or future.result()))

            taker = nodes.remote(nodes.b.spawn(Taker, "taker"))
            ended, ref = (
                Source.repeat(1).watch_termination(Keep.right).to_mat(StreamRefs.source_ref(), Keep.both).run(nodes.a)
            )
            taker.tell(ref)
            assert await taken == [1, 1, 1]
            await ended
            taken = asyncio.get_running_loop().create_future()
            taker.tell(Source.failed(KeyError("why")).run_with(StreamRefs.source_ref(), nodes.a))
            assert "KeyError" in str(await taken)

    run(main())


def test_the_end_of_a_system_fails_the_stream_of_the_other() -> None:
    async def main() -> None:
        async with two_nodes() as nodes:
            failed: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

            class Waiter(Actor[Any]):
                def receive(self, message: Any) -> None:
                    done = message.source().run_with(Sink.ignore(), self.context.system)
                    done.add_done_callback(lambda future: failed.set_result(future.exception()))
                    self.context.sender.tell("begun")

            waiter = nodes.remote(nodes.b.spawn(Waiter, "waiter"))
            assert await waiter.request(Source.never().run_with(StreamRefs.source_ref(), nodes.a), LIMIT_S) == "begun"
            await asyncio.sleep(0)
            await nodes.a.terminate()
            assert isinstance(await failed, StreamRefError)

    run(main())


def test_elements_that_have_no_serializer_fail_the_stream() -> None:
    async def main() -> None:
        async with two_nodes() as nodes:
            ref, done = StreamRefs.sink_ref().to_mat(Sink.seq(), Keep.both).run(nodes.a)
            sink: Any = SinkRef(nodes.second.resolve(nodes.first.path_of(ref.ref)))
            Source.range(1, 3).map(lambda x: object() if x == 2 else x).run_with(sink.sink(), nodes.b)
            with pytest.raises(StreamRefError, match="was lost|had 3 elements"):
                await done

    run(main())


__all__ = ["Nodes"]


def test_a_consumer_may_begin_with_its_demand_and_is_answered_with_the_handshake(akka_testkit: ActorTestKit) -> None:
    """As a JVM's does."""
    ref = Source.from_iterable(["a", "b", "c"]).run_with(StreamRefs.source_ref(), akka_testkit.system)
    consumer, other = akka_testkit.probe(), akka_testkit.probe()
    ref.ref.tell(CumulativeDemand(2), consumer.ref)
    assert consumer.expect_message_type(OnSubscribeHandshake).target_ref == ref.ref
    assert [consumer.expect_message_type(SequencedOnNext).payload for _ in range(2)] == ["a", "b"]
    ref.ref.tell(CumulativeDemand(9), other.ref)  # it is not the other's stream
    other.expect_no_message()
    ref.ref.tell(CumulativeDemand(9), consumer.ref)
    assert consumer.expect_message_type(SequencedOnNext).payload == "c"
    assert consumer.expect_message_type(RemoteStreamCompleted).sequence == 3
