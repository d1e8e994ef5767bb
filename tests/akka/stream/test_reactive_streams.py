"""The rules of Reactive Streams 1.0 for every source, flow and sink: a strict subscriber and a strict publisher watch.

Every operator stands once in `FLOWS`; sources and sinks have lists of their own. Numbers in the tests' names are those
of the rules.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from smackbox.akka.stream import BroadcastHub, Compression, Flow, Framing, KillSwitches, MergeHub, Sink, Source
from smackbox.akka.stream.buffers import OverflowStrategy
from smackbox.akka.stream.reactive import DEMAND_MAX
from smackbox.akka.stream.restart import RestartFlow, RestartSettings, RestartSink, RestartSource
from smackbox.akka.testkit.kit import ActorTestKit

SETTINGS = RestartSettings(0.1, 1.0, max_restarts=0)


class Watcher:
    """A subscriber that writes down every signal, and holds the publisher to the rules."""

    def __init__(self) -> None:
        self.signals: list[tuple[str, Any]] = []
        self.subscription: Any = None
        self.requested = 0
        self.received = 0
        self.broken: list[str] = []
        self._inside = False

    def on_subscribe(self, subscription: Any) -> None:
        self._signal("subscribe", subscription)
        if self.subscription is None:
            self.subscription = subscription

    def on_next(self, element: Any) -> None:
        self.received += 1
        if self.received > self.requested:
            self.broken.append("1.01: more elements than requested")
        self._signal("next", element)

    def on_error(self, error: BaseException) -> None:
        self._signal("error", error)

    def on_complete(self) -> None:
        self._signal("complete", None)

    def request(self, count: int) -> None:
        self.requested = min(DEMAND_MAX, self.requested + max(count, 0))
        self.subscription.request(count)

    def _signal(self, kind: str, value: Any) -> None:
        if self._inside:
            self.broken.append("1.03: signals overlap")
        self._inside = True
        if not self.signals and kind != "subscribe":
            self.broken.append("1.09: on_subscribe is not the first signal")
        if any(earlier in {"error", "complete"} for earlier, _ in self.signals):
            self.broken.append("1.07: a signal after the end")
        if kind != "subscribe" and value is None and kind != "complete":
            self.broken.append("2.13: None")
        self.signals.append((kind, value))
        self._inside = False

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.signals]

    @property
    def elements(self) -> list[Any]:
        return [value for kind, value in self.signals if kind == "next"]


class Fed:
    """A publisher that gives numbers on demand, and holds the subscriber to the rules."""

    def __init__(self, count: int | None = None) -> None:
        self.left = count
        self.subscriber: Any = None
        self.requested = 0
        self.cancelled = False
        self.calls: list[str] = []
        self.broken: list[str] = []
        self.next = 1
        self.ended = False

    def subscribe(self, subscriber: Any) -> None:
        self.subscriber = subscriber
        subscriber.on_subscribe(self)

    def request(self, count: int) -> None:
        self.calls.append("request")
        if count <= 0:
            self.broken.append("2.01: the demand is not positive")
        if self.ended or self.cancelled:
            self.broken.append("2.04: demand after the end")
        self.requested += count

    def cancel(self) -> None:
        self.calls.append("cancel")
        self.cancelled = True

    def feed(self, limit: int = 200) -> None:
        """Give what is wanted."""
        while self.requested and not self.cancelled and not self.ended and limit:
            if self.left == 0:
                self.complete()
                return
            self.requested -= 1
            limit -= 1
            if self.left is not None:
                self.left -= 1
            self.next += 1
            self.subscriber.on_next(self.next - 1)

    def complete(self) -> None:
        self.ended = True
        self.subscriber.on_complete()

    def fail(self, error: BaseException) -> None:
        self.ended = True
        self.subscriber.on_error(error)


async def same(x: Any) -> Any:
    return x


async def add(a: int, _: Any) -> int:
    return a + 1


async def numbers() -> Any:
    for number in range(1, 51):
        yield number


def _unfold(state: int) -> tuple[int, int] | None:
    return None if state > 50 else (state + 1, state)


async def _unfold_async(state: int) -> tuple[int, int] | None:
    return _unfold(state)


SOURCES: dict[str, Callable[[], Source[Any, Any]]] = {
    "from_iterable": lambda: Source.from_iterable(range(1, 51)),
    "from_iterator": lambda: Source.from_iterator(lambda: iter(range(1, 51))),
    "from_async_iterator": lambda: Source.from_async_iterator(numbers),
    "range": lambda: Source.range(1, 50),
    "repeat": lambda: Source.repeat(1).take(50),
    "cycle": lambda: Source.cycle(lambda: [1, 2]).take(50),
    "unfold": lambda: Source.unfold(1, _unfold),
    "unfold_async": lambda: Source.unfold_async(1, _unfold_async),
    "unfold_resource": lambda: Source.unfold_resource(lambda: iter(range(1, 51)), lambda i: next(i, None), id),
    "lazy_source": lambda: Source.lazy_source(lambda: Source.range(1, 50)),
    "zip_n": lambda: Source.zip_n([Source.range(1, 50), Source.range(1, 50)]),
    "from_publisher": lambda: Source.from_publisher(_Range(50)),
    "restart": lambda: RestartSource.with_back_off(SETTINGS, lambda: Source.range(1, 50)),
    "async": lambda: Source.range(1, 50).async_(),
    "concat of singles": lambda: Source.range(1, 49).concat(Source.single(50)),
    "from_graph": lambda: Source.from_graph(lambda b: b.source(Source.range(1, 50))),
}

SHORT_SOURCES: dict[str, tuple[Callable[[], Source[Any, Any]], list[str]]] = {
    "single": (lambda: Source.single(1), ["next", "complete"]),
    "future": (lambda: Source.future(lambda: same(1)), ["next", "complete"]),
    "lazy_single": (lambda: Source.lazy_single(lambda: 1), ["next", "complete"]),
    "empty": (Source.empty, ["complete"]),
    "failed": (lambda: Source.failed(KeyError("x")), ["error"]),
    "never": (Source.never, []),
    "maybe": (Source.maybe, []),
    "queue": (lambda: Source.queue(1), []),
    "actor_ref": (lambda: Source.actor_ref(1), []),
    "actor_ref_with_back_pressure": (lambda: Source.actor_ref_with_back_pressure("ack"), []),
    "as_subscriber": (Source.as_subscriber, []),
    "tick": (lambda: Source.tick(5, 5, "t"), []),
    "merge_hub": (MergeHub.source, []),
}


class _Range:
    def __init__(self, count: int) -> None:
        self._count = count

    def subscribe(self, subscriber: Any) -> None:
        fed = _SelfFed(self._count)
        fed.subscribe(subscriber)


class _SelfFed(Fed):
    def request(self, count: int) -> None:
        super().request(count)
        self.feed()


FLOWS: dict[str, Callable[[], Flow[Any, Any, Any]]] = {
    "map": lambda: Flow.of(int).map(lambda x: x),
    "filter": lambda: Flow.of(int).filter(lambda _: True),
    "filter_not": lambda: Flow.of(int).filter_not(lambda _: False),
    "collect": lambda: Flow.of(int).collect(lambda x: x),
    "map_concat": lambda: Flow.of(int).map_concat(lambda x: [x, x]),
    "stateful_map": lambda: Flow.of(int).stateful_map(int, lambda s, x: (s, x)),
    "stateful_map_concat": lambda: Flow.of(int).stateful_map_concat(lambda: lambda x: [x, x]),
    "map_with_resource": lambda: Flow.of(int).map_with_resource(int, lambda _, x: x),
    "map_async": lambda: Flow.of(int).map_async(3, same),
    "map_async_unordered": lambda: Flow.of(int).map_async_unordered(3, same),
    "map_async_partitioned": lambda: Flow.of(int).map_async_partitioned(3, lambda x: x % 2, same),
    "scan": lambda: Flow.of(int).scan(1, lambda a, x: x),
    "scan_async": lambda: Flow.of(int).scan_async(1, add),
    "grouped": lambda: Flow.of(int).grouped(2),
    "grouped_weighted": lambda: Flow.of(int).grouped_weighted(2, lambda _: 1),
    "grouped_within": lambda: Flow.of(int).grouped_within(2, 10),
    "sliding": lambda: Flow.of(int).sliding(2),
    "zip_with_index": lambda: Flow.of(int).zip_with_index(),
    "take": lambda: Flow.of(int).take(1_000),
    "take_while": lambda: Flow.of(int).take_while(lambda _: True),
    "take_within": lambda: Flow.of(int).take_within(1_000),
    "drop": lambda: Flow.of(int).drop(2),
    "drop_while": lambda: Flow.of(int).drop_while(lambda x: x < 3),
    "drop_within": lambda: Flow.of(int).drop_within(0),
    "drop_repeated": lambda: Flow.of(int).drop_repeated(),
    "limit": lambda: Flow.of(int).limit(1_000),
    "limit_weighted": lambda: Flow.of(int).limit_weighted(1_000, lambda _: 1),
    "intersperse": lambda: Flow.of(int).intersperse(0),
    "log": lambda: Flow.of(int).log("x"),
    "throttle": lambda: Flow.of(int).throttle(1_000, 1, burst=1_000),
    "delay": lambda: Flow.of(int).delay(0),
    "initial_delay": lambda: Flow.of(int).initial_delay(0),
    "initial_timeout": lambda: Flow.of(int).initial_timeout(1_000),
    "completion_timeout": lambda: Flow.of(int).completion_timeout(1_000),
    "idle_timeout": lambda: Flow.of(int).idle_timeout(1_000),
    "backpressure_timeout": lambda: Flow.of(int).backpressure_timeout(1_000),
    "keep_alive": lambda: Flow.of(int).keep_alive(1_000, lambda: 0),
    "buffer": lambda: Flow.of(int).buffer(3),
    "buffer that drops": lambda: Flow.of(int).buffer(3, OverflowStrategy.DROP_HEAD),
    "conflate": lambda: Flow.of(int).conflate(lambda a, b: a + b),
    "conflate_with_seed": lambda: Flow.of(int).conflate_with_seed(lambda x: [x], lambda a, x: [*a, x]),
    "batch": lambda: Flow.of(int).batch(3, lambda x: x, lambda a, b: a + b),
    "batch_weighted": lambda: Flow.of(int).batch_weighted(3, lambda _: 1, lambda x: x, lambda a, b: a + b),
    "expand": lambda: Flow.of(int).expand(lambda x: iter([x])),
    "extrapolate": lambda: Flow.of(int).extrapolate(lambda _: iter(())),
    "detach": lambda: Flow.of(int).detach(),
    "flat_map_concat": lambda: Flow.of(int).flat_map_concat(Source.single),
    "flat_map_merge": lambda: Flow.of(int).flat_map_merge(3, Source.single),
    "merge": lambda: Flow.of(int).merge(Source.empty()),
    "merge_preferred": lambda: Flow.of(int).merge_preferred(Source.empty()),
    "merge_prioritized": lambda: Flow.of(int).merge_prioritized(Source.empty(), 1, 2),
    "merge_sorted": lambda: Flow.of(int).merge_sorted(Source.empty()),
    "merge_sequence": lambda: Flow.of(int).map(lambda x: x - 1).merge_sequence(Source.empty(), sequence=lambda x: x),
    "concat": lambda: Flow.of(int).concat(Source.empty()),
    "concat_lazy": lambda: Flow.of(int).concat_lazy(Source.empty()),
    "prepend": lambda: Flow.of(int).prepend(Source.empty()),
    "or_else": lambda: Flow.of(int).or_else(Source.empty()),
    "interleave": lambda: Flow.of(int).interleave(Source.empty()),
    "zip": lambda: Flow.of(int).zip(Source.repeat(1)),
    "zip_with": lambda: Flow.of(int).zip_with(Source.repeat(1), lambda a, b: a + b),
    "zip_all": lambda: Flow.of(int).zip_all(Source.empty(), 0, 0),
    "zip_latest": lambda: Flow.of(int).zip_latest(Source.single(1), eager=False),
    "merge_latest": lambda: Flow.of(int).merge_latest(Source.single(1)),
    "also_to": lambda: Flow.of(int).also_to(Sink.ignore()),
    "wire_tap": lambda: Flow.of(int).wire_tap(Sink.ignore()),
    "divert_to": lambda: Flow.of(int).divert_to(Sink.ignore(), lambda x: x == 3),
    "recover": lambda: Flow.of(int).recover(lambda _: None),
    "recover_with_retries": lambda: Flow.of(int).recover_with_retries(1, lambda _: None),
    "map_error": lambda: Flow.of(int).map_error(lambda _: None),
    "on_error_complete": lambda: Flow.of(int).on_error_complete(lambda _: False),
    "watch_termination": lambda: Flow.of(int).watch_termination(lambda _, done: done),
    "monitor": lambda: Flow.of(int).monitor(lambda _, monitor: monitor),
    "kill switch": KillSwitches.single,
    "restart": lambda: RestartFlow.with_back_off(SETTINGS, lambda: Flow.of(int).map(lambda x: x)),
    "async": lambda: Flow.of(int).map(lambda x: x).async_(),
    "coupled": lambda: Flow.of(int).via(Flow.of(int)),
    "group_by": lambda: Flow.of(int).group_by(1, lambda _: 1).merge_substreams(),
    "split_when": lambda: Flow.of(int).split_when(lambda x: x % 3 == 0).concat_substreams(),
    "split_after": lambda: Flow.of(int).split_after(lambda x: x % 3 == 0).concat_substreams(),
    "prefix_and_tail": lambda: Flow.of(int).prefix_and_tail(1).flat_map_concat(lambda pair: pair[1]),
    "lazy_flow": lambda: Flow.lazy_flow(lambda: Flow.of(int).map(lambda x: x)),
    "framing": lambda: Flow.of(int).map(lambda x: b"%d\n" % x).via(Framing.lines()),
    "gzip": lambda: Flow.of(int).map(lambda x: b"%d\n" % x).via(Compression.gzip()).via(Compression.gunzip()),
    "from_graph": lambda: Flow.from_graph(lambda b, out: b.flow(out, Flow.of(int).map(lambda x: x))),
}
ONE_ELEMENT_FLOWS: dict[str, Callable[[], Flow[Any, Any, Any]]] = {
    "fold_while": lambda: Flow.of(int).fold_while(0, lambda _: True, lambda a, x: a + x),
    "fold": lambda: Flow.of(int).fold(0, lambda a, x: a + x),
    "fold_async": lambda: Flow.of(int).fold_async(0, add),
    "reduce": lambda: Flow.of(int).reduce(lambda a, x: a + x),
}
GIVES_AT_THE_END = {"gzip"}
"""Elements do not come before the end, as gzip keeps them in its window."""
BUFFERS_FAILURE = {"recover_with_retries"}

SINKS: dict[str, Callable[[], Sink[Any, Any]]] = {
    "ignore": Sink.ignore,
    "foreach": lambda: Sink.foreach(lambda _: None),
    "foreach_async": lambda: Sink.foreach_async(2, same),
    "fold": lambda: Sink.fold(0, lambda a, x: a + x),
    "reduce": lambda: Sink.reduce(max),
    "seq": Sink.seq,
    "collection": lambda: Sink.collection(set),
    "count": Sink.count,
    "last": Sink.last,
    "last_option": Sink.last_option,
    "take_last": lambda: Sink.take_last(2),
    "on_complete": lambda: Sink.on_complete(lambda _: None),
    "lazy_sink": lambda: Sink.lazy_sink(Sink.ignore),
    "combine": lambda: Sink.combine(Sink.ignore(), Sink.ignore()),
    "restart": lambda: RestartSink.with_back_off(SETTINGS, Sink.ignore),
    "contramap": lambda: Sink.ignore().contramap(lambda x: x),
    "async": lambda: Sink.ignore().async_(),
    "from_graph": lambda: Sink.from_graph(lambda b, out: b.sink(out, Sink.ignore())),
    "hub": lambda: BroadcastHub.sink(),
    "queue": lambda: Sink.queue(4),
    "flow to sink": lambda: Flow.of(int).map(lambda x: x).to(Sink.ignore()),
}
CANCELLING_SINKS: dict[str, Callable[[], Sink[Any, Any]]] = {
    "head": Sink.head,
    "head_option": Sink.head_option,
    "cancelled": Sink.cancelled,
    "take": lambda: Flow.of(int).take(2).to(Sink.ignore()),
}
SILENT_SINKS: dict[str, Callable[[], Sink[Any, Any]]] = {"never": Sink.never}

every_source = pytest.mark.parametrize("make", SOURCES.values(), ids=SOURCES)
every_flow = pytest.mark.parametrize(("name", "make"), FLOWS.items(), ids=FLOWS)
every_sink = pytest.mark.parametrize("make", SINKS.values(), ids=SINKS)


def watched(kit: ActorTestKit, source: Source[Any, Any]) -> Watcher:
    watcher = Watcher()
    source.run_with(Sink.as_publisher(), kit.system).subscribe(watcher)
    kit.settle()
    return watcher


def between(kit: ActorTestKit, flow: Flow[Any, Any, Any], count: int | None = None) -> tuple[Fed, Watcher]:
    """A flow with a strict publisher before it, and a strict subscriber behind it."""
    fed = Fed(count)
    return fed, watched(kit, Source.from_publisher(fed).via(flow))


def flow_on(kit: ActorTestKit, fed: Fed, rounds: int = 40) -> None:
    for _ in range(rounds):
        kit.settle()
        fed.feed()
    kit.settle()


# -- sources


@every_source
def test_1_01_1_03_1_05_1_07_no_more_than_requested_then_the_end(akka_testkit: ActorTestKit, make: Any) -> None:
    watcher = watched(akka_testkit, make())
    assert watcher.kinds == ["subscribe"], "nothing comes without demand"
    for count in (1, 2, 5, 0):
        if count:
            watcher.request(count)
        akka_testkit.settle()
        assert watcher.received == watcher.requested
    watcher.request(100)
    akka_testkit.settle()
    assert watcher.kinds == ["subscribe", *["next"] * 50, "complete"]
    assert not watcher.broken


@pytest.mark.parametrize(("make", "kinds"), SHORT_SOURCES.values(), ids=SHORT_SOURCES)
def test_1_04_1_05_short_sources_end_as_they_must(akka_testkit: ActorTestKit, make: Any, kinds: list[str]) -> None:
    watcher = watched(akka_testkit, make())
    watcher.request(5) if watcher.kinds == ["subscribe"] else None
    akka_testkit.settle()
    assert watcher.kinds == ["subscribe", *kinds]
    assert not watcher.broken


@every_source
def test_1_09_subscribe_refuses_none_and_calls_on_subscribe_first(akka_testkit: ActorTestKit, make: Any) -> None:
    publisher = make().run_with(Sink.as_publisher(), akka_testkit.system)
    with pytest.raises(TypeError, match="subscriber must not be None"):
        publisher.subscribe(None)
    watcher = Watcher()
    publisher.subscribe(watcher)
    akka_testkit.settle()
    assert watcher.kinds[0] == "subscribe" and not watcher.broken


@every_source
def test_1_11_another_subscriber_is_refused_or_served(akka_testkit: ActorTestKit, make: Any) -> None:
    publisher = make().run_with(Sink.as_publisher(), akka_testkit.system)
    first, second = Watcher(), Watcher()
    publisher.subscribe(first)
    publisher.subscribe(second)
    akka_testkit.settle()
    assert first.kinds == ["subscribe"] and second.kinds == ["subscribe", "error"]
    shared = make().run_with(Sink.as_publisher(fanout=True), akka_testkit.system)
    one, other = Watcher(), Watcher()
    shared.subscribe(one)
    shared.subscribe(other)
    akka_testkit.settle()
    one.request(100)
    other.request(3)
    akka_testkit.settle()
    assert len(other.elements) == 3 and len(one.elements) < 50
    other.request(100)
    akka_testkit.settle()
    assert len(one.elements) == len(other.elements) == 50
    assert not one.broken and not other.broken


@every_source
def test_3_02_3_03_request_from_within_on_next_does_not_recurse(akka_testkit: ActorTestKit, make: Any) -> None:
    class Greedy(Watcher):
        def on_next(self, element: Any) -> None:
            super().on_next(element)
            self.request(1)

    watcher = Greedy()
    make().run_with(Sink.as_publisher(), akka_testkit.system).subscribe(watcher)
    akka_testkit.settle()
    watcher.request(1)
    akka_testkit.settle()
    assert watcher.kinds == ["subscribe", *["next"] * 50, "complete"]
    assert not watcher.broken


@every_source
def test_3_06_3_07_3_12_after_cancel_nothing_comes_and_calls_do_nothing(akka_testkit: ActorTestKit, make: Any) -> None:
    watcher = watched(akka_testkit, make())
    watcher.request(2)
    akka_testkit.settle()
    watcher.subscription.cancel()
    watcher.subscription.cancel()
    watcher.subscription.request(5)
    akka_testkit.settle()
    assert watcher.kinds == ["subscribe", "next", "next"]


@every_source
@pytest.mark.parametrize("count", [0, -1])
def test_3_09_a_demand_that_is_not_positive_is_an_error(akka_testkit: ActorTestKit, make: Any, count: int) -> None:
    watcher = watched(akka_testkit, make())
    watcher.request(count)
    akka_testkit.settle()
    assert watcher.kinds == ["subscribe", "error"]
    assert isinstance(watcher.signals[-1][1], ValueError) and "3.9" in str(watcher.signals[-1][1])


@every_source
def test_3_08_3_17_demand_adds_up_to_any_number(akka_testkit: ActorTestKit, make: Any) -> None:
    watcher = watched(akka_testkit, make())
    watcher.request(DEMAND_MAX)
    watcher.request(DEMAND_MAX)
    watcher.request(1)
    akka_testkit.settle()
    assert watcher.kinds == ["subscribe", *["next"] * 50, "complete"]


@every_source
def test_3_13_after_cancel_the_subscriber_is_forgotten(akka_testkit: ActorTestKit, make: Any) -> None:
    publisher = make().run_with(Sink.as_publisher(), akka_testkit.system)
    watcher = Watcher()
    publisher.subscribe(watcher)
    akka_testkit.settle()
    watcher.subscription.cancel()
    akka_testkit.settle()
    gone = weakref.ref(watcher)
    del watcher
    gc.collect()
    assert gone() is None


# -- flows


@every_flow
def test_flow_1_01_1_03_1_07_demand_is_kept_on_both_sides(akka_testkit: ActorTestKit, name: str, make: Any) -> None:
    fed, watcher = between(akka_testkit, make(), count=30)
    flow_on(akka_testkit, fed, 3)
    assert watcher.received == 0, "nothing comes without demand"
    for _ in range(5):
        watcher.request(1)
        flow_on(akka_testkit, fed, 5)
        assert watcher.received <= watcher.requested
        if name not in GIVES_AT_THE_END:
            assert watcher.received == watcher.requested or "complete" in watcher.kinds
    watcher.request(200)
    flow_on(akka_testkit, fed)
    assert watcher.kinds[-1] == "complete" and len(watcher.elements) > 0
    assert not watcher.broken and not fed.broken


@pytest.mark.parametrize(("name", "make"), {**FLOWS, **ONE_ELEMENT_FLOWS}.items(), ids=[*FLOWS, *ONE_ELEMENT_FLOWS])
def test_flow_1_05_the_end_comes_also_without_an_element(akka_testkit: ActorTestKit, name: str, make: Any) -> None:
    fed, watcher = between(akka_testkit, make(), count=0)
    watcher.request(10)
    flow_on(akka_testkit, fed)
    assert watcher.kinds[-1] == ("error" if name == "reduce" else "complete")
    assert not watcher.broken


@pytest.mark.parametrize(("name", "make"), {**FLOWS, **ONE_ELEMENT_FLOWS}.items(), ids=[*FLOWS, *ONE_ELEMENT_FLOWS])
def test_flow_1_04_2_10_a_failure_passes_also_without_demand(akka_testkit: ActorTestKit, name: str, make: Any) -> None:
    fed, watcher = between(akka_testkit, make())
    akka_testkit.settle()
    error = RuntimeError("x")
    fed.fail(error)
    akka_testkit.settle()
    if watcher.kinds[-1] != "error":  # a flow that has to see demand first, as a lazy one
        watcher.request(5)
        akka_testkit.settle()
    assert watcher.signals[-1] == ("error", error)
    assert not watcher.broken


@pytest.mark.parametrize(("name", "make"), {**FLOWS, **ONE_ELEMENT_FLOWS}.items(), ids=[*FLOWS, *ONE_ELEMENT_FLOWS])
def test_flow_3_12_2_06_cancel_reaches_upstream(akka_testkit: ActorTestKit, name: str, make: Any) -> None:
    fed, watcher = between(akka_testkit, make())
    watcher.request(2)
    flow_on(akka_testkit, fed, 2)
    watcher.subscription.cancel()
    flow_on(akka_testkit, fed, 3)
    assert fed.cancelled
    assert watcher.kinds[-1] != "complete" and not watcher.broken


@every_flow
def test_flow_2_08_2_05_late_elements_and_other_subscriptions(akka_testkit: ActorTestKit, name: str, make: Any) -> None:
    fed, watcher = between(akka_testkit, make())
    watcher.request(1)
    akka_testkit.settle()
    watcher.subscription.cancel()
    akka_testkit.settle()
    seen = len(watcher.signals)
    fed.subscriber.on_next(1)
    akka_testkit.settle()
    assert len(watcher.signals) == seen
    other = Fed()
    fed.subscriber.on_subscribe(other)
    akka_testkit.settle()
    assert other.cancelled and "request" not in other.calls


# -- sinks


@every_sink
def test_sink_2_01_demand_comes_by_request(akka_testkit: ActorTestKit, make: Any) -> None:
    fed = Fed()
    Source.from_publisher(fed).run_with(make(), akka_testkit.system)
    akka_testkit.settle()
    assert fed.requested > 0 and not fed.broken


@every_sink
def test_sink_2_03_2_09_completion_is_taken_with_and_without_demand(akka_testkit: ActorTestKit, make: Any) -> None:
    for count in (0, 3):
        fed = Fed(count)
        Source.from_publisher(fed).run_with(make(), akka_testkit.system)
        akka_testkit.settle()
        if count == 0:
            fed.complete()
        flow_on(akka_testkit, fed, 5)
        calls = list(fed.calls)
        akka_testkit.settle()
        assert fed.ended and fed.calls == calls, "no call of the subscription after the end"
        assert not fed.broken


@every_sink
def test_sink_2_03_2_10_a_failure_is_taken_with_and_without_demand(akka_testkit: ActorTestKit, make: Any) -> None:
    fed = Fed()
    Source.from_publisher(fed).run_with(make(), akka_testkit.system)
    akka_testkit.settle()
    calls = list(fed.calls)
    fed.fail(RuntimeError("x"))
    akka_testkit.settle()
    assert fed.calls == calls


@every_sink
def test_sink_2_05_a_second_subscription_is_cancelled(akka_testkit: ActorTestKit, make: Any) -> None:
    fed, other = Fed(), Fed()
    Source.from_publisher(fed).run_with(make(), akka_testkit.system)
    akka_testkit.settle()
    fed.subscriber.on_subscribe(other)
    akka_testkit.settle()
    assert other.cancelled and not fed.cancelled


@every_sink
def test_sink_2_13_none_is_refused_at_once(akka_testkit: ActorTestKit, make: Any) -> None:
    fed = Fed()
    Source.from_publisher(fed).run_with(make(), akka_testkit.system)
    akka_testkit.settle()
    for call in (fed.subscriber.on_next, fed.subscriber.on_error, fed.subscriber.on_subscribe):
        with pytest.raises(TypeError, match="must not be None"):
            call(None)


@pytest.mark.parametrize("make", CANCELLING_SINKS.values(), ids=CANCELLING_SINKS)
def test_sink_2_06_2_08_cancels_when_it_has_enough_and_bears_late_elements(
    akka_testkit: ActorTestKit, make: Any
) -> None:
    fed = Fed()
    Source.from_publisher(fed).run_with(make(), akka_testkit.system)
    flow_on(akka_testkit, fed, 5)
    assert fed.cancelled
    fed.subscriber.on_next(9)
    fed.subscriber.on_complete()
    akka_testkit.settle()


@pytest.mark.parametrize("make", SILENT_SINKS.values(), ids=SILENT_SINKS)
def test_sink_never_takes_no_more_than_the_boundary_asks_for(akka_testkit: ActorTestKit, make: Any) -> None:
    fed = Fed()
    Source.from_publisher(fed).run_with(make(), akka_testkit.system)
    flow_on(akka_testkit, fed, 5)
    assert fed.next - 1 <= 16 and not fed.cancelled


def test_from_subscriber_holds_the_rules(akka_testkit: ActorTestKit) -> None:
    watcher = Watcher()
    Source.range(1, 5).run_with(Sink.from_subscriber(watcher), akka_testkit.system)
    akka_testkit.settle()
    watcher.request(2)
    akka_testkit.settle()
    assert watcher.elements == [1, 2]
    watcher.request(10)
    akka_testkit.settle()
    assert watcher.kinds == ["subscribe", *["next"] * 5, "complete"] and not watcher.broken


def test_2_13_a_subscriber_that_raises_harms_nobody(akka_testkit: ActorTestKit) -> None:
    class Bad(Watcher):
        def on_next(self, element: Any) -> None:
            raise RuntimeError("bad")

    bad, good = Bad(), Watcher()
    publisher = Source.range(1, 3).run_with(Sink.as_publisher(fanout=True), akka_testkit.system)
    publisher.subscribe(bad)
    publisher.subscribe(good)
    akka_testkit.settle()
    bad.request(10)
    good.request(10)
    akka_testkit.settle()
    assert good.elements == [1, 2, 3]


def test_1_01_a_publisher_that_gives_too_much_fails_the_stream(akka_testkit: ActorTestKit) -> None:
    fed = Fed()
    future = Source.from_publisher(fed).run_with(Sink.ignore(), akka_testkit.system)
    akka_testkit.settle()
    fed.cancelled = False
    for number in range(100):
        fed.subscriber.on_next(number)
    akka_testkit.settle()
    assert "1.1" in str(future.exception())


def test_every_operator_is_in_these_lists() -> None:
    """A new operator without the rules fails here."""
    from smackbox.akka.stream.operators import Operators

    passed_over = {
        *("attach", "plain_steps", "via", "via_mat", "to", "to_mat", "map_materialized_value", "of", "of_stage"),
        *("from_function", "from_sink_and_source", "with_attributes", "named", "async_", "also_to_mat"),
        *("ask", "watch", "recover_with", "grouped_weighted_within", "zip_latest_with"),
    }  # built of others, or tested with actors
    names = {name for name in {**vars(Operators), **vars(Flow)} if not name.startswith("_")}
    assert names - passed_over - set(FLOWS) - set(ONE_ELEMENT_FLOWS) == set()
