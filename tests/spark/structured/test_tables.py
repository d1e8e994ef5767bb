"""`toTable`: two streams into one table, read by its name, before and after a restart of one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pyspark.errors import PySparkException


def write(folder: Path, name: str, *numbers: int) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("\n".join(json.dumps({"a": number}) for number in numbers))


def test_streams_fill_a_table(spark: Any, tmp_path: Path) -> None:
    spark.conf.set("spark.sql.warehouse.dir", f"file://{tmp_path}/warehouse")
    name = f"t_{tmp_path.name.replace('-', '_')}"

    def run(which: str) -> None:
        stream = spark.readStream.schema("a INT").json(str(tmp_path / which))
        options = {"checkpointLocation": str(tmp_path / f"checkpoint-{which}")}
        query = stream.selectExpr("a", "a * 2 AS b").writeStream.trigger(availableNow=True).toTable(name, **options)
        assert query.awaitTermination(60)
        assert query.exception() is None

    def rows() -> list[tuple[int, int]]:
        return sorted(map(tuple, spark.table(name).collect()))

    try:
        write(tmp_path / "x", "1.json")
        run("x")
        assert rows() == []
        write(tmp_path / "x", "2.json", 1, 2)
        write(tmp_path / "y", "1.json", 10)
        run("x")
        run("y")  # its first batch has the number of the other's
        assert rows() == [(1, 2), (2, 4), (10, 20)]
        write(tmp_path / "x", "3.json", 3)
        run("x")
        assert spark.sql(f"SELECT sum(b) AS s FROM {name} WHERE a < 10").collect() == [(12,)]
        assert spark.catalog.tableExists(name)
    finally:
        spark.conf.unset("spark.sql.warehouse.dir")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [("t", {"format": "console"}, "toTable in this format"), ("a/b", {}, "no name of a table")],
)
def test_a_table_that_cannot_be_is_refused(
    spark: Any, tmp_path: Path, name: str, options: dict[str, str], message: str
) -> None:
    write(tmp_path / "x", "1.json", 1)
    stream = spark.readStream.schema("a INT").json(str(tmp_path / "x")).writeStream
    with pytest.raises(PySparkException, match=message):
        stream.toTable(name, checkpointLocation=str(tmp_path / "checkpoint"), **options)
