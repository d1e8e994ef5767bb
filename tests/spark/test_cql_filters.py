"""Spark's filters as CQL: which query they make, and what is left to Spark."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
from pyspark.sql.datasource import EqualTo, GreaterThan, GreaterThanOrEqual, In, IsNotNull, LessThan, StringContains

from smackbox.spark.cql_filters import PARTITIONS_LIMIT, Query, TableKeys, plan, restrictions

TYPES = {
    "id": "uuid",
    "year": "int",
    "month": "int",
    "day": "int",
    "views": "bigint",
    "name": "text",
    "share": "double",
}
TYPES |= {"at": "timestamp", "on": "date", "good": "boolean"}
KEYS = TableKeys(TYPES, ["id"], ["year", "month", "day"])
ONE, TWO = str(UUID(int=1)), str(UUID(int=2))


def query(*filters: Any, keys: TableKeys = KEYS) -> Query:
    return plan(restrictions(filters, TYPES), keys)


def test_no_filters_are_a_scan() -> None:
    assert query() == Query()


def test_the_query_of_the_talk() -> None:
    made = query(EqualTo(("id",), ONE), EqualTo(("year",), 2015), GreaterThan(("month",), 8))
    assert made == Query(('"year" = ?', '"month" > ?'), (2015, 8), partitions=((UUID(int=1),),))


def test_in_reads_each_partition_once() -> None:
    assert query(In(("id",), (ONE, TWO, ONE))).partitions == ((UUID(int=1),), (UUID(int=2),))


def test_a_partition_key_of_two_columns_is_every_pair() -> None:
    keys = TableKeys(TYPES, ["year", "month"])
    assert query(In(("year",), (1, 2)), EqualTo(("month",), 3), keys=keys).partitions == ((1, 3), (2, 3))
    assert query(EqualTo(("year",), 1), keys=keys) == Query(('"year" = ?',), (1,), filtering=True)


def test_too_many_partitions_are_a_scan() -> None:
    assert query(In(("id",), tuple(str(UUID(int=n)) for n in range(PARTITIONS_LIMIT + 1)))) == Query()


def test_a_range_of_a_clustering_column_ends_the_prefix() -> None:
    made = query(EqualTo(("id",), ONE), GreaterThan(("year",), 2014), LessThan(("year",), 2016), EqualTo(("month",), 1))
    assert made.where == ('"year" > ?', '"year" < ?')


def test_behind_a_gap_in_the_clustering_columns_spark_filters() -> None:
    assert query(EqualTo(("id",), ONE), EqualTo(("month",), 1)).where == ()


def test_other_columns_are_filtered_in_the_scan() -> None:
    made = query(GreaterThanOrEqual(("views",), 5), EqualTo(("name",), "x"))
    assert made == Query(('"views" >= ?', '"name" = ?'), (5, "x"), filtering=True)


def test_an_equality_makes_a_range_on_its_column_pointless() -> None:
    assert query(GreaterThan(("views",), 5), EqualTo(("views",), 7)).where == ('"views" = ?',)


def test_two_ranges_of_one_side_are_not_pushed_twice() -> None:
    assert query(GreaterThan(("views",), 5), GreaterThanOrEqual(("views",), 7)).where == ('"views" > ?',)


@pytest.mark.parametrize(
    ("item", "value"),
    [
        (EqualTo(("at",), datetime(2015, 1, 1, tzinfo=UTC)), 1_420_070_400_000),
        (EqualTo(("on",), date(2015, 1, 1)), date(2015, 1, 1)),
        (EqualTo(("good",), True), True),
    ],
)
def test_values_are_made_the_drivers(item: Any, value: Any) -> None:
    assert query(item).values == (value,)


@pytest.mark.parametrize(
    "item",
    [
        GreaterThan(("share",), 0.5),  # Spark orders NaN and -0.0 by other rules
        EqualTo(("share",), 0.0),
        EqualTo(("id",), "not a uuid"),
        GreaterThan(("id",), ONE),  # CQL orders UUIDs by other rules than their texts
        EqualTo(("at",), datetime(2015, 1, 1, 0, 0, 0, 1, tzinfo=UTC)),  # finer than CQL's milliseconds
        EqualTo(("year",), None),
        EqualTo(("year",), "2015"),
        EqualTo(("nothing",), 1),
        EqualTo(("a", "b"), 1),
        IsNotNull(("views",)),
        StringContains(("name",), "x"),
        In(("views",), (1, None)),
    ],
)
def test_what_could_be_narrower_is_left_to_spark(item: Any) -> None:
    assert query(item) == Query()
