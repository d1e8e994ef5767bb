"""`cassandra`, and streaming Python data sources of a client that have a `streamWriter`.

Rows written to Cassandra are upserts, so that a batch that is repeated comes to the same rows. A Python writer gets the
batch's number with its commit, and decides by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from smackbox.spark.structured.batch import BatchRun, Rows
from smackbox.spark.structured.sinks.sink import Sink


class CassandraSink(Sink):
    """Upserts into one table, by the options of the `cassandra` source."""

    description = "cassandra"

    def __init__(self, options: Mapping[str, str], schema: pa.Schema) -> None:
        from smackbox.spark.cassandra_options import Options
        from smackbox.spark.cassandra_source import CassandraWriter

        kept = {key: value for key, value in options.items() if key.lower() not in {"checkpointlocation", "path"}}
        self._options = Options(kept)
        self.description = f"cassandra[{self._options.keyspace}.{self._options.table}]"
        self._writer = CassandraWriter(self._options, schema.names)

    def add(self, batch: int, rows: Rows, run: BatchRun) -> int:
        table = run.table(rows)
        self._writer.write(iter(table.to_batches()))
        return table.num_rows  # type: ignore[no-any-return]

    def stop(self) -> None: ...


class PythonSink(Sink):
    """The writer of a registered data source: one task, then the commit."""

    def __init__(
        self, name: str, command: bytes, options: Mapping[str, str], schema: pa.Schema, *, overwrite: bool
    ) -> None:
        from pyspark.sql.pandas.types import from_arrow_schema

        from smackbox.spark.structured.sources.python import load

        self._types = from_arrow_schema(schema)
        self._writer = load(command, options).streamWriter(self._types, overwrite)
        self.description = f"PythonTable[{name}]"

    def add(self, batch: int, rows: Rows, run: BatchRun) -> int:
        from pyspark.sql.conversion import ArrowTableToRowsConversion
        from pyspark.sql.datasource import DataSourceStreamArrowWriter

        table = run.table(rows)
        arrow = isinstance(self._writer, DataSourceStreamArrowWriter)
        given: Any = table.to_batches() if arrow else ArrowTableToRowsConversion.convert(table, self._types)
        messages: list[Any] = []
        try:
            messages.append(self._writer.write(iter(given)))
        except BaseException:
            self._writer.abort(messages, batch)
            raise
        self._writer.commit(messages, batch)
        return table.num_rows  # type: ignore[no-any-return]

    def stop(self) -> None: ...
