"""Programs that could not run, or not be exact, are refused where they are written, with what to do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from smackbox.base.errors import SettingError
from smackbox.flow import Count, Latest, Sum
from smackbox.flow.builder import Flow
from tests.flow.model import CLICKS, VIEWS, Click, Source, ms


class Odd(msgspec.Struct, frozen=True):
    at: datetime | None
    key: str


class Both(msgspec.Struct, frozen=True):
    at: int
    key: str
    other: int


MARKED = Flow.of([CLICKS]).with_watermark("at", ms(1))
COUNTED = MARKED.group_by("key").tumbling_window(ms(5)).agg(n=Count())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Flow.of([]), "at least one source"),
        (lambda: Flow.of([CLICKS, CLICKS]), "named twice"),
        (lambda: Flow.of([CLICKS, Source("odd", Odd)]), "share their type; join flows"),
        (lambda: Flow.of([CLICKS]).group_by("key").tumbling_window(ms(1)), "a window needs event time"),
        (lambda: Flow.of([CLICKS]).drop_duplicates_within_watermark("key"), "needs event time"),
        (lambda: Flow.of([CLICKS]).with_watermark("valeu", ms(1)), "did you mean 'value'"),
        (lambda: Flow.of([CLICKS]).with_watermark("key", ms(1)), "must be a datetime, or an int of ms"),
        (lambda: Flow.of([Source("odd", Odd)]).with_watermark("at", ms(1)), "and not None"),
        (lambda: Flow.of([CLICKS]).with_watermark("at", ms(-1)), "delay must be 0 or more"),
        (lambda: Flow.of([CLICKS]).with_watermark("at", 5), "must be a timedelta"),
        (lambda: MARKED.with_watermark("at", ms(1)), "given twice"),
        (lambda: MARKED.group_by(), "at least one field"),
        (lambda: MARKED.group_by("kye"), "did you mean 'key'"),
        (lambda: MARKED.drop_duplicates_within_watermark(), "needs the fields"),
        (lambda: MARKED.group_by("key").hopping_window(ms(5), ms(6)), "events would fall between"),
        (lambda: MARKED.group_by("key").session_window(ms(5)).agg(n=Count()).current(), "use final"),
        (lambda: MARKED.group_by("key").tumbling_window(ms(5)).agg(), "at least one aggregate"),
        (lambda: MARKED.group_by("key").tumbling_window(ms(5)).agg(key=Count()), "a column of the result already"),
        (lambda: MARKED.group_by("key").tumbling_window(ms(5)).agg(window_end=Count()), "of the result already"),
        (lambda: MARKED.group_by("key").agg(n=len), "must be an aggregate"),
        (lambda: Flow.of([CLICKS]).group_by("key").agg(n=Latest("value")), "goes by event time: call with_watermark"),
        (lambda: MARKED.group_by("key").agg(n=Sum("key")), "needs a number"),
        (lambda: COUNTED.final().group_by("key"), "let another stream read this one's topic"),
        (lambda: COUNTED.final().drop_duplicates_within_watermark("key"), "must come before a window"),
        (lambda: MARKED.map(lambda row: row, to=dict), "are a msgspec.Struct"),
        (lambda: MARKED.lookup(Source("t"), on="key", into=Click), "no field that Click has not"),
        (lambda: MARKED.lookup(Source("t"), on="key", into=Both, cache_rows=0), "at least 1"),
        (lambda: MARKED.join(Flow.of([VIEWS]), on="key", into=Click), "join needs event time"),
        (lambda: MARKED.join(MARKED, on="key", into=Click), "on both sides"),
        (
            lambda: MARKED.join(Flow.of([VIEWS]).with_watermark("at", ms(1)), on="key", into=Both),
            "neither side has the field 'other'",
        ),
    ],
)  # fmt: skip
def test_it_is_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        make()


def test_the_columns_of_a_result_are_typed() -> None:
    rows = COUNTED.final().rows
    assert [field.name for field in msgspec.structs.fields(rows)] == ["key", "window_start", "window_end", "n"]
    assert COUNTED.final().keys == ("key",)
    assert MARKED.group_by("key").tumbling_window(timedelta(seconds=1)).agg(n=Count()).current().all_sources == (
        CLICKS,
    )
