"""Streams fed and drained by hand: `Source.queue`, `Sink.queue`, and async iteration over a running stream."""

from __future__ import annotations

import asyncio
import enum
from collections import deque
from typing import Any, Generic, TypeVar

from smackbox.akka.stream.buffers import OverflowStrategy, overflow
from smackbox.akka.stream.errors import (
    NO_MORE_ELEMENTS,
    AbruptTerminationError,
    BufferOverflowError,
    StreamDetachedError,
)
from smackbox.akka.stream.promise import Promise
from smackbox.akka.stream.stage import Stage

T = TypeVar("T")


class Offered(enum.Enum):
    """What became of an element that was offered."""

    ENQUEUED = "enqueued"
    DROPPED = "dropped"
    QUEUE_CLOSED = "queue closed"


class SourceQueue(Generic[T]):
    """The end of `Source.queue` that is fed. `offer` is for the event loop's thread.

    With BACK_PRESSURE `offer` waits for room, for at most `offers` callers at once; one more is refused with
    `BufferOverflowError`.
    """

    def __init__(self, stage: QueueSource) -> None:
        self._stage = stage

    async def offer(self, element: T) -> Offered:
        """Raises the error that the queue failed with."""
        result = self._stage.offer(element)
        return result if isinstance(result, Offered) else await result

    def offer_now(self, element: T) -> Offered:
        """Without waiting: DROPPED where there is no room. Raises the error that the queue failed with."""
        return self._stage.offer_now(element)

    def complete(self) -> None:
        """No more will be offered; what waits still goes out."""
        self._stage.end(None)

    def fail(self, error: BaseException) -> None:
        """Fail the stream."""
        self._stage.end(error)

    async def watch_completion(self) -> None:
        """Until the stream has ended. Raises its failure."""
        await asyncio.shield(self._stage.promise.future)

    @property
    def waiting(self) -> int:
        """How many elements wait in the buffer."""
        return len(self._stage.buffer)


class QueueSource(Stage):
    """The stage behind a `SourceQueue`."""

    ins = 0
    reports_failure = False

    def __init__(self, size: int, strategy: OverflowStrategy, offers: int, promise: Promise[None]) -> None:
        self._size = size
        self._strategy = strategy
        self._offers_limit = offers
        self.promise = promise
        self.buffer: deque[Any] = deque()
        self._offers: deque[tuple[Any, asyncio.Future[Offered]]] = deque()
        self._ends = False
        self._started = False
        self._failure: BaseException | None = None

    @property
    def waiting(self) -> int:
        return len(self.buffer) + len(self._offers)

    def pre_start(self) -> None:
        self._started = True
        self._poke = self.callback(self._move)
        if self._failure is not None:
            self.fail_stage(self._failure)
        elif self._ends and not self.buffer:
            self.complete_stage()

    def offer(self, element: Any) -> Offered | asyncio.Future[Offered]:
        """The outcome, or a future of it where the buffer is full and the strategy is back-pressure."""
        refused = self._refused()
        if refused is not None:
            return refused
        if len(self.buffer) < self._size or self._is_wanted():
            self._put(element)
            return Offered.ENQUEUED
        if self._strategy is not OverflowStrategy.BACK_PRESSURE:
            return self.offer_now(element)
        if len(self._offers) >= self._offers_limit:
            raise BufferOverflowError(f"{self._offers_limit} offers wait already for room in the queue")
        future: asyncio.Future[Offered] = self.promise.future.get_loop().create_future()
        self._offers.append((element, future))
        return future

    def offer_now(self, element: Any) -> Offered:
        """The outcome at once: a full buffer drops the element."""
        refused = self._refused()
        if refused is not None:
            return refused
        if len(self.buffer) < self._size or self._is_wanted():
            self._put(element)
            return Offered.ENQUEUED
        if self._strategy is OverflowStrategy.BACK_PRESSURE:
            return Offered.DROPPED
        try:
            kept = overflow(self.buffer, self._size, self._strategy, element)
        except BufferOverflowError as error:
            self.end(error)
            raise
        return Offered.ENQUEUED if kept else Offered.DROPPED

    def end(self, error: BaseException | None) -> None:
        """Complete the stream, or fail it, once what waits is given."""
        if self._ends:
            return
        self._ends = True
        self._failure = error
        if self._started:
            self._poke()

    def on_pull(self) -> None:
        self._move()

    def post_stop(self) -> None:
        aborted = self.interpreter.aborted
        error = self._failure or aborted
        if error is not None:
            self.promise.fail(error)
        self.promise.succeed(None)
        self._ends = True
        for _, future in self._offers:
            if not future.done():
                if error is not None:
                    future.set_exception(error)
                else:
                    future.set_result(Offered.QUEUE_CLOSED)
        self._offers.clear()

    def fail_stage(self, error: BaseException) -> None:
        self._failure = self._failure or error
        super().fail_stage(error)

    def _refused(self) -> Offered | None:
        if self._ends or self.stopped:
            if self._failure is not None:
                raise self._failure
            return Offered.QUEUE_CLOSED
        return None

    def _is_wanted(self) -> bool:
        return self._started and not self.buffer and self.outlet.is_wanted

    def _put(self, element: Any) -> None:
        if element is None:
            raise TypeError("None is no element of a stream")
        self.buffer.append(element)
        if self._started and len(self.buffer) == 1:
            self._poke()

    def _move(self) -> None:
        if self._failure is not None:
            self.fail_stage(self._failure)
            return
        if self.buffer and self.outlet.is_wanted:
            self.outlet.push(self.buffer.popleft())
        while self._offers and len(self.buffer) < max(1, self._size):
            element, future = self._offers.popleft()
            if not future.done():
                self.buffer.append(element)
                future.set_result(Offered.ENQUEUED)
        if self.buffer and self.outlet.is_wanted:
            self.outlet.push(self.buffer.popleft())
        if self._ends and not self.buffer and not self._offers:
            self.complete_stage()


