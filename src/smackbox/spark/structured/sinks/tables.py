"""`toTable`: a stream's rows as the files of a table that the session reads by its name.

A table is a directory, `spark.sql.warehouse.dir` (else `spark-warehouse` where the server runs) and its name, with one
directory for each query that writes to it, for files are named by the batches of their query. The catalog is the
session's: another session reads the files.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pyarrow as pa

from smackbox.spark.front.errors import SparkError
from smackbox.spark.front.messages import relations_pb2
from smackbox.spark.structured.sail import Sail

WAREHOUSE_SETTING = "spark.sql.warehouse.dir"


def place_table(start: Any, schema: pa.Schema, sail: Sail, query_id: str) -> str:
    """Make the table known to the session. The directory that this query writes to. Raises `SparkError`."""
    name = start.table_name.rpartition(".")[2].strip("`")
    if not name.replace("_", "").isalnum():
        raise SparkError(f"{start.table_name!r} is no name of a table: letters, digits and _")
    folder = _warehouse(sail.session.settings) / name
    kind = start.format.lower() or "parquet"
    sail.session.tables[name] = lambda: table(folder, kind, schema, sail)
    return str(folder / query_id)


def table(folder: Path, kind: str, schema: pa.Schema, sail: Sail) -> Any:
    """A relation of the files that are there when it is asked for."""
    found = sorted({str(file.parent) for file in folder.glob("*/*") if file.is_file()})
    if not found:
        return sail.local(schema.empty_table())
    relation = relations_pb2.Relation()
    relation.read.data_source.format = kind
    relation.read.data_source.paths.extend(found)
    relation.read.data_source.schema = ddl(schema)
    return relation


def ddl(schema: pa.Schema) -> str:
    """The columns as Spark writes them in a definition."""
    from pyspark.sql.pandas.types import from_arrow_schema

    return ", ".join(f"`{field.name}` {field.dataType.simpleString()}" for field in from_arrow_schema(schema).fields)


def _warehouse(settings: Mapping[str, str]) -> Path:
    given = settings.get(WAREHOUSE_SETTING)
    return Path(urlparse(given).path).absolute() if given else Path("spark-warehouse").absolute()
