"""`read.json` of lines of which some are broken, in Spark's three modes, with a schema and without."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import types as spark_types

from smackbox.spark import json_lines, session

LINES = ['{"a":1,"b":"x"}', '{"a":2,"b":"y"', "", '{"a":"word","b":"z"}', '{"a":3,"extra":{"n":1}}', "[1]"]


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    spark = session()
    yield spark
    spark.stop()


@pytest.fixture
def file(tmp_path: Path) -> str:
    (tmp_path / "lines.json").write_text("\n".join(LINES) + "\n")
    return str(tmp_path / "lines.json")


def rows(frame: Any) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in frame.collect()]


def test_broken_lines_are_rows_of_nulls(spark: Any, file: str) -> None:
    frame = spark.read.schema("a long, b string").json(file)
    assert rows(frame) == [(1, "x"), (None, None), (None, "z"), (3, None), (None, None)]


def test_the_broken_line_is_kept_where_there_is_a_column_for_it(spark: Any, file: str) -> None:
    frame = spark.read.schema("a long, _corrupt_record string").json(file)
    assert rows(frame) == [(1, None), (None, LINES[1]), (None, LINES[3]), (3, None), (None, LINES[5])]
    frame = spark.read.schema("bad string, b string").json(file, columnNameOfCorruptRecord="bad")
    assert rows(frame) == [(None, "x"), (LINES[1], None), (None, "z"), (None, None), (LINES[5], None)]


def test_broken_lines_can_be_dropped(spark: Any, file: str) -> None:
    assert rows(spark.read.schema("a long").json(file, mode="dropmalformed")) == [(1,), (3,)]
    inferred = spark.read.json(file, mode="DROPMALFORMED")
    assert inferred.columns == ["a", "b", "extra"]
    assert inferred.count() == 3


def test_the_first_broken_line_can_end_the_query(spark: Any, file: str) -> None:
    with pytest.raises(PySparkException, match="MALFORMED_RECORD_IN_PARSING"):
        spark.read.schema("a long").option("mode", "FAILFAST").json(file).collect()


def test_an_unknown_mode_is_an_error(spark: Any, file: str) -> None:
    with pytest.raises(AnalysisException, match="'lenient' is no mode"):
        spark.read.json(file, mode="lenient")


def test_without_a_schema_all_lines_are_looked_at(spark: Any, file: str) -> None:
    frame = spark.read.json(file)
    assert frame.schema.simpleString() == "struct<_corrupt_record:string,a:string,b:string,extra:struct<n:bigint>>"
    assert frame.filter("_corrupt_record is not null").count() == 2


def test_whole_lines_have_no_column_for_broken_ones(spark: Any, tmp_path: Path) -> None:
    for number in range(3):
        with gzip.open(tmp_path / f"{number}.json.gz", "wt") as file:
            file.write(json.dumps({"n": number, "x": None}) + "\n")
    frame = spark.read.format("json").load(str(tmp_path / "*.json.gz"))
    assert frame.schema.simpleString() == "struct<n:bigint,x:string>"
    assert sorted(rows(frame)) == [(0, None), (1, None), (2, None)]


def test_documents_over_several_lines_are_the_engines_own(spark: Any, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[{"a": 1}, {"a": 2}]')
    assert not json_lines.serves({"multiLine": "true"})
    assert json_lines.serves({"multiLine": "false", "mode": "PERMISSIVE"})
    assert not json_lines.serves({"allowComments": "true"})


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (["1", "null"], "bigint"),
        (["1", "1.5"], "double"),
        (["1", "true"], "string"),
        (["12345678901234567890", "1"], "decimal(38,0)"),
        (["[1]", "[2.5]"], "array<double>"),
        (["[]", "null"], "array<string>"),
        (['{"b":1}', '{"a":"x"}'], "struct<a:string,b:bigint>"),
        (['{"a":1}', "[1]"], "string"),
        (["null"], "string"),
        (["{}"], None),
    ],
)
def test_types_that_are_merged(kinds: list[str], expected: str | None) -> None:
    found: spark_types.DataType = spark_types.NullType()
    for kind in kinds:
        found = json_lines.merged(found, json_lines.type_of(json.loads(kind)))
    settled = json_lines._settled(found)
    assert (settled.simpleString() if settled is not None else None) == expected


SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False), st.text())
VALUES = st.recursive(
    SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3))
)


@settings(deadline=None)
@given(st.lists(st.dictionaries(st.text(), VALUES, max_size=4), min_size=1, max_size=5))
def test_every_value_fits_the_type_that_is_inferred_from_all(objects: list[dict[str, Any]]) -> None:
    found: spark_types.DataType = spark_types.StructType([])
    for value in objects:
        found = json_lines.merged(found, json_lines.type_of(value))
    for value in objects:
        assert json_lines.is_whole(json.dumps(value), found)  # type: ignore[arg-type]
    reverse: spark_types.DataType = spark_types.StructType([])
    for value in reversed(objects):
        reverse = json_lines.merged(reverse, json_lines.type_of(value))
    assert reverse == found, "the order of the lines does not count"
