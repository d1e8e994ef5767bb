"""The session that `smackbox.spark.session` gives: Spark's own, with what the embedded engine and the sources need.

- Views of our sources by `CREATE TEMPORARY VIEW … USING` (`source_views`).
- Views that are made when a query first names them: opening a table costs a look at its schema, and can fail.
- A write to a source that only appends or truncates is refused in the modes `error` (Spark's default) and `ignore`, as
  Spark refuses it for a data source of version 2. Sail would append.
- The rows of a write to a source of ours are repartitioned first: Sail writes all rows of a plan that ends in GROUP BY,
  DISTINCT or a join of aggregates, and then fails ("Invalid partition id").
- One broken line does not fail a whole `read.json` (`json_lines`).
- An Arrow table without rows becomes a DataFrame, and so do data that are larger than a message (`large_relations`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from pyspark.errors import AnalysisException
from pyspark.sql.connect.proto import Relation, WriteOperation
from pyspark.sql.connect.readwriter import DataFrameReader
from pyspark.sql.connect.session import SparkSession

from smackbox.spark import json_lines
from smackbox.spark.large_relations import through_a_file
from smackbox.spark.source_views import view_command
from smackbox.spark.sources import OWN_NAMES

WRITE_PARTITIONS = 4

_WORD = re.compile(r"\w+")
_WRITABLE_MODES = frozenset({WriteOperation.SAVE_MODE_APPEND, WriteOperation.SAVE_MODE_OVERWRITE})


class SmackReader(DataFrameReader):  # type: ignore[misc]
    """`SmackSession.read`."""

    def table(self, tableName: str) -> Any:  # noqa: N803 - Spark's name
        self._client._make_views(tableName)
        return super().table(tableName)

    def load(self, path: Any = None, format: Any = None, schema: Any = None, **options: Any) -> Any:  # noqa: A002 - Spark's name
        if format is not None:
            self.format(format)
        if schema is not None:
            self.schema(schema)
        self.options(**options)
        if self._client._reads_local_files and self._format == "json" and json_lines.serves(self._options):
            given = json_lines.parsed_schema(self._schema) if self._schema else None
            lines = SmackReader(self._client).format("text").options(**json_lines.of_files(self._options)).load(path)
            return json_lines.read(lines, given, self._options)
        return super().load(path)


class SmackSession(SparkSession):  # type: ignore[misc]
    """Made by giving this class to a session of Spark's."""

    _pending_views: dict[str, Callable[[], Any]]
    _reads_local_files = False  # whether the engine is in this process

    def add_views(self, views: Mapping[str, Callable[[], Any]]) -> None:
        """Let `sql`, `table` and `read.table` know `views`: a name, and what loads its DataFrame.

        What a loader raises reaches the query that names its view, and no other.
        """
        self._pending_views = dict(views)

    def sql(self, sqlQuery: str, *args: Any, **kwargs: Any) -> Any:  # noqa: N803 - Spark's name
        command = view_command(sqlQuery)
        if command is not None:
            self.client.execute_command(command)
            return self.range(0).select()
        self._make_views(sqlQuery)
        return super().sql(sqlQuery, *args, **kwargs)

    def table(self, tableName: str) -> Any:  # noqa: N803 - Spark's name
        self._make_views(tableName)
        return super().table(tableName)

    def createDataFrame(self, data: Any, schema: Any = None, *args: Any, **kwargs: Any) -> Any:  # noqa: N802 - Spark's name
        if schema is None and not len(data) and hasattr(data, "column_names"):
            # an Arrow table has its types without rows too; pyspark asks for one row
            from pyspark.sql.pandas.types import from_arrow_schema

            schema = from_arrow_schema(data.schema)
            data = []
        df = super().createDataFrame(data, schema, *args, **kwargs)
        return through_a_file(self, df) if self._reads_local_files else df

    @property
    def read(self) -> Any:
        return SmackReader(self)

    def _make_views(self, text: str) -> None:
        pending: dict[str, Callable[[], Any]] = getattr(self, "_pending_views", {})
        for name in pending.keys() & set(_WORD.findall(text)):
            pending[name]().createOrReplaceTempView(name)
            del pending[name]


class WriteHook(SparkSession.Hook):  # type: ignore[misc]
    """What becomes of a write to a source of ours before it is sent."""

    def __init__(self, _session: Any = None) -> None:
        super().__init__()

    def on_execute_plan(self, request: Any) -> Any:
        if request.plan.command.HasField("write_operation"):
            write = request.plan.command.write_operation
            if write.source.lower() in OWN_NAMES and write.mode not in _WRITABLE_MODES:
                raise AnalysisException(
                    f"{write.source} cannot be written with mode error or ignore (error is the default), for it does "
                    'not look for rows that are there: use mode("append"), which upserts, or mode("overwrite")'
                )
            if write.input.WhichOneof("rel_type") not in {"repartition", "local_relation"}:
                rows = Relation()
                rows.CopyFrom(write.input)
                write.input.Clear()
                write.input.repartition.input.CopyFrom(rows)
                write.input.repartition.num_partitions = WRITE_PARTITIONS
                write.input.repartition.shuffle = True
        return request
