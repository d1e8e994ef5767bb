"""Finding the events that make a stream's function fail."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smackbox.spark.streaming.errors import StoppedError, UnfitEventsError
from smackbox.spark.streaming.sift import PROBES, sift

FAILURE = UnfitEventsError("all of it")


def go_on() -> None: ...


def total(limit: int = 10**9) -> object:
    def work(events: list[int | str]) -> int:
        if any(isinstance(event, str) for event in events):
            raise UnfitEventsError("a string")
        if sum(events) > limit:
            raise UnfitEventsError("too large")
        return sum(events)

    return work


@given(st.lists(st.integers(0, 9) | st.just("x"), min_size=1).filter(lambda events: "x" in events))
def test_the_failing_events_are_found_and_the_others_counted(events: list[int | str]) -> None:
    result, unfit = sift(events, total(), FAILURE, go_on)
    assert result == sum(event for event in events if event != "x")
    assert unfit == [("x", "a string")] * events.count("x")


def test_the_event_that_makes_a_sum_too_large_is_set_aside_and_later_ones_count() -> None:
    result, unfit = sift([4, 4, 4, 1], total(limit=10), FAILURE, go_on)
    assert (result, unfit) == (9, [(4, "too large")])


def test_one_bad_event_alone_is_set_aside() -> None:
    assert sift(["x"], total(), FAILURE, go_on) == (0, [("x", "a string")])


def test_a_function_that_fails_on_everything_is_broken_and_nothing_is_set_aside() -> None:
    calls = []

    def work(events: list[int]) -> int:
        calls.append(events)
        raise UnfitEventsError("broken")

    with pytest.raises(UnfitEventsError, match="all of it"):
        sift(list(range(1000)), work, FAILURE, go_on)
    assert len(calls) == PROBES + 1


def test_a_function_that_fails_on_an_empty_batch_only_is_sifted() -> None:
    def work(events: list[int]) -> int:
        if not events or 3 in events:
            raise UnfitEventsError("no")
        return len(events)

    assert sift([1, 2, 3, 4], work, FAILURE, go_on) == (3, [(3, "no")])


def test_a_stop_ends_the_search() -> None:
    def stop() -> None:
        raise StoppedError("stop")

    with pytest.raises(StoppedError):
        sift([1, "x"], total(), FAILURE, stop)


def test_a_batch_of_which_half_fails_is_sifted_without_trying_the_fit_ones_again_for_each() -> None:
    tried = []

    def work(events: list[int | str]) -> int:
        tried.append(len(events))
        return total()(events)  # type: ignore[no-any-return, operator]

    events: list[int | str] = [number if number % 2 else "x" for number in range(4_000)]
    result, unfit = sift(events, work, FAILURE, go_on)
    assert (result, len(unfit)) == (sum(range(1, 4_000, 2)), 2_000)
    assert sum(tried) < 40 * len(events)


def test_an_event_that_is_taken_in_company_alone_is_not_set_aside() -> None:
    def work(events: list[int]) -> int:
        if len(events) == 1 or 3 in events:
            raise UnfitEventsError("no")
        return len(events)

    assert sift([1, 2, 3, 4], work, FAILURE, go_on) == (3, [(3, "no")])
