"""Event-time operators once more, as slowly and plainly as possible: what the real ones are compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import msgspec

from smackbox.flow import expiry, session_totals, window_totals
from smackbox.flow.builder import Flow
from smackbox.flow.program import Output, Program
from smackbox.flow.state import MemoryBacking, StateView

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Click(msgspec.Struct, frozen=True):
    at: int
    key: str
    value: int = 0


class Source(msgspec.Struct, frozen=True):
    """Stands for a topic."""

    name: str
    event: type[msgspec.Struct] = Click


CLICKS, VIEWS = Source("clicks"), Source("views")


def at(ms: int) -> datetime:
    return EPOCH + timedelta(milliseconds=ms)


def ms(count: int) -> timedelta:
    return timedelta(milliseconds=count)


class Run:
    """A program with its committed state; each batch may be tried several times before it is committed.

    `limit`: so much of what is due is done in one batch; the rest in batches without events, as a stream does it.
    """

    def __init__(self, flow: Flow, readers: Any = None, limit: int = 100_000) -> None:
        self.limit = limit
        self.backing = MemoryBacking()
        self.flow = flow
        self.readers = readers
        self.program = Program(flow, readers)
        self.now_ms = self.since_ms = 0
        view = StateView(self.backing)
        self.program.check(view)
        self.backing.apply(view.changes)

    def batch(self, *clicks: Any, tries: int = 1, **others: Sequence[Any]) -> Output:
        """One batch of the source `clicks`, and of others by name; every try but the last is lost, as by a kill."""
        output = self._batch({"clicks": clicks, **others} if clicks else others, tries)
        while output.is_behind:
            rest = self._batch({}, tries)
            assert not rest.late and not rest.duplicates
            output.rows += rest.rows
            output.is_behind = rest.is_behind
        return output

    def _batch(self, events: dict[str, Sequence[Any]], tries: int) -> Output:
        for number in range(tries):
            if number:
                self.program = Program(self.flow, self.readers)
            view = StateView(self.backing)
            with (
                patch.object(expiry, "TAKEN_LIMIT", self.limit),
                patch.object(window_totals, "CLOSED_LIMIT", self.limit),
                patch.object(session_totals, "CLOSED_LIMIT", self.limit),
            ):
                output = self.program.run(events, view, self.now_ms, self.since_ms)
        self.backing.apply(view.changes)
        return output


class Watermark:
    def __init__(self, delay: int) -> None:
        self.delay = delay
        self.before: int | None = None
        self.after: int | None = None
        self._latest: dict[str, int] = {}

    def move(self, batches: dict[str, Sequence[Click]]) -> None:
        self.before = self.after
        for name, batch in batches.items():
            for click in batch:
                self._latest[name] = max(click.at, self._latest.get(name, click.at))
        if len(self._latest) == len(batches):
            reached = min(self._latest.values()) - self.delay
            self.after = reached if self.after is None else max(self.after, reached)

    def is_late(self, end: int) -> bool:
        return self.before is not None and end <= self.before

    def passed(self, end: int) -> bool:
        return self.after is not None and end <= self.after


def windows_model(
    batches: Iterable[Sequence[Click]], size: int, step: int, delay: int
) -> tuple[list[list[tuple[Any, ...]]], list[list[Click]]]:
    """By batch: the closed windows as (key, start, count, sum), and the late events."""
    mark = Watermark(delay)
    kept: dict[tuple[int, str], list[int]] = {}
    closed, late = [], []
    for batch in batches:
        mark.move({"clicks": batch})
        late.append([])
        for click in batch:
            taken = False
            for start in range(-((size - click.at) // step) * step - 2 * step, click.at + 1):
                if start % step == 0 and start <= click.at < start + size and not mark.is_late(start + size):
                    kept.setdefault((start, click.key), []).append(click.value)
                    taken = True
            if not taken:
                late[-1].append(click)
        ended = sorted(place for place in kept if mark.passed(place[0] + size))
        closed.append([(key, start, len(kept[start, key]), sum(kept.pop((start, key)))) for start, key in ended])
    return closed, late


def sessions_model(batches: Iterable[Sequence[Click]], gap: int, delay: int) -> list[set[tuple[Any, ...]]]:
    """By batch: the ended sessions as (key, start, end, count)."""
    mark = Watermark(delay)
    kept: dict[str, list[int]] = {}
    ended: list[set[tuple[Any, ...]]] = []
    for batch in batches:
        mark.move({"clicks": batch})
        for click in batch:
            if not mark.is_late(click.at + gap):
                kept.setdefault(click.key, []).append(click.at)
        ended.append(set())
        for key, times in kept.items():
            open_times: list[int] = []
            for session in _runs(sorted(times), gap):
                if mark.passed(session[-1] + gap):
                    ended[-1].add((key, session[0], session[-1] + gap, len(session)))
                else:
                    open_times += session
            kept[key] = open_times
    return ended


def _runs(times: list[int], gap: int) -> list[list[int]]:
    runs: list[list[int]] = []
    for time in times:
        if runs and time <= runs[-1][-1] + gap:
            runs[-1].append(time)
        else:
            runs.append([time])
    return runs


def distinct_model(batches: Iterable[Sequence[Click]], delay: int) -> list[list[Click]]:
    """By batch: the clicks whose key was not seen within the delay."""
    mark = Watermark(delay)
    until: dict[str, int] = {}
    passed = []
    for batch in batches:
        mark.move({"clicks": batch})
        passed.append([])
        for click in batch:
            if not mark.is_late(click.at) and click.key not in until:
                until[click.key] = click.at + delay
                passed[-1].append(click)
        until = {key: end for key, end in until.items() if not mark.passed(end)}
    return passed


def join_model(
    batches: Iterable[tuple[Sequence[Click], Sequence[Click]]], before: int, after: int, delay: int
) -> tuple[list[tuple[Click, Click]], list[Click]]:
    """All pairs, and the left rows that are known to be alone in the end."""
    mark = Watermark(delay)
    lefts: list[Click] = []
    rights: list[Click] = []
    for left, right in batches:
        mark.move({"clicks": left, "views": right})
        lefts += [click for click in left if not mark.is_late(click.at)]
        rights += [click for click in right if not mark.is_late(click.at)]
    pairs = [(a, b) for a in lefts for b in rights if a.key == b.key and a.at - before <= b.at <= a.at + after]
    paired = [a for a, _ in pairs]
    alone = [a for a in lefts if a not in paired and mark.passed(a.at + after + 1)]
    return pairs, alone


def by(key: Callable[[Any], Any], rows: Iterable[Any]) -> list[Any]:
    return sorted(rows, key=key)
