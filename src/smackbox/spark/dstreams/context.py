# ruff: noqa: N802, N803 - PySpark's names
"""`StreamingContext`: runs a batch of every stream each so many seconds, in a thread of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from smackbox.base.errors import SettingError
from smackbox.spark.dstreams.checkpoint import Progress
from smackbox.spark.dstreams.dstream import DStream, InputStream, StreamGraph
from smackbox.spark.dstreams.inputs import FilesInput, Input, QueueInput, SocketInput
from smackbox.spark.rdd.context import SparkContext

STOP_TIMEOUT_S = 60.0
POLL_S = 0.1
LATE_BATCHES = 1_000
"""After a longer pause, as of a machine that slept, batches go on from now."""

log = logging.getLogger(__name__)


def Seconds(seconds: float) -> float:
    """A duration, as a program of Spark's Scala API writes it."""
    return float(seconds)


def Milliseconds(milliseconds: float) -> float:
    """A duration in seconds."""
    return milliseconds / 1000


def Minutes(minutes: float) -> float:
    """A duration in seconds."""
    return 60.0 * minutes


class StreamingContext(StreamGraph):
    """Streams over one `SparkContext`; `batchDuration` is in seconds."""

    _active: StreamingContext | None = None

    def __init__(self, sparkContext: SparkContext, batchDuration: float) -> None:
        if not batchDuration > 0:
            raise SettingError(f"a batch takes more than 0 seconds, not {batchDuration}")
        super().__init__(sparkContext, float(batchDuration))
        self._progress: Progress | None = None
        self._stop = threading.Event()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    # --- PySpark's names

    def checkpoint(self, directory: str) -> None:
        """Keep the progress there; a program that is started again goes on with it. Raises `StartError`."""
        self._progress = Progress(directory)

    @classmethod
    def getOrCreate(cls, checkpointPath: str, setupFunc: Callable[[], StreamingContext]) -> StreamingContext:
        """The context that `setupFunc` makes, which goes on from that directory."""
        context = setupFunc()
        if context._progress is None:
            context.checkpoint(checkpointPath)
        return context

    @classmethod
    def getActive(cls) -> StreamingContext | None:
        """The context that was started and not stopped, None without one."""
        return cls._active

    def remember(self, duration: float) -> None:
        """Keep the RDDs of batches for so long, for `slice`."""
        self.remembered = max(self.remembered, duration)

    def queueStream(self, rdds: Sequence[Any], oneAtATime: bool = True, default: Any = None) -> DStream:
        """RDDs or lists of a queue, one each batch, or all that are there."""
        return self.input(QueueInput(self.sparkContext, rdds, oneAtATime, default))

    def textFileStream(self, directory: str) -> DStream:
        """Lines of the files that appear in a directory, each file once."""
        return self.input(FilesInput(self.sparkContext, directory))

    def socketTextStream(self, hostname: str, port: int, storageLevel: Any = None) -> DStream:
        """Lines of text from a socket."""
        return self.input(SocketInput(self.sparkContext, hostname, port))

    def union(self, *dstreams: DStream) -> DStream:
        """The records of all."""
        if not dstreams:
            raise SettingError("a union of at least one stream")
        return dstreams[0].union(*dstreams[1:])

    def transform(self, dstreams: Sequence[DStream], transformFunc: Callable[[list[Any]], Any]) -> DStream:
        """What the function makes of the RDDs of several streams."""
        streams = list(dstreams)
        return DStream(self, lambda at: transformFunc([stream.rdd_or_empty(at) for stream in streams]), streams)

    def start(self) -> None:
        """Begin. Raises `SettingError` where there is nothing to do, or another context runs."""
        if not self.outputs:
            raise SettingError("No output operations registered, so nothing to execute")
        if StreamingContext._active is not None:
            raise SettingError("another StreamingContext runs in this process: stop it first")
        if self.states and self._progress is None:
            raise SettingError("a stream with state needs ssc.checkpoint(directory)")
        self._restore()
        for stream in self.inputs:
            stream.source.open(self.batchDuration)
        StreamingContext._active = self
        self._thread = threading.Thread(target=self._run, name="streaming-context", daemon=True)
        self._thread.start()

    def stop(self, stopSparkContext: bool = True, stopGraceFully: bool = False) -> None:
        """End after the batch under way; gracefully once what has come is dealt with, too."""
        if stopGraceFully and self._thread is not None and not self._ended.is_set():
            self._wait_until_idle()
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(STOP_TIMEOUT_S)
        for stream in self.inputs:
            stream.source.close()
        if StreamingContext._active is self:
            StreamingContext._active = None
        if stopSparkContext:
            self.sparkContext.stop()

    def awaitTermination(self, timeout: float | None = None) -> None:
        """Wait for the end, or so many seconds. Raises what a batch failed with."""
        self.awaitTerminationOrTimeout(timeout)

    def awaitTerminationOrTimeout(self, timeout: float | None = None) -> bool:
        """Whether it has ended within so many seconds. Raises what a batch failed with."""
        ended = self._ended.wait(timeout)
        if self._failure is not None:
            raise self._failure
        return ended

    # --- for streams

    def input(self, source: Input) -> InputStream:
        """A stream of that source."""
        if self._thread is not None:
            raise SettingError("the context runs: streams are declared before start()")
        stream = InputStream(self, source)
        self.inputs.append(stream)
        return stream

    # --- batches

    def _restore(self) -> None:
        progress = self._progress
        if progress is None or not progress.exists:
            return
        if len(progress.inputs) != len(self.inputs) or len(progress.states) != len(self.states):
            raise SettingError(
                f"{progress.directory} is the checkpoint of another program: {len(progress.inputs)} inputs and "
                f"{len(progress.states)} states, not {len(self.inputs)} and {len(self.states)}"
            )
        for stream, state in zip(self.inputs, progress.inputs, strict=True):
            if state is not None:
                stream.source.restore(state)
        for keeper, name in zip(self.states, progress.states, strict=True):
            keeper.restore(None if name is None else self.sparkContext.pickleFile(name))

    def _run(self) -> None:
        try:
            if self._progress is not None and self._progress.planned is not None:
                planned = self._progress.planned
                self._batch(planned["time_ms"], planned["plans"])
            at_ms = 0
            while not self._stop.is_set():
                at_ms = self._next_ms(at_ms)
                if self._stop.wait(max(0.0, at_ms / 1000 - time.time())):
                    break
                self._batch(at_ms, [stream.source.plan() for stream in self.inputs])
        except BaseException as error:
            log.exception("a batch failed, and the stream ends")
            self._failure = error
        finally:
            self._ended.set()

    def _next_ms(self, last_ms: int) -> int:
        """The next multiple of the duration; batches that are late follow one another, up to `LATE_BATCHES`."""
        duration_ms = max(1, round(self.batchDuration * 1000))
        coming_ms = (int(time.time() * 1000) // duration_ms + 1) * duration_ms
        if coming_ms - last_ms > LATE_BATCHES * duration_ms:
            return coming_ms
        return last_ms + duration_ms

    def _batch(self, at_ms: int, plans: list[Any]) -> None:
        progress = self._progress
        can_repeat = all(stream.source.is_replayable for stream in self.inputs)
        if progress is not None and can_repeat and any(plan is not None for plan in plans):
            progress.planned = {"time_ms": at_ms, "plans": plans}
            progress.inputs = [stream.source.state() for stream in self.inputs]
            progress.states = progress.states or [None] * len(self.states)
            progress.write()
        for stream, plan in zip(self.inputs, plans, strict=True):
            stream.planned(at_ms, plan)
        for output in self.outputs:
            output.run(at_ms)
        self._commit(at_ms, plans)
        for stream in self.inputs:
            stream.forget(at_ms - int(1000 * self.remembered))

    def _commit(self, at_ms: int, plans: list[Any]) -> None:
        for stream, plan in zip(self.inputs, plans, strict=True):
            if plan is not None:
                stream.source.done(plan)
        progress = self._progress
        if progress is None:
            return
        names: list[Any] = []
        for number, keeper in enumerate(self.states):
            directory = progress.state_directory(number, at_ms)
            keeper.save(at_ms, directory)
            names.append(str(directory))
        progress.inputs = [stream.source.state() for stream in self.inputs]
        progress.states = names
        progress.planned = None
        progress.write()
        progress.forget_states()

    def _wait_until_idle(self) -> None:
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while time.monotonic() < deadline and not self._ended.is_set():
            if all(stream.is_idle for stream in self.inputs):
                return
            time.sleep(POLL_S)
