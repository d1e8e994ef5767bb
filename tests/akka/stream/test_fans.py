"""Stages with several outlets, and what becomes of failures, step by step: who waits for whom, who ends whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from smackbox.akka.stream import Keep, RunnableGraph, Source
from smackbox.akka.stream.errors import NO_MORE_ELEMENTS
from smackbox.akka.stream.fan_out import Balance, Broadcast, DivertTo, Partition, SinkFan, UnzipWith, WireTap
from smackbox.akka.stream.graph import GraphBuilder
from smackbox.akka.stream.recovery import FlowMonitor
from smackbox.akka.stream.stage import Stage
from smackbox.akka.testkit.kit import ActorTestKit
from smackbox.akka.testkit.streams import PublisherProbe, SubscriberProbe, TestSink, TestSource

Fan = tuple[PublisherProbe, list[SubscriberProbe]]
ERROR = RuntimeError("no more")


@pytest.fixture
def fan(akka_testkit: ActorTestKit) -> Callable[..., Fan]:
    """A stage between a publisher and a subscriber for each outlet."""

    def make(stage: Stage, outs: int = 2) -> Fan:
        def build(b: GraphBuilder) -> Fan:
            added = b.add(stage)
            out, publisher = b.source_mat(TestSource.probe(akka_testkit))
            b.connect(out, added)
            return publisher, [b.sink((added, port), TestSink.probe(akka_testkit)) for port in range(outs)]

        found = RunnableGraph.from_graph(build).run(akka_testkit.system)
        akka_testkit.settle()
        return found

    return make


@pytest.mark.parametrize("make", [lambda: Broadcast(2), lambda: UnzipWith(2, lambda n: (n, n)), lambda: SinkFan(2)])
def test_what_feeds_all_waits_for_the_slowest(fan: Callable[..., Fan], make: Callable[[], Stage]) -> None:
    pub, (first, second) = fan(make())
    first.request(3)
    assert not pub.is_wanted
    second.request(1)
    pub.send_next(1)
    first.expect_next(1)
    second.expect_next(1)
    assert not pub.is_wanted, "the second has not asked again"
    second.cancel()
    pub.send_next(2)
    first.expect_next(2)
    first.cancel()
    pub.expect_cancel()


def test_broadcast_may_end_with_the_first_that_leaves(fan: Callable[..., Fan]) -> None:
    pub, (first, second) = fan(Broadcast(2, eager_cancel=True))
    first.cancel()
    pub.expect_cancel()
    second.expect_complete()


def test_a_sink_that_fails_ends_the_others_and_one_that_leaves_does_not(fan: Callable[..., Fan]) -> None:
    pub, (first, second) = fan(SinkFan(2))
    first.cancel(NO_MORE_ELEMENTS)
    second.request(1)
    pub.send_next(1)
    second.expect_next(1)
    second.cancel(ERROR)
    assert pub.expect_cancel() is ERROR
    pub, (first, second) = fan(SinkFan(2))
    second.request(1)
    first.cancel(ERROR)
    assert pub.expect_cancel() is ERROR


def test_balance_gives_each_element_to_one_that_has_asked(fan: Callable[..., Fan]) -> None:
    pub, (first, second) = fan(Balance(2))
    second.request(1)
    pub.send_next(1)
    second.expect_next(1)
    assert not pub.is_wanted
    first.request(2)
    pub.send_next(2)
    first.expect_next(2)
    second.request(1)
    first.cancel()
    pub.send_next(3)
    second.expect_next(3)
    pub.send_complete()
    second.expect_complete()


def test_balance_may_wait_until_all_have_asked(fan: Callable[..., Fan]) -> None:
    pub, (first, second, third) = fan(Balance(3, wait_for_all=True), 3)
    first.request(1)
    second.request(1)
    assert not pub.is_wanted
    third.cancel()
    pub.send_next(1)
    first.expect_next(1)
    pub, (first, second) = fan(Balance(2, wait_for_all=True))
    first.request(2)
    assert not pub.is_wanted
    second.request(1)
    pub.send_next(1)
    first.expect_next(1)


def test_partition_keeps_an_element_for_the_outlet_that_it_is_for(fan: Callable[..., Fan]) -> None:
    pub, (even, odd) = fan(Partition(2, lambda n: n % 2))
    even.request(1)
    pub.send_next(1)
    assert not pub.is_wanted, "one waits for the second outlet"
    even.expect_nothing()
    odd.request(1).expect_next(1)
    pub.send_next(3)
    pub.send_complete()
    even.expect_nothing()
    odd.request(1).expect_next(3).expect_complete()
    even.expect_complete()


def test_partition_drops_what_is_for_an_outlet_that_has_left(fan: Callable[..., Fan]) -> None:
    pub, (even, odd) = fan(Partition(2, lambda n: n % 2))
    odd.cancel()
    even.request(1)
    pub.send_next(1)
    pub.send_next(3)
    pub.send_next(2)
    even.expect_next(2)
    pub, (even, odd) = fan(Partition(2, lambda n: n % 2))
    even.request(1)
    pub.send_next(1)
    even.cancel()
    odd.request(1).expect_next(1)
    pub, (even, odd) = fan(Partition(2, lambda n: n % 2))
    even.request(1)
    pub.send_next(1)
    odd.cancel()
    pub.send_next(2)
    even.expect_next(2)
    even.request(1)
    pub, (even, odd) = fan(Partition(2, lambda n: n % 2))
    even.request(1)
    pub.send_next(1)
    pub.send_complete()
    odd.cancel()
    even.expect_complete()


@pytest.mark.parametrize("port", [-1, 2])
def test_partition_refuses_a_port_that_is_none(fan: Callable[..., Fan], port: int) -> None:
    pub, (first, second) = fan(Partition(2, lambda _: port))
    first.request(1)
    pub.send_next("x")
    error = first.expect_error(IndexError)
    assert str(error) == f"the partitioner gave {port} for 'x'; it must be 0 to 1"
    second.expect_error(error)


def test_a_tap_misses_what_it_does_not_ask_for_and_slows_nobody(fan: Callable[..., Fan]) -> None:
    pub, (main, tap) = fan(WireTap())
    main.request(4)
    pub.send_next(1)
    pub.send_next(2)
    main.expect_next(1, 2)
    tap.request(2).expect_next(2)
    pub.send_next(3)
    tap.expect_next(3)
    tap.cancel()
    pub.send_next(4)
    main.expect_next(3, 4)
    main.cancel()
    pub.expect_cancel()


def test_what_is_diverted_ends_with_either(fan: Callable[..., Fan]) -> None:
    pub, (main, side) = fan(DivertTo(lambda n: n < 0))
    main.request(1)
    side.request(1)
    pub.send_next(-1)
    side.expect_next(-1)
    pub.send_next(1)
    main.expect_next(1)
    side.cancel()
    pub.expect_cancel()
    main.expect_complete()


# -- failures


def test_a_mapped_failure_has_the_first_as_its_cause(akka_testkit: ActorTestKit) -> None:
    cause = ValueError("deeper")
    with_cause = LookupError("mapped")
    with_cause.__cause__ = cause
    for mapped, shown, expected in (
        (LookupError("mapped"), None, ERROR),
        (with_cause, None, cause),
        (None, ERROR, None),
        (ERROR, ERROR, None),
    ):
        source = TestSource.probe(akka_testkit).map_error(lambda _, mapped=mapped: mapped)
        pub, sub = source.to_mat(TestSink.probe(akka_testkit), Keep.both).run(akka_testkit.system)
        akka_testkit.settle()
        sub.request(1)
        pub.send_next("kept")
        sub.expect_next("kept")
        pub.send_error(ERROR)
        found = sub.expect_error(shown or mapped)
        assert found.__cause__ is expected


def test_who_watches_a_stream_hears_how_it_ended(akka_testkit: ActorTestKit) -> None:
    def run() -> tuple[Any, PublisherProbe, SubscriberProbe]:
        source = TestSource.probe(akka_testkit).watch_termination(Keep.both)
        (pub, ended), sub = source.to_mat(TestSink.probe(akka_testkit), Keep.both).run(akka_testkit.system)
        akka_testkit.settle()
        return ended, pub, sub

    for end, failure in (
        (lambda pub, _: pub.send_complete(), None),
        (lambda pub, _: pub.send_error(ERROR), ERROR),
        (lambda _, sub: sub.cancel(), None),
        (lambda _, sub: sub.cancel(ERROR), ERROR),
    ):
        ended, pub, sub = run()
        sub.request(1)
        assert not ended.done()
        end(pub, sub)
        akka_testkit.settle()
        assert ended.exception() is failure


@pytest.mark.parametrize(("attempts", "failures", "fails"), [(0, 1, True), (2, 2, False), (2, 3, True), (-1, 9, False)])
def test_a_stream_goes_on_with_another_source_so_many_times(
    akka_testkit: ActorTestKit, attempts: int, failures: int, fails: bool
) -> None:
    errors = [RuntimeError(f"number {number}") for number in range(failures)]
    sources = [Source.failed(error) for error in errors[1:]] + [Source.single("end")]
    source = Source.failed(errors[0]).recover_with_retries(attempts, lambda _: sources.pop(0))
    sub = source.run_with(TestSink.probe(akka_testkit), akka_testkit.system)
    akka_testkit.settle()
    sub.request(1)
    if fails:
        assert sub.expect_error() is errors[max(attempts, 0)]
    else:
        sub.expect_next("end").expect_complete()


def test_a_failure_without_a_last_element_stays_one(akka_testkit: ActorTestKit) -> None:
    pub, sub = (
        TestSource.probe(akka_testkit)
        .recover(lambda error: None if error is ERROR else "last")
        .to_mat(TestSink.probe(akka_testkit), Keep.both)
        .run(akka_testkit.system)
    )
    akka_testkit.settle()
    pub.send_error(ERROR)
    assert sub.expect_error() is ERROR


def test_a_monitor_shows_what_passes(akka_testkit: ActorTestKit) -> None:
    def run() -> tuple[PublisherProbe, FlowMonitor, SubscriberProbe]:
        source = TestSource.probe(akka_testkit).monitor(Keep.both)
        (pub, monitor), sub = source.to_mat(TestSink.probe(akka_testkit), Keep.both).run(akka_testkit.system)
        akka_testkit.settle()
        return pub, monitor, sub

    pub, monitor, sub = run()
    assert (monitor.state, monitor.passed, monitor.demand_waits) == (FlowMonitor.INITIALIZED, 0, False)
    sub.request(1)
    assert monitor.demand_waits
    pub.send_next("a")
    akka_testkit.settle()
    assert (monitor.state, monitor.last, monitor.passed, monitor.demand_waits) == ("received", "a", 1, False)
    pub.send_error(ERROR)
    akka_testkit.settle()
    assert (monitor.state, monitor.failure) == (FlowMonitor.FAILED, ERROR)
    pub, monitor, sub = run()
    sub.cancel(ERROR)
    assert pub.expect_cancel() is ERROR
    assert monitor.state == FlowMonitor.FINISHED
