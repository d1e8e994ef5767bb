"""A program does not read the state of another one, and says what differs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from smackbox.flow import Count, Sum
from smackbox.flow.builder import Flow, Grouped
from smackbox.flow.errors import FlowStateError
from smackbox.flow.program import SIGNATURE, Program
from smackbox.flow.state import StateView
from tests.flow.model import CLICKS, Run, ms

GROUPED = Flow.of([CLICKS]).with_watermark("at", ms(5)).group_by("key")


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda grouped: grouped.tumbling_window(ms(20)).agg(n=Count()), "size_ms=10.*size_ms=20"),
        (lambda grouped: grouped.session_window(ms(10)).agg(n=Count()), "SessionGap"),
        (lambda grouped: grouped.tumbling_window(ms(10)).agg(n=Sum("value")), r"n=Count\(\).*n=Sum\(value: int\)"),
    ],
)
def test_other_windows_or_aggregates_are_refused(other: Callable[[Grouped], Flow], message: str) -> None:
    run = Run(GROUPED.tumbling_window(ms(10)).agg(n=Count()).final())
    with pytest.raises(FlowStateError, match=f"(?s){message}.*remove its checkpoint"):
        Program(other(GROUPED).final()).check(StateView(run.backing))


def test_more_steps_are_refused_and_another_delay_or_filter_is_not() -> None:
    run = Run(GROUPED.tumbling_window(ms(10)).agg(n=Count()).final())
    same = Flow.of([CLICKS]).filter(bool).with_watermark("at", ms(9)).group_by("key")
    view = StateView(run.backing)
    Program(same.tumbling_window(ms(10)).agg(n=Count()).current()).check(view)
    assert view.changes == {}
    marked = Flow.of([CLICKS]).with_watermark("at", ms(5)).drop_duplicates_within_watermark("key")
    more = marked.group_by("key").tumbling_window(ms(10)).agg(n=Count()).final()
    with pytest.raises(FlowStateError, match="1 steps that keep state, this one has 2"):
        Program(more).check(view)


def test_a_signature_of_another_version_is_refused() -> None:
    run = Run(GROUPED.tumbling_window(ms(10)).agg(n=Count()).final())
    run.backing.entries[SIGNATURE] = b"{}"
    with pytest.raises(FlowStateError, match="of another version"):
        run.program.check(StateView(run.backing))
