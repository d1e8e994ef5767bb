"""Sets of integers (ports) as sorted, disjoint, non-adjacent `(begin, end)` pairs, both ends inclusive."""

from __future__ import annotations

from collections.abc import Iterable

Ranges = tuple[tuple[int, int], ...]


def normal(pairs: Iterable[tuple[int, int]]) -> Ranges:
    """Any pairs, sorted and merged."""
    joined: list[tuple[int, int]] = []
    for begin, end in sorted(pairs):
        if joined and begin <= joined[-1][1] + 1:
            if end > joined[-1][1]:
                joined[-1] = (joined[-1][0], end)
        else:
            joined.append((begin, end))
    return tuple(joined)


def union(left: Ranges, right: Ranges) -> Ranges:
    return normal((*left, *right))


def difference(left: Ranges, right: Ranges) -> Ranges:
    rest: list[tuple[int, int]] = []
    for begin, end in left:
        for other_begin, other_end in right:
            if other_end < begin:
                continue
            if other_begin > end:
                break
            if other_begin > begin:
                rest.append((begin, other_begin - 1))
            begin = other_end + 1
        if begin <= end:
            rest.append((begin, end))
    return tuple(rest)


def contains(left: Ranges, right: Ranges) -> bool:
    """Whether every number of `right` is in `left`."""
    return all(any(begin <= pair[0] and pair[1] <= end for begin, end in left) for pair in right)


def size(ranges: Ranges) -> int:
    return sum(end - begin + 1 for begin, end in ranges)
