"""A coroutine that starts at once, in the caller's turn, and becomes a task only if it waits.

Python 3.12 has such tasks. For 3.11 `_SteppedTask` is one, by the hooks that asyncio has for task types of others
(https://docs.python.org/3/library/asyncio-extending.html), so that `asyncio.timeout` and `current_task` work in it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from typing import Any


def start(coroutine: Coroutine[Any, Any, Any], loop: asyncio.AbstractEventLoop) -> asyncio.Future[Any]:
    """Run `coroutine` up to its first wait. The future is done already when it has none."""
    outer = asyncio.current_task(loop)
    if outer is not None:
        asyncio.tasks._leave_task(loop, outer)
    try:
        if sys.version_info >= (3, 12):
            return asyncio.Task(coroutine, loop=loop, eager_start=True)
        task = _SteppedTask(coroutine, loop)
        asyncio.tasks._register_task(task)  # type: ignore[arg-type]
        task.step(None)
        return task
    finally:
        if outer is not None:
            asyncio.tasks._enter_task(loop, outer)


class Raised:
    """The exception of a coroutine that never waited."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error


class Stepper:
    """Starts many coroutines as `start` does, and creates tasks only for those that wait."""

    __slots__ = ("_loop", "_spare")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._spare: _SteppedTask | None = None

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> tuple[bool, Any]:
        """(True, its result or `Raised`), or (False, its task), which calls its `on_end` at once when it is done."""
        loop = self._loop
        task = self._spare
        if task is None:
            task = _SteppedTask(coroutine, loop)
        else:
            self._spare = None
            task.reuse(coroutine)
        outer = asyncio.current_task(loop)
        if outer is not None:
            asyncio.tasks._leave_task(loop, outer)
        asyncio.tasks._enter_task(loop, task)  # type: ignore[arg-type]
        result: Any
        try:
            waited = task._context.run(coroutine.send, None)
        except StopIteration as end:
            result = end.value
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            result = Raised(error)
        else:
            # not in `asyncio.all_tasks`, whose set of weak references costs as much as the task: its owner keeps it
            task._wait_for(waited)
            return False, task
        finally:
            asyncio.tasks._leave_task(loop, task)  # type: ignore[arg-type]
            if outer is not None:
                asyncio.tasks._enter_task(loop, outer)
        if task.untouched:
            self._spare = task
        return True, result


class _SteppedTask(asyncio.Future[Any]):
    """What `asyncio.timeout`, `gather` and cancellation need of a task. `on_end` is called at once when it is done."""

    on_end: Callable[[asyncio.Future[Any]], None] | None = None
    _waits_for: asyncio.Future[Any] | None = None
    _must_cancel = False
    _cancel_requests = 0

    def __init__(self, coroutine: Coroutine[Any, Any, Any], loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self._coroutine = coroutine
        self._context: Context = copy_context()

    def reuse(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """For another coroutine, after one that never waited."""
        self._coroutine = coroutine
        self._context = copy_context()

    @property
    def untouched(self) -> bool:
        """Whether nobody cancelled it."""
        return not self._must_cancel and not self._cancel_requests

    def get_name(self) -> str:
        return "actor"

    def get_coro(self) -> Coroutine[Any, Any, Any]:
        return self._coroutine

    def cancelling(self) -> int:
        return self._cancel_requests

    def uncancel(self) -> int:
        self._cancel_requests = max(0, self._cancel_requests - 1)
        return self._cancel_requests

    def cancel(self, msg: Any = None) -> bool:
        if self.done():
            return False
        self._cancel_requests += 1
        if self._waits_for is not None and self._waits_for.cancel(msg=msg):
            return True
        self._must_cancel = True
        return True

    def step(self, error: BaseException | None) -> None:
        """Run the coroutine until it waits or ends. `error` is thrown into it."""
        loop = self.get_loop()
        if self._must_cancel:
            error = asyncio.CancelledError()
            self._must_cancel = False
        self._waits_for = None
        asyncio.tasks._enter_task(loop, self)  # type: ignore[arg-type]
        try:
            run = self._context.run
            waited = run(self._coroutine.send, None) if error is None else run(self._coroutine.throw, error)
        except StopIteration as end:
            super().set_result(end.value)
        except asyncio.CancelledError:
            super().cancel()
        except (KeyboardInterrupt, SystemExit) as exit_:
            super().set_exception(exit_)
            raise
        except BaseException as failure:
            super().set_exception(failure)
        else:
            self._wait_for(waited)
        finally:
            asyncio.tasks._leave_task(loop, self)  # type: ignore[arg-type]
            on_end = self.on_end
            if on_end is not None and self.done():
                self.on_end = None  # break the reference cycle: the coroutine's objects may refer to this task
                on_end(self)

    def _wait_for(self, waited: Any) -> None:
        if waited is None:
            self.get_loop().call_soon(self.step, None)
            return
        if getattr(waited, "_asyncio_future_blocking", None) is None:
            self.get_loop().call_soon(self.step, RuntimeError(f"an actor cannot wait for {waited!r}"))
            return
        waited._asyncio_future_blocking = False
        waited.add_done_callback(self._woken)
        self._waits_for = waited
        if self._must_cancel and waited.cancel():
            self._must_cancel = False

    def _woken(self, waited: asyncio.Future[Any]) -> None:
        try:
            waited.result()
        except BaseException as error:
            self.step(error)
        else:
            self.step(None)
