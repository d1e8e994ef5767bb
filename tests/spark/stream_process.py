"""A stream in a process of its own, which kills itself at the step and the time that its arguments name.

    stream_process.py KAFKA TOPIC CHECKPOINT TABLE_FILE copy|totals ROWS STEP:TIMES [--modules]

It ends when it has read ROWS records (over its whole checkpoint), or is dead before. STEP is `planned`, `writing`
(half of a batch's rows are in the table), `written`, `committed`, or `none`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tests.kills import killing
from tests.spark import conftest as shared

from smackbox.spark.streaming import MicroBatchRunner, StreamSettings


def main() -> None:
    kafka, topic, checkpoint, table_file, kind, rows, kill = sys.argv[1:8]
    at = killing(kill)
    template = shared.event_table() if kind == "copy" else shared.total_table()
    table = shared.FileTable(Path(table_file), template.key_types, template.value_types)
    table.after_half = lambda: at("writing")
    settings = StreamSettings(
        name="crash",
        kafka=kafka,
        topic=topic,
        cassandra="nowhere:1",
        keyspace="ks",
        table="t",
        checkpoint_dir=Path(checkpoint),
        unique="id",
        every_s=0.05,
        max_rows_per_batch=300,
    )
    function = None if kind == "copy" else count
    with MicroBatchRunner(settings, shared.Event, function, table, at=at) as runner:
        while sum(runner.checkpoint.offsets.values()) < int(rows):
            runner.step()
    if "--modules" in sys.argv:
        sys.stdout.write("\n".join(sys.modules))


def count(batch: Any) -> Any:
    from pyspark.sql.functions import col, sum, when  # noqa: A004 - Spark's

    return batch.groupBy("campaign").agg(
        sum(when(col("type") == "view", col("amount")).otherwise(0)).alias("views"),
        sum(when(col("type") == "click", col("amount")).otherwise(0)).alias("clicks"),
    )


if __name__ == "__main__":
    main()
