"""The watermark of a program: how far event time has come, by what its sources have shown.

A source has come to its latest event time less the delay; the watermark is the least of all sources (Spark's policy
"min"), never goes back, and there is none before every source has had an event. A source that was silent for `idle_ms`
does not hold the others back; when all are silent, event time is taken to go on with the clock, so that the last
windows close. While a stream does not run nobody listens, so that time is no silence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from smackbox.flow.steps import Watermark


class SourceTime(msgspec.Struct):
    """The latest event time of a source, and the processing time at which an event of it last came."""

    latest_ms: int | None = None
    seen_ms: int = 0


class Watermarks(msgspec.Struct):
    """What is kept with the state."""

    watermark_ms: int | None = None
    sources: dict[str, SourceTime] = {}

    def see(self, source: str, times: Sequence[int], now_ms: int) -> None:
        """Events of a source."""
        known = self.sources.get(source)
        if known is None:
            known = self.sources[source] = SourceTime(None, now_ms)
        if times:
            latest_ms = max(times)
            known.latest_ms = latest_ms if known.latest_ms is None else max(known.latest_ms, latest_ms)
            known.seen_ms = now_ms

    def advance(self, marks: Mapping[str, Watermark], now_ms: int, since_ms: int = 0) -> None:
        """Move the watermark by what was seen; `marks` are the declarations by source."""
        moved = self.expected(marks, now_ms, since_ms)
        if moved is not None and (self.watermark_ms is None or moved > self.watermark_ms):
            self.watermark_ms = moved

    def expected(self, marks: Mapping[str, Watermark], now_ms: int, since_ms: int = 0) -> int | None:
        """Where the watermark would be at that processing time if nothing more came.

        Silence counts from `since_ms`, when the stream was started: what came while it did not run is still to be read.
        """
        active: list[int | None] = []
        silent: list[int] = []
        for source, mark in marks.items():
            known = self.sources.get(source, SourceTime(None, now_ms))
            silent_ms = now_ms - max(known.seen_ms, since_ms)
            if mark.idle_ms is None or silent_ms < mark.idle_ms:
                active.append(None if known.latest_ms is None else known.latest_ms - mark.delay_ms)
            elif known.latest_ms is not None:
                silent.append(known.latest_ms + silent_ms - mark.delay_ms)
        if active:
            return None if None in active else min(ms for ms in active if ms is not None)
        return min(silent, default=None)
