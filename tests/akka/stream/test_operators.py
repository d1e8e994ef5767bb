"""Operators by what goes in and what comes out, without a clock."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import pytest

from smackbox.akka.stream import Flow, Sink, Source, restarting_decider, resuming_decider
from smackbox.akka.stream.errors import (
    NoSuchElementError,
    StageError,
    StreamLimitReachedError,
    TooManySubstreamsOpenError,
)
from smackbox.akka.testkit.kit import ActorTestKit

Make = Callable[[Source[Any, None]], Source[Any, Any]]


async def twice(x: int) -> int:
    return 2 * x


async def added(x: int, y: int) -> int:
    return x + y


def number(name: int) -> Source[int, None]:
    return Source.range(1, name)


def _so_far() -> Any:
    """A function with a state of its own: all elements up to this one."""
    seen: list[int] = []

    def gather(element: int) -> list[int]:
        seen.append(element)
        return list(seen)

    return gather


def _gathered(resource: list[int], element: int) -> list[int]:
    resource.append(element)
    return list(resource)


CASES: list[tuple[str, Make, list[Any], list[Any]]] = [
    ("map", lambda s: s.map(lambda x: x + 1), [1, 2], [2, 3]),
    ("filter", lambda s: s.filter(lambda x: x % 2), [1, 2, 3], [1, 3]),
    ("filter_not", lambda s: s.filter_not(lambda x: x % 2), [1, 2, 3], [2]),
    ("collect", lambda s: s.collect(lambda x: x * 2 if x % 2 else None), [1, 2, 3], [2, 6]),
    ("map_concat", lambda s: s.map_concat(range), [2, 0, 3], [0, 1, 0, 1, 2]),
    ("stateful_map", lambda s: s.stateful_map(int, lambda a, x: (a + x, a + x), lambda a: -a), [1, 2], [1, 3, -3]),
    ("stateful_map_concat", lambda s: s.stateful_map_concat(_so_far), [1, 2, 3], [1, 1, 2, 1, 2, 3]),
    (
        "map_with_resource",
        lambda s: s.map_with_resource(list, _gathered, lambda a: [*a, "end"]),
        [1, 2],
        [[1], [1, 2], [1, 2, "end"]],
    ),
    ("fold_while", lambda s: s.fold_while(0, lambda a: a < 4, lambda a, x: a + x), [1, 2, 3, 4], [6]),
    ("fold_while to the end", lambda s: s.fold_while(0, lambda a: a < 99, lambda a, x: a + x), [1, 2], [3]),
    ("fold_while of nothing", lambda s: s.fold_while(5, lambda a: a < 4, lambda a, x: a + x), [1, 2], [5]),
    ("map_async", lambda s: s.map_async(2, twice), [1, 2, 3], [2, 4, 6]),
    ("map_async_unordered", lambda s: s.map_async_unordered(2, twice), [1, 2, 3], [2, 4, 6]),
    ("map_async_partitioned", lambda s: s.map_async_partitioned(4, lambda x: x % 2, twice), [1, 2, 3], [2, 4, 6]),
    ("scan", lambda s: s.scan(0, lambda a, x: a + x), [1, 2], [0, 1, 3]),
    ("scan of nothing", lambda s: s.scan(0, lambda a, x: a + x), [], [0]),
    ("scan_async", lambda s: s.scan_async(0, added), [1, 2], [0, 1, 3]),
    ("scan_async of nothing", lambda s: s.scan_async(0, added), [], [0]),
    ("fold", lambda s: s.fold(0, lambda a, x: a + x), [1, 2], [3]),
    ("fold of nothing", lambda s: s.fold(7, lambda a, x: a + x), [], [7]),
    ("fold_async", lambda s: s.fold_async(0, added), [1, 2], [3]),
    ("fold_async of nothing", lambda s: s.fold_async(0, added), [], [0]),
    ("reduce", lambda s: s.reduce(lambda a, x: a + x), [1, 2, 3], [6]),
    ("reduce of one", lambda s: s.reduce(lambda a, x: a + x), [1], [1]),
    ("grouped", lambda s: s.grouped(2), [1, 2, 3], [[1, 2], [3]]),
    ("grouped of nothing", lambda s: s.grouped(2), [], []),
    ("grouped_weighted", lambda s: s.grouped_weighted(5, lambda x: x), [1, 5, 2, 2, 2, 1], [[1, 5], [2, 2, 2], [1]]),
    ("sliding", lambda s: s.sliding(3), [1, 2, 3, 4], [[1, 2, 3], [2, 3, 4]]),
    ("sliding by 2", lambda s: s.sliding(3, 2), [1, 2, 3, 4, 5, 6], [[1, 2, 3], [3, 4, 5], [5, 6]]),
    ("sliding with gaps", lambda s: s.sliding(2, 3), [1, 2, 3, 4, 5, 6, 7], [[1, 2], [4, 5], [7]]),
    ("sliding of fewer", lambda s: s.sliding(3), [1, 2], [[1, 2]]),
    ("sliding by its size", lambda s: s.sliding(2, 2), [1, 2, 3, 4], [[1, 2], [3, 4]]),
    ("take", lambda s: s.take(2), [1, 2, 3], [1, 2]),
    ("take 0", lambda s: s.take(0), [1], []),
    ("take_while", lambda s: s.take_while(lambda x: x < 3), [1, 2, 3, 1], [1, 2]),
    ("take_while inclusive", lambda s: s.take_while(lambda x: x < 3, inclusive=True), [1, 2, 3, 1], [1, 2, 3]),
    ("drop", lambda s: s.drop(2), [1, 2, 3], [3]),
    ("drop_while", lambda s: s.drop_while(lambda x: x < 3), [1, 3, 1], [3, 1]),
    ("drop_repeated", lambda s: s.drop_repeated(), [1, 1, 2, 2, 1], [1, 2, 1]),
    ("limit", lambda s: s.limit(2), [1, 2], [1, 2]),
    ("intersperse", lambda s: s.intersperse(0), [1, 2], [1, 0, 2]),
    ("intersperse with ends", lambda s: s.intersperse(0, start=8, end=9), [1, 2], [8, 1, 0, 2, 9]),
    ("intersperse of nothing", lambda s: s.intersperse(0, start=8, end=9), [], [8, 9]),
    ("zip_with_index", lambda s: s.zip_with_index(), [5, 6], [(5, 0), (6, 1)]),
    ("flat_map_concat", lambda s: s.flat_map_concat(number), [2, 3], [1, 2, 1, 2, 3]),
    ("flat_map_merge", lambda s: s.flat_map_merge(1, number), [2, 3], [1, 2, 1, 2, 3]),
    ("concat", lambda s: s.concat(Source.range(8, 9), Source.single(10)), [1], [1, 8, 9, 10]),
    ("concat_lazy", lambda s: s.concat_lazy(Source.range(8, 9)), [1], [1, 8, 9]),
    ("prepend", lambda s: s.prepend(Source.range(8, 9)), [1], [8, 9, 1]),
    ("or_else not needed", lambda s: s.or_else(Source.range(8, 9)), [1, 2], [1, 2]),
    ("or_else needed", lambda s: s.or_else(Source.range(8, 9)), [], [8, 9]),
    ("interleave", lambda s: s.interleave(Source.range(7, 9), 2), [1, 2, 3, 4, 5], [1, 2, 7, 8, 3, 4, 9, 5]),
    ("interleave eager", lambda s: s.interleave(Source.range(8, 9), eager=True), [1, 2, 3, 4], [1, 8, 2, 9]),
    ("zip", lambda s: s.zip(Source.range(8, 9)), [1, 2, 3], [(1, 8), (2, 9)]),
    ("zip_with", lambda s: s.zip_with(Source.range(8, 9), lambda a, b: a + b), [1, 2], [9, 11]),
    ("zip_all", lambda s: s.zip_all(Source.range(8, 9), 0, -1), [1, 2, 3], [(1, 8), (2, 9), (3, -1)]),
    ("zip_all other longer", lambda s: s.zip_all(Source.range(8, 9), 0, -1), [1], [(1, 8), (0, 9)]),
    ("zip_all of nothing", lambda s: s.zip_all(Source.empty(), 0, -1), [], []),
    ("merge_sorted", lambda s: s.merge_sorted(Source.from_iterable([2, 4, 6])), [1, 3, 4, 9], [1, 2, 3, 4, 4, 6, 9]),
    ("merge_sorted of nothing", lambda s: s.merge_sorted(Source.range(1, 3)), [], [1, 2, 3]),
    (
        "merge_sequence",
        lambda s: s.merge_sequence(Source.from_iterable([1, 2]), sequence=lambda x: x),
        [0, 3],
        [0, 1, 2, 3],
    ),
    ("merge_preferred", lambda s: s.merge_preferred(Source.empty()), [1, 2], [1, 2]),
    ("also_to", lambda s: s.also_to(Sink.ignore()), [1, 2], [1, 2]),
    ("wire_tap", lambda s: s.wire_tap(lambda _: None), [1, 2], [1, 2]),
    ("divert_to", lambda s: s.divert_to(Sink.ignore(), lambda x: x % 2 == 1), [1, 2, 3, 4], [2, 4]),
    ("recover", lambda s: s.map(lambda x: 1 // x).recover(lambda _: -1), [1, 0, 1], [1, -1]),
    (
        "recover_with_retries",
        lambda s: s.map(lambda x: 1 // x).recover_with_retries(1, lambda _: Source.range(5, 6)),
        [1, 0, 1],
        [1, 5, 6],
    ),
    ("on_error_complete", lambda s: s.map(lambda x: 1 // x).on_error_complete(ZeroDivisionError), [1, 0, 1], [1]),
    (
        "prefix_and_tail",
        lambda s: s.prefix_and_tail(2).flat_map_concat(lambda p: p[1].prepend(Source.single(sum(p[0])))),
        [1, 2, 3, 4],
        [3, 3, 4],
    ),
    ("prefix_and_tail of fewer", lambda s: s.prefix_and_tail(2).map(lambda p: p[0]), [1], [[1]]),
    (
        "split_when",
        lambda s: s.split_when(lambda x: x == 3).fold([], lambda a, x: [*a, x]).concat_substreams(),
        [1, 2, 3, 4, 3],
        [[1, 2], [3, 4], [3]],
    ),
    (
        "split_after",
        lambda s: s.split_after(lambda x: x == 3).fold([], lambda a, x: [*a, x]).concat_substreams(),
        [1, 2, 3, 4, 3],
        [[1, 2, 3], [4, 3]],
    ),
    ("split_when of nothing", lambda s: s.split_when(bool).fold(0, max).concat_substreams(), [], []),
    (
        "group_by",
        lambda s: s.group_by(3, lambda x: x % 3).fold([], lambda a, x: [*a, x]).merge_substreams().fold([], _sorted),
        [1, 2, 3, 4, 5, 6, 7],
        [[[1, 4, 7], [2, 5], [3, 6]]],
    ),
    ("batch", lambda s: s.batch(10, lambda x: x, lambda a, x: a + x).fold(0, lambda a, x: a + x), [1, 2, 3], [6]),
    ("buffer", lambda s: s.buffer(2), [1, 2, 3], [1, 2, 3]),
    ("conflate", lambda s: s.conflate(lambda a, b: a + b).fold(0, lambda a, x: a + x), [1, 2, 3], [6]),
    ("expand by itself", lambda s: s.expand(lambda x: iter([x])), [1, 2, 3], [1, 2, 3]),
    ("detach", lambda s: s.detach(), [1, 2, 3], [1, 2, 3]),
    ("async", lambda s: s.async_().map(lambda x: x + 1).async_(), [1, 2, 3], [2, 3, 4]),
    ("log", lambda s: s.log("elements"), [1, 2], [1, 2]),
    ("watch_termination", lambda s: s.watch_termination(lambda _, done: done), [1, 2], [1, 2]),
    ("lazy_flow", lambda s: s.via(Flow.lazy_flow(lambda: Flow.from_function(lambda x: x + 1))), [1, 2], [2, 3]),
    ("keep_alive", lambda s: s.keep_alive(1, lambda: 0), [1, 2], [1, 2]),
    ("throttle", lambda s: s.throttle(10, 1), [1, 2, 3], [1, 2, 3]),
    ("delay", lambda s: s.delay(0.1), [1, 2, 3], [1, 2, 3]),
    ("grouped_within", lambda s: s.grouped_within(2, 1), [1, 2, 3], [[1, 2], [3]]),
    ("merge_latest of one", lambda s: s.merge_latest(Source.empty()), [1, 2], []),
    ("idle_timeout", lambda s: s.idle_timeout(1), [1, 2], [1, 2]),
]


def _sorted(gathered: list[Any], group: list[Any]) -> list[Any]:
    return sorted([*gathered, group])


@pytest.mark.parametrize(("make", "given", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
@pytest.mark.parametrize("buffer", [None, 1, 16], ids=["fused", "buffer of 1", "buffer of 16"])
def test_what_comes_out(
    akka_testkit: ActorTestKit, make: Make, given: list[Any], expected: list[Any], buffer: int | None
) -> None:
    source = Source.from_iterable(given)
    if buffer is not None:
        source = source.async_().with_attributes(input_buffer=buffer)
    assert akka_testkit.run(make(source).run_list(akka_testkit.system)) == expected


ENDS_BEFORE = {
    *(
        "take",
        "take 0",
        "take_while",
        "take_while inclusive",
        "interleave eager",
        "zip",
        "zip_with",
        "recover",
        "merge_latest of one",
    ),
    *("recover_with_retries", "on_error_complete"),
    *("fold_while", "fold_while of nothing"),
}


async def _outcome(work: Any) -> tuple[Any, BaseException | None]:
    try:
        return await work, None
    except (RuntimeError, ZeroDivisionError) as error:
        return None, error


@pytest.mark.parametrize(("name", "make", "given", "expected"), CASES, ids=[case[0] for case in CASES])
def test_a_failure_upstream_arrives(
    akka_testkit: ActorTestKit, name: str, make: Make, given: list[Any], expected: list[Any]
) -> None:
    """Unless the stream was over before, or it is what the operator is for."""
    error = RuntimeError("upstream")
    source = make(Source.from_iterable(given).concat_lazy(Source.failed(error)))
    elements, failure = akka_testkit.run(_outcome(source.run_list(akka_testkit.system)))
    assert failure is error or (failure is None and name in ENDS_BEFORE and elements == expected)


ENDLESS = {name for name, *_ in CASES if name.split()[0] in {"fold", "fold_async", "reduce"}} | {
    *("batch", "conflate", "group_by", "split_when", "split_when of nothing", "split_after", "throttle", "delay"),
    "divert_to",
    "merge_sequence",
}
"""Operators that give nothing of such a stream, or wait for the clock."""


@pytest.mark.parametrize(("name", "make"), [case[:2] for case in CASES], ids=[case[0] for case in CASES])
def test_cancelling_downstream_cancels_upstream(akka_testkit: ActorTestKit, name: str, make: Make) -> None:
    """And whatever else ends it (a time, the system): the source is closed, once."""
    ends: list[str] = []

    class Endless:
        def __init__(self) -> None:
            self._elements = itertools.chain([1, 1, 3, 3], itertools.repeat(2))

        def __iter__(self) -> Any:
            return self

        def __next__(self) -> int:
            return next(self._elements)

        def close(self) -> None:
            ends.append("closed")

    source = make(Source.from_iterator(Endless).take_within(5)).take(1)
    future = source.run_with(Sink.ignore(), akka_testkit.system)
    akka_testkit.loop.run_until_complete(_turns())
    if not future.done():
        assert name in ENDLESS, "the stream goes on although downstream cancelled"
    akka_testkit.loop.run_until_complete(akka_testkit.system.terminate())
    assert ends == ["closed"]


async def _turns() -> None:
    for _ in range(8):
        await asyncio.sleep(0)


def test_a_map_that_gives_none_fails_and_says_what_to_do(akka_testkit: ActorTestKit) -> None:
    for source in (Source.range(1, 3), Source.range(1, 3).async_()):
        with pytest.raises(StageError, match="use collect"):
            akka_testkit.run(source.map(lambda _: None).run_list(akka_testkit.system))


def test_stop_iteration_of_a_function_is_a_failure_and_no_end(akka_testkit: ActorTestKit) -> None:
    def function(x: int) -> int:
        raise StopIteration

    with pytest.raises(RuntimeError):
        akka_testkit.run(Source.range(1, 3).map(function).run_list(akka_testkit.system))
    with pytest.raises(RuntimeError):
        akka_testkit.run(Source.range(1, 3).async_().map(function).run_list(akka_testkit.system))


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda s: s.map(lambda x: 6 // x), [6, 3]),
        (lambda s: s.filter(lambda x: 6 // x), [1, 2]),
        (lambda s: s.map_concat(lambda x: [6 // x]), [6, 3]),
        (lambda s: s.scan(0, lambda a, x: a + 6 // x), [0, 6, 9]),
        (lambda s: s.fold(0, lambda a, x: a + 6 // x), [9]),
        (lambda s: s.take_while(lambda x: 6 // x), [1, 2]),
        (lambda s: s.grouped_weighted(9, lambda x: 6 // x), [[1, 2]]),
        (lambda s: s.map_async(2, _divided), [6, 3]),
        (lambda s: s.map_async_unordered(2, _divided), [6, 3]),
        (lambda s: s.flat_map_concat(lambda x: Source.single(6 // x)), [6, 3]),
        (lambda s: s.flat_map_merge(2, lambda x: Source.single(6 // x)), [6, 3]),
        (lambda s: s.group_by(9, lambda x: 6 // x).concat_substreams(), [1, 2]),
        (lambda s: s.batch(1, lambda x: 6 // x, max), [6, 3]),
    ],
)
def test_resume_drops_the_element(akka_testkit: ActorTestKit, make: Make, expected: list[Any]) -> None:
    source = make(Source.from_iterable([1, 0, 2])).with_attributes(decider=resuming_decider)
    assert akka_testkit.run(source.run_list(akka_testkit.system)) == expected


async def _divided(x: int) -> int:
    return 6 // x


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda s: s.scan(0, lambda a, x: a + 6 // x), [0, 6, 0, 3]),
        (lambda s: s.fold(0, lambda a, x: a + 6 // x), [3]),
        (lambda s: s.stateful_map(int, lambda a, x: (a + 1, a + 6 // x)), [6, 3]),
        (lambda s: s.reduce(lambda a, x: 10 // x), [2]),
    ],
)
def test_restart_forgets_what_was_gathered(akka_testkit: ActorTestKit, make: Make, expected: list[Any]) -> None:
    source = make(Source.from_iterable([1, 0, 2])).with_attributes(decider=restarting_decider)
    assert akka_testkit.run(source.run_list(akka_testkit.system)) == expected


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda s: s.reduce(max), NoSuchElementError),
        (lambda s: s.prepend(Source.range(1, 3)).limit(2), StreamLimitReachedError),
        (
            lambda s: s.prepend(Source.range(1, 3)).group_by(2, lambda x: x).merge_substreams(),
            TooManySubstreamsOpenError,
        ),
        (lambda s: s.prepend(Source.range(1, 3)).group_by(2, lambda x: None).merge_substreams(), TypeError),
        (lambda s: s.merge_sequence(Source.single(5), sequence=lambda x: x), ValueError),
    ],
)
def test_what_fails(akka_testkit: ActorTestKit, make: Make, error: type[Exception]) -> None:
    with pytest.raises(error):
        akka_testkit.run(make(Source.empty()).run_list(akka_testkit.system))


@pytest.mark.parametrize(
    "make",
    [
        lambda s: s.grouped(0),
        lambda s: s.sliding(0),
        lambda s: s.sliding(2, 0),
        lambda s: s.buffer(0),
        lambda s: s.map_async(0, twice),
        lambda s: s.flat_map_merge(0, number),
        lambda s: s.interleave(s, 0),
        lambda s: s.throttle(0, 1),
        lambda s: s.group_by(0, lambda x: x),
        lambda s: s.with_attributes(input_buffer=0),
        lambda s: s.batch(0, lambda x: x, max),
        lambda _: Source.queue(-1),
        lambda _: Source.tick(0, 0, "t"),
        lambda _: Sink.queue(0),
        lambda _: Sink.foreach_async(0, twice),
    ],
)
def test_figures_that_are_none_are_refused_at_once(make: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        make(Source.empty())


def test_sinks(akka_testkit: ActorTestKit) -> None:
    def run(sink: Sink[Any, Any], *elements: int) -> Any:
        async def main() -> Any:
            return await Source.from_iterable(elements).run_with(sink, akka_testkit.system)

        return akka_testkit.run(main())

    seen: list[int] = []
    assert run(Sink.fold(0, lambda a, x: a + x), 1, 2) == 3
    assert run(Sink.reduce(max), 1, 3, 2) == 3
    assert run(Sink.head(), 1, 2) == 1
    assert run(Sink.last(), 1, 2) == 2
    assert run(Sink.head_option()) is None
    assert run(Sink.last_option()) is None
    assert run(Sink.take_last(2), 1, 2, 3) == [2, 3]
    assert run(Sink.count(), 1, 2, 3) == 3
    assert run(Sink.collection(set), 1, 1, 2) == {1, 2}
    assert run(Sink.ignore(), 1, 2) is None
    assert run(Sink.foreach(seen.append), 1, 2) is None
    assert run(Sink.foreach_async(2, twice), 1, 2) is None
    assert run(Sink.fold(0, max).contramap(lambda x: -x), 3, 2) == 0
    assert seen == [1, 2]
    for sink in (Sink.head(), Sink.last(), Sink.reduce(max)):
        with pytest.raises(NoSuchElementError):
            run(sink)


def test_sources(akka_testkit: ActorTestKit) -> None:
    def run(source: Source[Any, Any]) -> list[Any]:
        return akka_testkit.run(source.run_list(akka_testkit.system))

    async def numbers() -> Any:
        for x in (1, 2):
            yield x

    async def later(state: int) -> Any:
        return None if state == 2 else (state + 1, state)

    closed: list[Any] = []
    assert run(Source.single(1)) == [1]
    assert run(Source.empty()) == []
    assert run(Source.range(3, 1, -1)) == [3, 2, 1]
    assert run(Source.repeat(1).take(2)) == [1, 1]
    assert run(Source.cycle(lambda: [1, 2]).take(3)) == [1, 2, 1]
    assert run(Source.unfold(0, lambda s: None if s == 2 else (s + 1, s))) == [0, 1]
    assert run(Source.unfold_async(0, later)) == [0, 1]
    assert run(Source.unfold_resource(lambda: iter([1, 2]), lambda i: next(i, None), closed.append)) == [1, 2]
    assert len(closed) == 1
    assert run(Source.from_async_iterator(numbers)) == [1, 2]
    assert run(Source.future(lambda: twice(4))) == [8]
    assert run(Source.lazy_single(lambda: 3)) == [3]
    assert run(Source.zip_n([Source.range(1, 2), Source.range(3, 4)])) == [[1, 3], [2, 4]]
    with pytest.raises(ValueError, match="cycle of nothing"):
        run(Source.cycle(list))
    with pytest.raises(KeyError):
        run(Source.failed(KeyError("x")))


def test_a_blueprint_runs_again_and_again(akka_testkit: ActorTestKit) -> None:
    source = Source.range(1, 5).scan(0, lambda a, x: a + x).grouped(2).async_()
    first, second = (akka_testkit.run(source.run_list(akka_testkit.system)) for _ in range(2))
    assert first == second == [[0, 1], [3, 6], [10, 15]]


def test_no_actor_is_left(akka_testkit: ActorTestKit) -> None:
    akka_testkit.run(Source.range(1, 5).async_().map(lambda x: x).async_().run_list(akka_testkit.system))
    akka_testkit.settle()
    streams = akka_testkit.system.root_cell.child("system").child("streams")  # type: ignore[union-attr]
    assert streams is not None and not streams.children


@pytest.mark.parametrize("ending", ["complete", "fail", "cancel"])
def test_a_resource_is_closed_once_however_its_stream_ends(akka_testkit: Any, ending: str) -> None:
    opened: list[str] = []

    def use(resource: str, element: int) -> int:
        if ending == "fail" and element == 2:
            raise ValueError(element)
        return element

    source = Source.from_iterable([1, 2, 3]).map_with_resource(
        lambda: opened.append("open") or "resource", use, lambda _: opened.append("closed")
    )
    if ending == "cancel":
        source = source.take(1)

    async def main() -> None:
        try:
            await source.run_list(akka_testkit.system)
        except ValueError:
            assert ending == "fail"

    akka_testkit.run(main())
    assert opened == ["open", "closed"]
