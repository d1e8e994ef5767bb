"""A declared job on a Spark session in which every table of the application is a view."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from smackbox.app.load import place_of
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
    """Run a job; returns the number of rows written to its target, or shown if it has none.

    Raises `UserError` when the function does not return the DataFrame that its target needs.
    """
    spark = session(spark_url, app_name=f"{app.name}.{job.name}")
    where = {"contact": cassandra, "keyspace": app.keyspace}
    if username is not None:
        where |= {"user": username, "password": password or ""}
    try:
        spark.add_views({table.name: partial(_read, spark, table, where) for table in app.tables})
        result = _call(job, spark)
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
        try:
            frame.write.format("cassandra").options(**where, table=job.target.name).mode("append").save()
        except Exception as error:
            raise UserError(
                f"job {job.name}: its result cannot be written to {job.target.name}: {_reason(error)}"
            ) from error
        return int(rows.num_rows)
    finally:
        spark.stop()


def _read(spark: Any, table: Table, where: dict[str, str]) -> Any:
    return spark.read.format("cassandra").options(**where, table=table.name).load()


def _call(job: Job, spark: Any) -> Any:
    try:
        return job.function(spark)
    except UserError:
        raise
    except Exception as error:
        where = place_of(error, Path(job.function.__code__.co_filename))
        raise UserError(f"job {job.name} failed: {where}") from error


def _reason(error: Exception) -> str:
    """The line of a source's Python error, extracted from Spark's trace."""
    lines = str(error).splitlines()
    return next((line.strip() for line in lines if "Error: " in line), lines[0] if lines else type(error).__name__)
