# ruff: noqa: N802, N803, N815 - PySpark's names
"""The operations of RDDs of (key, value) pairs. A combine runs in the map task first, then on each reducer."""

from __future__ import annotations

import bisect
import copy
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

from smackbox.spark.rdd.portable_hash import portable_hash

SORT_SAMPLES_PER_PARTITION = 20.0


class Partitioner:
    """Which partition a key is in; equal ones let a join skip its shuffle."""

    def __init__(self, numPartitions: int, partitionFunc: Callable[[Any], int]) -> None:
        self.numPartitions = numPartitions
        self.partitionFunc = partitionFunc

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Partitioner)
            and self.numPartitions == other.numPartitions
            and self.partitionFunc == other.partitionFunc
        )

    def __hash__(self) -> int:
        return hash((self.numPartitions, self.partitionFunc))

    def __call__(self, k: Any) -> int:
        return self.partitionFunc(k) % self.numPartitions


class PairOperations:
    """Mixed into `RDD`."""

    ctx: Any
    partitioner: Partitioner | None
    _derive: Any
    _job: Any
    _shuffle: Any
    getNumPartitions: Any
    map: Any
    mapPartitions: Any

    def keys(self) -> Any:
        return self.map(lambda pair: pair[0])

    def values(self) -> Any:
        return self.map(lambda pair: pair[1])

    def mapValues(self, f: Callable[[Any], Any]) -> Any:
        return self._derive(lambda _, rows: ((key, f(value)) for key, value in rows), True)

    def flatMapValues(self, f: Callable[[Any], Iterable[Any]]) -> Any:
        return self._derive(lambda _, rows: ((key, part) for key, value in rows for part in f(value)), True)

    def collectAsMap(self) -> dict[Any, Any]:
        return dict(chain.from_iterable(self._job(list)))

    def partitionBy(self, numPartitions: int | None, partitionFunc: Callable[[Any], int] = portable_hash) -> Any:
        partitioner = Partitioner(numPartitions or self._reduce_partitions(), partitionFunc)
        if self.partitioner == partitioner:
            return self
        shuffled = self._shuffle(partitioner.numPartitions, partitionFunc)
        shuffled.partitioner = partitioner
        return shuffled

    def _reduce_partitions(self) -> int:
        return self.ctx._default_reduce_partitions or self.getNumPartitions()  # type: ignore[no-any-return]

    def combineByKey(
        self,
        createCombiner: Callable[[Any], Any],
        mergeValue: Callable[[Any, Any], Any],
        mergeCombiners: Callable[[Any, Any], Any],
        numPartitions: int | None = None,
        partitionFunc: Callable[[Any], int] = portable_hash,
    ) -> Any:
        memory = self.ctx._worker_memory_mb

        def merger(share: float) -> Any:
            from pyspark.shuffle import Aggregator, ExternalMerger

            return ExternalMerger(
                Aggregator(createCombiner, mergeValue, mergeCombiners), spill_limit_mb(memory * share)
            )

        def combine(_: int, rows: Iterator[Any]) -> Iterator[Any]:
            merged = merger(0.9)
            merged.mergeValues(rows)
            return merged.items()  # type: ignore[no-any-return]

        def merge(_: int, rows: Iterator[Any]) -> Iterator[Any]:
            merged = merger(1.0)
            merged.mergeCombiners(rows)
            return merged.items()  # type: ignore[no-any-return]

        return self._derive(combine, True).partitionBy(numPartitions, partitionFunc)._derive(merge, True)

    def reduceByKey(
        self,
        func: Callable[[Any, Any], Any],
        numPartitions: int | None = None,
        partitionFunc: Callable[[Any], int] = portable_hash,
    ) -> Any:
        return self.combineByKey(_same, func, func, numPartitions, partitionFunc)

    def aggregateByKey(
        self,
        zeroValue: Any,
        seqFunc: Callable[[Any, Any], Any],
        combFunc: Callable[[Any, Any], Any],
        numPartitions: int | None = None,
        partitionFunc: Callable[[Any], int] = portable_hash,
    ) -> Any:
        def create(value: Any) -> Any:
            return seqFunc(copy.deepcopy(zeroValue), value)

        return self.combineByKey(create, seqFunc, combFunc, numPartitions, partitionFunc)

    def foldByKey(
        self,
        zeroValue: Any,
        func: Callable[[Any, Any], Any],
        numPartitions: int | None = None,
        partitionFunc: Callable[[Any], int] = portable_hash,
    ) -> Any:
        return self.aggregateByKey(zeroValue, func, func, numPartitions, partitionFunc)

    def groupByKey(self, numPartitions: int | None = None, partitionFunc: Callable[[Any], int] = portable_hash) -> Any:
        """Values of a key together, as a `ResultIterable`; what does not fit in memory is spilled."""
        memory = self.ctx._worker_memory_mb

        def aggregator() -> Any:
            from pyspark.shuffle import Aggregator

            return Aggregator(_one, _append, _extend)

        def combine(_: int, rows: Iterator[Any]) -> Iterator[Any]:
            from pyspark.shuffle import ExternalMerger

            merger = ExternalMerger(aggregator(), spill_limit_mb(memory * 0.9))
            merger.mergeValues(rows)
            return merger.items()  # type: ignore[no-any-return]

        def group(_: int, rows: Iterator[Any]) -> Iterator[Any]:
            from pyspark.resultiterable import ResultIterable
            from pyspark.shuffle import ExternalGroupBy

            merger = ExternalGroupBy(aggregator(), spill_limit_mb(memory))
            merger.mergeCombiners(rows)
            return ((key, ResultIterable(values)) for key, values in merger.items())

        return self._derive(combine, True).partitionBy(numPartitions, partitionFunc)._derive(group, True)

    def reduceByKeyLocally(self, func: Callable[[Any, Any], Any]) -> dict[Any, Any]:
        def merge(rows: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
            found: dict[Any, Any] = {}
            for key, value in rows:
                found[key] = func(found[key], value) if key in found else value
            return found

        return merge(chain.from_iterable(part.items() for part in self._job(merge)))

    def countByKey(self) -> dict[Any, int]:
        return self.keys().countByValue()  # type: ignore[no-any-return]

    def join(self, other: Any, numPartitions: int | None = None) -> Any:
        from pyspark.join import python_join

        return python_join(self, other, numPartitions)

    def leftOuterJoin(self, other: Any, numPartitions: int | None = None) -> Any:
        from pyspark.join import python_left_outer_join

        return python_left_outer_join(self, other, numPartitions)

    def rightOuterJoin(self, other: Any, numPartitions: int | None = None) -> Any:
        from pyspark.join import python_right_outer_join

        return python_right_outer_join(self, other, numPartitions)

    def fullOuterJoin(self, other: Any, numPartitions: int | None = None) -> Any:
        from pyspark.join import python_full_outer_join

        return python_full_outer_join(self, other, numPartitions)

    def cogroup(self, other: Any, numPartitions: int | None = None) -> Any:
        from pyspark.join import python_cogroup

        return python_cogroup((self, other), numPartitions)

    def groupWith(self, other: Any, *others: Any) -> Any:
        from pyspark.join import python_cogroup

        return python_cogroup((self, other, *others), None)

    def subtractByKey(self, other: Any, numPartitions: int | None = None) -> Any:
        def only_left(pair: Any) -> bool:
            return bool(pair[1][0]) and not pair[1][1]

        both = self.cogroup(other, numPartitions)
        return both.filter(only_left).flatMapValues(lambda groups: groups[0])

    def sampleByKey(self, withReplacement: bool, fractions: dict[Any, float], seed: int | None = None) -> Any:
        from pyspark.rddsampler import RDDStratifiedSampler

        for fraction in fractions.values():
            if fraction < 0:
                raise ValueError(f"Fractions must be nonnegative, but got {fraction}")
        return self._derive(RDDStratifiedSampler(withReplacement, fractions, seed).func, True)

    def lookup(self, key: Any) -> list[Any]:
        found = self._with_key(key).values()
        indexes = None if self.partitioner is None else [self.partitioner(key)]
        return list(chain.from_iterable(found._job(list, indexes)))

    def _with_key(self, key: Any) -> Any:
        return self._derive(lambda _, rows: (pair for pair in rows if pair[0] == key), True)

    def sortByKey(
        self,
        ascending: bool | None = True,
        numPartitions: int | None = None,
        keyfunc: Callable[[Any], Any] = lambda x: x,
    ) -> Any:
        """Pairs in the order of their keys; ranges of keys are cut after a sample."""
        count = numPartitions or self._reduce_partitions()
        sort = _sorter(self.ctx._worker_memory_mb, keyfunc, not ascending)
        if count == 1:
            if self.getNumPartitions() > 1:
                return self.coalesce(1)._derive(sort, True)
            return self._derive(sort, True)
        size = self.count()
        if not size:
            return self
        fraction = min(count * SORT_SAMPLES_PER_PARTITION / max(size, 1), 1.0)
        samples = sorted(map(keyfunc, self.sample(False, fraction, 1).keys().collect()))
        bounds = [samples[len(samples) * (part + 1) // count] for part in range(count - 1)] if samples else []

        def partition_of(key: Any) -> int:
            place = bisect.bisect_left(bounds, keyfunc(key))
            return place if ascending else count - 1 - place

        return self.partitionBy(count, partition_of)._derive(sort, True)

    def repartitionAndSortWithinPartitions(
        self,
        numPartitions: int | None = None,
        partitionFunc: Callable[[Any], int] = portable_hash,
        ascending: bool = True,
        keyfunc: Callable[[Any], Any] = lambda x: x,
    ) -> Any:
        sort = _sorter(self.ctx._worker_memory_mb, keyfunc, not ascending)
        return self.partitionBy(numPartitions, partitionFunc)._derive(sort, True)

    coalesce: Any
    count: Any
    sample: Any


def _sorter(
    memory_mb: float, keyfunc: Callable[[Any], Any], reverse: bool
) -> Callable[[int, Iterator[Any]], Iterator[Any]]:
    """Sorts a partition's pairs by `keyfunc(key)`; what does not fit in memory is spilled."""

    def sort(_: int, rows: Iterator[Any]) -> Iterator[Any]:
        from pyspark.shuffle import ExternalSorter

        sorter = ExternalSorter(spill_limit_mb(memory_mb * 0.9))
        return iter(sorter.sorted(rows, key=lambda pair: keyfunc(pair[0]), reverse=reverse))

    return sort


def _same(value: Any) -> Any:
    return value


def _one(value: Any) -> list[Any]:
    return [value]


def _append(held: list[Any], value: Any) -> list[Any]:
    held.append(value)
    return held


def _extend(held: list[Any], more: list[Any]) -> list[Any]:
    held.extend(more)
    return held


def spill_limit_mb(memory_mb: float) -> float:
    """The size of this process at which a merge spills: what it has now does not count, for it may be the driver's."""
    from pyspark.shuffle import get_used_memory

    return get_used_memory() + memory_mb  # type: ignore[no-any-return]
