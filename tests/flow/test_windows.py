"""Which windows hold a moment, and how sessions become one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smackbox.base.errors import SettingError
from smackbox.flow.windows import SessionGap, Window, joined_sessions


@given(st.integers(-(10**15), 10**15), st.integers(1, 50), st.integers(1, 50))
def test_the_windows_of_a_moment_are_all_that_hold_it(time: int, size: int, step: int) -> None:
    starts = list(Window(size, step).starts(time))
    low = (time - size) // step * step
    assert starts == [start for start in range(low, time + 1, step) if start <= time < start + size]


@pytest.mark.parametrize(
    ("window", "message"),
    [
        (Window(0, 1), "at least 1 ms"),
        (Window(10, 0), "at least 1 ms"),
        (Window(10, 11), "events would fall between"),
        (Window(1001, 1), "more than 1000 windows"),
        (SessionGap(0), "at least 1 ms"),
    ],
)
def test_windows_that_cannot_be_are_refused(window: Window | SessionGap, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        window.check()
    Window(1000, 1).check()


def test_sessions_that_touch_are_one() -> None:
    sessions = [(20, 30, "c"), (0, 10, "a"), (10, 15, "b"), (31, 40, "d")]
    assert joined_sessions(sessions, lambda one, other: one + other) == [(0, 15, "ab"), (20, 30, "c"), (31, 40, "d")]
