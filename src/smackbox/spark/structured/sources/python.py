"""Streaming Python data sources: a client's `DataSource` with `streamReader` or `simpleStreamReader`, run here.

The class comes pickled with `RegisterDataSource`. Its partitions are read one after the other in this process.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from smackbox.spark.front.errors import SPARK, SparkError
from smackbox.spark.structured.sources.source import Batch, Source


def load(command: bytes, options: Mapping[str, str]) -> Any:
    """The `DataSource` object of a registered class."""
    from pyspark.serializers import CloudPickleSerializer
    from pyspark.sql.datasource import CaseInsensitiveDict

    made = CloudPickleSerializer().loads(command)
    return made(options=CaseInsensitiveDict(dict(options)))


def schema_of(source: Any, given: str) -> Any:
    """The source's `StructType`: what the client gave, or what the source says."""
    from pyspark.sql.types import StructType

    from smackbox.spark.json_lines import parsed_schema

    found = given or source.schema()
    if isinstance(found, StructType):
        return found
    return StructType.fromJson(__import__("json").loads(found)) if found.startswith("{") else parsed_schema(found)


class PythonSource(Source):
    """`admission` is the limit that the reader asks for."""

    def __init__(self, name: str, command: bytes, options: Mapping[str, str], given_schema: str) -> None:
        from pyspark.sql.datasource_internal import _streamReader
        from pyspark.sql.pandas.types import to_arrow_schema
        from pyspark.sql.streaming.datasource import ReadAllAvailable

        source = load(command, options)
        schema = schema_of(source, given_schema)
        self._schema = to_arrow_schema(schema, timezone="UTC")
        self._types = schema
        self._reader = _streamReader(source, schema)
        self._all = ReadAllAvailable()
        self._frozen = False
        self._end: Any = None
        self.description = f"PythonMicroBatchStreamWithAdmissionControl[{name}]"

    def initial(self) -> Any:
        return self._reader.initialOffset()

    def latest(self, start: Any, *, limited: bool) -> Any:
        if self._frozen and self._end is not None:
            return self._end
        limit = self._reader.getDefaultReadLimit() if limited else self._all
        try:
            end = self._reader.latestOffset(start, limit)
        except TypeError:
            # readers written for Spark before 4.2 take no arguments
            end = self._reader.latestOffset()
        if self._frozen:
            self._end = end
        return end

    def freeze(self) -> None:
        self._frozen = True
        prepare = getattr(self._reader, "prepareForTriggerAvailableNow", None)
        if prepare is not None:
            prepare()

    def batch(self, start: Any, end: Any) -> Batch:
        pieces: list[pa.Table] = []
        for partition in self._reader.partitions(start, end):
            rows: list[Any] = []
            for item in self._read(partition):
                if isinstance(item, pa.RecordBatch):
                    pieces.append(pa.Table.from_batches([item]).cast(self._schema))
                else:
                    rows.append(item)
            if rows:
                pieces.append(self._table(rows))
        table = pa.concat_tables(pieces) if pieces else self._schema.empty_table()
        return Batch(table, rows=table.num_rows)

    def commit(self, end: Any) -> None:
        self._reader.commit(end)

    def stop(self) -> None:
        stop = getattr(self._reader, "stop", None)
        if stop is not None:
            stop()

    def _read(self, partition: Any) -> Any:
        """A simple reader's rows are taken from what it read when the end was asked for, if they still are there."""
        reader = self._reader
        if hasattr(reader, "simple_reader"):
            for entry in reader.cache:
                if entry.start == partition.start and entry.end == partition.end:
                    reader.cache.remove(entry)
                    return entry.iterator
            return reader.simple_reader.readBetweenOffsets(partition.start, partition.end)
        return reader.read(partition)

    def _table(self, rows: list[Any]) -> pa.Table:
        from pyspark.sql.conversion import LocalDataToArrowConversion

        for row in rows:
            if len(row) != len(self._types):
                raise SparkError(
                    f"{self.description}: a row has {len(row)} values, the schema {len(self._types)}", classes=SPARK
                )
        return LocalDataToArrowConversion.convert(rows, self._types, use_large_var_types=False).cast(self._schema)
