"""Streams and what is round them: queues, hubs, actors, restarts, async iteration, the end of systems and actors."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from smackbox.akka import Actor, ActorSystem, Props
from smackbox.akka.stream import (
    BroadcastHub,
    Flow,
    GraphBuilder,
    Keep,
    MergeHub,
    Offered,
    OverflowStrategy,
    PartitionHub,
    RestartFlow,
    RestartSettings,
    RestartSink,
    RestartSource,
    RunnableGraph,
    Sink,
    Source,
)
from smackbox.akka.stream.errors import (
    AbruptTerminationError,
    BufferOverflowError,
    NeverMaterializedError,
    StageError,
    WatchedActorTerminatedError,
)
from smackbox.akka.stream.fan_in import Merge
from smackbox.akka.stream.fan_out import Balance, Broadcast, Partition, UnzipWith
from smackbox.akka.testkit.kit import ActorTestKit
from smackbox.akka.testkit.streams import PublisherProbe, SubscriberProbe, TestSink, TestSource


def probed(kit: ActorTestKit, source: Source[Any, Any]) -> tuple[Any, SubscriberProbe]:
    value, probe = source.to_mat(TestSink.probe(kit), Keep.both).run(kit.system)
    kit.settle()
    return value, probe


# -- queues


def test_queue_offers_wait_for_room(akka_testkit: ActorTestKit) -> None:
    queue, sub = probed(akka_testkit, Source.queue(1))

    async def main() -> list[Offered]:
        offers = [asyncio.ensure_future(queue.offer(number)) for number in (1, 2, 3)]
        await asyncio.sleep(1)
        assert [offer.done() for offer in offers] == [True, False, False]
        sub._stage.note(sub._stage.more, 5)
        return [await offer for offer in offers]

    assert akka_testkit.run(main()) == [Offered.ENQUEUED] * 3
    sub.expect_next(1, 2, 3)
    queue.complete()
    sub.expect_complete()
    assert akka_testkit.run(queue.offer(4)) is Offered.QUEUE_CLOSED
    akka_testkit.run(queue.watch_completion())


def test_queue_refuses_more_waiting_offers_than_its_limit(akka_testkit: ActorTestKit) -> None:
    queue, _ = probed(akka_testkit, Source.queue(1, offers=1))

    async def main() -> None:
        await queue.offer(1)
        waiting = asyncio.ensure_future(queue.offer(2))
        await asyncio.sleep(0)
        with pytest.raises(BufferOverflowError, match="1 offers wait already"):
            await queue.offer(3)
        waiting.cancel()

    akka_testkit.run(main())


@pytest.mark.parametrize(
    ("strategy", "results", "left"),
    [
        (OverflowStrategy.DROP_NEW, [Offered.ENQUEUED, Offered.ENQUEUED, Offered.DROPPED], [1, 2]),
        (OverflowStrategy.DROP_HEAD, [Offered.ENQUEUED] * 3, [2, 3]),
        (OverflowStrategy.DROP_TAIL, [Offered.ENQUEUED] * 3, [1, 3]),
        (OverflowStrategy.DROP_BUFFER, [Offered.ENQUEUED] * 3, [3]),
    ],
)
def test_queue_overflows(akka_testkit: ActorTestKit, strategy: Any, results: list[Any], left: list[int]) -> None:
    queue, sub = probed(akka_testkit, Source.queue(2, strategy))
    assert [akka_testkit.run(queue.offer(number)) for number in (1, 2, 3)] == results
    sub.request(9).expect_next(*left).expect_nothing()


def test_queue_that_fails_says_so_to_both_sides(akka_testkit: ActorTestKit) -> None:
    queue, sub = probed(akka_testkit, Source.queue(1, OverflowStrategy.FAIL))
    akka_testkit.run(queue.offer(1))
    with pytest.raises(BufferOverflowError):
        akka_testkit.run(queue.offer(2))
    sub.expect_error(BufferOverflowError)


def test_queue_tells_waiting_offers_of_a_cancelled_stream(akka_testkit: ActorTestKit) -> None:
    queue, sub = probed(akka_testkit, Source.queue(1))

    async def main() -> Any:
        await queue.offer(1)
        waiting = asyncio.ensure_future(queue.offer(2))
        await asyncio.sleep(0)
        sub._stage.note(sub._stage.cancel_stage, KeyError("gone"))
        return await waiting

    assert akka_testkit.run(main()) is Offered.QUEUE_CLOSED


def test_sink_queue_and_async_for(akka_testkit: ActorTestKit) -> None:
    async def main() -> list[int]:
        queue = Source.range(1, 3).run_with(Sink.queue(), akka_testkit.system)
        pulled = [await queue.pull() for _ in range(4)]
        assert pulled == [1, 2, 3, None]
        seen = []
        async with Source.range(1, 1_000_000).run_async_iterator(akka_testkit.system) as elements:
            async for element in elements:
                seen.append(element)
                if element == 40:
                    break
        with pytest.raises(KeyError):
            async for _ in Source.failed(KeyError("x")).run_async_iterator(akka_testkit.system):
                pass
        return seen

    assert akka_testkit.run(main()) == list(range(1, 41))


def test_an_async_generator_is_closed_when_the_stream_ends_before_it(akka_testkit: ActorTestKit) -> None:
    closed: list[str] = []

    async def numbers() -> Any:
        try:
            for number in range(100):
                await asyncio.sleep(0.1)
                yield number
        finally:
            closed.append("closed")

    assert akka_testkit.run(Source.from_async_iterator(numbers).take(3).run_list(akka_testkit.system)) == [0, 1, 2]
    akka_testkit.settle()
    assert closed == ["closed"]


def test_maybe_and_lazy(akka_testkit: ActorTestKit) -> None:
    promise, sub = probed(akka_testkit, Source.maybe())
    sub.request(1).expect_nothing()
    promise.set_result(5)
    sub.expect_next(5).expect_complete()
    value, sub = probed(akka_testkit, Source.lazy_source(lambda: Source.range(1, 2)))
    assert not value.done()
    sub.cancel()
    assert isinstance(value.exception(), NeverMaterializedError)
    made = Source.empty().run_with(Sink.lazy_sink(Sink.ignore), akka_testkit.system)
    akka_testkit.settle()
    assert isinstance(made.exception(), NeverMaterializedError)


# -- map_async


def test_map_async_keeps_order_and_no_more_than_its_parallelism(akka_testkit: ActorTestKit) -> None:
    running, most = 0, 0

    async def work(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(1 / number)
        running -= 1
        return number

    assert akka_testkit.run(Source.range(1, 9).map_async(3, work).run_list(akka_testkit.system)) == list(range(1, 10))
    assert most == 3
    found = akka_testkit.run(Source.range(1, 9).map_async_unordered(9, work).run_list(akka_testkit.system))
    assert found == list(range(9, 0, -1))


def test_map_async_cancels_what_is_under_way(akka_testkit: ActorTestKit) -> None:
    ends: list[str] = []

    async def work(number: int) -> int:
        try:
            await asyncio.sleep(1_000)
        finally:
            ends.append("cancelled")
        return number

    _, sub = probed(akka_testkit, Source.range(1, 9).map_async(3, work))
    sub.request(1)
    sub.cancel()
    akka_testkit.settle()
    assert ends == ["cancelled"] * 3


def test_what_map_async_keeps_for_its_next_call_is_no_task_that_a_loop_waits_for() -> None:
    async def main() -> list[int]:
        async with ActorSystem("x") as system:

            async def same(number: int) -> int:
                assert asyncio.current_task() is not None
                return number

            elements = await Source.range(1, 5).map_async(2, same).run_list(system)
            assert asyncio.all_tasks() == {asyncio.current_task()}
            return elements

    assert asyncio.run(main()) == [1, 2, 3, 4, 5]


def test_map_async_partitioned_runs_a_partition_in_order(akka_testkit: ActorTestKit) -> None:
    log: list[tuple[int, str]] = []

    async def work(number: int) -> int:
        log.append((number, "begin"))
        await asyncio.sleep(1)
        log.append((number, "end"))
        return number

    source = Source.range(1, 4).map_async_partitioned(4, lambda x: x % 2, work)
    assert akka_testkit.run(source.run_list(akka_testkit.system)) == [1, 2, 3, 4]
    assert log.index((1, "end")) < log.index((3, "begin"))
    assert log.index((2, "begin")) < log.index((1, "end"))


# -- actors


class Echo(Actor[Any]):
    def receive(self, message: Any) -> None:
        self.context.sender.tell(message * 2, self.context.ref)


def test_ask_and_its_actors_death(akka_testkit: ActorTestKit) -> None:
    echo = akka_testkit.spawn(Echo)
    assert akka_testkit.run(Source.range(1, 3).ask(2, echo, 1).run_list(akka_testkit.system)) == [2, 4, 6]
    _, sub = probed(akka_testkit, Source.never().watch(echo))
    akka_testkit.stop(echo)
    sub.expect_error(WatchedActorTerminatedError)


def test_actor_ref_source(akka_testkit: ActorTestKit) -> None:
    ref, sub = probed(akka_testkit, Source.actor_ref(2, complete=lambda message: message == "end"))
    for message in (1, 2, 3):
        ref.tell(message)
    sub.request(9).expect_next(1, 2)
    ref.tell(4)
    sub.expect_next(4)
    ref.tell("end")
    sub.expect_complete()
    ref.tell(5)
    akka_testkit.settle()
    assert [letter.message for letter in akka_testkit.dead_letters] == [5]


def test_actor_ref_source_with_back_pressure(akka_testkit: ActorTestKit) -> None:
    ref, sub = probed(akka_testkit, Source.actor_ref_with_back_pressure("ack"))
    sender = akka_testkit.probe()
    ref.tell(1, sender.ref)
    sender.expect_no_message()
    sub.request(1).expect_next(1)
    sender.expect_message("ack")
    ref.tell(2, sender.ref)
    ref.tell(3, sender.ref)
    sub.expect_error(BufferOverflowError)


def test_actor_ref_sinks(akka_testkit: ActorTestKit) -> None:
    probe = akka_testkit.probe()
    Source.range(1, 2).run_with(Sink.actor_ref(probe.ref, "done"), akka_testkit.system)
    for message in (1, 2, "done"):
        probe.expect_message(message)
    sink = Sink.actor_ref_with_back_pressure(probe.ref, init="init", ack="ack", complete="done")
    Source.range(1, 2).run_with(sink, akka_testkit.system)
    probe.expect_message("init")
    probe.expect_no_message()
    probe.reply("ack")
    probe.expect_message(1)
    probe.expect_no_message()
    probe.reply("ack")
    probe.expect_message(2)
    probe.expect_message("done")


def test_a_sink_to_an_actor_ends_with_it(akka_testkit: ActorTestKit) -> None:
    echo = akka_testkit.spawn(Echo)
    pub = Sink.actor_ref(echo, "done").run_with(TestSource.probe(akka_testkit), akka_testkit.system)
    akka_testkit.settle()
    akka_testkit.stop(echo)
    pub.expect_cancel()


def test_a_stream_ends_with_the_actor_that_runs_it_and_with_its_system(akka_testkit: ActorTestKit) -> None:
    futures: list[asyncio.Future[Any]] = []

    class Owner(Actor[Any]):
        def pre_start(self) -> None:
            futures.append(Source.never().async_().run_with(Sink.ignore(), self.context))

    owner = akka_testkit.spawn(Props(Owner))
    assert not futures[0].done()
    akka_testkit.stop(owner)
    akka_testkit.settle()
    assert isinstance(futures[0].exception(), AbruptTerminationError)
    future = Source.never().run_with(Sink.ignore(), akka_testkit.system)
    akka_testkit.settle()
    akka_testkit.run(akka_testkit.system.terminate())
    assert isinstance(future.exception(), AbruptTerminationError)


def test_a_failure_is_logged_once_and_in_the_value(akka_testkit: ActorTestKit) -> None:
    with akka_testkit.expect_log("stage map failed", logger="smackbox.akka.stream"):
        future = Source.single(0).async_().map(lambda x: 1 // x).async_().run_with(Sink.ignore(), akka_testkit.system)
        akka_testkit.settle()
    assert isinstance(future.exception(), ZeroDivisionError)


# -- hubs


def test_merge_hub(akka_testkit: ActorTestKit) -> None:
    sink, sub = probed(akka_testkit, MergeHub.source(2))
    sub.request(20)
    Source.range(1, 2).run_with(sink, akka_testkit.system)
    Source.range(11, 12).run_with(sink, akka_testkit.system)
    akka_testkit.settle()
    assert sorted(sub.receive_next() for _ in range(4)) == [1, 2, 11, 12]
    sub.expect_nothing()
    Source.single(5).run_with(sink, akka_testkit.system)
    sub.expect_next(5)
    late = sink.run_with(TestSource.probe(akka_testkit), akka_testkit.system)
    sub.cancel()
    late.expect_cancel()
    later = sink.run_with(TestSource.probe(akka_testkit), akka_testkit.system)
    later.expect_cancel()


def test_merge_hub_presses_back_on_each_producer(akka_testkit: ActorTestKit) -> None:
    sink, sub = probed(akka_testkit, MergeHub.source(2))
    pub = sink.run_with(TestSource.probe(akka_testkit), akka_testkit.system)
    pub.send_next(1, 2)
    assert not pub.is_wanted
    sub.request(1).expect_next(1)
    assert pub.is_wanted


def test_merge_hub_drains(akka_testkit: ActorTestKit) -> None:
    (sink, control), sub = probed(akka_testkit, MergeHub.source_with_draining())
    pub = sink.run_with(TestSource.probe(akka_testkit), akka_testkit.system)
    pub.send_next(1)
    control.drain_and_complete()
    late = sink.run_with(TestSource.probe(akka_testkit), akka_testkit.system)
    late.expect_cancel()
    pub.send_next(2).send_complete()
    sub.request(9).expect_next(1, 2).expect_complete()


def test_broadcast_hub(akka_testkit: ActorTestKit) -> None:
    pub, source = TestSource.probe(akka_testkit).to_mat(BroadcastHub.sink(0, 2), Keep.both).run(akka_testkit.system)
    pub.send_next(1)
    _, first = probed(akka_testkit, source)
    first.request(9).expect_next(1)
    _, second = probed(akka_testkit, source)
    pub.send_next(2, 3)
    first.expect_next(2, 3)
    akka_testkit.settle()
    assert not second.events
    assert not pub.is_wanted, "as fast as the slowest"
    second.request(1).expect_next(2)
    pub.send_next(4)
    second.cancel()
    first.expect_next(4)
    pub.send_next(5).send_complete()
    first.expect_next(5).expect_complete()
    _, late = probed(akka_testkit, source)
    late.expect_complete()


def test_broadcast_hub_waits_for_its_consumers_and_passes_a_failure(akka_testkit: ActorTestKit) -> None:
    pub, source = TestSource.probe(akka_testkit).to_mat(BroadcastHub.sink(2), Keep.both).run(akka_testkit.system)
    _, first = probed(akka_testkit, source)
    assert not pub.is_wanted
    _, second = probed(akka_testkit, source)
    pub.send_next(1)
    error = RuntimeError("x")
    first.request(1).expect_next(1)
    pub.send_error(error)
    first.expect_error(error)
    second.expect_error(error)


def test_partition_hub(akka_testkit: ActorTestKit) -> None:
    hub = PartitionHub.sink(lambda size, element: element % size, 2, 4)
    pub, source = TestSource.probe(akka_testkit).to_mat(hub, Keep.both).run(akka_testkit.system)
    _, even = probed(akka_testkit, source)
    _, odd = probed(akka_testkit, source)
    even.request(9)
    odd.request(9)
    pub.send_next(1, 2, 3, 4).send_complete()
    even.expect_next(2, 4).expect_complete()
    odd.expect_next(1, 3).expect_complete()


# -- graphs


def test_fans_of_a_graph(akka_testkit: ActorTestKit) -> None:
    def collected(stage: Any, count: int) -> list[Any]:
        def build(b: GraphBuilder) -> list[Any]:
            fan = b.add(stage)
            b.connect(b.source(Source.range(1, 6)), fan)
            return [b.sink((fan, port), Sink.seq()) for port in range(count)]

        futures = RunnableGraph.from_graph(build).run(akka_testkit.system)
        akka_testkit.settle()
        return [future.result() for future in futures]

    assert collected(Broadcast(2), 2) == [[1, 2, 3, 4, 5, 6]] * 2
    assert collected(Partition(2, lambda x: x % 2), 2) == [[2, 4, 6], [1, 3, 5]]
    assert collected(UnzipWith(2, lambda x: (x, -x)), 2) == [[1, 2, 3, 4, 5, 6], [-1, -2, -3, -4, -5, -6]]
    first, second = collected(Balance(2), 2)
    assert sorted(first + second) == [1, 2, 3, 4, 5, 6]


def test_a_port_that_is_not_connected_is_an_error_at_once(akka_testkit: ActorTestKit) -> None:
    def build(b: GraphBuilder) -> None:
        b.connect(b.source(Source.range(1, 6)), b.add(Merge(2)))

    with pytest.raises(StageError, match="Merge has 2 inlets and 1 outlets, and not all are connected"):
        RunnableGraph.from_graph(build).run(akka_testkit.system)


def test_partition_refuses_a_port_that_is_none(akka_testkit: ActorTestKit) -> None:
    def build(b: GraphBuilder) -> Any:
        fan = b.add(Partition(2, lambda _: 7))
        b.connect(b.source(Source.single(1)), fan)
        return [b.sink((fan, port), Sink.ignore()) for port in range(2)]

    futures = RunnableGraph.from_graph(build).run(akka_testkit.system)
    akka_testkit.settle()
    assert all(isinstance(future.exception(), IndexError) for future in futures)


def test_coupled_flows_end_together(akka_testkit: ActorTestKit) -> None:
    probes: list[Any] = []
    inner_sink = TestSink.probe(akka_testkit).map_materialized_value(probes.append)
    inner_source = TestSource.probe(akka_testkit).map_materialized_value(probes.append)
    flow = Flow.from_sink_and_source(inner_sink, inner_source, coupled=True)
    graph = TestSource.probe(akka_testkit).via(flow).to_mat(TestSink.probe(akka_testkit), Keep.both)
    pub, sub = graph.run(akka_testkit.system)
    akka_testkit.settle()
    sub.cancel()
    pub.expect_cancel()
    assert len(probes) == 2


# -- restarts


def settings(**changes: Any) -> RestartSettings:
    return RestartSettings(1.0, 8.0, 0.0, **changes)


def test_restart_source_backs_off_and_resets(akka_testkit: ActorTestKit) -> None:
    pubs: list[PublisherProbe] = []

    def make() -> Source[Any, Any]:
        return TestSource.probe(akka_testkit).map_materialized_value(pubs.append)

    _, sub = probed(akka_testkit, RestartSource.with_back_off(settings(), make))
    sub.request(99)
    pubs[0].send_next(1)
    sub.expect_next(1)
    for delay_s, count in ((1.0, 2), (2.0, 3), (4.0, 4), (8.0, 5), (8.0, 6)):
        pubs[-1].send_error(RuntimeError("x"))
        akka_testkit.advance(delay_s - 0.01)
        assert len(pubs) == count - 1
        akka_testkit.advance(0.02)
        assert len(pubs) == count
    akka_testkit.advance(1.1)  # longer than first_s without a failure
    pubs[-1].send_complete()
    akka_testkit.advance(1.01)
    assert len(pubs) == 7
    sub.cancel()
    pubs[-1].expect_cancel()
    akka_testkit.advance(60)
    assert len(pubs) == 7


def test_restart_source_gives_up(akka_testkit: ActorTestKit) -> None:
    made: list[int] = []

    def make() -> Source[Any, Any]:
        made.append(1)
        return Source.failed(KeyError(len(made)))

    _, sub = probed(akka_testkit, RestartSource.with_back_off(settings(max_restarts=2, within_s=60), make))
    sub.request(1)
    error = sub.expect_error(KeyError) if akka_testkit.wait_for(lambda: sub.events, 60) else None
    assert len(made) == 3 and error is not None and error.args == (3,)


def test_restart_on_failures_only(akka_testkit: ActorTestKit) -> None:
    source = RestartSource.on_failures_with_back_off(settings(), lambda: Source.range(1, 2))
    assert akka_testkit.run(source.run_list(akka_testkit.system)) == [1, 2]
    picky = settings(restart_on=lambda error: not isinstance(error, KeyError))
    _, sub = probed(akka_testkit, RestartSource.with_back_off(picky, lambda: Source.failed(KeyError("x"))))
    sub.expect_error(KeyError)


def test_restart_sink_loses_only_what_was_on_its_way(akka_testkit: ActorTestKit) -> None:
    seen: list[int] = []

    def take(element: int) -> None:
        if element == 2:
            raise RuntimeError("x")
        seen.append(element)

    sink = RestartSink.with_back_off(settings(), lambda: Sink.foreach(take))
    Source.range(1, 4).run_with(sink, akka_testkit.system)
    akka_testkit.advance(5)
    assert seen == [1, 3, 4]


def test_restart_flow(akka_testkit: ActorTestKit) -> None:
    made: list[int] = []

    def make() -> Flow[Any, Any, Any]:
        made.append(1)
        return Flow.of(int).map(lambda x: 1 // (x - 2) if x == 2 else x)

    flow = RestartFlow.with_back_off(settings(), make)
    assert akka_testkit.run(Source.range(1, 4).via(flow).run_list(akka_testkit.system)) == [1, 3, 4]
    assert len(made) == 2


def test_restart_settings_are_checked() -> None:
    with pytest.raises(ValueError, match="back-off"):
        RestartSettings(2.0, 1.0)


# -- materialized values


def test_values_are_combined(akka_testkit: ActorTestKit) -> None:
    system = akka_testkit.system
    queue, done = Source.queue(4).to_mat(Sink.seq(), Keep.both).run(system)
    assert akka_testkit.run(queue.offer(1)) is Offered.ENQUEUED
    queue.complete()
    akka_testkit.settle()
    assert done.result() == [1]
    watched = Source.range(1, 3).watch_termination(Keep.right).to(Sink.ignore()).run(system)
    monitor = Source.range(1, 3).monitor(Keep.right).to(Sink.ignore()).run(system)
    akka_testkit.settle()
    assert watched.done() and watched.exception() is None
    assert (monitor.state, monitor.passed, monitor.last) == ("finished", 3, 3)
    cancelled = Source.range(1, 3).watch_termination(Keep.right).to(Sink.head()).run(system)
    akka_testkit.settle()
    assert cancelled.exception() is None
    value, source = Source.queue(1).pre_materialize(system)
    akka_testkit.run(value.offer(7))
    assert akka_testkit.run(source.take(1).run_list(system)) == [7]
    futures = Source.range(1, 3).run_with(Sink.combine(Sink.seq(), Sink.count()), system)
    akka_testkit.settle()
    assert [future.result() for future in futures] == [[1, 2, 3], 3]
