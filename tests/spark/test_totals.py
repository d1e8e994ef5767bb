"""Joining a batch with the totals: every merge, nulls, keys in their forms, results that do not fit."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from cassandra import cqltypes
from hypothesis import given
from hypothesis import strategies as st

from smackbox.spark.streaming.errors import StreamError
from smackbox.spark.streaming.totals import Totals

BIG, TEXT = cqltypes.LongType, cqltypes.UTF8Type


class Saved:
    """Totals with their saved state, batch after batch."""

    def __init__(self, values: dict[str, Any], merge: Any = None, key: dict[str, Any] | None = None) -> None:
        self.totals = Totals("ks.t", key or {"k": TEXT}, values, merge or {})
        self.saved: dict[bytes, bytes] = {}

    def add(self, *rows: dict[str, Any]) -> list[list[Any]]:
        out, saved = self.totals.apply(rows, list(rows[0]), lambda keys: [self.saved.get(key) for key in keys])
        self.saved.update(saved)
        return out


@pytest.mark.parametrize(
    ("merge", "values", "total"),
    [
        ("sum", [5, 3, 4], 12),
        ("min", [5, 3, 4], 3),
        ("max", [5, 3, 4], 5),
        ("last", [5, 3, 4], 4),
        ("sum", [5, None], 5),
        ("min", [None, 3], 3),
        ("max", [5, None], 5),
        ("last", [5, None], None),
        ("sum", [None], None),
    ],
)
def test_merges(merge: Any, values: list[Any], total: Any) -> None:
    saved = Saved({"v": BIG}, {"v": merge})
    for value in values:
        out = saved.add({"k": "a", "v": value})
    assert out == [["a", total]]


def test_a_sum_is_the_default_and_rows_of_one_key_in_a_batch_are_joined() -> None:
    assert Saved({"v": BIG}).add({"k": "a", "v": 1}, {"k": "b", "v": 5}, {"k": "a", "v": 2}) == [["a", 3], ["b", 5]]


def test_columns_that_a_batch_does_not_return_keep_their_totals() -> None:
    saved = Saved({"v": BIG, "w": BIG})
    saved.add({"k": "a", "v": 1, "w": 10})
    assert saved.add({"k": "a", "v": 1}) == [["a", 2]]
    assert saved.add({"k": "a", "w": 1}) == [["a", 11]]


def test_a_column_added_to_the_table_joins_old_totals() -> None:
    saved = Saved({"v": BIG})
    saved.add({"k": "a", "v": 1})
    wider = Saved({"v": BIG, "w": BIG})
    wider.saved = saved.saved
    assert wider.add({"k": "a", "v": 1, "w": 7}) == [["a", 2, 7]]


def test_a_key_is_the_same_in_every_form() -> None:
    saved = Saved({"v": BIG}, key={"k": cqltypes.UUIDType, "day": cqltypes.SimpleDateType})
    saved.add({"k": UUID(int=1), "day": date(2015, 1, 2), "v": 1})
    (row,) = saved.add({"k": "00000000-0000-0000-0000-000000000001", "day": date(2015, 1, 2), "v": 1})
    assert row[-1] == 2


@pytest.mark.parametrize(
    ("cql_type", "first", "second", "total"),
    [
        (cqltypes.DecimalType, Decimal("0.1"), Decimal("0.2"), Decimal("0.3")),
        (cqltypes.DoubleType, 0.5, 0.25, 0.75),
        (cqltypes.FloatType, 0.1, 0.2, 0.1 + 0.2),
        (cqltypes.Int32Type, 1, 2, 3),
    ],
)
def test_numbers_of_each_type_are_summed_exactly(cql_type: Any, first: Any, second: Any, total: Any) -> None:
    saved = Saved({"v": cql_type})
    saved.add({"k": "a", "v": first})
    assert saved.add({"k": "a", "v": second}) == [["a", total]]


def test_times_and_texts_have_a_largest() -> None:
    saved = Saved({"at": cqltypes.DateType, "name": TEXT}, {"at": "max", "name": "max"})
    early, late = datetime(2015, 1, 1, tzinfo=UTC), datetime(2016, 1, 1, tzinfo=UTC)
    saved.add({"k": "a", "at": late, "name": "x"})
    assert saved.add({"k": "a", "at": early, "name": "y"}) == [["a", late, "y"]]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(-1000, 1000)), min_size=1), st.integers(1, 5))
def test_totals_do_not_depend_on_how_rows_are_cut_into_batches(rows: list[tuple[str, int]], size: int) -> None:
    saved = Saved({"v": BIG})
    found: dict[str, int] = {}
    for start in range(0, len(rows), size):
        found.update(saved.add(*({"k": key, "v": value} for key, value in rows[start : start + size])))
    assert found == {key: sum(v for k, v in rows if k == key) for key, _ in rows}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"v": 1}, "lacks 'k', a part of the primary key"),
        ({"k": "a", "vv": 1}, r"'vv', which is no column of ks.t \(did you mean 'v'\?\)"),
        ({"k": None, "v": 1}, "null in 'k'"),
    ],
)
def test_a_result_that_does_not_fit_is_an_error(row: dict[str, Any], message: str) -> None:
    with pytest.raises(StreamError, match=message):
        Saved({"v": BIG}).add(row)


def test_a_merge_of_an_unknown_column_is_an_error() -> None:
    with pytest.raises(StreamError, match=r"no column 'views' outside its primary key \(did you mean 'view'\?\)"):
        Saved({"view": BIG}, {"views": "max"})


def test_a_total_of_a_type_that_cannot_be_kept_is_an_error() -> None:
    with pytest.raises(StreamError, match="cannot be totalled"):
        Saved({"v": cqltypes.ListType.apply_parameters([BIG])}).add({"k": "a", "v": [1]})
