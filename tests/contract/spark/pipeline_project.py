"""A small project for `spark-pipelines`, and what its tables hold: the same files for both engines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

SPEC = """name: small
storage: file://{root}/storage
libraries:
  - glob:
      include: transformations/**
configuration:
  spark.sql.shuffle.partitions: "2"
"""
PYTHON = """from pyspark import pipelines as dp
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

spark = SparkSession.active()


@dp.table
def events():
    return spark.readStream.schema("id INT, kind STRING, n INT").json("{root}/data")


@dp.temporary_view
def clicks():
    return spark.read.table("events").where("kind = 'click'")


@dp.materialized_view
def totals():
    return spark.table("clicks").groupBy("id").agg(F.sum("n").alias("n"))


dp.create_streaming_table("both")


@dp.append_flow(target="both")
def first():
    return spark.readStream.table("events").where("kind = 'click'").select("id", "n")


@dp.append_flow(target="both")
def second():
    return spark.readStream.table("events").where("kind = 'view'").select("id", "n")


@dp.materialized_view
def by_sql():
    return spark.sql("SELECT kind, count(*) AS c FROM events GROUP BY kind")
"""
SQL = """-- a comment; with a semicolon
CREATE MATERIALIZED VIEW top AS SELECT id, n FROM totals WHERE n > 1;
CREATE STREAMING TABLE copied AS SELECT id, upper(kind) AS kind FROM STREAM events;
CREATE STREAMING TABLE gathered;
CREATE FLOW to_gathered AS INSERT INTO gathered BY NAME SELECT id FROM STREAM(copied);
"""
TABLES = ("both", "by_sql", "copied", "events", "gathered", "top", "totals")
FIRST = [(1, "click", 2), (1, "view", 5), (2, "click", 1)]
LATER = [(2, "click", 4), (3, "view", 7)]


def make(root: Path) -> Path:
    """Write the project below `root`. Its spec."""
    (root / "transformations").mkdir()
    (root / "data").mkdir()
    (root / "transformations" / "a.py").write_text(PYTHON.replace("{root}", str(root)))
    (root / "transformations" / "b.sql").write_text(SQL)
    spec = root / "spark-pipeline.yml"
    spec.write_text(SPEC.format(root=root))
    put(root, "first", FIRST)
    return spec


def put(root: Path, name: str, rows: list[tuple[int, str, int]]) -> None:
    """A file for the stream of `events`."""
    lines = (json.dumps(dict(zip(("id", "kind", "n"), row, strict=True))) for row in rows)
    (root / "data" / f"{name}.json").write_text("\n".join(lines))


def tables(warehouse: Path) -> dict[str, list[list[Any]]]:
    """The rows of each table, sorted, from its files."""
    found: dict[str, list[list[Any]]] = {}
    for name in TABLES:
        files = [file for file in (warehouse / name).rglob("*.parquet") if "_spark_metadata" not in str(file)]
        found[name] = sorted(list(row.values()) for file in files for row in pq.read_table(file).to_pylist())
    return found


def expected(rows: list[tuple[int, str, int]]) -> dict[str, list[list[Any]]]:
    """What they hold when `events` had `rows`."""
    sums = {
        key: sum(n for id_, kind, n in rows if id_ == key and kind == "click")
        for key, kind, _ in rows
        if kind == "click"
    }
    kinds = [kind for _, kind, _ in rows]
    return {
        "both": sorted([id_, n] for id_, _, n in rows),
        "by_sql": sorted([kind, kinds.count(kind)] for kind in set(kinds)),
        "copied": sorted([id_, kind.upper()] for id_, kind, _ in rows),
        "events": sorted([id_, kind, n] for id_, kind, n in rows),
        "gathered": sorted([id_] for id_, _, _ in rows),
        "top": sorted([id_, n] for id_, n in sums.items() if n > 1),
        "totals": sorted([id_, n] for id_, n in sums.items()),
    }
