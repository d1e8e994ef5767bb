"""DataFrames of large local data on the embedded engine: through a Parquet file, for a message takes 128 MB at most.

Spark 4 uploads such data in chunks as artifacts, which Sail does not take. The embedded engine reads this machine's
files, so data over `LIMIT_BYTES` are written to one, and the DataFrame's plan reads it. The file goes with the plan.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any

from smackbox.spark.json_lines import parsed_schema

LIMIT_BYTES = 32 * 1024 * 1024
FOLDER_PREFIX = "smackbox-relation-"


def relation_of(plan: Any) -> Any | None:
    """The local relation that a new DataFrame's plan is made of, below a renaming of columns; None for any other."""
    from pyspark.sql.connect.plan import LocalRelation

    while plan is not None and not isinstance(plan, LocalRelation):
        plan = getattr(plan, "_child", None)
    return plan


def through_a_file(session: Any, df: Any) -> Any:
    """`df`, just made of local data, or the same rows read from a file where those are large."""
    relation = relation_of(df._plan)
    if relation is None or relation._table is None or relation._table.nbytes <= LIMIT_BYTES:
        return df
    from pyarrow import parquet

    folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
    try:
        parquet.write_table(relation._table, folder / "rows.parquet", compression="lz4")
        read = session.read.parquet(str(folder / "rows.parquet"))
        if relation._schema:
            read = read.to(parsed_schema(relation._schema))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    weakref.finalize(read._plan, shutil.rmtree, folder, ignore_errors=True)
    if df._plan is relation:
        return read
    parent = df._plan
    while parent._child is not relation:
        parent = parent._child
    parent._child = read._plan
    return df
