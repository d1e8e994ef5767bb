"""Which sink a `WriteStreamOperationStart` means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa

from smackbox.spark.front.errors import ILLEGAL_ARGUMENT, SparkError, not_there
from smackbox.spark.structured.checks import COMPLETE
from smackbox.spark.structured.sail import Sail
from smackbox.spark.structured.sinks import files
from smackbox.spark.structured.sinks.functions import ForeachBatchSink, ForeachSink
from smackbox.spark.structured.sinks.sink import ConsoleSink, MemorySink, NoopSink, Sink
from smackbox.spark.structured.sinks.tables import place_table
from smackbox.spark.structured.sources.registry import unknown_format
from smackbox.spark.structured.sources.source import lower_case

TEMPORARY_CHECKPOINT = frozenset({"console", "noop", "memory"})
"""Sinks that need no checkpoint location: the query's is in a temporary directory."""


def needs_checkpoint(start: Any) -> bool:
    """Whether Spark asks for a checkpoint location."""
    if start.HasField("foreach_batch") or start.HasField("foreach_writer"):
        return False
    return start.format.lower() not in TEMPORARY_CHECKPOINT


def open_sink(
    start: Any,
    schema: pa.Schema,
    sail: Sail,
    *,
    mode: str,
    query_id: str,
    attach: Callable[[], Any],
    registered: Mapping[str, bytes],
) -> Sink:
    """Raises `SparkError` for an unknown format, impossible options, and a mode that the sink does not have."""
    options = lower_case(start.options)
    kind = start.format.lower() or "parquet"
    if start.HasField("foreach_batch"):
        return ForeachBatchSink(start.foreach_batch.python_function.command, sail, attach)
    if start.HasField("foreach_writer"):
        return ForeachSink(start.foreach_writer.python_function.command)
    if start.table_name:
        if kind not in files.FORMATS or start.partitioning_column_names:
            raise not_there("toTable in this format", "Write Parquet, ORC, JSON or CSV without partitionBy.")
        return _files(kind, start, {"path": place_table(start, schema, sail, query_id)}, mode, sail, query_id)
    if kind == "noop":
        return NoopSink()
    if kind == "console":
        return ConsoleSink(options, sail)
    if kind == "memory":
        return MemorySink(schema, sail, replaces=mode == COMPLETE)
    if kind in {"kafka", "smack_kafka"}:
        from smackbox.spark.structured.sinks.kafka import KafkaSink

        return KafkaSink(start.options, schema, query_id)
    if kind in {"cassandra", "org.apache.spark.sql.cassandra"}:
        from smackbox.spark.structured.sinks.writers import CassandraSink

        return CassandraSink(start.options, schema)
    if kind in files.FORMATS:
        return _files(kind, start, options, mode, sail, query_id)
    if kind in registered:
        from smackbox.spark.structured.sinks.writers import PythonSink

        return PythonSink(kind, registered[kind], start.options, schema, overwrite=mode == COMPLETE)
    raise unknown_format(start.format)


def _files(kind: str, start: Any, options: Mapping[str, str], mode: str, sail: Sail, query_id: str) -> Sink:
    if mode != "append":
        raise SparkError(
            f"Invalid streaming output mode: {mode}. This output mode is not supported in Data Source {kind}.",
            condition="STREAMING_OUTPUT_MODE.UNSUPPORTED_DATASOURCE",
            sql_state="42KDE",
            parameters={"className": kind, "outputMode": mode},
        )
    path = start.path or options.get("path", "")
    if not path:
        raise SparkError("'path' is not specified.", condition="_LEGACY_ERROR_TEMP_2047", classes=ILLEGAL_ARGUMENT)
    return files.FileSink(kind, path, start.options, start.partitioning_column_names, sail, query_id)
