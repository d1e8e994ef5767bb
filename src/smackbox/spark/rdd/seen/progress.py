"""The progress bar of the console, as Spark's: `[Stage 0:=====>        (3 + 2) / 8]`, complete and running tasks.

It shows stages that have run for half a second, five times a second, and is gone when they are. Setting:
`spark.ui.showConsoleProgress`. Source: Spark's `ConsoleProgressBar`.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Sequence
from typing import IO

from smackbox.spark.rdd.seen.job_log import ACTIVE, JobLog, StageRecord

UPDATE_S = 0.2
FIRST_DELAY_MS = 500
SHOWN_STAGES = 3
DEFAULT_WIDTH = 80


def line_of(stages: Sequence[StageRecord], width: int) -> str:
    """The bars of these stages side by side."""
    return "".join(_bar(stage, width // len(stages)) for stage in stages) if stages else ""


def _bar(stage: StageRecord, width: int) -> str:
    total = stage.plan.tasks
    head = f"[Stage {stage.plan.stage_id}:"
    tail = f"({stage.complete} + {stage.active}) / {total}]"
    room = width - len(head) - len(tail)
    done = room * stage.complete // total if total else room
    return head + "".join("=" if i < done else ">" if i == done else " " for i in range(room)) + tail


class ConsoleProgress:
    """Draws on `out` from a thread of its own, until `stop`."""

    def __init__(self, log: JobLog, out: IO[str], now_ms: Callable[[], int] | None = None) -> None:
        self._log = log
        self._out = out
        self._now_ms = now_ms or (lambda: time.time_ns() // 1_000_000)
        self._shown = ""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="spark progress", daemon=True)

    def start(self) -> None:
        """Begin to draw."""
        self._thread.start()

    def stop(self) -> None:
        """Clear the line, and draw no more."""
        self._stopping.set()
        self._thread.join()
        self._draw("")

    def refresh(self) -> None:
        """Draw what is so now."""
        with self._log.lock:
            now_ms = self._now_ms()
            running = [
                stage
                for stage in self._log.stages.values()
                if stage.status == ACTIVE
                and stage.started_ms is not None
                and now_ms - stage.started_ms >= FIRST_DELAY_MS
            ][:SHOWN_STAGES]
            line = line_of(running, shutil.get_terminal_size((DEFAULT_WIDTH, 24)).columns - 1)
        self._draw(line)

    def _run(self) -> None:
        while not self._stopping.wait(UPDATE_S):
            self.refresh()

    def _draw(self, line: str) -> None:
        if line == self._shown:
            return
        try:
            self._out.write("\r" + line.ljust(len(self._shown)) + ("" if line else "\r"))
            self._out.flush()
        except (OSError, ValueError):
            self._stopping.set()  # nobody sees it any more
        self._shown = line
