"""Spark Streaming's DStreams: a thin layer over RDDs, in PySpark's names.

    ssc = StreamingContext(sc, Seconds(10))
    ssc.checkpoint("checkpoints/views")
    events = KafkaUtils.createDirectStream(ssc, ["events"], {"bootstrap.servers": "localhost:9092"}, valueDecoder=parse)
    events.map(…).reduceByKey(add).saveToCassandra("ads", "views", ["campaign", "views"])
    ssc.start()
    ssc.awaitTermination()

With a checkpoint directory each batch's ranges are written before it runs, and the next positions after it. A program
that is killed runs the batch that was under way once more, with the same records and at the same time.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smackbox.spark.dstreams.context import Milliseconds as Milliseconds
    from smackbox.spark.dstreams.context import Minutes as Minutes
    from smackbox.spark.dstreams.context import Seconds as Seconds
    from smackbox.spark.dstreams.context import StreamingContext as StreamingContext
    from smackbox.spark.dstreams.dstream import DStream as DStream
    from smackbox.spark.dstreams.kafka import KafkaUtils as KafkaUtils
    from smackbox.spark.dstreams.kafka import TopicAndPartition as TopicAndPartition
    from smackbox.spark.dstreams.kinesis import InitialPositionInStream as InitialPositionInStream
    from smackbox.spark.dstreams.kinesis import KinesisUtils as KinesisUtils

_LAZY = {
    "DStream": "dstream",
    "InitialPositionInStream": "kinesis",
    "KafkaUtils": "kafka",
    "KinesisUtils": "kinesis",
    "Milliseconds": "context",
    "Minutes": "context",
    "Seconds": "context",
    "StreamingContext": "context",
    "TopicAndPartition": "kafka",
}

__all__ = list(_LAZY)


def __getattr__(name: str) -> Any:
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{module}"), name)
