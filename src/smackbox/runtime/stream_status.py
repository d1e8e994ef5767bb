"""The metrics of a box's streams: batches, rates, lag, watermark; requested from each process over HTTP."""

from __future__ import annotations

import math
import time
import urllib.request
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from typing import NamedTuple

from smackbox.runtime.supervisor import ProcessState, RunFile

ANSWER_TIMEOUT_S = 2.0
PATH = "/metrics"
PREFIX = "smack_stream_"
ASKED_AT_ONCE = 8
KEPT_RATES = 30
BARS = " ▁▂▃▄▅▆▇█"
HEAD = ("STREAM", "STATE", "BATCH", "ROWS", "ROWS/S", "LAG", "LAG S", "BEHIND S", "LATE", "DEAD", "RETRIES", "RESTARTS")


class StreamFigures(NamedTuple):
    """A process of a stream at one moment; `figures` has its metrics by name, without `smack_stream_`, summed."""

    application: str
    stream: str
    process: ProcessState
    figures: dict[str, float]
    at_s: float

    @property
    def group(self) -> str:
        """The consumer group under which its progress shows."""
        return f"{self.application}.{self.stream}"


def stream_figures(supervisors: Iterable[RunFile]) -> list[StreamFigures]:
    """The streams that run, by name; those that do not answer have no figures."""
    asked = [
        (supervisor.name, process)
        for supervisor in supervisors
        for process in supervisor.processes
        if process.url.endswith(PATH)
    ]
    with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
        found = pool.map(lambda pair: _ask(*pair), asked)
        return sorted((figures for figures in found if figures is not None), key=lambda one: one.process.name)


class Rates:
    """Rows a second of each process between two samples; the last `KEPT_RATES` are kept."""

    def __init__(self) -> None:
        self._before: dict[str, tuple[float, float]] = {}
        self._rates: dict[str, deque[float]] = {}

    def see(self, streams: Iterable[StreamFigures]) -> None:
        """Take another sample. A restarted process counts from 0."""
        for stream in streams:
            if "rows_total" not in stream.figures:
                continue
            name, rows = stream.process.name, stream.figures["rows_total"]
            before = self._before.get(name)
            self._before[name] = rows, stream.at_s
            if before is not None and stream.at_s > before[1]:
                read = rows - before[0] if rows >= before[0] else rows
                self._rates.setdefault(name, deque(maxlen=KEPT_RATES)).append(read / (stream.at_s - before[1]))

    def last(self, name: str) -> float | None:
        """The latest rate of a process; None before the second sample."""
        rates = self._rates.get(name)
        return rates[-1] if rates else None

    def sparkline(self, name: str) -> str:
        """Its rates as bars, the latest on the right, scaled so that the highest fills the line."""
        rates = self._rates.get(name, ())
        highest = max(rates, default=0.0)
        steps = len(BARS) - 1
        return "".join(BARS[math.ceil(steps * rate / highest)] if highest else BARS[0] for rate in rates)


def stream_rows(streams: Sequence[StreamFigures], rates: Rates) -> list[tuple[str, ...]]:
    """A row for each process of a stream, in the columns of `HEAD`."""
    return [_row(stream, rates.last(stream.process.name)) for stream in streams]


def _row(stream: StreamFigures, rate: float | None) -> tuple[str, ...]:
    process, figures = stream.process, stream.figures
    if not figures:
        return (
            process.name,
            "silent" if process.state == "ready" else process.state,
            *["-"] * 9,
            str(process.restarts),
        )

    def count(name: str) -> str:
        return f"{figures.get(name, 0):.0f}"

    behind = figures.get("watermark_delay_seconds", 0.0)
    return (
        process.name,
        process.state,
        count("batch_id"),
        count("rows_total"),
        "-" if rate is None else f"{rate:.0f}",
        count("lag_records"),
        f"{figures.get('lag_seconds', 0.0):.1f}",
        f"{behind:.1f}" if behind else "-",
        count("late_events_total"),
        count("dead_letters_total"),
        count("retries_total"),
        str(process.restarts),
    )


def _ask(application: str, process: ProcessState) -> StreamFigures | None:
    """None for a process that answers and is no stream."""
    from prometheus_client.parser import text_string_to_metric_families

    figures: dict[str, float] = {}
    stream = process.name
    try:
        with urllib.request.urlopen(process.url, timeout=ANSWER_TIMEOUT_S) as answer:  # noqa: S310 - http://, of our file
            text = answer.read().decode()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name.startswith(PREFIX):
                    name = sample.name.removeprefix(PREFIX)
                    figures[name] = figures.get(name, 0.0) + sample.value
                    stream = sample.labels["stream"]
    except (OSError, ValueError, HTTPException):
        return StreamFigures(application, stream, process, {}, time.monotonic())
    return StreamFigures(application, stream, process, figures, time.monotonic()) if figures else None
