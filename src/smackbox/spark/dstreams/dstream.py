# ruff: noqa: N802, N803 - PySpark's names
"""`DStream`: a function from a batch's time to its RDD, and what can be made of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import islice
from operator import add
from pathlib import Path
from typing import Any

from smackbox.base.errors import SettingError
from smackbox.spark.dstreams.inputs import Input
from smackbox.spark.rdd.context import SparkContext

Compute = Callable[[int], Any]
"""The RDD of the batch at a time in ms since 1970, None where it has none."""


class StreamGraph:
    """The streams of one program, and what each of them needs to know of it. Durations are in seconds."""

    def __init__(self, sparkContext: SparkContext, batchDuration: float) -> None:
        self.sparkContext = sparkContext
        self.batchDuration = batchDuration
        self.inputs: list[InputStream] = []
        self.states: list[StateStream] = []
        self.outputs: list[Output] = []
        self.remembered = 0.0


class DStream:
    """A stream's RDD of each batch. Transformations make other streams; nothing runs without an output."""

    def __init__(self, ssc: StreamGraph, compute: Compute, parents: Sequence[DStream] = ()) -> None:
        self._ssc = ssc
        self._compute = compute
        self._parents = list(parents)
        self._rdds: dict[int, Any] = {}
        self._keep_ms = 0
        self._level: Any = None
        self._is_cached = False

    def context(self) -> StreamGraph:
        """The context that runs it."""
        return self._ssc

    def rdd(self, at_ms: int) -> Any:
        """The RDD of that batch, made once; None where it has none."""
        if at_ms not in self._rdds:
            found = self._compute(at_ms)
            if found is not None and self._is_cached:
                found = found.persist(self._level) if self._level is not None else found.cache()
            self._rdds[at_ms] = found
            self._drop(at_ms)
        return self._rdds[at_ms]

    def rdd_or_empty(self, at_ms: int) -> Any:
        """The same, an empty one where it has none."""
        found = self.rdd(at_ms)
        return self._ssc.sparkContext.emptyRDD() if found is None else found

    def _drop(self, at_ms: int) -> None:
        keep_ms = max(self._keep_ms, int(1000 * self._ssc.remembered))
        for old in [moment for moment in self._rdds if moment < at_ms - keep_ms]:
            gone = self._rdds.pop(old)
            if gone is not None and self._is_cached:
                gone.unpersist()

    def _derive(self, function: Callable[[Any], Any]) -> DStream:
        """What the function makes of each RDD that there is."""
        return DStream(self._ssc, lambda at: None if (rdd := self.rdd(at)) is None else function(rdd), [self])

    def _with(self, other: DStream, function: Callable[[Any, Any], Any]) -> DStream:
        return DStream(self._ssc, lambda at: function(self.rdd_or_empty(at), other.rdd_or_empty(at)), [self, other])

    # --- by record and by partition

    def map(self, f: Callable[[Any], Any], preservesPartitioning: bool = False) -> DStream:
        """`f` of each record."""
        return self._derive(lambda rdd: rdd.map(f, preservesPartitioning))

    def flatMap(self, f: Callable[[Any], Iterable[Any]], preservesPartitioning: bool = False) -> DStream:
        """All that `f` gives of each record."""
        return self._derive(lambda rdd: rdd.flatMap(f, preservesPartitioning))

    def filter(self, f: Callable[[Any], Any]) -> DStream:
        """The records for which `f` holds."""
        return self._derive(lambda rdd: rdd.filter(f))

    def mapPartitions(self, f: Callable[[Any], Iterable[Any]], preservesPartitioning: bool = False) -> DStream:
        """`f` of each partition's records."""
        return self._derive(lambda rdd: rdd.mapPartitions(f, preservesPartitioning))

    def mapPartitionsWithIndex(self, f: Callable[..., Iterable[Any]], preservesPartitioning: bool = False) -> DStream:
        """`f` of each partition's number and records."""
        return self._derive(lambda rdd: rdd.mapPartitionsWithIndex(f, preservesPartitioning))

    def glom(self) -> DStream:
        """Each partition's records as one list."""
        return self._derive(lambda rdd: rdd.glom())

    def repartition(self, numPartitions: int) -> DStream:
        """The same records in so many partitions."""
        return self._derive(lambda rdd: rdd.repartition(numPartitions))

    def count(self) -> DStream:
        """How many records each batch has."""
        return self.mapPartitions(lambda rows: [sum(1 for _ in rows)]).reduce(add)

    def reduce(self, func: Callable[[Any, Any], Any]) -> DStream:
        """What `func` makes of all records of a batch; no record of an empty one."""
        return self.map(lambda x: (None, x)).reduceByKey(func, 1).map(lambda pair: pair[1])

    def countByValue(self) -> DStream:
        """Each value, and how often it came."""
        return self.map(lambda x: (x, 1)).reduceByKey(add)

    # --- by key

    def mapValues(self, f: Callable[[Any], Any]) -> DStream:
        """`f` of each value."""
        return self._derive(lambda rdd: rdd.mapValues(f))

    def flatMapValues(self, f: Callable[[Any], Iterable[Any]]) -> DStream:
        """All that `f` gives of each value."""
        return self._derive(lambda rdd: rdd.flatMapValues(f))

    def reduceByKey(self, func: Callable[[Any, Any], Any], numPartitions: int | None = None) -> DStream:
        """What `func` makes of each key's values."""
        return self._derive(lambda rdd: rdd.reduceByKey(func, numPartitions))

    def groupByKey(self, numPartitions: int | None = None) -> DStream:
        """Each key's values."""
        return self._derive(lambda rdd: rdd.groupByKey(numPartitions))

    def combineByKey(
        self,
        createCombiner: Callable[[Any], Any],
        mergeValue: Callable[[Any, Any], Any],
        mergeCombiners: Callable[[Any, Any], Any],
        numPartitions: int | None = None,
    ) -> DStream:
        """As the RDDs' own."""
        return self._derive(lambda rdd: rdd.combineByKey(createCombiner, mergeValue, mergeCombiners, numPartitions))

    def partitionBy(self, numPartitions: int, partitionFunc: Any = None) -> DStream:
        """Pairs, where their keys belong."""
        more = () if partitionFunc is None else (partitionFunc,)
        return self._derive(lambda rdd: rdd.partitionBy(numPartitions, *more))

    # --- several streams

    def union(self, *others: DStream) -> DStream:
        """The records of all."""
        streams = [self, *others]
        sc = self._ssc.sparkContext

        def compute(at: int) -> Any:
            found = [rdd for stream in streams if (rdd := stream.rdd(at)) is not None]
            return sc.union(found) if found else None

        return DStream(self._ssc, compute, streams)

    def join(self, other: DStream, numPartitions: int | None = None) -> DStream:
        """Pairs of values of one key in both."""
        return self._with(other, lambda left, right: left.join(right, numPartitions))

    def leftOuterJoin(self, other: DStream, numPartitions: int | None = None) -> DStream:
        """The same, with None where the other has none."""
        return self._with(other, lambda left, right: left.leftOuterJoin(right, numPartitions))

    def rightOuterJoin(self, other: DStream, numPartitions: int | None = None) -> DStream:
        """The same, with None where this one has none."""
        return self._with(other, lambda left, right: left.rightOuterJoin(right, numPartitions))

    def fullOuterJoin(self, other: DStream, numPartitions: int | None = None) -> DStream:
        """The same, with None where one of them has none."""
        return self._with(other, lambda left, right: left.fullOuterJoin(right, numPartitions))

    def cogroup(self, other: DStream, numPartitions: int | None = None) -> DStream:
        """Each key's values in both."""
        return self._with(other, lambda left, right: left.cogroup(right, numPartitions))

    def transform(self, func: Callable[..., Any]) -> DStream:
        """What `func` makes of each RDD; it may take the batch's time before it."""
        takes_time = _parameters(func) == 2
        return DStream(
            self._ssc,
            lambda at: func(_moment(at), self.rdd_or_empty(at)) if takes_time else func(self.rdd_or_empty(at)),
            [self],
        )

    def transformWith(self, func: Callable[..., Any], other: DStream, keepSerializer: bool = False) -> DStream:
        """What `func` makes of the RDDs of both; it may take the batch's time before them."""
        if _parameters(func) == 3:
            return DStream(
                self._ssc, lambda at: func(_moment(at), self.rdd_or_empty(at), other.rdd_or_empty(at)), [self, other]
            )
        return self._with(other, func)

    # --- windows

    def window(self, windowDuration: float, slideDuration: float | None = None) -> DStream:
        """The records of the last `windowDuration` seconds, each `slideDuration`. Both are multiples of the batches."""
        window_ms, slide_ms = self._multiple(windowDuration), self._multiple(slideDuration or self._ssc.batchDuration)
        step_ms = self._multiple(self._ssc.batchDuration)
        self._remember(window_ms)

        def compute(at: int) -> Any:
            if at % slide_ms:
                return None
            moments = range(at - window_ms + step_ms, at + 1, step_ms)
            found = [rdd for moment in moments if (rdd := self._rdds.get(moment)) is not None]
            return self._ssc.sparkContext.union(found)

        return _Windowed(self._ssc, compute, [self])

    def _remember(self, window_ms: int) -> None:
        self._keep_ms = max(self._keep_ms, window_ms)
        self._is_cached = True
        for parent in self._parents:
            parent._keep_ms = max(parent._keep_ms, self._multiple(self._ssc.batchDuration))

    def _multiple(self, duration: float) -> int:
        step_ms = max(1, round(1000 * self._ssc.batchDuration))
        duration_ms = round(1000 * duration)
        if duration_ms <= 0 or duration_ms % step_ms:
            raise SettingError(f"{duration} s is no multiple of the batches' {self._ssc.batchDuration} s")
        return duration_ms

    def reduceByWindow(
        self, reduceFunc: Any, invReduceFunc: Any, windowDuration: float, slideDuration: float
    ) -> DStream:
        """What the function makes of all records of the window; `invReduceFunc` is not needed."""
        return self.window(windowDuration, slideDuration).reduce(reduceFunc)

    def countByWindow(self, windowDuration: float, slideDuration: float) -> DStream:
        """How many records the window has."""
        return self.window(windowDuration, slideDuration).count()

    def countByValueAndWindow(
        self, windowDuration: float, slideDuration: float, numPartitions: int | None = None
    ) -> DStream:
        """Each value of the window, and how often it came."""
        return self.map(lambda x: (x, 1)).reduceByKeyAndWindow(add, None, windowDuration, slideDuration, numPartitions)

    def groupByKeyAndWindow(
        self, windowDuration: float, slideDuration: float, numPartitions: int | None = None
    ) -> DStream:
        """Each key's values in the window."""
        return self.window(windowDuration, slideDuration).groupByKey(numPartitions)

    def reduceByKeyAndWindow(
        self,
        func: Callable[[Any, Any], Any],
        invFunc: Any,
        windowDuration: float,
        slideDuration: float | None = None,
        numPartitions: int | None = None,
        filterFunc: Callable[[Any], Any] | None = None,
    ) -> DStream:
        """What `func` makes of each key's values in the window, from each batch's own; `invFunc` is not needed."""
        reduced = self.reduceByKey(func, numPartitions).window(windowDuration, slideDuration)
        totals = reduced.reduceByKey(func, numPartitions)
        return totals if filterFunc is None else totals.filter(filterFunc)

    # --- state

    def updateStateByKey(
        self,
        updateFunc: Callable[[list[Any], Any], Any],
        numPartitions: int | None = None,
        initialRDD: Any = None,
    ) -> DStream:
        """Each key's state: `updateFunc(new values, state)` each batch, None takes the key away. Needs a checkpoint."""
        stream = StateStream(self, updateFunc, numPartitions, initialRDD)
        self._ssc.states.append(stream)
        return stream

    # --- outputs

    def foreachRDD(self, func: Callable[..., Any]) -> None:
        """Call `func` with each RDD; it may take the batch's time before it."""
        self._ssc.outputs.append(Output(self, func))

    def pprint(self, num: int = 10) -> None:
        """Print the first `num` records of each batch."""

        def show(moment: datetime, rdd: Any) -> None:
            taken = rdd.take(num + 1)
            print("-------------------------------------------")
            print(f"Time: {moment}")
            print("-------------------------------------------")
            for record in islice(taken, num):
                print(record)
            if len(taken) > num:
                print("...")
            print(flush=True)

        self.foreachRDD(show)

    def saveAsTextFiles(self, prefix: str, suffix: str | None = None) -> None:
        """Save each batch below `prefix-TIME[.suffix]`; a batch that runs again replaces its own."""

        def save(moment: datetime, rdd: Any) -> None:
            path = f"{prefix}-{int(1000 * moment.timestamp())}" + (f".{suffix}" if suffix else "")
            if "://" not in path:
                shutil.rmtree(path, ignore_errors=True)
            rdd.saveAsTextFile(path)

        self.foreachRDD(save)

    def saveToCassandra(
        self, keyspace: str, table: str, columns: Sequence[str] | None = None, *, ttl: Any = None, timestamp: Any = None
    ) -> None:
        """Write each batch's rows, as `RDD.saveToCassandra` does."""
        self.foreachRDD(lambda rdd: rdd.saveToCassandra(keyspace, table, columns, ttl=ttl, timestamp=timestamp))

    # --- keeping

    def cache(self) -> DStream:
        """Keep each batch's RDD once it is computed, until the batch is over."""
        self._is_cached = True
        return self

    def persist(self, storageLevel: Any) -> DStream:
        """The same, by that level."""
        self._is_cached, self._level = True, storageLevel
        return self

    def checkpoint(self, interval: float) -> DStream:
        """Without effect: state is saved with each batch."""
        return self

    def slice(self, begin: datetime | float, end: datetime | float) -> list[Any]:
        """The RDDs of the batches between these times that are remembered."""
        low, high = (int(1000 * (at.timestamp() if isinstance(at, datetime) else at)) for at in (begin, end))
        return [rdd for at, rdd in sorted(self._rdds.items()) if low <= at <= high and rdd is not None]


