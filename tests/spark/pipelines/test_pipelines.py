"""Declarative pipelines on the embedded server: a project from its files, run after run, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.errors import PySparkException
from tests.contract.spark import pipeline_project as project

from smackbox.spark import session


@pytest.fixture
def spark() -> Iterator[Any]:
    one = session()
    kind = type(one).__mro__[1]  # Spark's own class, which keeps the session that definitions are loaded on
    before = kind._default_session, getattr(kind._active_session, "session", None)
    kind._default_session = kind._active_session.session = one
    yield one
    kind._default_session, kind._active_session.session = before
    one.stop()


class Pipeline:
    """A graph on a session: files of a project, or definitions in SQL."""

    def __init__(self, spark: Any, root: Path) -> None:
        self.spark = spark
        self.root = root

    def run(self, sql: str = "", *, spec: Path | None = None, dry: bool = False, **how: Any) -> list[str]:
        """The messages of a run."""
        from pyspark.pipelines import cli
        from pyspark.pipelines.spark_connect_graph_element_registry import SparkConnectGraphElementRegistry
        from pyspark.pipelines.spark_connect_pipeline import create_dataflow_graph, start_run

        settings = {"spark.sql.warehouse.dir": str(self.root / "warehouse")}
        graph = create_dataflow_graph(self.spark, None, None, settings)
        registry = SparkConnectGraphElementRegistry(self.spark, graph)
        if spec is not None:
            cli.register_definitions(spec, registry, cli.load_pipeline_spec(spec), self.spark, graph)
        if sql:
            registry.register_sql(sql, Path("x.sql"))
        how = {"full_refresh": [], "full_refresh_all": False, "refresh": []} | how
        results = start_run(self.spark, graph, dry=dry, storage=f"file://{self.root}/storage", **how)
        return [
            result["pipeline_event_result"].event.message for result in results if "pipeline_event_result" in result
        ]


@pytest.fixture
def pipeline(spark: Any, tmp_path: Path) -> Pipeline:
    return Pipeline(spark, tmp_path)


def test_a_project_goes_on_with_what_is_new(pipeline: Pipeline, tmp_path: Path) -> None:
    spec = project.make(tmp_path)
    assert pipeline.run(spec=spec, dry=True) == ["Run is COMPLETED."]
    assert not (tmp_path / "warehouse").exists()
    messages = pipeline.run(spec=spec)
    assert project.tables(tmp_path / "warehouse") == project.expected(project.FIRST)
    assert messages[-1] == "Run is COMPLETED."
    assert "Flow spark_catalog.default.to_gathered has COMPLETED." in messages
    project.put(tmp_path, "later", project.LATER)
    pipeline.run(spec=spec)
    everything = [*project.FIRST, *project.LATER]
    assert project.tables(tmp_path / "warehouse") == project.expected(everything)
    # the session reads the tables
    assert (
        sorted(map(list, pipeline.spark.sql("SELECT * FROM totals").collect()))
        == project.expected(everything)["totals"]
    )
    (tmp_path / "data" / "first.json").unlink()
    pipeline.run(spec=spec, full_refresh=["copied"], refresh=["top"])
    after = project.tables(tmp_path / "warehouse")
    assert after["copied"] == project.expected(everything)["copied"]  # from `events`, which was not refreshed
    pipeline.run(spec=spec, full_refresh_all=True)
    assert project.tables(tmp_path / "warehouse") == project.expected(project.LATER)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        (
            "CREATE MATERIALIZED VIEW a AS SELECT * FROM b; CREATE MATERIALIZED VIEW b AS SELECT * FROM a",
            "cycle: a -> b -> a",
        ),
        ("CREATE STREAMING TABLE a", "a does not have any defined flows"),
        ("CREATE MATERIALIZED VIEW a AS SELECT 1 AS x; CREATE MATERIALIZED VIEW a AS SELECT 2 AS x", "duplicate.* a"),
        ("CREATE STREAMING TABLE a AS SELECT 1 AS x", "returns a batch relation"),
        (
            "CREATE MATERIALIZED VIEW a AS SELECT 1 AS x; CREATE MATERIALIZED VIEW b AS SELECT * FROM STREAM a",
            "returns a streaming relation",
        ),
        (
            "CREATE FLOW f AS INSERT INTO aa BY NAME SELECT 1 AS x; CREATE STREAMING TABLE a",
            "into aa, which.*did you mean 'a'",
        ),
        ("CREATE MATERIALIZED VIEW a AS SELECT nope FROM range(3)", "nope"),
        ("DROP TABLE a", "x.sql: unsupported statement in a pipeline: 'DROP TABLE a'"),
        ("CREATE MATERIALIZED VIEW a", "MATERIALIZED VIEW a needs AS and a query"),
        (
            "CREATE MATERIALIZED VIEW a (x STRING) AS SELECT 1 AS x",
            "USER_SPECIFIED_AND_INFERRED_SCHEMA_NOT_COMPATIBLE.*Declared: `x` string. Inferred: `x` int",
        ),
        ("CREATE MATERIALIZED VIEW a PARTITIONED BY (y) AS SELECT 1 AS x", "a has no column 'y' to partition by"),
        ("CREATE MATERIALIZED VIEW a USING orc AS SELECT 1 AS x", "UNSUPPORTED_FEATURE.*a in the format orc"),
        (
            "CREATE MATERIALIZED VIEW a TBLPROPERTIES ('quality' = 'gold') AS SELECT 1 AS x",
            "UNSUPPORTED_FEATURE.*table property quality",
        ),
        ("CREATE MATERIALIZED VIEW a CLUSTER BY (x) AS SELECT 1 AS x", r"UNSUPPORTED_FEATURE.*CLUSTER BY \(x\)"),
    ],
)
def test_what_makes_no_graph_is_refused_before_anything_is_written(
    pipeline: Pipeline, tmp_path: Path, sql: str, message: str
) -> None:
    good = "CREATE MATERIALIZED VIEW good AS SELECT 1 AS x;"
    with pytest.raises(PySparkException, match=message):
        pipeline.run(good + sql)
    assert not (tmp_path / "warehouse").exists()


def test_a_failed_query_leaves_the_table_as_it_was(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.run("CREATE MATERIALIZED VIEW a AS SELECT 7 AS x")
    broken = "CREATE MATERIALIZED VIEW a AS SELECT CAST(raise_error('broken') AS INT) AS x"
    with pytest.raises(PySparkException, match="broken"):
        pipeline.run(broken)
    assert [row["x"] for row in pipeline.spark.sql("SELECT x FROM a").collect()] == [7]
    assert [path.name for path in (tmp_path / "warehouse").iterdir()] == ["a"]


def test_a_table_to_refresh_has_to_be_there(pipeline: Pipeline) -> None:
    with pytest.raises(PySparkException, match="no table 'aa' to refresh .did you mean 'a'"):
        pipeline.run("CREATE MATERIALIZED VIEW a AS SELECT 7 AS x", refresh=["aa"])


def test_texts_and_comments_of_sql_are_left_alone(pipeline: Pipeline) -> None:
    pipeline.run(
        "/* ; */ CREATE MATERIALIZED VIEW a COMMENT 'AS SELECT; b' AS SELECT 'x;--y' AS x -- ;\n;\n"
        "CREATE MATERIALIZED VIEW b AS WITH q AS (SELECT x FROM a) SELECT concat(x, ' STREAM b') AS b FROM q"
    )
    assert pipeline.spark.sql("SELECT b FROM b").collect() == [("x;--y STREAM b",)]


DECLARED = """
from pyspark import pipelines as dp
from pyspark.sql import SparkSession