class SinkQueue(Generic[T]):
    """The end of `Sink.queue` that is drained; also an async iterator."""

    def __init__(self, stage: QueueSink) -> None:
        self._stage = stage

    async def pull(self) -> T | None:
        """The next element, or None at the end. Raises the failure of the stream."""
        result: T | None = await self._stage.take()
        return result

    def cancel(self) -> None:
        """Want no more."""
        self._stage.leave()

    async def aclose(self) -> None:
        """Cancel the stream: `async for` was left."""
        self.cancel()

    def __aiter__(self) -> SinkQueue[T]:
        return self

    async def __anext__(self) -> T:
        element = await self.pull()
        if element is None:
            raise StopAsyncIteration
        return element

    async def __aenter__(self) -> SinkQueue[T]:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.cancel()


class QueueSink(Stage):
    """The stage before a `SinkQueue`."""

    outs = 0
    reports_failure = False

    def __init__(self, size: int, loop: asyncio.AbstractEventLoop) -> None:
        self._size = size
        self._loop = loop
        self._buffer: deque[Any] = deque()
        self._waiting: asyncio.Future[Any] | None = None
        self._ended = False
        self._failure: BaseException | None = None
        self._left = False
        self._started = False

    @property
    def waiting(self) -> int:
        return len(self._buffer)

    def pre_start(self) -> None:
        self._started = True
        self._drained = self.callback(self._pull)
        self._leave = self.callback(self._cancel)
        if self._left:
            self._cancel()
        else:
            self.inlet.try_pull()

    def on_push(self) -> None:
        element = self.inlet.grab()
        waiting = self._waiting
        if waiting is not None and not waiting.done():
            self._waiting = None
            waiting.set_result(element)
        else:
            self._buffer.append(element)
        self._pull()

    def on_upstream_finish(self) -> None:
        self._end(None)

    def on_upstream_failure(self, error: BaseException) -> None:
        self._end(error)

    def post_stop(self) -> None:
        if not self._ended:
            self._end(self.interpreter.aborted)

    async def take(self) -> Any:
        """The next element, or a future of it."""
        if self._buffer:
            element = self._buffer.popleft()
            if len(self._buffer) * 2 <= self._size and self._started and not self._ended:
                self._drained()
            return element
        if self._ended or self._left:
            if self._failure is not None:
                raise self._failure
            return None
        if self._waiting is not None and not self._waiting.done():
            raise StreamDetachedError("somebody waits already for the next element of this queue")
        self._waiting = self._loop.create_future()
        return await self._waiting

    def leave(self) -> None:
        """The queue is cancelled: drop what waits, cancel upstream."""
        if self._left:
            return
        self._left = True
        self._buffer.clear()
        if self._started and not self._ended:
            self._leave()
        self._answer(None)

    def _pull(self) -> None:
        if len(self._buffer) < self._size and not self.inlet.in_closed:
            self.inlet.try_pull()

    def _cancel(self) -> None:
        self.cancel_stage(NO_MORE_ELEMENTS)

    def _end(self, error: BaseException | None) -> None:
        self._ended = True
        self._failure = error
        self._answer(error)

    def _answer(self, error: BaseException | None) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            if error is None:
                waiting.set_result(None)
            else:
                waiting.set_exception(error)


class MaybeSource(Stage):
    """The one element that somebody sets; None completes it empty."""

    ins = 0

    def __init__(self, promise: Promise[Any]) -> None:
        self._promise = promise
        self._element: Any = None

    def pre_start(self) -> None:
        interpreter = self.interpreter

        def done(_: asyncio.Future[Any]) -> None:
            interpreter.calls.append((self, self._done, ()))
            interpreter.wake()

        if self._promise.future.done():
            self._done()
        else:
            self._promise.future.add_done_callback(done)

    def on_pull(self) -> None:
        if self._element is not None:
            self.outlet.push(self._element)
            self.complete_stage()

    def on_downstream_finish(self, cause: BaseException) -> None:
        self._promise.succeed(None)
        self.cancel_stage(cause)

    def post_stop(self) -> None:
        if self.interpreter.aborted is not None:
            self._promise.fail(AbruptTerminationError("the stream was stopped"))

    def _done(self) -> None:
        future = self._promise.future
        if future.cancelled():
            self.complete_stage()
            return
        self._element = future.result()
        if self._element is None:
            self.complete_stage()
        elif self.outlet.is_wanted:
            self.on_pull()
