"""The session that `smackbox.spark.session` gives: Spark's own, with what the embedded engine and the sources need.

- Views of our sources by `CREATE TEMPORARY VIEW … USING` (`source_views`).
- Views that are made when a query first names them: opening a table costs a look at its schema, and can fail.
- One broken line does not fail a whole `read.json` (`json_lines`).
- An Arrow table without rows becomes a DataFrame, and so do data that are larger than a message (`large_relations`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from pyspark.sql.connect.dataframe import DataFrame
from pyspark.sql.connect.readwriter import DataFrameReader
from pyspark.sql.connect.session import SparkSession

from smackbox.spark import json_lines
from smackbox.spark.large_relations import through_a_file
from smackbox.spark.source_views import view_command

_WORD = re.compile(r"\w+")


def _rdd(df: Any) -> Any:
    from smackbox.spark.rdd.dataframes import rdd_of

    return rdd_of(df)


DataFrame.rdd = property(_rdd)  # pyspark-client leaves it out


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

    def __getattribute__(self, name: str) -> Any:
        if name == "sparkContext":  # which Spark's own class refuses
            from smackbox.spark.rdd.dataframes import context_of

            return context_of(self)
        return super().__getattribute__(name)

    def stop(self) -> None:
        """Spark's own, and the end of the session's `sparkContext`."""
        from smackbox.spark.rdd.dataframes import stop_context

        stop_context(self)
        super().stop()

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