spark = SparkSession.active()


@dp.table(partition_cols=["kind"], schema="n INT, kind STRING", table_properties={"pipelines.reset.allowed": "false"})
def events():
    return spark.readStream.schema("kind STRING, n INT").json("{root}/data")


@dp.materialized_view(partition_cols=["kind"])
def seen():
    return spark.read.table("events")


@dp.table
def copied():
    return spark.readStream.table("events")
"""


def test_declared_columns_partitions_and_resets_hold(pipeline: Pipeline, tmp_path: Path) -> None:
    spec = project.make(tmp_path)
    (tmp_path / "transformations" / "b.sql").unlink()
    (tmp_path / "transformations" / "a.py").write_text(DECLARED.replace("{root}", str(tmp_path)))
    expected = sorted((n, kind) for _, kind, n in project.FIRST)
    for _ in range(2):
        pipeline.run(spec=spec, full_refresh_all=True)
        for name in ("events", "seen", "copied"):
            rows = pipeline.spark.table(name)
            assert rows.columns == ["n", "kind"]
            assert sorted(map(tuple, rows.collect())) == expected
        (tmp_path / "data" / "first.json").unlink(missing_ok=True)  # `events` is not read again: it may not be reset
    kinds = {"kind=click", "kind=view"}
    assert {path.name for path in (tmp_path / "warehouse" / "seen").iterdir() if path.is_dir()} == kinds
    assert {path.name for path in (tmp_path / "warehouse" / "events" / "events").iterdir() if path.is_dir()} == kinds
    with pytest.raises(PySparkException, match="TABLE_NOT_RESETTABLE"):
        pipeline.run(spec=spec, full_refresh=["events"])


def test_settings_of_a_flow_are_refused(pipeline: Pipeline, tmp_path: Path) -> None:
    spec = project.make(tmp_path)
    text = project.PYTHON.replace(
        "@dp.materialized_view\ndef totals", "@dp.materialized_view(spark_conf={'a': 'b'})\ndef totals"
    )
    (tmp_path / "transformations" / "a.py").write_text(text.replace("{root}", str(tmp_path)))
    with pytest.raises(PySparkException, match="UNSUPPORTED_FEATURE.*spark_conf of the flow"):
        pipeline.run(spec=spec)
