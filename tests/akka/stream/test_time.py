"""Operators that go by the clock or by demand, step by step, with probes."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from smackbox.akka.stream import Flow, Keep, KillSwitches, OverflowStrategy, Source, ThrottleMode
from smackbox.akka.stream.errors import BufferOverflowError, RateExceededError, StreamTimeoutError
from smackbox.akka.testkit.kit import ActorTestKit
from smackbox.akka.testkit.streams import PublisherProbe, SubscriberProbe, TestSink, TestSource

Pair = tuple[PublisherProbe, SubscriberProbe]


def through(kit: ActorTestKit, flow: Flow[Any, Any, Any]) -> Pair:
    graph = TestSource.probe(kit).via(flow).to_mat(TestSink.probe(kit), Keep.both)
    pair = graph.run(kit.system)
    kit.settle()
    return pair


# -- buffers


def test_buffer_takes_ahead_and_presses_back(akka_testkit: ActorTestKit) -> None:
    pub, sub = through(akka_testkit, Flow.of(int).buffer(2))
    pub.send_next(1, 2)
    assert not pub.is_wanted
    sub.request(1).expect_next(1)
    pub.send_next(3).send_complete()
    sub.request(5).expect_next(2, 3).expect_complete()


@pytest.mark.parametrize(
    ("strategy", "left"),
    [
        (OverflowStrategy.DROP_HEAD, [2, 3]),
        (OverflowStrategy.DROP_TAIL, [1, 3]),
        (OverflowStrategy.DROP_NEW, [1, 2]),
        (OverflowStrategy.DROP_BUFFER, [3]),
    ],
)
def test_buffer_overflows(akka_testkit: ActorTestKit, strategy: OverflowStrategy, left: list[int]) -> None:
    pub, sub = through(akka_testkit, Flow.of(int).buffer(2, strategy))
    pub.send_next(1, 2, 3)
    sub.request(5).expect_next(*left).expect_nothing()


def test_buffer_that_fails(akka_testkit: ActorTestKit) -> None:
    pub, sub = through(akka_testkit, Flow.of(int).buffer(2, OverflowStrategy.FAIL))
    pub.send_next(1, 2, 3)
    sub.expect_error(BufferOverflowError)
    pub.expect_cancel()


def test_a_failure_overtakes_what_is_buffered(akka_testkit: ActorTestKit) -> None:
    pub, sub = through(akka_testkit, Flow.of(int).buffer(2))
    error = RuntimeError("x")
    pub.send_next(1).send_error(error)
    sub.expect_error(error)


# -- conflate, batch, expand


def test_conflate_sums_what_a_slow_consumer_misses(akka_testkit: ActorTestKit) -> None:
    pub, sub = through(akka_testkit, Flow.of(int).conflate(lambda a, b: a + b))
    sub.request(1)
    pub.send_next(1)
    sub.expect_next(1)
    pub.send_next(2, 3, 4)
    sub.request(1).expect_next(9)
    sub.request(1).expect_nothing()
    pub.send_next(5).send_complete()
    sub.expect_next(5).expect_complete()


def test_batch_presses_back_at_its_limit(akka_testkit: ActorTestKit) -> None:
    pub, sub = through(akka_testkit, Flow.of(int).batch(2, lambda x: [x], lambda a, x: [*a, x]))
    pub.send_next(1, 2, 3)
    assert not pub.is_wanted
    sub.request(1).expect_next([1, 2])
    pub.send_next(4).send_complete()
    sub.request(5).expect_next([3, 4]).expect_complete()


def test_batch_weighted_lets_one_heavy_element_through(akka_testkit: ActorTestKit) -> None:
    pub, sub = through(akka_testkit, Flow.of(int).batch_weighted(3, lambda x: x, lambda x: x, lambda a, x: a + x))
    pub.send_next(2, 9)
    assert not pub.is_wanted
    sub.request(2).expect_next(2, 9)


def test_expand_gives_the_last_again(akka_testkit: ActorTestKit) -> None:
    pub, sub = through(akka_testkit, Flow.of(int).expand(itertools.repeat))
    sub.request(1)
    pub.send_next(1)
    sub.expect_next(1)
    sub.request(2).expect_next(1, 1)
    pub.send_next(2)
    sub.request(2).expect_next(2, 2)
    pub.send_complete()
    sub.expect_complete()


def test_expand_gives_each_element_at_least_once(akka_testkit: ActorTestKit) -> None:
    pub, sub = through(akka_testkit, Flow.of(int).expand(itertools.repeat))
    pub.send_next(1)
    assert not pub.is_wanted
    pub.send_complete()
    sub.request(1).expect_next(1).expect_complete()


def test_extrapolate_begins_with_its_initial_element(akka_testkit: ActorTestKit) -> None:
    pub, sub = through(akka_testkit, Flow.of(int).extrapolate(itertools.repeat, initial=0))
    sub.request(2).expect_next(0, 0)
    pub.send_next(7)
    sub.request(2).expect_next(7, 7)


# -- throttle, delay


def test_throttle_shapes(akka_testkit: ActorTestKit) -> None:
    pub, sub = through(akka_testkit, Flow.of(int).throttle(2, 1.0))
    sub.request(5)
    pub.send_next(1)
    sub.expect_next(1)
    pub.send_next(2)
    sub.expect_nothing(0.49)
    sub.expect_next(2, within_s=0.02)
    akka_testkit.advance(10)
    pub.send_next(3)
    sub.expect_next(3)
    pub.send_next(4)
    sub.expect_nothing(0.4)


def test_throttle_saves_up_a_burst(akka_testkit: ActorTestKit) -> None:
    pub, sub = through(akka_testkit, Flow.of(int).throttle(1, 1.0, burst=3))
    sub.request(10)
    pub.send_next(1, 2, 3)
    sub.expect_next(1, 2, 3)
    pub.send_next(4)
    sub.expect_nothing(0.9)
    sub.expect_next(4)
    akka_testkit.advance(2)
    pub.send_next(5, 6)
    sub.expect_next(5, 6)


def test_throttle_by_cost(akka_testkit: ActorTestKit) -> None:
    pub, sub = through(akka_testkit, Flow.of(int).throttle(10, 1.0, burst=0, cost=lambda x: x))
    sub.request(5)
    pub.send_next(5)
    sub.expect_nothing(0.4)
    sub.expect_next(5, within_s=0.11)


def test_throttle_completes_after_what_it_holds(akka_testkit: ActorTestKit) -> None:
    pub, sub = through(akka_testkit, Flow.of(int).throttle(1, 1.0))
    sub.request(5)
    pub.send_next(1, 2).send_complete()
    sub.expect_next(1).expect_nothing(0.5)
    sub.expect_next(2).expect_complete()


def test_throttle_enforces(akka_testkit: ActorTestKit) -> None:
    pub, sub = through(akka_testkit, Flow.of(int).throttle(1, 1.0, mode=ThrottleMode.ENFORCING))
    sub.request(5)
    pub.send_next(1)
    sub.expect_next(1)
    pub.send_next(2)
    sub.expect_error(RateExceededError)


def test_delay_keeps_order_and_completes_after_the_last(akka_testkit: ActorTestKit) -> None:
    pub, sub = through(akka_testkit, Flow.of(int).delay(1.0))
    sub.request(5)
    pub.send_next(1)
    akka_testkit.advance(0.5)
    pub.send_next(2).send_complete()
    sub.expect_nothing(0.4)
    sub.expect_next(1, within_s=0.2).expect_nothing(0.3)
    sub.expect_next(2).expect_complete()


def test_delay_by_element(akka_testkit: ActorTestKit) -> None:
    pub, sub = through(akka_testkit, Flow.of(int).delay(lambda x: x / 10))
    sub.request(5)
    pub.send_next(5, 1)
    sub.expect_nothing(0.45)
    sub.expect_next(5, 1, within_s=0.1)


@pytest.mark.parametrize(
    ("strategy", "left"),
    [
        (OverflowStrategy.DROP_HEAD, [2, 3]),
        (OverflowStrategy.DROP_TAIL, [1, 3]),
        (OverflowStrategy.DROP_NEW, [1, 2]),
        (OverflowStrategy.DROP_BUFFER, [3]),
    ],
)
def test_delay_overflows(akka_testkit: ActorTestKit, strategy: OverflowStrategy, left: list[int]) -> None:
    pub, sub = through(akka_testkit, Flow.of(int).delay(1.0, strategy, 2))
    sub.request(9)
    pub.send_next(1, 2, 3)
    akka_testkit.advance(1.1)
    sub.expect_next(*left).expect_nothing()


def test_delay_emits_early(akka_testkit: ActorTestKit) -> None:
    pub, sub = through(akka_testkit, Flow.of(int).delay(10.0, OverflowStrategy.EMIT_EARLY, 2))
    sub.request(9)
    pub.send_next(1, 2)
    sub.expect_nothing()
    pub.send_next(3)
    sub.expect_next(1, within_s=0.1).expect_nothing(0.1)


# -- groups within a time


def test_grouped_within_by_time_and_by_number(akka_testkit: ActorTestKit) -> None:
    pub, sub = through(akka_testkit, Flow.of(int).grouped_within(3, 1.0))
    sub.request(9)
    pub.send_next(1, 2)
    sub.expect_nothing(0.9)
    sub.expect_next([1, 2], within_s=0.2)
    pub.send_next(3, 4, 5)
    sub.expect_next([3, 4, 5])
    sub.expect_nothing(5)
    pub.send_next(6).send_complete()
    sub.expect_next([6]).expect_complete()


def test_grouped_within_begins_its_time_anew_after_a_full_group(akka_testkit: ActorTestKit) -> None:
    pub, sub = through(akka_testkit, Flow.of(int).grouped_within(2, 1.0))
    sub.request(9)
    akka_testkit.advance(0.9)
    pub.send_next(1, 2)
    sub.expect_next([1, 2])
    pub.send_next(3)
    sub.expect_nothing(0.9)
    sub.expect_next([3], within_s=0.2)


def test_grouped_weighted_within_holds_what_does_not_fit(akka_testkit: ActorTestKit) -> None:
    pub, sub = through(akka_testkit, Flow.of(int).grouped_weighted_within(10, 1.0, lambda x: x))
    sub.request(9)
    pub.send_next(6, 5)
    sub.expect_next([6])
    pub.send_next(5)
    sub.expect_next([5, 5])
    pub.send_next(20)
    sub.expect_next([20])


def test_grouped_within_does_not_stop_for_a_slow_consumer(akka_testkit: ActorTestKit) -> None:
    pub, sub = through(akka_testkit, Flow.of(int).grouped_within(3, 1.0))
    pub.send_next(1)
    akka_testkit.advance(1.1)
    pub.send_next(2, 3)
    assert not pub.is_wanted
    sub.request(1).expect_next([1, 2, 3])


# -- timeouts


def test_take_within_and_drop_within(akka_testkit: ActorTestKit) -> None:
    pub, sub = through(akka_testkit, Flow.of(int).take_within(1.0))
    sub.request(9)
    pub.send_next(1)
    akka_testkit.advance(1.0)
    sub.expect_next(1).expect_complete()
    pub.expect_cancel()
    pub, sub = through(akka_testkit, Flow.of(int).drop_within(1.0))
    sub.request(9)
    pub.send_next(1)
    akka_testkit.advance(1.0)
    pub.send_next(2)
    sub.expect_next(2)


def test_initial_delay_holds_the_first_demand(akka_testkit: ActorTestKit) -> None:
    pub, sub = through(akka_testkit, Flow.of(int).initial_delay(1.0))
    sub.request(9)
    assert not pub.is_wanted
    akka_testkit.advance(1.0)
    pub.send_next(1)
    sub.expect_next(1)


def test_initial_timeout(akka_testkit: ActorTestKit) -> None:
    pub, sub = through(akka_testkit, Flow.of(int).initial_timeout(1.0))
    sub.request(9)
    pub.send_next(1)
    sub.expect_next(1).expect_nothing(5)
    _, sub = through(akka_testkit, Flow.of(int).initial_timeout(1.0))
    sub.expect_nothing(0.9)
    assert "first element" in str(sub.expect_error(StreamTimeoutError))


def test_completion_timeout(akka_testkit: ActorTestKit) -> None:
    pub, sub = through(akka_testkit, Flow.of(int).completion_timeout(2.0))
    sub.request(9)
    for number in range(3):
        pub.send_next(number)
        sub.expect_next(number)
        akka_testkit.advance(0.6)
    sub.expect_error(StreamTimeoutError)
    pub.expect_cancel()


def test_idle_timeout(akka_testkit: ActorTestKit) -> None:
    pub, sub = through(akka_testkit, Flow.of(int).idle_timeout(1.0))
    sub.request(9)
    for number in range(5):
        pub.send_next(number)
        sub.expect_next(number)
        akka_testkit.advance(0.9)
    akka_testkit.advance(0.2)
    sub.expect_error(StreamTimeoutError)


def test_backpressure_timeout(akka_testkit: ActorTestKit) -> None:
    pub, sub = through(akka_testkit, Flow.of(int).backpressure_timeout(1.0))
    sub.request(1)
    akka_testkit.advance(5)
    pub.send_next(1)
    sub.expect_next(1).expect_nothing(0.9)
    sub.request(1).expect_nothing(5)
    pub.send_next(2)
    sub.expect_next(2)
    akka_testkit.advance(1.1)
    sub.expect_error(StreamTimeoutError)


def test_keep_alive(akka_testkit: ActorTestKit) -> None:
    pub, sub = through(akka_testkit, Flow.of(int).keep_alive(1.0, lambda: 0))
    sub.request(9).expect_nothing(0.9)
    sub.expect_next(0, within_s=0.2)
    pub.send_next(1)
    sub.expect_next(1).expect_nothing(0.9)
    sub.expect_next(0, 0, within_s=2.1)
    pub.send_complete()
    sub.expect_complete()


def test_keep_alive_gives_none_to_a_slow_consumer_but_one(akka_testkit: ActorTestKit) -> None:
    pub, sub = through(akka_testkit, Flow.of(int).keep_alive(1.0, lambda: 0))
    akka_testkit.advance(5)
    sub.request(1).expect_next(0).expect_nothing(5)
    pub.send_next(1)
    sub.request(1).expect_next(1)


def test_tick(akka_testkit: ActorTestKit) -> None:
    handle, sub = Source.tick(1.0, 0.5, "t").to_mat(TestSink.probe(akka_testkit), Keep.both).run(akka_testkit.system)
    sub.request(2).expect_nothing(0.9)
    sub.expect_next("t", "t", within_s=0.7)
    akka_testkit.advance(5)
    sub.request(1).expect_nothing(0.0)
    sub.expect_next("t", within_s=0.6)
    assert handle.cancel() and not handle.cancel()
    sub.expect_complete()


# -- substreams


def test_flat_map_merge_runs_no_more_than_its_breadth(akka_testkit: ActorTestKit) -> None:
    probes: list[PublisherProbe] = []

    def inner(_: int) -> Source[Any, Any]:
        return TestSource.probe(akka_testkit).map_materialized_value(probes.append)

    pub, sub = through(akka_testkit, Flow.of(int).flat_map_merge(2, inner))
    sub.request(9)
    pub.send_next(1, 2)
    assert len(probes) == 2 and not pub.is_wanted
    probes[1].send_next("b")
    probes[0].send_next("a")
    sub.expect_next("b", "a")
    probes[0].send_complete()
    pub.send_next(3).send_complete()
    assert len(probes) == 3
    probes[1].send_complete()
    sub.expect_nothing()
    probes[2].send_complete()
    sub.expect_complete()


def test_flat_map_merge_fails_with_an_inner_one_and_cancels_the_others(akka_testkit: ActorTestKit) -> None:
    probes: list[PublisherProbe] = []

    def inner(_: int) -> Source[Any, Any]:
        return TestSource.probe(akka_testkit).map_materialized_value(probes.append)

    pub, sub = through(akka_testkit, Flow.of(int).flat_map_merge(2, inner))
    sub.request(9)
    pub.send_next(1, 2)
    error = RuntimeError("inner")
    probes[0].send_error(error)
    sub.expect_error(error)
    probes[1].expect_cancel()
    pub.expect_cancel()


def _groups(kit: ActorTestKit, **options: Any) -> tuple[PublisherProbe, SubscriberProbe]:
    flow: Any = Flow.of(int).group_by(2, lambda x: x % 10, **options)._outer
    return through(kit, flow)


def _run(kit: ActorTestKit, source: Any) -> SubscriberProbe:
    probe: SubscriberProbe = source.run_with(TestSink.probe(kit), kit.system)
    kit.settle()
    return probe


def test_group_by_presses_back_until_its_substream_wants(akka_testkit: ActorTestKit) -> None:
    probes: list[SubscriberProbe] = []
    each = TestSink.probe(akka_testkit).map_materialized_value(probes.append)
    sink = Flow.of(int).group_by(2, lambda x: x % 10).to(each)
    pub = sink.run_with(TestSource.probe(akka_testkit), akka_testkit.system)
    pub.send_next(1)
    assert not pub.is_wanted
    probes[0].request(1).expect_next(1)
    pub.send_next(2)
    probes[1].request(2).expect_next(2)
    pub.send_next(12, 11)
    probes[1].expect_next(12)
    assert not pub.is_wanted
    probes[0].request(1).expect_next(11)
    pub.send_complete()
    probes[0].expect_complete()
    probes[1].expect_complete()


def test_group_by_drops_what_comes_for_a_cancelled_substream(akka_testkit: ActorTestKit) -> None:
    pub, sub = _groups(akka_testkit)
    sub.request(9)
    pub.send_next(1)
    first = _run(akka_testkit, sub.receive_next())
    first.request(1).expect_next(1)
    first.cancel()
    pub.send_next(11, 2)
    second = _run(akka_testkit, sub.receive_next())
    second.request(1).expect_next(2)


def test_group_by_opens_a_cancelled_substream_again_where_told(akka_testkit: ActorTestKit) -> None:
    pub, sub = _groups(akka_testkit, reopen_closed=True)
    sub.request(9)
    pub.send_next(1)
    first = _run(akka_testkit, sub.receive_next())
    first.request(1).expect_next(1)
    first.cancel()
    pub.send_next(11)
    _run(akka_testkit, sub.receive_next()).request(1).expect_next(11)


def test_group_by_fails_all_substreams_with_a_failure_upstream(akka_testkit: ActorTestKit) -> None:
    pub, sub = _groups(akka_testkit)
    sub.request(9)
    pub.send_next(1)
    first = _run(akka_testkit, sub.receive_next())
    first.request(1).expect_next(1)
    error = RuntimeError("x")
    pub.send_error(error)
    first.expect_error(error)
    sub.expect_error(error)


def test_a_substream_that_nobody_runs_times_out(akka_testkit: ActorTestKit) -> None:
    pub, sub = _groups(akka_testkit)
    sub.request(9)
    pub.send_next(1)
    forgotten = sub.receive_next()
    assert not pub.is_wanted
    akka_testkit.advance(5.1)
    assert pub.is_wanted, "the others go on"
    _run(akka_testkit, forgotten).expect_error(StreamTimeoutError)


def test_a_substream_runs_once(akka_testkit: ActorTestKit) -> None:
    pub, sub = _groups(akka_testkit)
    sub.request(9)
    pub.send_next(1)
    source = sub.receive_next()
    _run(akka_testkit, source)
    assert "can be run once" in str(_run(akka_testkit, source).expect_error(RuntimeError))


def test_split_when_cancels_upstream_with_its_substream(akka_testkit: ActorTestKit) -> None:
    pub, sub = through(akka_testkit, Flow.of(int).split_when(lambda x: x == 3)._outer)  # type: ignore[arg-type]
    sub.request(9)
    pub.send_next(1)
    first = _run(akka_testkit, sub.receive_next())
    first.request(9).expect_next(1)
    first.cancel()
    pub.expect_cancel()


def test_split_when_drains_where_told(akka_testkit: ActorTestKit) -> None:
    flow: Any = Flow.of(int).split_when(lambda x: x == 3, drain=True)._outer
    pub, sub = through(akka_testkit, flow)
    sub.request(9)
    pub.send_next(1)
    first = _run(akka_testkit, sub.receive_next())
    first.request(9).expect_next(1)
    first.cancel()
    pub.send_next(2, 3)
    _run(akka_testkit, sub.receive_next()).request(1).expect_next(3)


# -- failures


def test_recover_with_retries_gives_up(akka_testkit: ActorTestKit) -> None:
    tries: list[BaseException] = []

    def again(error: BaseException) -> Source[int, None]:
        tries.append(error)
        return Source.single(len(tries)).concat_lazy(Source.failed(KeyError(len(tries))))

    source: Source[int, None] = Source.failed(KeyError(0))
    sub = _run(akka_testkit, source.recover_with_retries(2, again))
    sub.request(9).expect_next(1, 2).expect_error(KeyError)
    assert len(tries) == 2


def test_wire_tap_misses_what_a_slow_tap_does_not_take(akka_testkit: ActorTestKit) -> None:
    taps: list[SubscriberProbe] = []
    tap = TestSink.probe(akka_testkit).map_materialized_value(taps.append)
    pub, sub = through(akka_testkit, Flow.of(int).wire_tap(tap))
    sub.request(9)
    pub.send_next(1, 2, 3)
    sub.expect_next(1, 2, 3)
    taps[0].request(1)
    assert taps[0].receive_next() == 3
    taps[0].cancel()
    pub.send_next(4)
    sub.expect_next(4)


def test_also_to_presses_back_and_ends_with_its_side(akka_testkit: ActorTestKit) -> None:
    sides: list[SubscriberProbe] = []
    side = TestSink.probe(akka_testkit).map_materialized_value(sides.append)
    pub, sub = through(akka_testkit, Flow.of(int).also_to(side))
    sub.request(9)
    assert not pub.is_wanted
    sides[0].request(1)
    pub.send_next(1)
    sub.expect_next(1)
    sides[0].expect_next(1)
    sides[0].cancel()
    pub.expect_cancel()
    sub.expect_complete()


def test_merge_prefers_and_is_fair(akka_testkit: ActorTestKit) -> None:
    sub = _run(akka_testkit, Source.range(1, 3).merge(Source.range(11, 13)))
    sub.request(9).expect_next(1, 11, 2, 12, 3, 13).expect_complete()
    sub = _run(akka_testkit, Source.range(1, 3).merge_preferred(Source.range(11, 13)))
    sub.request(9)
    assert sorted(sub.receive_next() for _ in range(6)) == [1, 2, 3, 11, 12, 13]
    sub.expect_complete()


def test_zip_latest(akka_testkit: ActorTestKit) -> None:
    other = TestSource.probe(akka_testkit)
    others: list[PublisherProbe] = []
    flow = Flow.of(int).zip_latest(other.map_materialized_value(others.append))
    pub, sub = through(akka_testkit, flow)
    sub.request(9)
    pub.send_next(1)
    sub.expect_nothing()
    others[0].send_next("a")
    sub.expect_next((1, "a"))
    pub.send_next(2)
    sub.expect_next((2, "a"))
    others[0].send_next("b")
    sub.expect_next((2, "b"))
    pub.send_complete()
    sub.expect_complete()


def test_merge_latest(akka_testkit: ActorTestKit) -> None:
    others: list[PublisherProbe] = []
    other = TestSource.probe(akka_testkit).map_materialized_value(others.append)
    pub, sub = through(akka_testkit, Flow.of(int).merge_latest(other))
    sub.request(9)
    pub.send_next(1)
    others[0].send_next(10)
    sub.expect_next([1, 10])
    pub.send_next(2)
    sub.expect_next([2, 10])
    others[0].send_next(20)
    sub.expect_next([2, 20])
    pub.send_complete()
    others[0].send_next(30).send_complete()
    sub.expect_next([2, 30]).expect_complete()


# -- kill switches


def test_a_switch_completes_downstream_and_cancels_upstream(akka_testkit: ActorTestKit) -> None:
    graph = (
        TestSource.probe(akka_testkit)
        .via_mat(KillSwitches.single(), Keep.both)
        .to_mat(TestSink.probe(akka_testkit), Keep.both)
    )
    (pub, switch), sub = graph.run(akka_testkit.system)
    sub.request(9)
    pub.send_next(1)
    sub.expect_next(1)
    switch.shutdown()
    sub.expect_complete()
    pub.expect_cancel()


def test_a_shared_switch_aborts_all_and_what_comes_later(akka_testkit: ActorTestKit) -> None:
    switch = KillSwitches.shared("s")
    pairs = [through(akka_testkit, switch.flow()) for _ in range(2)]
    error = RuntimeError("x")
    switch.abort(error)
    switch.shutdown()
    for pub, sub in pairs:
        sub.expect_error(error)
        assert pub.expect_cancel() is error
    _, late = through(akka_testkit, switch.flow())
    late.expect_error(error)
