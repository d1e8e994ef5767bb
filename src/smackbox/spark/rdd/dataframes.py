"""From DataFrames to RDDs and back: `df.rdd`, `spark.sparkContext`, `rdd.toDF()`.

A DataFrame's rows are computed by its session when `df.rdd` is asked for, and lie as an Arrow file in the context's
directory, from which the tasks read their parts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from smackbox.spark.rdd.context import SparkContext
from smackbox.spark.rdd.errors import JobError
from smackbox.spark.rdd.lineage import Node
from smackbox.spark.rdd.rdd import RDD
from smackbox.spark.rdd.task import Task

LEAST_ROWS = 1_000
"""A partition has not fewer, where several would do."""


@dataclass(slots=True, eq=False)
class ArrowRows(Node):
    """Rows of an Arrow file: each partition is `(first, count)`."""

    path: Path
    schema_json: str
    ranges: list[tuple[int, int]]

    def compute(self, index: int, task: Task) -> Iterator[Any]:
        import pyarrow as pa
        from pyspark.sql.conversion import ArrowTableToRowsConversion
        from pyspark.sql.types import StructType

        first, count = self.ranges[index]
        try:
            with pa.memory_map(str(self.path)) as file:
                table = pa.ipc.open_file(file).read_all().slice(first, count)
                schema = StructType.fromJson(json.loads(self.schema_json))
                yield from ArrowTableToRowsConversion.convert(table, schema)
        except FileNotFoundError as error:
            raise JobError("the rows of this DataFrame went with its SparkContext") from error


def rdd_of(df: Any) -> RDD:
    """The rows of a DataFrame, each a `Row`, on the context of its session."""
    import pyarrow as pa

    sc = context_of(df.sparkSession)
    table = df.toArrow()
    rdd_id = sc._new_id()
    path = sc._directory / f"dataframe-{rdd_id}.arrow"
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as file:
        file.write_table(table)
    parts = max(1, min(sc.defaultParallelism, -(-table.num_rows // LEAST_ROWS)))
    bounds = [number * table.num_rows // parts for number in range(parts + 1)]
    ranges = [(low, high - low) for low, high in pairwise(bounds)]
    return RDD(ArrowRows(rdd_id, parts, path, df.schema.json(), ranges), sc)


def context_of(session: Any) -> SparkContext:
    """The `SparkContext` of a session, made when it is first asked for; it ends with the session."""
    known: SparkContext | None = vars(session).get("_rdd_context")
    if known is None or known.is_stopped:
        known = SparkContext()
        known.session = session
        session._rdd_context = known
    return known


def stop_context(session: Any) -> None:
    """The session has ended."""
    known = vars(session).pop("_rdd_context", None)
    if known is not None:
        known.stop()
