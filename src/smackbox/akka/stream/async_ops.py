"""Operators whose functions are coroutines: map_async, ordered and not, and what is built of one at a time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from functools import partial
from types import CoroutineType
from typing import Any

from smackbox.akka.actor.eager_task import Raised, Stepper
from smackbox.akka.actor.supervision import Directive
from smackbox.akka.stream.errors import StageError
from smackbox.akka.stream.stage import Stage

Async = Callable[..., Awaitable[Any]]


class Work:
    """One call under way: done at once, or by a future."""

    done = False
    value: Any = None
    error: BaseException | None = None
    future: asyncio.Future[Any] | None = None

    def take(self, future: asyncio.Future[Any]) -> None:
        """Take the outcome of a future that is done."""
        self.done = True
        self.future = None
        if future.cancelled():
            self.error = asyncio.CancelledError("the work was cancelled")
        else:
            self.error = future.exception()
            if self.error is None:
                self.value = future.result()

    def result(self) -> Any:
        """Raises what the work raised; a cancelled one is an error like others."""
        if self.error is None:
            return self.value
        if isinstance(self.error, Exception):
            raise self.error
        raise StageError(f"the work ended with {self.error!r}") from self.error


def done_with(outcome: Any) -> Work:
    """Work that a stepped coroutine ended at once: its result, or `Raised`."""
    work = Work()
    work.done = True
    if type(outcome) is Raised:
        work.error = outcome.error
    else:
        work.value = outcome
    return work


class AsyncStage(Stage):
    """Begins work, and is notified of its end in its own turn. What is under way when the stage stops is cancelled."""

    def __new__(cls, *args: Any, **options: Any) -> Any:
        stage: Any = super().__new__(cls, *args, **options)
        stage._under_way = set()
        return stage

    _under_way: set[asyncio.Future[Any]]
    _stepper: Stepper | None = None

    def begin(self, awaitable: Awaitable[Any], then: Callable[[Work], None]) -> Work:
        """Start `awaitable` at once. `then(work)` is called in this stage's turn, unless it is done already when this
        returns.
        """
        if type(awaitable) is CoroutineType:
            stepper = self._stepper
            if stepper is None:
                loop: asyncio.AbstractEventLoop = self.interpreter.system.dispatcher.loop  # type: ignore[attr-defined]
                stepper = self._stepper = Stepper(loop)
            finished, outcome = stepper.start(awaitable)
            return done_with(outcome) if finished else self.wait_for(outcome, then)
        future = asyncio.ensure_future(awaitable)
        if future.done():
            work = Work()
            work.take(future)
            return work
        return self.wait_for(future, then)

    def wait_for(self, future: asyncio.Future[Any], then: Callable[[Work], None]) -> Work:
        """Work that a future will end, which is cancelled with the stage."""
        work = Work()
        work.future = future
        self._under_way.add(future)
        interpreter = self.interpreter

        def done(finished_: asyncio.Future[Any]) -> None:
            self._under_way.discard(finished_)
            work.take(finished_)
            interpreter.calls.append((self, then, (work,)))
            interpreter.wake()

        future.add_done_callback(done)
        return work

    def post_stop(self) -> None:
        for future in tuple(self._under_way):
            future.cancel()


class MapAsync(AsyncStage):
    """Up to `parallelism` calls at once; results in the order of their elements."""

    def __init__(self, parallelism: int, function: Async) -> None:
        self._parallelism = parallelism
        self._function = function
        self._works: deque[Work] = deque()

    def on_push(self) -> None:
        try:
            awaitable = self._function(self.inlet.grab())
            if type(awaitable) is CoroutineType and self._stepper is not None:
                # most calls are done at once in many streams: they cost no `Work`
                finished, outcome = self._stepper.start(awaitable)
                if not finished:
                    work = self.wait_for(outcome, self._finished)
                elif type(outcome) is not Raised and outcome is not None and not self._works and self.outlet.is_wanted:
                    self.outlet.push(outcome)
                    self.inlet.try_pull()
                    return
                else:
                    work = done_with(outcome)
            else:
                work = self.begin(awaitable, self._finished)
        except Exception as error:
            self.decide(error)
        else:
            if work.done and work.error is not None:
                self._failed(work)
            else:
                self._works.append(work)
        self._move()

    def on_pull(self) -> None:
        self._move()

    def on_upstream_finish(self) -> None:
        if not self._works:
            self.complete_stage()

    def _finished(self, work: Work) -> None:
        if work.error is not None:
            self._failed(work)
        self._move()

    def _failed(self, work: Work) -> None:
        """The decider gets a failure as soon as it occurs, as in Pekko."""
        try:
            work.result()
        except Exception as error:
            self.decide(error)

    def _move(self) -> None:
        works, outlet, inlet = self._works, self.outlet, self.inlet
        while works and works[0].done and works[0].error is not None:
            works.popleft()
        if works and works[0].done and outlet.is_wanted:
            value = works.popleft().value
            if value is None:
                try:
                    raise StageError("a function of map_async returned None, which is no element of a stream")
                except StageError as error:
                    self.decide(error)
                self._move()
                return
            outlet.push(value)
        if inlet.in_closed:
            if not works:
                self.complete_stage()
        elif len(works) < self._parallelism:
            inlet.try_pull()


class CountedAsync(AsyncStage):
    """Up to `parallelism` calls at once; `_finished` is called for each, and calls `_move` in the end."""

    def __init__(self, parallelism: int, function: Async) -> None:
        self._parallelism = parallelism
        self._function = function
        self._running = 0

    def on_push(self) -> None:
        self._running += 1
        try:
            work = self.begin(self._function(self.inlet.grab()), self._finished)
        except Exception as error:
            self._running -= 1
            self.decide(error)
        else:
            if work.done:
                self._finished(work)
                return
        self._move()

    def on_upstream_finish(self) -> None:
        self._move()

    def _finished(self, work: Work) -> None:
        raise NotImplementedError

    def _move(self) -> None:
        """Ask for more, or end."""
        raise NotImplementedError


class MapAsyncUnordered(CountedAsync):
    """Results as they come."""

    def __init__(self, parallelism: int, function: Async) -> None:
        super().__init__(parallelism, function)
        self._results: deque[Any] = deque()

    def on_pull(self) -> None:
        if self._results:
            self.outlet.push(self._results.popleft())
        self._move()

    def _finished(self, work: Work) -> None:
        self._running -= 1
        try:
            value = work.result()
            if value is None:
                raise StageError("a function of map_async_unordered returned None, which is no element of a stream")
        except Exception as error:
            self.decide(error)
        else:
            if self.outlet.is_wanted and not self._results:
                self.outlet.push(value)
            else:
                self._results.append(value)
        self._move()

    def _move(self) -> None:
        if self.inlet.in_closed:
            if not self._running and not self._results:
                self.complete_stage()
        elif self._running + len(self._results) < self._parallelism:
            self.inlet.try_pull()


class MapAsyncPartitioned(AsyncStage):
    """As `MapAsync`, and at most one call for a partition at once, in the order of its elements."""

    def __init__(self, parallelism: int, partition: Callable[[Any], Any], function: Async) -> None:
        self._parallelism = parallelism
        self._partition = partition
        self._function = function
        self._works: deque[Work] = deque()
        self._waiting: dict[Any, deque[tuple[Any, Work]]] = {}

    def on_push(self) -> None:
        element = self.inlet.grab()
        try:
            key = self._partition(element)
        except Exception as error:
            self.decide(error)
            self._move()
            return
        work = Work()
        self._works.append(work)
        if key in self._waiting:
            self._waiting[key].append((element, work))
        else:
            self._waiting[key] = deque()
            self._start(key, element, work)
        self._move()

    def on_pull(self) -> None:
        self._move()

    def on_upstream_finish(self) -> None:
        if not self._works:
            self.complete_stage()

    def _start(self, key: Any, element: Any, work: Work) -> None:
        while True:
            try:
                inner = self.begin(self._function(element), partial(self._ended, key, work))
            except Exception as error:
                inner = Work()
                inner.done, inner.error = True, error
            if not inner.done:
                return
            self._take(work, inner)
            following = self._following(key)
            if following is None:
                return
            element, work = following

    def _ended(self, key: Any, work: Work, inner: Work) -> None:
        self._take(work, inner)
        following = self._following(key)
        if following is not None:
            self._start(key, *following)
        self._move()

    def _take(self, work: Work, inner: Work) -> None:
        work.done, work.value, work.error = True, inner.value, inner.error
        if inner.error is not None:
            try:
                inner.result()
            except Exception as error:
                self.decide(error)

    def _following(self, key: Any) -> tuple[Any, Work] | None:
        waiting = self._waiting[key]
        if waiting:
            return waiting.popleft()
        del self._waiting[key]
        return None

    def _move(self) -> None:
        works = self._works
        while works and works[0].done and works[0].error is not None:
            works.popleft()
        if works and works[0].done and self.outlet.is_wanted:
            self.outlet.push(works.popleft().value)
        if self.inlet.in_closed:
            if not works:
                self.complete_stage()
        elif len(works) < self._parallelism:
            self.inlet.try_pull()


class GatherAsync(AsyncStage):
    """Calls `function` with what was gathered and an element; one call at a time."""

    def __init__(self, zero: Any, function: Async) -> None:
        self._zero = self._gathered = zero
        self._function = function
        self._busy = False

    def on_push(self) -> None:
        try:
            work = self.begin(self._function(self._gathered, self.inlet.grab()), self._finished)
        except Exception as error:
            self._recover(error)
        else:
            self._busy = True
            if work.done:
                self._finished(work)

    def _finished(self, work: Work) -> None:
        """The call is over: take its result."""
        raise NotImplementedError

    def _recover(self, error: Exception) -> None:
        """The call failed: do what the decider says."""
        raise NotImplementedError


class ScanAsync(GatherAsync):
    """`zero`, and what was gathered after each element; one call at a time."""

    _began = False
    _result: Any = None

    def on_pull(self) -> None:
        if not self._began:
            self._began = True
            self.outlet.push(self._zero)
            if self.inlet.in_closed:
                self.complete_stage()
        elif self._result is not None:
            self._give()
        elif not self._busy:
            self.inlet.try_pull()

    def on_upstream_finish(self) -> None:
        if self._began and not self._busy and self._result is None:
            self.complete_stage()

    def _finished(self, work: Work) -> None:
        self._busy = False
        try:
            self._gathered = self._result = work.result()
            if self._result is None:
                raise StageError("a function of scan_async returned None, which is no element of a stream")
        except Exception as error:
            self._recover(error)
            return
        if self.outlet.is_wanted:
            self._give()

    def _recover(self, error: Exception) -> None:
        if self.decide(error) is Directive.RESTART:
            self._gathered = self._result = self._zero
            if self.outlet.is_wanted:
                self._give()
        elif self.inlet.in_closed:
            self.complete_stage()
        else:
            self.inlet.try_pull()

    def _give(self) -> None:
        result, self._result = self._result, None
        self.outlet.push(result)
        if self.inlet.in_closed:
            self.complete_stage()


class FoldAsync(GatherAsync):
    """What was gathered, at the end; one call at a time."""

    def on_pull(self) -> None:
        if self.inlet.in_closed:
            self._end()
        elif not self._busy:
            self.inlet.try_pull()

    def on_upstream_finish(self) -> None:
        self._end()

    def _finished(self, work: Work) -> None:
        self._busy = False
        try:
            self._gathered = work.result()
        except Exception as error:
            self._recover(error)
            return
        self._go_on()

    def _recover(self, error: Exception) -> None:
        if self.decide(error) is Directive.RESTART:
            self._gathered = self._zero
        self._go_on()

    def _go_on(self) -> None:
        if self.inlet.in_closed:
            self._end()
        else:
            self.inlet.try_pull()

    def _end(self) -> None:
        if not self._busy and self.outlet.is_wanted:
            self.outlet.push(self._gathered)
            self.complete_stage()


class AsyncIteratorSource(AsyncStage):
    """Elements of an async iterable, one ahead of none: `__anext__` is called when one is asked for."""

    ins = 0

    def __init__(self, make: Callable[[], AsyncIterable[Any]]) -> None:
        self._make = make
        self._iterator: AsyncIterator[Any] | None = None
        self._closing = False

    def pre_start(self) -> None:
        self._iterator = aiter(self._make())

    def on_pull(self) -> None:
        assert self._iterator is not None
        work = self.begin(_next(self._iterator), self._finished)
        if work.done:
            self._finished(work)

    def _finished(self, work: Work) -> None:
        element = work.result()
        if element is _END:
            self.complete_stage()
        else:
            self.outlet.push(element)

    def post_stop(self) -> None:
        under_way = tuple(self._under_way)
        super().post_stop()
        close = getattr(self._iterator, "aclose", None)
        if close is not None:
            self.interpreter.system.keep(asyncio.ensure_future(_close(close, under_way)))


class UnfoldAsync(AsyncStage):
    """`function(state)` gives the next state and an element, or None at the end."""

    ins = 0

    def __init__(self, state: Any, function: Async) -> None:
        self._state = state
        self._function = function

    def on_pull(self) -> None:
        work = self.begin(self._function(self._state), self._finished)
        if work.done:
            self._finished(work)

    def _finished(self, work: Work) -> None:
        result = work.result()
        if result is None:
            self.complete_stage()
        else:
            self._state, element = result
            self.outlet.push(element)


class FutureSource(AsyncStage):
    """The one element that `make` gives later."""

    ins = 0

    def __init__(self, make: Callable[[], Awaitable[Any]]) -> None:
        self._make = make
        self._element: Any = None

    def pre_start(self) -> None:
        work = self.begin(self._make(), self._finished)
        if work.done:
            self._finished(work)

    def on_pull(self) -> None:
        if self._element is not None:
            self.outlet.push(self._element)
            self.complete_stage()

    def _finished(self, work: Work) -> None:
        self._element = work.result()
        if self._element is None:
            raise StageError("the future of a stream gave None, which is no element")
        if self.outlet.is_wanted:
            self.on_pull()


class ForeachAsync(CountedAsync):
    """`promise` is kept when all calls are done."""

    outs = 0

    def __init__(self, parallelism: int, function: Async, promise: Any) -> None:
        super().__init__(parallelism, function)
        self._promise = promise
        self.keep_going = True

    def pre_start(self) -> None:
        self.inlet.pull()

    def on_upstream_failure(self, error: BaseException) -> None:
        self.fail_stage(error)

    def _finished(self, work: Work) -> None:
        self._running -= 1
        try:
            work.result()
        except Exception as error:
            self.decide(error)
        self._move()

    def _move(self) -> None:
        if self.inlet.in_closed:
            if not self._running:
                self._promise.succeed(None)
                self.complete_stage()
        elif self._running < self._parallelism:
            self.inlet.try_pull()

    def fail_stage(self, error: BaseException) -> None:
        self._promise.fail(error)
        super().fail_stage(error)


_END = object()


async def _next(iterator: AsyncIterator[Any]) -> Any:
    try:
        return await iterator.__anext__()
    except StopAsyncIteration:
        return _END


async def _close(close: Callable[[], Awaitable[None]], under_way: tuple[asyncio.Future[Any], ...]) -> None:
    """A generator is closed once what was asked of it has ended."""
    if under_way:
        await asyncio.wait(under_way)
    await close()
