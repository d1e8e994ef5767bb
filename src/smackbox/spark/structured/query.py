"""A streaming query that runs: its thread, and what clients ask of it."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from typing import Any

from smackbox.spark.front.errors import STREAM_FAILED, SparkError
from smackbox.spark.structured import progress as shown
from smackbox.spark.structured.definition import AVAILABLE_NOW, ONCE, Definition

POLL_S = 0.01
"""How long a query without an interval waits when there is no data (`spark.sql.streaming.pollingDelay`)."""
POLL_LONGEST_S = 0.05
"""What that grows to while there is none: asking a broker a hundred times a second would keep a core busy."""
KEPT_PROGRESS = 100
"""`spark.sql.streaming.numRecentProgressUpdates`."""
IDLE_EVENT_S = 10.0
"""How often an idle query says so (`spark.sql.streaming.noDataProgressEventInterval`)."""
STOP_TIMEOUT_S = 10.0
"""How long stopping waits for the function of a batch to return; its thread goes with the process otherwise."""
PROGRESS, TERMINATED, IDLE = 1, 2, 3
"""`StreamingQueryEventType`."""
Event = Callable[[int, str], None]

log = logging.getLogger(__name__)


class StreamingQuery:
    """`cancel` ends what Sail computes for it; `close` is called when it has ended. `event` gets what listeners get."""

    def __init__(
        self,
        definition: Definition,
        query_id: str,
        engine: Any,
        cancel: Callable[[], None],
        close: Callable[[], None],
        event: Event,
        run_id: str,
    ) -> None:
        self.id = query_id
        self.run_id = run_id
        self.name = definition.name
        self._trigger = definition.trigger
        self._engine = engine
        self._cancel = cancel
        self._close = close
        self._event = event
        self._progress: deque[str] = deque(maxlen=KEPT_PROGRESS)
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._begun = 0
        self._idle_since = 0
        self.error: SparkError | None = None
        self.ended = False
        self.message = "Initializing sources"
        self.data_available = False
        self.trigger_active = False
        engine.status = self._says
        self._thread = threading.Thread(target=self._run, name=f"spark-stream-{self.name or self.id}", daemon=True)

    def start(self) -> None:
        """Begin to run batches."""
        self._thread.start()

    def stop(self) -> None:
        """End after what is being written, and wait for it. May be called twice, and from the query's own function."""
        self.ask_to_stop()
        if threading.current_thread() is not self._thread:
            self._thread.join(STOP_TIMEOUT_S)
        if self.error is None:
            self.message = "Stopped"
        self.data_available = self.trigger_active = False

    def ask_to_stop(self) -> None:
        """The same without waiting."""
        self._stopping.set()
        if threading.current_thread() is not self._thread:
            self._cancel()

    def wait(self, timeout_s: float | None, alive: Callable[[], bool]) -> bool:
        """True when the query has ended. Raises `SparkError` when it ended with one. `alive`: the client still asks."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        with self._changed:
            while not self.ended:
                left = 1.0 if deadline is None else min(1.0, deadline - time.monotonic())
                if left <= 0 or not alive():
                    return False
                self._changed.wait(left)
        if self.error is not None:
            raise self.error
        return True

    def process_all_available(self, alive: Callable[[], bool]) -> None:
        """Until a trigger that began after this call found nothing to do. Raises `SparkError` when the query fails."""
        with self._changed:
            begun = self._begun
            while not self.ended and self._idle_since <= begun and alive():
                self._changed.wait(1.0)
        if self.error is not None:
            raise self.error

    def recent(self) -> list[str]:
        """The last progress reports as JSON, the oldest first."""
        return list(self._progress)

    def explain(self) -> str:
        """The plan as text."""
        return str(self._engine.explain())

    def _run(self) -> None:
        try:
            self._loop()
        except BaseException as error:
            if not self._stopping.is_set():
                self.error = self._failed(error)
                log.info("stream %s failed", self.name or self.id, exc_info=error)
        try:
            self._close()
        except Exception:
            log.exception("stream %s did not close cleanly", self.name or self.id)
        self.message = "Stopped" if self.error is None else f"Terminated with exception: {self.error.text}"
        self.data_available = self.trigger_active = False
        with self._changed:
            self.ended = True
            self._changed.notify_all()
        condition = None if self.error is None else self.error.condition
        self._event(
            TERMINATED,
            shown.terminated(self.id, self.run_id, None if self.error is None else str(self.error), condition),
        )

    def _loop(self) -> None:
        once, drains = self._trigger.kind == ONCE, self._trigger.kind == AVAILABLE_NOW
        if drains:
            self._engine.freeze()
        idle_told = time.monotonic()
        interval_s = self._trigger.interval_ms / 1000
        pause_s = POLL_S
        while not self._stopping.is_set():
            began = time.time()
            with self._changed:
                self._begun += 1
                this = self._begun
            self.trigger_active = True
            report = self._engine.step(limited=not once, empty_batches=not once)
            self.trigger_active = False
            if report is not None:
                idle_told = time.monotonic()
                self._report(report)
            elif time.monotonic() - idle_told >= IDLE_EVENT_S:
                idle_told = time.monotonic()
                self._event(IDLE, shown.idle(self.id, self.run_id, time.time() * 1000))
            if report is None:
                self._idle(this)
            if once or (drains and report is None):
                return
            if interval_s:
                # at multiples of the interval; one that a slow batch missed is left out
                self._stopping.wait(max(0.0, (began // interval_s + 1) * interval_s - time.time()))
            elif report is None:
                self._stopping.wait(pause_s)
                pause_s = min(POLL_LONGEST_S, pause_s * 1.5)
            else:
                pause_s = POLL_S

    def _report(self, report: str) -> None:
        self.data_available = True
        self._progress.append(report)
        self._event(PROGRESS, shown.in_event(report))

    def _idle(self, trigger: int) -> None:
        self.data_available = False
        self.message = "Waiting for data to arrive"
        with self._changed:
            self._idle_since = trigger
            self._changed.notify_all()

    def _says(self, message: str) -> None:
        self.message = message

    def _failed(self, error: BaseException) -> SparkError:
        """`STREAM_FAILED`, with what went wrong as Spark shows it."""
        import grpc

        reason = str(error.details()) if isinstance(error, grpc.RpcError) else str(error)
        if not isinstance(error, SparkError | grpc.RpcError):
            reason = f"{type(error).__name__}: {error}"
        return SparkError(
            f"Query [id = {self.id}, runId = {self.run_id}] terminated with exception: {reason}",
            condition="STREAM_FAILED",
            classes=STREAM_FAILED,
            sql_state="XXKST",
            parameters={"id": self.id, "runId": self.run_id, "message": reason},
        )


def new_run_id() -> str:
    """Each start of a query has one of its own."""
    return str(uuid.uuid4())
