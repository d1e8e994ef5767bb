"""Which events of a batch make its function fail: they are set aside, so that no record's content stops a stream.

The batch is halved until the events that fail alone are found: that is quick even where half of the batch fails. Then
the others are tried together, and halved again where they fail: so an event is found, too, that makes a sum too large.
Where an event that fails alone is taken together with others, as by a function that needs two rows, only what fails
together with the fit events before it is unfit.

A function that fails on an empty batch, and on each of the first few events alone, is broken itself. That is an error
of the stream, which a person has to mend, and nothing is set aside.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from smackbox.spark.streaming.errors import UnfitEventsError

PROBES = 8
"""Events that are tried alone before a function that fails on an empty batch is taken for broken."""

R = TypeVar("R")


def sift(
    events: list[Any], work: Callable[[list[Any]], R], failure: UnfitEventsError, check_stop: Callable[[], None]
) -> tuple[R, list[tuple[Any, str]]]:
    """The result of `work` on the events that it takes together, and (event, reason) for the others.

    `failure` is what `work` raised for all of `events`. It is raised again when the function itself is broken.
    `check_stop` is called between attempts, and ends the search by an exception.
    """
    empty = _attempt(work, [])
    if empty is None and not any(_attempt(work, [event]) for event in events[:PROBES]):
        raise failure
    fit, alone, _ = _search(events, work, check_stop, together=False)
    if len(fit) == len(events) or any(_attempt(work, [*fit, event]) for event, _ in alone[:PROBES]):
        fit, alone = events, []
    _, unfit, result = _search(fit, work, check_stop, together=True)
    result = result or empty
    if result is None:
        raise failure
    return result[0], alone + unfit


def _search(
    events: list[Any], work: Callable[[list[Any]], R], check_stop: Callable[[], None], *, together: bool
) -> tuple[list[Any], list[tuple[Any, str]], tuple[R] | None]:
    """Fit events, unfit ones with the reasons, and the last result; parts are tried alone or behind the fit ones."""
    fit: list[Any] = []
    unfit: list[tuple[Any, str]] = []
    result: tuple[R] | None = None
    parts = [events] if events else []
    while parts:
        check_stop()
        part = parts.pop()
        try:
            result = (work(fit + part if together else part),)
        except UnfitEventsError as error:
            if len(part) > 1:
                parts += _halves(part)
            else:
                unfit.append((part[0], str(error)))
        else:
            fit += part
    return fit, unfit, result


def _halves(part: list[Any]) -> list[list[Any]]:
    """The second half and the first: the first is taken off the end of the list first."""
    middle = len(part) // 2
    return [part[middle:], part[:middle]]


def _attempt(work: Callable[[list[Any]], R], events: list[Any]) -> tuple[R] | None:
    try:
        return (work(events),)
    except UnfitEventsError:
        return None
