"""Which rows a range of time is about, by the tables' primary keys."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from cassandra import cqltypes

from smackbox.base.errors import SettingError
from smackbox.spark.cql_binding import binder
from smackbox.spark.replay.scope import Scope, key_of, parts_of

TEXT, INT = cqltypes.UTF8Type, cqltypes.Int32Type


def ms(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp() * 1000)  # type: ignore[misc]


def key(types: dict[str, Any], *values: Any) -> list[bytes]:
    return [binder(kind)(value) for kind, value in zip(types.values(), values, strict=True)]


@pytest.mark.parametrize(
    ("types", "inside", "outside"),
    [
        ({"c": TEXT, "at": cqltypes.DateType}, ("a", datetime(2015, 9, 1)), ("a", datetime(2015, 8, 31, 23, 59))),
        ({"day": cqltypes.SimpleDateType, "c": TEXT}, (date(2015, 9, 30), "a"), (date(2015, 10, 1), "a")),
        (
            {"id": TEXT, "year": INT, "month": INT, "day": INT},  # the campaigns of the SMACK talk
            ("a", 2015, 9, 1),
            ("a", 2015, 8, 31),
        ),
        ({"year": INT, "month": INT}, (2015, 9), (2015, 10)),
        ({"year": INT, "month": INT}, (2015, 9), (2015, 13)),
    ],
)
def test_a_row_is_in_the_range_in_which_its_period_begins(types: dict[str, Any], inside: Any, outside: Any) -> None:
    scope = Scope(types, ms(2015, 9, 1), ms(2015, 10, 1), "t")
    assert scope.has(key(types, *inside))
    assert not scope.has(key(types, *outside))


@pytest.mark.parametrize(
    "types", [{"id": TEXT}, {"month": INT, "day": INT}, {"a": cqltypes.DateType, "b": cqltypes.DateType}]
)
def test_rows_without_a_time_are_replayed_whole(types: dict[str, Any]) -> None:
    assert Scope(types, None, None, "t").has([b""] * len(types))
    with pytest.raises(SettingError, match="leave out --from and --to"):
        Scope(types, 0, None, "t")


def test_a_key_is_taken_apart_as_it_was_put_together() -> None:
    for parts in ([b""], [b"a", b""], [b"", b"\x00" * 300, b"b"]):
        assert parts_of(key_of(parts)) == parts
