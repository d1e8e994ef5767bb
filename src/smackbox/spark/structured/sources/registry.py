"""Which source a streaming `Read` means, and its schema without opening it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa

from smackbox.spark.front.errors import SparkError
from smackbox.spark.front.messages import relations_pb2
from smackbox.spark.front.relation import fill_local
from smackbox.spark.structured.checkpoint import SourceLog
from smackbox.spark.structured.sources import files
from smackbox.spark.structured.sources.source import Source

KAFKA = frozenset({"kafka", "smack_kafka"})
RATE = frozenset({"rate", "rate-micro-batch"})


def empty_relation(read: Any, registered: Mapping[str, bytes]) -> Any:
    """A relation without rows that has the schema of a streaming `Read`. Raises `SparkError`."""
    relation = relations_pb2.Relation()
    kind = _format(read)
    source = read.data_source
    if kind in files.FORMATS:
        relation.local_relation.schema = files.check(kind, source.schema, files.paths_of(source))
        return relation
    fill_local(relation, _arrow_schema(kind, source, registered).empty_table())
    return relation


def _arrow_schema(kind: str, source: Any, registered: Mapping[str, bytes]) -> pa.Schema:
    if kind in KAFKA:
        from smackbox.spark.structured.sources import kafka

        kafka.check(source.options)
        return kafka.schema(source.options)
    if kind in RATE:
        from smackbox.spark.structured.sources import rate

        return rate.SCHEMA
    if kind == "socket":
        from smackbox.spark.structured.sources import socket

        return socket.schema(source.options)
    if kind in registered:
        from pyspark.sql.pandas.types import to_arrow_schema

        from smackbox.spark.structured.sources import python

        made = python.load(registered[kind], source.options)
        return to_arrow_schema(python.schema_of(made, source.schema), timezone="UTC")
    raise unknown_format(source.format)


def open_source(
    read: Any, registered: Mapping[str, bytes], log: SourceLog, columns: Callable[[Any], pa.Schema]
) -> Source:
    """Raises `SparkError` for options that cannot be, and for an unknown format."""
    kind = _format(read)
    source = read.data_source
    if kind in files.FORMATS:
        return files.FileSource(source, log, columns)
    if kind in KAFKA:
        from smackbox.spark.structured.sources.kafka import KafkaSource

        return KafkaSource(source.options)
    if kind == "rate":
        from smackbox.spark.structured.sources.rate import RateSource

        return RateSource(source.options, log)
    if kind == "rate-micro-batch":
        from smackbox.spark.structured.sources.rate import RateMicroBatchSource

        return RateMicroBatchSource(source.options)
    if kind == "socket":
        from smackbox.spark.structured.sources.socket import SocketSource

        return SocketSource(source.options)
    if kind in registered:
        from smackbox.spark.structured.sources.python import PythonSource

        return PythonSource(kind, registered[kind], source.options, source.schema)
    raise unknown_format(source.format)


def _format(read: Any) -> str:
    if read.WhichOneof("read_type") != "data_source":
        name = read.named_table.unparsed_identifier
        raise SparkError(
            f"The table or view `{name}` cannot be found as a stream: readStream.table reads a temporary view of one.",
            condition="TABLE_OR_VIEW_NOT_FOUND",
            sql_state="42P01",
            parameters={"relationName": f"`{name}`"},
        )
    # without a format, Spark takes the default source
    return read.data_source.format.lower() or "parquet"


def unknown_format(name: str) -> SparkError:
    """Spark's error for a format that nobody knows."""
    return SparkError(
        f"Failed to find the data source: {name}. Make sure the provider name is correct and the package is properly "
        "registered and compatible with your Spark version.",
        condition="DATA_SOURCE_NOT_FOUND",
        sql_state="42K02",
        classes=("org.apache.spark.SparkClassNotFoundException", "org.apache.spark.SparkException"),
        parameters={"provider": name},
    )
