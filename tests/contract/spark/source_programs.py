"""What the `cassandra` and `kafka` sources do on one Spark: run by its interpreter, results as JSON.

python source_programs.py smackbox|pyspark FOLDER CONTACT BOOTSTRAP NAME
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Place:
    """Where a program works: a session, a keyspace and a topic of its own."""

    def __init__(self, spark: Any, contact: str, bootstrap: str, name: str) -> None:
        self.spark = spark
        host, _, port = contact.rpartition(":")
        self.where = {
            "keyspace": name,
            "spark.cassandra.connection.host": host,
            "spark.cassandra.connection.port": port,
        }
        self.kafka = {"kafka.bootstrap.servers": bootstrap}
        self.topic = name

    def read(self, table: str, **options: Any) -> Any:
        reader = self.spark.read.format("org.apache.spark.sql.cassandra")
        return reader.options(**self.where, table=table, **options).load()

    def write(self, frame: Any, table: str, mode: str = "append", **options: Any) -> None:
        writer = frame.write.format("org.apache.spark.sql.cassandra").mode(mode)
        writer.options(**self.where, table=table, **options).save()


def rows(frame: Any) -> list[list[Any]]:
    return sorted([[str(value) for value in row] for row in frame.collect()])


def keys_and_ranges(place: Place) -> Any:
    data = [(a, b, c, a * c) for a in range(4) for b in "xy" for c in range(6)]
    place.write(place.spark.createDataFrame(data, "a int, b string, c int, v int"), "pairs")
    everything = place.read("pairs", splits="3")
    return [
        rows(everything.where("a IN (1, 3) AND b IN ('x') AND c >= 2 AND c < 4")),
        rows(everything.where("v = 3").select("a", "c")),
        # Spark keeps the reader of a DataFrame, and what was pushed into it
        everything.count(),
        rows(place.read("pairs", pushdown="true").where("a = 1 AND b = 'y' AND c > 3")),
        rows(place.read("pairs", columns="a,v").groupBy("a").sum("v")),
    ]


def times(place: Place) -> Any:
    frame = place.spark.createDataFrame([(1, "a", 500), (2, "b", None)], "k int, v string, left int")
    place.write(frame, "words", ttl="left", writetime="17")
    found = place.read("words", **{"ttl.v": "seconds", "writetime.v": "us"})
    return rows(found.selectExpr("k", "v", "seconds BETWEEN 1 AND 500 AS alive", "us"))


def counters(place: Place) -> Any:
    for _ in range(2):
        place.write(place.spark.createDataFrame([(1, 2), (2, 3)], "k int, n bigint"), "counts")
    return rows(place.read("counts"))


def types(place: Place) -> Any:
    place.write(place.read("everything"), "everything_copy")
    return [[str(value) for value in row] for row in place.read("everything_copy").collect()]


def overwrite(place: Place) -> Any:
    one = place.spark.createDataFrame([(9, "z")], "k int, v string")
    try:
        place.write(one, "spare", mode="overwrite")
        refused = False
    except Exception as error:  # noqa: BLE001 - each Spark has its own class
        refused = "confirm.truncate" in str(error)
    place.write(one, "spare", mode="overwrite", **{"confirm.truncate": "true"})
    return [refused, rows(place.read("spare"))]


def joined(place: Place) -> Any:
    from smackbox.spark import direct_join

    frame = place.spark.createDataFrame([(n, n % 5 if n % 3 else None) for n in range(12)], "n int, a int")
    frame = frame.selectExpr("n", "a", "'x' AS b")
    options = {**place.where, "table": "pairs"}
    return [rows(direct_join(frame, on=["a", "b"], how=how, columns="c,v", **options)) for how in ("inner", "left")]


def records(place: Place) -> Any:
    frame = place.spark.sql(
        "SELECT CAST(id AS STRING) AS key, CAST(CAST(id * 7 AS STRING) AS BINARY) AS value, CAST(id % 2 AS INT) AS "
        "partition, array(named_struct('key', 'h', 'value', CAST('x' AS BINARY))) AS headers FROM range(50)"
    )
    writer = frame.write.format("smack_kafka").mode("append")
    writer.options(**place.kafka, topic=place.topic, includeHeaders="true").save()
    reader = place.spark.read.format("smack_kafka").options(**place.kafka, subscribe=place.topic)
    found = reader.option("includeHeaders", "true").option("minPartitions", "5").load()
    late = reader.option("startingTimestamp", "99999999999999").option("startingOffsetsByTimestampStrategy", "latest")
    return [
        found.columns,
        rows(found.selectExpr("CAST(key AS STRING)", "CAST(value AS STRING)", "partition", "headers[0].key")),
        late.load().count(),
    ]


PROGRAMS: dict[str, Callable[[Place], Any]] = {
    program.__name__: program for program in (keys_and_ranges, times, counters, types, overwrite, joined, records)
}


def main() -> None:
    engine, folder, contact, bootstrap, own = sys.argv[1:]
    if engine == "smackbox":
        from smackbox.spark import session

        spark = session()
    else:
        from pyspark.sql import SparkSession

        from smackbox.spark import register_sources

        spark = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
        register_sources(spark)
    place = Place(spark, contact, bootstrap, own)
    results = {}
    for name, program in PROGRAMS.items():
        try:
            results[name] = program(place)
        except Exception as error:  # noqa: BLE001 - the other programs' results are wanted all the same
            results[name] = f"{engine}: {type(error).__name__}: {str(error)[:1000]}"
    (Path(folder) / "results.json").write_text(json.dumps(results))
    spark.stop()


if __name__ == "__main__":
    main()