class _Windowed(DStream):
    """A window's stream: its parent's batch is made in any case, for later windows."""

    def rdd(self, at_ms: int) -> Any:
        self._parents[0].rdd(at_ms)
        return super().rdd(at_ms)


class InputStream(DStream):
    """The stream of an input."""

    def __init__(self, ssc: StreamGraph, source: Input) -> None:
        super().__init__(ssc, lambda _: None)
        self.source = source
        self.is_idle = False

    def planned(self, at_ms: int, plan: Any) -> None:
        """The batch of that time has this plan."""
        self.is_idle = plan is None
        self._rdds[at_ms] = self._ssc.sparkContext.emptyRDD() if plan is None else self.source.rdd(plan)

    def forget(self, before_ms: int) -> None:
        """The batches before that time are needed no more."""
        self._drop(before_ms)


class StateStream(DStream):
    """The state of each key, updated each batch, saved with it."""

    def __init__(
        self, parent: DStream, update: Callable[[list[Any], Any], Any], partitions: int | None, initial: Any
    ) -> None:
        super().__init__(parent._ssc, self._next, [parent])
        self._update = update
        self._partitions = partitions
        self._state: Any = initial

    def restore(self, state: Any) -> None:
        """Go on with that state, the initial one where it is None."""
        if state is not None:
            self._state = state

    def save(self, at_ms: int, directory: Path) -> None:
        """Save the state after that batch, and go on with what is saved: its lineage ends there."""
        state = self.rdd(at_ms)
        shutil.rmtree(directory, ignore_errors=True)
        state.saveAsPickleFile(str(directory))
        self._state = self._ssc.sparkContext.pickleFile(str(directory))

    def _next(self, at_ms: int) -> Any:
        update = self._update
        sc = self._ssc.sparkContext
        new = self._parents[0].rdd_or_empty(at_ms)
        old = self._state if self._state is not None else sc.emptyRDD()

        def updated(pair: Any) -> Iterable[Any]:
            key, (values, states) = pair
            state = update(list(values), next(iter(states), None))
            return [] if state is None else [(key, state)]

        count = self._partitions or sc.defaultParallelism
        return new.cogroup(old, count).flatMap(updated, True).cache()


class Output:
    """What is done with each batch of a stream."""

    def __init__(self, stream: DStream, function: Callable[..., Any]) -> None:
        self._stream = stream
        self._function = function
        self._takes_time = _parameters(function) == 2

    def run(self, at_ms: int) -> None:
        """Do it, where the batch has an RDD."""
        rdd = self._stream.rdd(at_ms)
        if rdd is None:
            return
        if self._takes_time:
            self._function(_moment(at_ms), rdd)
        else:
            self._function(rdd)


def _moment(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000)  # noqa: DTZ006 - local time without a zone, as PySpark gives it


def _parameters(function: Callable[..., Any]) -> int:
    """How many arguments a function needs."""
    code = getattr(function, "__code__", None)
    if code is None:
        return 1
    given = len(getattr(function, "__defaults__", None) or ()) + (1 if hasattr(function, "__self__") else 0)
    return int(code.co_argcount) - given
