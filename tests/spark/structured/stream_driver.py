"""A program with two streams, which kills itself at a step of a batch: `KAFKA TOPIC OUT FOLDER STEP COUNT`.

It copies the topic to OUT, once, then adds up values by key into files of FOLDER, a file a batch. STEP is one of
planned, read, written, committed; COUNT is how often it is passed before; `none` lives.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

TIMEOUT_S = 60


def main() -> None:
    kafka, topic, out, folder, step, count = sys.argv[1:]
    _die_at(step, int(count))
    from smackbox.spark import session

    spark = session()
    source = spark.readStream.format("kafka").options(
        **{"kafka.bootstrap.servers": kafka, "subscribe": topic, "startingOffsets": "earliest"},
        maxOffsetsPerTrigger=20,
    )
    copy = source.load().select("key", "value").writeStream.format("kafka").option("topic", out)
    copy = copy.option("kafka.bootstrap.servers", kafka).option("checkpointLocation", f"{folder}/copy")
    assert copy.trigger(availableNow=True).start().awaitTermination(TIMEOUT_S)
    totals = Path(folder) / "totals"
    totals.mkdir(exist_ok=True)

    def write(batch: Any, number: int) -> None:
        rows = [row.asDict() for row in batch.collect()]
        (totals / f"{number:06d}.json").write_text(json.dumps(rows))

    events = source.load().selectExpr("cast(key as string) AS k", "cast(cast(value as string) as bigint) AS v")
    summed = events.groupBy("k").agg({"v": "sum", "*": "count"}).toDF("k", "s", "n")
    writer = summed.writeStream.outputMode("update").foreachBatch(write).option("checkpointLocation", f"{folder}/sum")
    assert writer.trigger(availableNow=True).start().awaitTermination(TIMEOUT_S)
    spark.stop()
    print("done")


def _die_at(step: str, count: int) -> None:
    from smackbox.spark.structured.engine import StreamEngine

    left = [count]
    make = StreamEngine.__init__

    def at(passed: str) -> None:
        if passed == step:
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1

    def init(self: StreamEngine, *arguments: Any) -> None:
        make(self, *arguments, at=at)

    StreamEngine.__init__ = init  # type: ignore[method-assign, assignment]


if __name__ == "__main__":
    main()
