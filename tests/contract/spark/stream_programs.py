"""Streaming programs that run unchanged here and on PySpark: `ENGINE FOLDER`, where ENGINE is smackbox or pyspark.

Each gives what can be told of it as JSON: the rows of each batch, or progress. Printed: all of them, as one object.
Nothing of smackbox is imported but its session, so that PySpark's own environment can run the file.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Program = Callable[[Any, Path], Any]
PROGRAMS: dict[str, Program] = {}
TIMEOUT_S = 120
TOLD_OF_OPERATORS = (
    "operatorName", "numRowsTotal", "numRowsUpdated", "numRowsRemoved", "numRowsDroppedByWatermark",
)  # fmt: skip
SCHEMA = "a int, k string"
BATCHES = [
    [(1, "x"), (3, "y"), (3, "x"), (20, "x")],
    [(4, "x"), (9, "y"), (14, "x"), (14, "x")],
    [(60, "z"), (21, "x")],
    [(10, "x"), (61, "y"), (58, "y")],
    [(5, "y"), (75, "x"), (61, "y")],
]


def program(function: Program) -> Program:
    PROGRAMS[function.__name__] = function
    return function


def source(spark: Any, folder: Path) -> Any:
    """A file a batch, in order; `ts` is `a` seconds after 1970."""
    place = folder / "in"
    if not place.exists():
        place.mkdir(parents=True)
        for number, rows in enumerate(BATCHES):
            path = place / f"{number}.json"
            path.write_text("".join(json.dumps({"a": a, "k": k}) + "\n" for a, k in rows))
            os.utime(path, (1_700_000_000 + number, 1_700_000_000 + number))
    df = spark.readStream.schema(SCHEMA).option("maxFilesPerTrigger", 1).json(str(place))
    return df.selectExpr("timestamp_seconds(a) AS ts", "a", "k")


def plain(value: Any) -> Any:
    if hasattr(value, "asDict"):
        return [plain(item) for item in value]
    if isinstance(value, list):
        return [plain(item) for item in value]
    return round(value, 9) if isinstance(value, float) else value if isinstance(value, (int, str)) else str(value)


def batches(df: Any, folder: Path, mode: str, **options: str) -> Any:
    """The rows of each batch, sorted, and what progress says of it."""
    out = folder / "out"
    out.mkdir(exist_ok=True)

    def write(batch: Any, number: int) -> None:
        rows = sorted(([plain(item) for item in row] for row in batch.collect()), key=repr)
        (out / f"{number:04d}.json").write_text(json.dumps(rows))

    writer = df.writeStream.outputMode(mode).foreachBatch(write).options(**options)
    query = writer.trigger(availableNow=True).start()
    assert query.awaitTermination(TIMEOUT_S)
    found = {path.stem: json.loads(path.read_text()) for path in sorted(out.iterdir())}
    return {"rows": found, "progress": [told(json.loads(one.json)) for one in query.recentProgress]}


def told(progress: dict[str, Any]) -> dict[str, Any]:
    return {
        "batch": progress["batchId"],
        "input": progress["numInputRows"],
        "eventTime": progress.get("eventTime"),
        "operators": [{name: operator[name] for name in TOLD_OF_OPERATORS} for operator in progress["stateOperators"]],
        "offsets": [[one["startOffset"], one["endOffset"]] for one in progress["sources"]],
    }


@program
def stateless(spark: Any, folder: Path) -> Any:
    df = source(spark, folder).filter("a * 2 > 6").selectExpr("a * 2 AS b", "upper(k) AS k")
    return batches(df, folder, "append")


@program
def window_append(spark: Any, folder: Path) -> Any:
    from pyspark.sql import functions as F  # noqa: N812 - as everyone writes it

    df = source(spark, folder).withWatermark("ts", "10 seconds").groupBy(F.window("ts", "5 seconds"), "k")
    return batches(df.agg(F.count("*"), F.sum("a").alias("s"), F.avg("a")), folder, "append")


@program
def window_update(spark: Any, folder: Path) -> Any:
    from pyspark.sql import functions as F  # noqa: N812 - as everyone writes it

    df = source(spark, folder).withWatermark("ts", "10 seconds").groupBy(F.window("ts", "10 seconds", "5 seconds"))
    return batches(df.agg(F.min("a"), F.max("a"), F.stddev("a")), folder, "update")


@program
def groups_complete(spark: Any, folder: Path) -> Any:
    from pyspark.sql import functions as F  # noqa: N812 - as everyone writes it

    grouped = source(spark, folder).groupBy("k")
    df = grouped.agg(
        F.count("*"), F.sum("a"), F.avg("a"), F.var_pop("a"), F.max_by("a", "ts"), F.sort_array(F.collect_set("a")),
        (F.sum("a") / F.count("a")).alias("mean"), F.approx_count_distinct("a"), F.bool_or(F.col("a") > 20),
    )  # fmt: skip
    return batches(df, folder, "complete")


@program
def groups_update(spark: Any, folder: Path) -> Any:
    df = source(spark, folder).groupBy("k").count().filter("count > 1")
    return batches(df, folder, "update")


@program
def sessions(spark: Any, folder: Path) -> Any:
    from pyspark.sql import functions as F  # noqa: N812 - as everyone writes it

    df = source(spark, folder).withWatermark("ts", "10 seconds")
    df = df.groupBy(F.session_window("ts", "5 seconds"), "k").agg(F.count("*"), F.sum("a"))
    return batches(df, folder, "append")


@program
def duplicates(spark: Any, folder: Path) -> Any:
    return batches(source(spark, folder).dropDuplicates(["k"]), folder, "append")


@program
def duplicates_by_event_time(spark: Any, folder: Path) -> Any:
    df = source(spark, folder).withWatermark("ts", "10 seconds").dropDuplicates(["k", "ts"])
    return batches(df, folder, "append")


@program
def duplicates_that_are_late(spark: Any, folder: Path) -> Any:
    df = source(spark, folder).withWatermark("TS", "10 seconds").dropDuplicates(["k", "a"])
    return batches(df, folder, "append")


@program
def groups_beside_a_watermark(spark: Any, folder: Path) -> Any:
    df = source(spark, folder).withWatermark("ts", "10 seconds").groupBy("k").agg({"a": "sum", "ts": "max"})
    return batches(df, folder, "update")


@program
def groups_by_event_time(spark: Any, folder: Path) -> Any:
    from pyspark.sql import functions as F  # noqa: N812 - as everyone writes it

    df = source(spark, folder).withWatermark("ts", "10 seconds").withColumnRenamed("ts", "at")
    return batches(df.groupBy("AT", "k").agg(F.count("*"), F.first("a")), folder, "append")


@program
def window_of_windows(spark: Any, folder: Path) -> Any:
    from pyspark.sql import functions as F  # noqa: N812 - as everyone writes it

    df = source(spark, folder).withWatermark("ts", "5 seconds")
    df = df.groupBy(F.window("ts", "10 seconds").alias("w")).agg(F.sum("a").alias("s"))
    return batches(df.select("w.start", "w.end", (F.col("s") * 2).alias("d")).filter("d > 10"), folder, "append")


@program
def two_sources(spark: Any, folder: Path) -> Any:
    one, two = source(spark, folder), source(spark, folder).selectExpr("ts", "-a AS a", "k")
    return batches(one.union(two).groupBy("k").sum("a"), folder, "update")


@program
def duplicates_within_watermark(spark: Any, folder: Path) -> Any:
    df = source(spark, folder).withWatermark("ts", "10 seconds").dropDuplicatesWithinWatermark(["k"])
    return batches(df, folder, "append")


@program
def joined(spark: Any, folder: Path) -> Any:
    names = spark.createDataFrame([("x", "ex"), ("y", "why")], "k string, name string")
    return batches(source(spark, folder).join(names, "k", "left").select("k", "a", "name"), folder, "append")


@program
def sql_over_a_view(spark: Any, folder: Path) -> Any:
    source(spark, folder).withWatermark("ts", "10 seconds").createOrReplaceTempView("updates")
    query = """SELECT window(ts, '5 seconds') AS w, upper(k) AS big, count(*), sum(a * 2) AS s FROM updates
    GROUP BY window(ts, '5 seconds'), upper(k)"""
    return batches(spark.sql(query), folder, "append")


@program
def sql_count(spark: Any, folder: Path) -> Any:
    source(spark, folder).createOrReplaceTempView("counted")
    return batches(spark.sql("select count(*), max(a) m from counted where a * 2 > 6"), folder, "complete")


@program
def restarted(spark: Any, folder: Path) -> Any:
    first = batches(source(spark, folder).groupBy("k").count(), folder, "update", checkpointLocation=f"{folder}/c")
    late = folder / "in" / "late.json"
    late.write_text('{"a":7,"k":"x"}\n')
    second = batches(source(spark, folder).groupBy("k").count(), folder, "update", checkpointLocation=f"{folder}/c")
    return [first["progress"][-1]["batch"], second["rows"], second["progress"]]


@program
def with_state(spark: Any, folder: Path) -> Any:
    from pyspark.sql.streaming import StatefulProcessor

    class Counts(StatefulProcessor):  # type: ignore[misc]
        def init(self, handle: Any) -> None:
            self.handle = handle
            self.sums = handle.getValueState("sums", "n int, s int")
            self.seen = handle.getListState("seen", "a int")
            self.by_value = handle.getMapState("by_value", "a int", "n int")

        def handleInputRows(self, key: Any, rows: Any, timerValues: Any) -> Iterator[Any]:
            from pyspark.sql import Row

            n, s = self.sums.get() if self.sums.exists() else (0, 0)
            for row in rows:
                n, s = n + 1, s + row.a
                self.seen.appendValue((row.a,))
                count = self.by_value.getValue((row.a,)) if self.by_value.containsKey((row.a,)) else (0,)
                self.by_value.updateValue((row.a,), (count[0] + 1,))
            self.sums.update((n, s))
            if s > 60:
                self.sums.clear()
            pairs = ",".join(f"{k[0]}:{v[0]}" for k, v in sorted(self.by_value.iterator()))
            seen = ",".join(str(value[0]) for value in sorted(self.seen.get()))
            yield Row(k=key[0], n=n, s=s, seen=seen, pairs=pairs)

        def close(self) -> None: ...

    df = source(spark, folder).groupBy("k")
    schema = "k string, n int, s int, seen string, pairs string"
    return batches(df.transformWithState(Counts(), schema, "Update", "None"), folder, "update")["rows"]


@program
def with_initial_state(spark: Any, folder: Path) -> Any:
    from pyspark.sql.streaming import StatefulProcessor

    class Sums(StatefulProcessor):  # type: ignore[misc]
        def init(self, handle: Any) -> None:
            self.sums = handle.getValueState("sums", "s long")

        def handleInitialState(self, key: Any, initialState: Any, timerValues: Any) -> None:
            self.sums.update((initialState.base,))

        def handleInputRows(self, key: Any, rows: Any, timerValues: Any) -> Iterator[Any]:
            from pyspark.sql import Row

            s = (self.sums.get()[0] if self.sums.exists() else 0) + sum(row.a for row in rows)
            self.sums.update((s,))
            yield Row(k=key[0], s=s)

        def close(self) -> None: ...

    initial = spark.createDataFrame([("x", 1000), ("q", 5)], "k string, base long").groupBy("k")
    df = source(spark, folder).groupBy("k")
    df = df.transformWithState(Sums(), "k string, s long", "Update", "None", initial)
    return batches(df, folder, "update")["rows"]


@program
def with_timers(spark: Any, folder: Path) -> Any:
    import pandas as pd
    from pyspark.sql.streaming import StatefulProcessor

    class Alarms(StatefulProcessor):  # type: ignore[misc]
        def init(self, handle: Any) -> None:
            self.handle = handle
            self.count = handle.getValueState("count", "n long")

        def handleInputRows(self, key: Any, rows: Any, timerValues: Any) -> Iterator[Any]:
            n = self.count.get()[0] if self.count.exists() else 0
            last = 0
            for frame in rows:
                n += len(frame)
                last = max(last, int(frame["a"].max()))
            self.count.update((n,))
            for timer in self.handle.listTimers():
                self.handle.deleteTimer(timer)
            self.handle.registerTimer(last * 1000 + 5000)
            yield pd.DataFrame({"k": [key[0]], "n": [n], "at": [timerValues.getCurrentWatermarkInMs()]})

        def handleExpiredTimer(self, key: Any, timerValues: Any, expiredTimerInfo: Any) -> Iterator[Any]:
            n = self.count.get()[0]
            self.count.clear()
            yield pd.DataFrame({"k": [key[0]], "n": [-n], "at": [expiredTimerInfo.getExpiryTimeInMs()]})

        def close(self) -> None: ...

    df = source(spark, folder).withWatermark("ts", "10 seconds").groupBy("k")
    df = df.transformWithStateInPandas(Alarms(), "k string, n long, at long", "Update", "EventTime")
    return batches(df, folder, "update")["rows"]


@program
def with_group_state(spark: Any, folder: Path) -> Any:
    import pandas as pd

    def count(key: Any, frames: Any, state: Any) -> Iterator[Any]:
        if state.hasTimedOut:
            yield pd.DataFrame({"k": [key[0]], "n": [-state.get[0]]})
            state.remove()
            return
        n = state.get[0] if state.exists else 0
        last = 0
        for frame in frames:
            n += len(frame)
            last = max(last, int(frame["a"].max()))
        state.update((n,))
        state.setTimeoutTimestamp(max(last * 1000 + 5000, state.getCurrentWatermarkMs() + 1))
        yield pd.DataFrame({"k": [key[0]], "n": [n]})

    df = source(spark, folder).withWatermark("ts", "10 seconds").groupBy("k")
    df = df.applyInPandasWithState(count, "k string, n long", "n long", "update", "EventTimeTimeout")
    return batches(df, folder, "update")["rows"]


def open_session(engine: str) -> Any:
    if engine == "smackbox":
        from smackbox.spark import session

        spark = session()
    else:
        from pyspark.sql import SparkSession

        provider = "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider"
        builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
        spark = builder.config("spark.sql.streaming.stateStore.providerClass", provider).getOrCreate()
        spark.sparkContext.setLogLevel("OFF")
        spark.conf.set("spark.sql.shuffle.partitions", "2")
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    return spark


def main() -> None:
    os.environ["TZ"] = "UTC"
    os.environ["PYSPARK_PYTHON"] = sys.executable
    engine, folder = sys.argv[1], Path(sys.argv[2])
    spark = open_session(engine)
    results = {}
    for name, function in PROGRAMS.items():
        try:
            results[name] = function(spark, folder / name)
        except Exception as error:  # noqa: BLE001 - a result like another
            results[name] = f"{type(error).__name__}: {error}"
    spark.stop()
    (folder / "results.json").write_text(json.dumps(results))


if __name__ == "__main__":
    main()
