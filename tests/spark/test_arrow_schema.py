"""Event types as Arrow columns."""

from __future__ import annotations

import enum
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import pyarrow as pa
import pytest

from smackbox.base.errors import SettingError
from smackbox.spark.arrow_schema import arrow_schema, events_to_arrow


class Color(enum.Enum):
    RED = "red"


class Everything(msgspec.Struct):
    id: UUID
    name: str
    kind: Literal["a", "b"]
    color: Color
    count: int
    share: float
    good: bool
    data: bytes
    at: datetime
    on: date
    clock: time
    price: Decimal
    positive: Annotated[int, msgspec.Meta(gt=0)]
    tags: list[UUID]
    counts: dict[str, int]
    maybe: UUID | None = None
    perhaps: int | None = None


NOON = datetime(2015, 10, 1, 12, tzinfo=UTC)
FULL = Everything(
    UUID(int=1), "n", "a", Color.RED, 5, 0.5, True, b"x", NOON, date(2015, 10, 1), time(12, 30), Decimal("1.5"), 1,
    [UUID(int=2)], {"a": 1}, UUID(int=3), 7,
)  # fmt: skip


def test_every_type_has_its_column() -> None:
    table = events_to_arrow(Everything, [FULL, msgspec.structs.replace(FULL, maybe=None, perhaps=None)])
    assert {field.name: str(field.type) for field in table.schema} == {
        **dict.fromkeys(("id", "name", "kind", "color", "clock", "maybe"), "string"),
        **dict.fromkeys(("count", "positive", "perhaps"), "int64"),
        "share": "double",
        "good": "bool",
        "data": "binary",
        "at": "timestamp[us, tz=UTC]",
        "on": "date32[day]",
        "price": "decimal128(38, 18)",
        "tags": "list<item: string>",
        "counts": "map<string, int64>",
    }
    assert [field.name for field in table.schema if field.nullable] == ["maybe", "perhaps"]
    first, second = table.to_pylist()
    assert first["id"] == str(UUID(int=1))
    assert (first["color"], first["clock"], first["tags"]) == ("red", "12:30:00", [str(UUID(int=2))])
    assert (first["at"], first["counts"], first["price"]) == (NOON, [("a", 1)], Decimal("1.5"))
    assert (first["maybe"], second["maybe"], second["perhaps"]) == (str(UUID(int=3)), None, None)


def test_no_events_are_an_empty_table() -> None:
    assert events_to_arrow(Everything, []).num_rows == 0


def test_a_time_without_a_zone_is_utc() -> None:
    class At(msgspec.Struct):
        at: datetime

    at = events_to_arrow(At, [At(NOON.replace(tzinfo=None))])["at"]
    assert at.cast(pa.int64()).to_pylist() == [int(NOON.timestamp()) * 1_000_000]


@pytest.mark.parametrize("kind", [object, int | str, Literal[1, "a"]])
def test_a_type_without_a_column_is_an_error(kind: Any) -> None:
    event = msgspec.defstruct("Odd", [("field", kind)])
    with pytest.raises(SettingError, match="Odd.field"):
        arrow_schema(event)
