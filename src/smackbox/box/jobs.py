"""A declared job on a Spark session in which every table of the application is a view."""

from __future__ import annotations

from functools import partial
from typing import Any

from smackbox.app.model import App, Job, Table
from smackbox.base.errors import UserError
from smackbox.spark import session


def run_job(
    app: App,
    job: Job,
    *,
    cassandra: str,
    spark_url: str | None,
    username: str | None = None,
    password: str | None = None,
) -> int:
    """Run a job; the number of rows written to its target, or shown where it has none.

    Raises `UserError` when the function does not return the DataFrame that its target needs.
    """
    spark = session(spark_url, app_name=f"{app.name}.{job.name}")
    where = {"contact": cassandra, "keyspace": app.keyspace}
    if username is not None:
        where |= {"user": username, "password": password or ""}
    try:
        spark.add_views({table.name: partial(_read, spark, table, where) for table in app.tables})
        result = job.function(spark)
        if job.target is None:
            if result is not None:
                result.show(truncate=False)
            return 0
        if not hasattr(result, "write"):
            raise UserError(f"job {job.name} must return a DataFrame to write to {job.target.name}, not {result!r}")
        rows = result.toArrow()  # computed once, although it is written and counted
        if not rows.num_rows:
            return 0
        frame = spark.createDataFrame(rows)
        frame.write.format("cassandra").options(**where, table=job.target.name).mode("append").save()
        return int(rows.num_rows)
    finally:
        spark.stop()


def _read(spark: Any, table: Table, where: dict[str, str]) -> Any:
    return spark.read.format("cassandra").options(**where, table=table.name).load()
