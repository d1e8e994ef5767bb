# ruff: noqa: N802, N803 - PySpark's names
"""Statistics of RDDs of numbers, exact, and the approximate actions, which wait for the exact result here."""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Iterator
from functools import reduce
from typing import Any

from smackbox.spark.rdd.portable_hash import portable_hash

MAX_REGISTERS_LOG2 = 18


class BoundedFloat(float):
    """A value with its confidence and bounds; the bounds of an exact result are the value."""

    confidence: float
    low: float
    high: float

    def __new__(cls, mean: float, confidence: float, low: float, high: float) -> BoundedFloat:
        self = float.__new__(cls, mean)
        self.confidence, self.low, self.high = confidence, low, high
        return self


class NumericOperations:
    """Mixed into `RDD`."""

    _job: Any
    count: Any
    filter: Any
    max: Any
    min: Any

    def sum(self) -> Any:
        return sum(self._job(sum))

    def stats(self) -> Any:
        from pyspark.statcounter import StatCounter

        parts = self._job(StatCounter)
        return reduce(lambda left, right: left.mergeStats(right), parts, StatCounter())

    def mean(self) -> float:
        return float(self.stats().mean())

    def variance(self) -> float:
        return float(self.stats().variance())

    def stdev(self) -> float:
        return float(self.stats().stdev())

    def sampleStdev(self) -> float:
        return float(self.stats().sampleStdev())

    def sampleVariance(self) -> float:
        return float(self.stats().sampleVariance())

    def histogram(self, buckets: Any) -> tuple[Any, list[int]]:
        """Counts in `buckets`: how many even ones, or their sorted bounds, the last bucket closed at both ends."""
        if isinstance(buckets, int):
            bounds = self._even_bounds(buckets)
            if len(bounds) == 2 and bounds[0] == bounds[1]:
                return bounds, [self.count()]
        elif isinstance(buckets, (list, tuple)):
            bounds = buckets  # type: ignore[assignment]
            if len(bounds) < 2:
                raise ValueError("buckets should have more than one value")
            if any(bound is None or (isinstance(bound, float) and math.isnan(bound)) for bound in bounds):
                raise ValueError("can not have None or NaN in buckets")
            if list(bounds) != sorted(bounds):
                raise ValueError("buckets should be sorted")
            if len(set(bounds)) != len(bounds):
                raise ValueError("buckets should not contain duplicated values")
        else:
            raise TypeError("buckets should be a list or tuple or number(int or long)")

        def counts(rows: Iterator[Any]) -> list[int]:
            found = [0] * (len(bounds) - 1)
            for row in rows:
                if row is None or (isinstance(row, float) and math.isnan(row)) or not bounds[0] <= row <= bounds[-1]:
                    continue
                found[min(bisect.bisect_right(bounds, row), len(found)) - 1] += 1
            return found

        parts = self._job(counts)
        return bounds, [sum(column) for column in zip(*parts, strict=True)]

    def _even_bounds(self, buckets: int) -> list[Any]:
        if buckets < 1:
            raise ValueError("number of buckets must be >= 1")
        usable = self.filter(lambda x: x is not None and not (isinstance(x, float) and math.isnan(x)))
        parts = [part for part in usable._job(_extent) if part]
        if not parts:
            raise ValueError("can not generate buckets from empty RDD")
        low, high = min(part[0] for part in parts), max(part[1] for part in parts)
        if isinstance(low, (int, float)) and (math.isinf(low) or math.isinf(high)):
            raise ValueError("can not generate buckets with infinite value")
        if low == high or buckets == 1:
            return [low, high]
        try:
            step: Any = (high - low) / buckets
        except TypeError as error:
            raise TypeError("Can not generate buckets with non-number in RDD") from error
        if isinstance(low, int) and step == int(step):
            step = int(step)
        return [*(low + number * step for number in range(buckets)), high]

    def countApprox(self, timeout: int, confidence: float = 0.95) -> int:
        return self.count()  # type: ignore[no-any-return]

    def sumApprox(self, timeout: int, confidence: float = 0.95) -> BoundedFloat:
        total = float(self.sum())
        return BoundedFloat(total, confidence, total, total)

    def meanApprox(self, timeout: int, confidence: float = 0.95) -> BoundedFloat:
        mean = self.mean()
        return BoundedFloat(mean, confidence, mean, mean)

    def countApproxDistinct(self, relativeSD: float = 0.05) -> int:
        """HyperLogLog with a relative standard deviation of about `relativeSD`."""
        if relativeSD < 0.000017:
            raise ValueError("relativeSD should be greater than 0.000017")
        if relativeSD > 0.37:
            raise ValueError("relativeSD should be smaller than 0.37")
        width = min(MAX_REGISTERS_LOG2, max(4, math.ceil(2 * math.log2(1.04 / relativeSD))))
        parts = self._job(_registers(width))
        merged = [max(column) for column in zip(*parts, strict=True)] if parts else [0] * (1 << width)
        size = len(merged)
        estimate = 0.7213 / (1 + 1.079 / size) * size * size / sum(2.0**-rank for rank in merged)
        empty = merged.count(0)
        return round(size * math.log(size / empty) if estimate <= 2.5 * size and empty else estimate)


def _extent(rows: Iterator[Any]) -> tuple[Any, Any] | None:
    held = list(rows)
    return (min(held), max(held)) if held else None


def _registers(width: int) -> Callable[[Iterator[Any]], list[int]]:
    def fill(rows: Iterator[Any]) -> list[int]:
        found = [0] * (1 << width)
        for row in rows:
            mixed = _mix(portable_hash(row))
            place, rest = mixed >> (64 - width), mixed & ((1 << (64 - width)) - 1)
            found[place] = max(found[place], 64 - width - rest.bit_length() + 1)
        return found

    return fill


def _mix(value: int) -> int:
    """The finalizer of SplitMix64: spreads the bits of a hash over all 64."""
    value = (value + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
    return value ^ (value >> 31)
