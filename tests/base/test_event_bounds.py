"""What an event's JSON takes and a column does not hold."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smackbox.base.event_bounds import OutOfBoundsError, event_check


class Plain(msgspec.Struct):
    id: UUID
    name: str | None = None
    day: date | None = None
    real: float = 0.0
    tags: list[str] = []


class Bounded(msgspec.Struct, rename="camel"):
    whole_number: int | None = None
    exact: Decimal | None = None
    at: datetime | None = None
    clock: time | None = None
    many: list[int | None] | None = None
    counts: dict[int, list[Decimal]] | None = None


def test_a_type_whose_every_value_holds_is_not_checked() -> None:
    assert event_check(Plain) is None


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"wholeNumber": 2**63}, "$.wholeNumber"),
        ({"wholeNumber": -(2**63) - 1}, "$.wholeNumber"),
        ({"exact": "NaN"}, "$.exact"),
        ({"exact": "-Infinity"}, "$.exact"),
        ({"exact": "1e20"}, "$.exact"),
        ({"exact": "1e-19"}, "$.exact"),
        ({"exact": "0e-99999999999"}, "$.exact"),
        ({"at": "9999-12-31T23:59:59-01:00"}, "$.at"),
        ({"clock": "12:00:00+02:00"}, "$.clock"),
        ({"clock": "12:00:00Z"}, "$.clock"),
        ({"many": [1, None]}, "$.many[1]"),
        ({"many": [1, 2**64]}, "$.many[1]"),
        ({"counts": {str(2**63): []}}, "$.counts[...]"),
        ({"counts": {"1": ["1", "1e99"]}}, "$.counts[...][1]"),
    ],
)
def test_a_value_that_no_column_holds_is_named_by_its_path(body: Any, path: str) -> None:
    check = event_check(Bounded)
    assert check is not None
    with pytest.raises(OutOfBoundsError) as refused:
        check(msgspec.json.decode(msgspec.json.encode(body), type=Bounded))
    assert refused.value.path == path


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"wholeNumber": 2**63 - 1},
        {"wholeNumber": -(2**63)},
        {"exact": "9" * 20 + "." + "9" * 18},
        {"exact": "0E+20"},
        {"at": "9999-12-31T23:59:59Z"},
        {"clock": "12:00:00"},
        {"many": []},
    ],
)
def test_a_value_at_its_bound_holds(body: Any) -> None:
    check = event_check(Bounded)
    assert check is not None
    check(msgspec.json.decode(msgspec.json.encode(body), type=Bounded))


@settings(deadline=None)  # the first example imports pyarrow
@given(st.decimals())
def test_a_decimal_that_passes_fits_arrow_unchanged(value: Decimal) -> None:
    pa = pytest.importorskip("pyarrow")
    check = event_check(Bounded)
    assert check is not None
    try:
        check(Bounded(exact=value))
    except OutOfBoundsError:
        return
    assert pa.array([value], pa.decimal128(38, 18))[0].as_py() == value
