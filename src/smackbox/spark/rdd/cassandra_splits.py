"""Cutting the token ring of a keyspace into the partitions of an RDD, so that each lies on replicas of its own.

Tokens are Murmur3's, from -2^63 to 2^63 - 1; a range is `(after, up to)`. The node that has a token owns the range that
ends with it; the range behind the last token, and the one before the first, belong to the first (the ring's seam).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, pairwise
from typing import NamedTuple

TOKEN_MIN, TOKEN_MAX = -(2**63), 2**63 - 1
RING = 2**64

TokenRange = tuple[int, int]


class Split(NamedTuple):
    """The token ranges of one partition, all on the same hosts."""

    ranges: tuple[TokenRange, ...]
    hosts: tuple[str, ...]


def token_ranges(count: int) -> Iterator[TokenRange]:
    """The ring in `count` equal parts."""
    bounds = [TOKEN_MIN + RING * number // count for number in range(count)] + [TOKEN_MAX]
    yield from pairwise(bounds)


def splits(tokens: Sequence[int], hosts_of: Callable[[int], Sequence[str]], count: int) -> list[Split]:
    """About `count` partitions of equal size. `hosts_of` gives the replicas of the range that ends with a token.

    A range that is larger than a partition is cut; small ones with the same replicas share one.
    """
    segments = list(_segments(sorted(tokens), hosts_of))
    if len(segments) <= 1:
        hosts = segments[0][1] if segments else ()
        return [Split((piece,), hosts) for piece in token_ranges(count)]
    size = RING // count
    found = []
    small: dict[tuple[str, ...], list[TokenRange]] = {}
    for (after, up_to), hosts in segments:
        pieces = max(1, round((up_to - after) / size))
        bounds = [after + (up_to - after) * number // pieces for number in range(pieces + 1)]
        if pieces > 1:
            found += [Split((piece,), hosts) for piece in pairwise(bounds)]
            continue
        gathered = small.setdefault(hosts, [])
        gathered.append((after, up_to))
        if sum(end - start for start, end in gathered) >= size:
            found.append(Split(tuple(small.pop(hosts)), hosts))
    return found + [Split(tuple(ranges), hosts) for hosts, ranges in small.items()]


def _segments(
    tokens: list[int], hosts_of: Callable[[int], Sequence[str]]
) -> Iterator[tuple[TokenRange, tuple[str, ...]]]:
    """The ring in order, neighbours with the same replicas as one."""
    if not tokens:
        return
    ends = [*tokens, TOKEN_MAX]
    starts = [TOKEN_MIN, *tokens]
    owned = [
        ((after, up_to), tuple(hosts_of(tokens[bisect_right(tokens, after) % len(tokens)])))
        for after, up_to in zip(starts, ends, strict=True)
        if after < up_to
    ]
    for hosts, group in groupby(owned, key=lambda entry: entry[1]):
        ranges = [entry[0] for entry in group]
        yield (ranges[0][0], ranges[-1][1]), hosts
