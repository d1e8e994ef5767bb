# ruff: noqa: N802, N803 - PySpark's names
"""`RDD`: a lazy plan of partitions, in PySpark's names. Transformations make nodes; actions run jobs."""

from __future__ import annotations

import heapq
import math
import random
import shlex
import subprocess
import sys
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from functools import reduce
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import Any

from smackbox.spark.rdd.cassandra_operations import CassandraOperations
from smackbox.spark.rdd.errors import JobError
from smackbox.spark.rdd.lineage import Joined, Mapped, Node, PickledFiles, Product, Shuffled, Zipped, shuffles_of
from smackbox.spark.rdd.numeric import NumericOperations
from smackbox.spark.rdd.pairs import PairOperations, Partitioner
from smackbox.spark.rdd.portable_hash import portable_hash
from smackbox.spark.rdd.saving import SaveOperations, write_partition

TAKE_GROWTH = 4
SAMPLE_DEVIATIONS = 10.0


class RDD(PairOperations, NumericOperations, SaveOperations, CassandraOperations):
    """A partitioned collection that is computed when an action asks for it."""

    def __init__(self, node: Node, ctx: Any, partitioner: Partitioner | None = None) -> None:
        self._node = node
        self.ctx = ctx
        self.partitioner = partitioner
        self.is_cached = False
        self.is_checkpointed = False
        self.has_resource_profile = False
        self._name: str | None = None
        self._level: Any = None
        self._checkpoint_file: str | None = None
        self._local_checkpoint = False
        self._profile: Any = None

    def __repr__(self) -> str:
        return f"{self._name or type(self._node).__name__} RDD[{self.id()}]"

    def __reduce__(self) -> Any:
        raise JobError("an RDD cannot be used within a transformation or action of another: only the driver has RDDs")

    def __add__(self, other: RDD) -> RDD:
        return self.union(other)

    @property
    def context(self) -> Any:
        return self.ctx

    def id(self) -> int:
        return self._node.rdd_id

    def name(self) -> str | None:
        return self._name

    def setName(self, name: str) -> RDD:
        self._name = name
        return self

    def getNumPartitions(self) -> int:
        return self._node.partitions

    # --- persistence

    def cache(self) -> RDD:
        from pyspark.storagelevel import StorageLevel

        return self.persist(StorageLevel.MEMORY_ONLY)

    def persist(self, storageLevel: Any = None) -> RDD:
        """Keep partitions once computed. Raises `JobError` when another level is set already."""
        from pyspark.storagelevel import StorageLevel

        level = storageLevel or StorageLevel.MEMORY_ONLY
        if self._level is not None and self._level != level:
            raise JobError("Cannot change storage level of an RDD after it was already assigned a level")
        self._level = level
        self.is_cached = True
        self._node.level = (level.useDisk, level.useMemory)
        return self

    def unpersist(self, blocking: bool = False) -> RDD:
        self.is_cached = False
        self._level = self._node.level = None
        self.ctx._scheduler.forget(self.id())
        return self

    def getStorageLevel(self) -> Any:
        from pyspark.storagelevel import StorageLevel

        return self._level or StorageLevel(False, False, False, False)

    def checkpoint(self) -> None:
        """Save the partitions with the next action, and forget how they were made."""
        if self.ctx._checkpoint_dir is None:
            raise JobError("Checkpoint directory has not been set in the SparkContext: sc.setCheckpointDir(path)")
        self.is_checkpointed = True

    def isCheckpointed(self) -> bool:
        return self._checkpoint_file is not None or self._local_checkpoint

    def localCheckpoint(self) -> None:
        self._local_checkpoint = True
        if self._node.level is None:
            self._node.level = (True, True)

    def isLocallyCheckpointed(self) -> bool:
        return self._local_checkpoint

    def getCheckpointFile(self) -> str | None:
        return self._checkpoint_file

    def _checkpoint_now(self) -> None:
        directory = Path(self.ctx._checkpoint_dir or "") / f"rdd-{self.id()}"
        directory.mkdir(parents=True, exist_ok=True)
        self._run(lambda index, rows: write_partition(directory, index, rows, pickled=True))
        paths = [directory / f"part-{index:05}" for index in range(self.getNumPartitions())]
        level = self._node.level
        self._node = PickledFiles(self.id(), len(paths), paths)
        self._node.level = level
        self._checkpoint_file = f"file:{directory}"

    def cleanShuffleDependencies(self, blocking: bool = False) -> None:
        for shuffle in shuffles_of(self._node):
            self.ctx._scheduler.remove(shuffle)

    # --- jobs

    def _run(self, function: Callable[[int, Iterator[Any]], Any], indexes: Iterable[int] | None = None) -> list[Any]:
        asked = range(self.getNumPartitions()) if indexes is None else indexes
        return self.ctx._scheduler.run(self._node, function, list(asked), self.ctx._properties())  # type: ignore[no-any-return]

    def _job(self, function: Callable[[Iterator[Any]], Any], indexes: Iterable[int] | None = None) -> list[Any]:
        """`function` of each partition's rows, as a job."""
        results = self._run(lambda _, rows: function(rows), indexes)
        if self.is_checkpointed and self._checkpoint_file is None:
            self._checkpoint_now()
        return results

    # --- transformations within partitions; generators, for in `map()` a function's StopIteration would end the rows

    def _derive(self, function: Callable[[int, Iterator[Any]], Iterable[Any]], keeps: bool = False) -> RDD:
        node = Mapped(self.ctx._new_id(), self.getNumPartitions(), self._node, function)
        return RDD(node, self.ctx, self.partitioner if keeps else None)

    def mapPartitionsWithIndex(self, f: Callable[..., Iterable[Any]], preservesPartitioning: bool = False) -> RDD:
        return self._derive(f, preservesPartitioning)

    def mapPartitionsWithSplit(self, f: Callable[..., Iterable[Any]], preservesPartitioning: bool = False) -> RDD:
        return self._derive(f, preservesPartitioning)

    def mapPartitions(self, f: Callable[[Any], Iterable[Any]], preservesPartitioning: bool = False) -> RDD:
        return self._derive(lambda _, rows: f(rows), preservesPartitioning)

    def map(self, f: Callable[[Any], Any], preservesPartitioning: bool = False) -> RDD:
        return self._derive(lambda _, rows: (f(row) for row in rows), preservesPartitioning)

    def flatMap(self, f: Callable[[Any], Iterable[Any]], preservesPartitioning: bool = False) -> RDD:
        return self._derive(lambda _, rows: (part for row in rows for part in f(row)), preservesPartitioning)

    def filter(self, f: Callable[[Any], bool]) -> RDD:
        return self._derive(lambda _, rows: (row for row in rows if f(row)), True)

    def glom(self) -> RDD:
        return self._derive(lambda _, rows: [list(rows)])

    def keyBy(self, f: Callable[[Any], Any]) -> RDD:
        return self.map(lambda x: (f(x), x))

    def groupBy(self, f: Callable[[Any], Any], numPartitions: int | None = None, partitionFunc: Any = None) -> RDD:
        return self.map(lambda x: (f(x), x)).groupByKey(numPartitions, partitionFunc or portable_hash)  # type: ignore[no-any-return]

    def pipe(self, command: str, env: dict[str, str] | None = None, checkCode: bool = False) -> RDD:
        """Each partition's rows as lines through a process, whose lines of output are the rows of the result."""

        def through(_: int, rows: Iterator[Any]) -> Iterator[str]:
            pipe = subprocess.Popen(
                shlex.split(command), env=env or {}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=True
            )
            assert pipe.stdin is not None and pipe.stdout is not None
            entrance = pipe.stdin

            def feed() -> None:
                try:
                    with entrance:
                        entrance.writelines(f"{row!s}".rstrip("\n").encode() + b"\n" for row in rows)
                except BrokenPipeError:
                    return  # it has read enough

            feeder = threading.Thread(target=feed)
            feeder.start()
            with pipe.stdout:
                for line in pipe.stdout:
                    yield line.rstrip(b"\n").decode()
            feeder.join()
            code = pipe.wait()
            if checkCode and code:
                raise JobError(f"Pipe function `{command}` exited with error code {code}")

        return self._derive(through)

    def sample(self, withReplacement: bool, fraction: float, seed: int | None = None) -> RDD:
        from pyspark.rddsampler import RDDSampler

        if not fraction >= 0:
            raise ValueError(f"Fraction must be nonnegative, but got {fraction}")
        return self._derive(RDDSampler(withReplacement, fraction, seed).func, True)

    def randomSplit(self, weights: list[float], seed: int | None = None) -> list[RDD]:
        from pyspark.rddsampler import RDDRangeSampler

        if not all(weight >= 0 for weight in weights):
            raise ValueError("Weights must be nonnegative")
        total = float(sum(weights))
        if total <= 0:
            raise ValueError("Sum of weights must be positive")
        bounds = [0.0]
        for weight in weights:
            bounds.append(bounds[-1] + weight / total)
        seed = random.randint(0, 2**32 - 1) if seed is None else seed
        pairs = pairwise(bounds)
        return [self._derive(RDDRangeSampler(low, high, seed).func, True) for low, high in pairs]

    def takeSample(self, withReplacement: bool, num: int, seed: int | None = None) -> list[Any]:
        if num < 0:
            raise ValueError("Sample size cannot be negative.")
        most = sys.maxsize - int(SAMPLE_DEVIATIONS * sys.maxsize**0.5)
        if num > most:
            raise ValueError(f"Sample size cannot be greater than {most}.")
        count = self.count() if num else 0
        if not count:
            return []
        chance = random.Random(seed)
        if not withReplacement and num >= count:
            rows = self.collect()
            chance.shuffle(rows)
            return rows
        fraction = self._computeFractionForSampleSize(num, count, withReplacement)
        rows = self.sample(withReplacement, fraction, seed).collect()
        while len(rows) < num:
            seed = chance.randint(0, sys.maxsize)
            rows = self.sample(withReplacement, fraction, seed).collect()
        chance.shuffle(rows)
        return rows[:num]

    @staticmethod
    def _computeFractionForSampleSize(lower_bound: int, total: int, with_replacement: bool) -> float:
        """A sampling rate that gives at least `lower_bound` rows in 99.99 % of the cases (Spark's SamplingUtils)."""
        fraction = float(lower_bound) / total
        if with_replacement:
            deviations = 9 if lower_bound < 12 else 5
            return fraction + deviations * math.sqrt(fraction / total)
        gamma = 9.903487552536127 / total  # -log(0.00005): Chernoff
        return min(1.0, fraction + gamma + math.sqrt(gamma * gamma + 2 * gamma * fraction))

    def zipWithIndex(self) -> RDD:
        starts = [0]
        if self.getNumPartitions() > 1:
            for length in self._job(lambda rows: sum(1 for _ in rows)):
                starts.append(starts[-1] + length)
        return self._derive(lambda index, rows: ((row, place) for place, row in enumerate(rows, starts[index])))

    def zipWithUniqueId(self) -> RDD:
        step = self.getNumPartitions()
        return self._derive(lambda index, rows: ((row, place * step + index) for place, row in enumerate(rows)))

    # --- transformations of several RDDs and of partitions

    def union(self, other: RDD) -> RDD:
        return self.ctx.union([self, other])  # type: ignore[no-any-return]

    def cartesian(self, other: RDD) -> RDD:
        count = self.getNumPartitions() * other.getNumPartitions()
        return RDD(Product(self.ctx._new_id(), count, self._node, other._node), self.ctx)

    def zip(self, other: RDD) -> RDD:
        if self.getNumPartitions() != other.getNumPartitions():
            raise ValueError("Can only zip with RDD which has the same number of partitions")
        return RDD(Zipped(self.ctx._new_id(), self.getNumPartitions(), self._node, other._node), self.ctx)

    def intersection(self, other: RDD) -> RDD:
        both = self.map(lambda v: (v, None)).cogroup(other.map(lambda v: (v, None)))
        return both.filter(lambda pair: all(len(rows) for rows in pair[1])).keys()  # type: ignore[no-any-return]

    def subtract(self, other: RDD, numPartitions: int | None = None) -> RDD:
        return self.map(lambda x: (x, True)).subtractByKey(other.map(lambda x: (x, True)), numPartitions).keys()  # type: ignore[no-any-return]

    def distinct(self, numPartitions: int | None = None) -> RDD:
        return self.map(lambda x: (x, None)).reduceByKey(lambda x, _: x, numPartitions).keys()  # type: ignore[no-any-return]

    def coalesce(self, numPartitions: int, shuffle: bool = False) -> RDD:
        if numPartitions <= 0:
            raise ValueError(f"Number of partitions ({numPartitions}) must be positive")
        count = self.getNumPartitions()
        if shuffle:
            dealt = self._derive(_deal_out(numPartitions))
            return dealt._shuffle(numPartitions, _itself)._derive(lambda _, rows: (row for _, row in rows))
        size = min(numPartitions, count)
        bounds = [index * count // max(size, 1) for index in range(size + 1)]
        pieces = [[(0, part) for part in range(*pair)] for pair in pairwise(bounds)]
        return RDD(Joined(self.ctx._new_id(), size, [self._node], pieces), self.ctx)

    def repartition(self, numPartitions: int) -> RDD:
        return self.coalesce(numPartitions, shuffle=True)

    def sortBy(self, keyfunc: Callable[[Any], Any], ascending: bool = True, numPartitions: int | None = None) -> RDD:
        return self.keyBy(keyfunc).sortByKey(ascending, numPartitions).values()  # type: ignore[no-any-return]

    def _shuffle(self, partitions: int, partition_of: Callable[[Any], int]) -> RDD:
        """Pairs dealt out by key: the place where a stage ends."""
        shuffle = self.ctx._new_shuffle(self._node, partitions, partition_of)
        return RDD(Shuffled(self.ctx._new_id(), partitions, shuffle, shuffle.shuffle_id), self.ctx)

    def barrier(self) -> RDDBarrier:
        return RDDBarrier(self)

    def withResources(self, profile: Any) -> RDD:
        self.has_resource_profile, self._profile = True, profile
        return self

    def getResourceProfile(self) -> Any:
        return self._profile

    def toDebugString(self) -> bytes:
        return "\n".join(_describe(self._node, 0)).encode()

    # --- actions

    def collect(self) -> list[Any]:
        return list(chain.from_iterable(self._job(list)))

    def collectWithJobGroup(self, groupId: str, description: str, interruptOnCancel: bool = False) -> list[Any]:
        """All rows, by a job of that group."""
        known = self.ctx._properties()
        self.ctx.setJobGroup(groupId, description, interruptOnCancel)
        try:
            return self.collect()
        finally:
            self.ctx._local.properties = known

    def toLocalIterator(self, prefetchPartitions: bool = False) -> Iterator[Any]:
        for index in range(self.getNumPartitions()):
            (rows,) = self._job(list, [index])
            yield from rows

    def foreach(self, f: Callable[[Any], None]) -> None:
        def each(rows: Iterator[Any]) -> None:
            for row in rows:
                f(row)

        self._job(each)

    def foreachPartition(self, f: Callable[[Iterator[Any]], Any]) -> None:
        def each(rows: Iterator[Any]) -> None:
            result = f(rows)
            if isinstance(result, Iterable):
                deque(result, 0)

        self._job(each)

    def count(self) -> int:
        return sum(self._job(lambda rows: sum(1 for _ in rows)))

    def reduce(self, f: Callable[[Any, Any], Any]) -> Any:
        parts = [part for part in self._job(_reducer(f)) if part]
        if not parts:
            raise ValueError("Can not reduce() empty RDD")
        return reduce(f, chain.from_iterable(parts))

    def treeReduce(self, f: Callable[[Any, Any], Any], depth: int = 2) -> Any:
        if depth < 1:
            raise ValueError(f"Depth cannot be smaller than 1 but got {depth}.")
        return self.reduce(f)

    def fold(self, zeroValue: Any, op: Callable[[Any, Any], Any]) -> Any:
        return reduce(op, self._job(lambda rows: reduce(op, rows, zeroValue)), zeroValue)

    def aggregate(self, zeroValue: Any, seqOp: Callable[[Any, Any], Any], combOp: Callable[[Any, Any], Any]) -> Any:
        return reduce(combOp, self._job(lambda rows: reduce(seqOp, rows, zeroValue)), zeroValue)

    def treeAggregate(self, zeroValue: Any, seqOp: Any, combOp: Any, depth: int = 2) -> Any:
        if depth < 1:
            raise ValueError(f"Depth cannot be smaller than 1 but got {depth}.")
        if not self.getNumPartitions():
            return zeroValue
        return reduce(combOp, self._job(lambda rows: reduce(seqOp, rows, zeroValue)))

    def max(self, key: Callable[[Any], Any] | None = None) -> Any:
        return self.reduce(lambda a, b: max(a, b, key=key))

    def min(self, key: Callable[[Any], Any] | None = None) -> Any:
        return self.reduce(lambda a, b: min(a, b, key=key))

    def top(self, num: int, key: Callable[[Any], Any] | None = None) -> list[Any]:
        parts = self._job(lambda rows: heapq.nlargest(num, rows, key=key))
        return heapq.nlargest(num, chain.from_iterable(parts), key=key)

    def takeOrdered(self, num: int, key: Callable[[Any], Any] | None = None) -> list[Any]:
        if num < 0:
            raise ValueError("top N cannot be negative.")
        parts = self._job(lambda rows: heapq.nsmallest(num, rows, key=key))
        return heapq.nsmallest(num, chain.from_iterable(parts), key=key)

    def take(self, num: int) -> list[Any]:
        """The first rows, from as few partitions as it takes: one, then more each time."""
        rows: list[Any] = []
        done, width, total = 0, 1, self.getNumPartitions()
        while len(rows) < num and done < total:
            for part in self._job(_first(num - len(rows)), range(done, min(total, done + width))):
                rows += part
            done, width = done + width, width * TAKE_GROWTH
        return rows[: max(num, 0)]

    def first(self) -> Any:
        rows = self.take(1)
        if not rows:
            raise ValueError("RDD is empty")
        return rows[0]

    def isEmpty(self) -> bool:
        return self.getNumPartitions() == 0 or not self.take(1)

    def countByValue(self) -> dict[Any, int]:
        def counts(rows: Iterator[Any]) -> dict[Any, int]:
            found: dict[Any, int] = defaultdict(int)
            for row in rows:
                found[row] += 1
            return found

        total: dict[Any, int] = defaultdict(int)
        for part in self._job(counts):
            for value, count in part.items():
                total[value] += count
        return total

    def toDF(self, schema: Any = None, sampleRatio: float | None = None) -> Any:
        """The rows as a DataFrame, of the context's session, or of one of its own."""
        return self.ctx.session_for_dataframes().createDataFrame(self.collect(), schema)


class RDDBarrier:
    """A stage whose tasks would start together; here a partition is one task as ever."""

    def __init__(self, rdd: RDD) -> None:
        self.rdd = rdd

    def mapPartitions(self, f: Callable[[Any], Iterable[Any]], preservesPartitioning: bool = False) -> RDD:
        return self.rdd.mapPartitions(f, preservesPartitioning)

    def mapPartitionsWithIndex(self, f: Callable[..., Iterable[Any]], preservesPartitioning: bool = False) -> RDD:
        return self.rdd.mapPartitionsWithIndex(f, preservesPartitioning)


def _itself(key: Any) -> int:
    return key  # type: ignore[no-any-return]


def _deal_out(partitions: int) -> Callable[[int, Iterator[Any]], Iterator[Any]]:
    def deal(index: int, rows: Iterator[Any]) -> Iterator[Any]:
        start = random.Random(index).randrange(partitions)
        return (((start + place) % partitions, row) for place, row in enumerate(rows))

    return deal


def _reducer(f: Callable[[Any, Any], Any]) -> Callable[[Iterator[Any]], list[Any]]:
    def reduce_rows(rows: Iterator[Any]) -> list[Any]:
        first = next(rows, _END)
        return [] if first is _END else [reduce(f, rows, first)]

    return reduce_rows


def _first(count: int) -> Callable[[Iterator[Any]], list[Any]]:
    return lambda rows: list(islice(rows, count))


class _End:
    """A mark that stays itself when it is pickled."""

    def __reduce__(self) -> str:
        return "_END"


_END = _End()


def _describe(node: Node, depth: int) -> list[str]:
    lines = [f"{'|  ' * depth}({node.partitions}) {type(node).__name__} RDD[{node.rdd_id}]"]
    for parent in node.parents():
        lines += _describe(parent, depth)
    if isinstance(node, Shuffled) and node.shuffle is not None:
        lines += _describe(node.shuffle.parent, depth + 1)
    return lines
