"""Random pipelines against plain lists: whatever the operators, boundaries and buffers, the elements are the same."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from smackbox.akka.stream import Compression, Flow, Framing, Source, resuming_decider
from smackbox.akka.stream.frames import pieces
from smackbox.akka.testkit.kit import ActorTestKit

Stream = Source[Any, Any]
Step = tuple[str, Callable[[Stream], Stream], Callable[[list[int]], list[int]]]


async def _later(x: int) -> int:
    return x + 1


def steps(n: int) -> list[Step]:
    """The same thing as an operator and as a function of a list; `n` is small and not negative."""
    k = n + 1
    return [
        ("map", lambda s: s.map(lambda x: x + n), lambda xs: [x + n for x in xs]),
        ("filter", lambda s: s.filter(lambda x: x % k), lambda xs: [x for x in xs if x % k]),
        ("collect", lambda s: s.collect(lambda x: x if x > n else None), lambda xs: [x for x in xs if x > n]),
        ("take", lambda s: s.take(n * 3), lambda xs: xs[: n * 3]),
        ("drop", lambda s: s.drop(n), lambda xs: xs[n:]),
        ("take_while", lambda s: s.take_while(lambda x: x < 9 * n), _take_while(9 * n)),
        ("drop_while", lambda s: s.drop_while(lambda x: x < n), _drop_while(n)),
        ("scan", lambda s: s.scan(n, lambda a, x: a + x), lambda xs: list(itertools.accumulate(xs, initial=n))),
        ("map_concat", lambda s: s.map_concat(lambda x: [x] * (x % 3)), _thrice),
        ("grouped", lambda s: s.grouped(k).map(sum), lambda xs: [sum(xs[i : i + k]) for i in range(0, len(xs), k)]),
        ("sliding", lambda s: s.sliding(k).map(sum), _sliding(k)),
        ("index", lambda s: s.zip_with_index().map(sum), lambda xs: [x + i for i, x in enumerate(xs)]),
        ("async", lambda s: s.async_(), lambda xs: xs),
        ("buffer", lambda s: s.buffer(k), lambda xs: xs),
        ("detach", lambda s: s.detach(), lambda xs: xs),
        ("map_async", lambda s: s.map_async(k, _later), lambda xs: [x + 1 for x in xs]),
        ("concat", lambda s: s.concat(Source.range(1, n)), lambda xs: xs + list(range(1, n + 1))),
        ("prepend", lambda s: s.prepend(Source.range(1, n)), lambda xs: list(range(1, n + 1)) + xs),
        ("or_else", lambda s: s.or_else(Source.range(1, n)), lambda xs: xs or list(range(1, n + 1))),
        ("interleave", lambda s: s.interleave(Source.range(1, 4), k), _interleave(k, [1, 2, 3, 4])),
        ("zip", lambda s: s.zip_with(Source.range(1, 9), lambda a, b: a + b), _zip),
        ("fold", lambda s: s.fold(n, lambda a, x: a + x), lambda xs: [n + sum(xs)]),
        ("flat_map", lambda s: s.flat_map_concat(lambda x: Source.range(1, x % 3)), _flat),
        ("merge of one", lambda s: s.flat_map_merge(1, lambda x: Source.range(1, x % 3)), _flat),
        ("sorted", lambda s: s.fold([], _appended).map_concat(sorted).merge_sorted(Source.range(1, n)), _merged(n)),
        ("groups", lambda s: s.group_by(5, lambda x: x % 5).fold(0, int.__add__).merge_substreams().fold(0, max), _top),
        ("runs", lambda s: s.split_when(lambda x: x % k == 0).reduce(int.__add__).concat_substreams(), _runs(k)),
        ("tail", lambda s: s.prefix_and_tail(n).flat_map_concat(lambda p: p[1]), lambda xs: xs[n:]),
        ("resumed", lambda s: s.map(lambda x: 1 // (x % k)).with_attributes(decider=resuming_decider), _resumed(k)),
    ]  # fmt: skip


def _thrice(xs: list[int]) -> list[int]:
    return [x for x in xs for _ in range(x % 3)]


def _take_while(n: int) -> Any:
    return lambda xs: list(itertools.takewhile(lambda x: x < n, xs))


def _drop_while(n: int) -> Any:
    return lambda xs: list(itertools.dropwhile(lambda x: x < n, xs))


def _sliding(k: int) -> Any:
    return lambda xs: [sum(xs[i : i + k]) for i in range(max(1, len(xs) - k + 1))] if xs else []


def _interleave(k: int, others: list[int]) -> Any:
    def run(xs: list[int]) -> list[int]:
        left, right, out = list(xs), list(others), []
        while left or right:
            out += left[:k] + right[:k]
            left, right = left[k:], right[k:]
        return out

    return run


def _zip(xs: list[int]) -> list[int]:
    return [a + b for a, b in zip(xs, range(1, 10), strict=False)]


def _flat(xs: list[int]) -> list[int]:
    return [y for x in xs for y in range(1, x % 3 + 1)]


def _appended(gathered: list[int], x: int) -> list[int]:
    return [*gathered, x]


def _merged(n: int) -> Any:
    return lambda xs: sorted([*xs, *range(1, n + 1)])


def _top(xs: list[int]) -> list[int]:
    return [max([0, *(sum(x for x in xs if x % 5 == key) for key in range(5))])]


def _runs(k: int) -> Any:
    def run(xs: list[int]) -> list[int]:
        groups: list[int] = []
        for x in xs:
            if x % k == 0 or not groups:
                groups.append(x)
            else:
                groups[-1] += x
        return groups

    return run


def _resumed(k: int) -> Any:
    return lambda xs: [1 // (x % k) for x in xs if x % k]


pipelines = st.lists(st.tuples(st.integers(0, 28), st.integers(0, 4)), max_size=7)


@settings(deadline=None, max_examples=150)
@given(given_=st.lists(st.integers(0, 40), max_size=40), pipeline=pipelines, buffer=st.integers(1, 4))
def test_pipelines_are_as_lists(given_: list[int], pipeline: list[tuple[int, int]], buffer: int) -> None:
    source: Stream = Source.from_iterable(given_)
    expected = given_
    for place, n in pipeline:
        _, operator, plain = steps(n)[place]
        source, expected = operator(source), plain(expected)
        if any(abs(x) > 10_000 for x in expected) or len(expected) > 2_000:
            return
    with ActorTestKit() as kit:
        got = kit.run(source.with_attributes(input_buffer=buffer).run_list(kit.system))
        assert got == expected


@settings(deadline=None, max_examples=60)
@given(frames=st.lists(st.binary(max_size=30), max_size=12), size=st.integers(1, 9))
def test_frames_survive_any_cut(frames: list[bytes], size: int) -> None:
    lines = [frame.replace(b"\n", b"").replace(b"\r", b"") for frame in frames]
    objects = [b'{"a":"}%d\\"{"}' % number for number in range(len(frames))]
    with ActorTestKit() as kit:

        def run(data: list[bytes], flow: Flow[bytes, bytes, None]) -> list[bytes]:
            whole = b"".join(data)
            return kit.run(Source.from_iterable([whole]).via(pieces(size)).via(flow).run_list(kit.system))

        encoded = kit.run(Source.from_iterable(frames).via(Framing.simple_encoder()).run_list(kit.system))
        assert run(encoded, Framing.simple_decoder()) == frames
        assert run([line + b"\n" for line in lines], Framing.lines()) == lines
        assert run([line + b"\r\n" for line in lines], Framing.lines()) == lines
        assert run([b"[", b" ,\n".join(objects), b"]"], Framing.json_objects()) == objects
        for pack, unpack in (
            (Compression.gzip(), Compression.gunzip(7)),
            (Compression.deflate(), Compression.inflate(7)),
        ):
            packed = kit.run(Source.from_iterable(frames).via(pack).run_list(kit.system))
            assert b"".join(run(packed, unpack)) == b"".join(frames)
            assert b"".join(run([*packed, *packed], unpack)) == b"".join(frames) * 2
