"""A declared job on a Spark session in which every table of the application is a view."""

from __future__ import annotations

from typing import Any

from smackbox.app.model import App, Job, Table
from smackbox.base.errors import UserError
from smackbox.spark import session


def run_job(app: App, job: Job, *, cassandra: str, spark_url: str | None) -> int:
    """Run a job; the number of rows written to its target, or shown where it has none.

    Raises `UserError` when the function does not return the DataFrame that its target needs.
    """
    spark = session(spark_url, app_name=f"{app.name}.{job.name}")
    try:
        for table in app.tables:
            _read(spark, app, table, cassandra).createOrReplaceTempView(table.name)
        result = job.function(spark)
        if job.target is None:
            if result is not None:
                result.show(truncate=False)
            return 0
        if not hasattr(result, "write"):
            raise UserError(f"job {job.name} must return a DataFrame to write to {job.target.name}, not {result!r}")
        rows = result.toArrow()  # computed once, although it is written and counted
        frame = spark.createDataFrame(rows)
        frame.write.format("cassandra").options(**_options(app, job.target, cassandra)).mode("append").save()
        return int(rows.num_rows)
    finally:
        spark.stop()


def _read(spark: Any, app: App, table: Table, cassandra: str) -> Any:
    return spark.read.format("cassandra").options(**_options(app, table, cassandra)).load()


def _options(app: App, table: Table, cassandra: str) -> dict[str, str]:
    return {"contact": cassandra, "keyspace": app.keyspace, "table": table.name}
