"""The materialized value that comes later: an `asyncio.Future` that a stage completes at most once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from smackbox.akka.stream.errors import AbruptTerminationError

if TYPE_CHECKING:
    from smackbox.akka.actor.system import ActorSystem

T = TypeVar("T")


class Promise(Generic[T]):
    """A materialized future that is done once."""

    __slots__ = ("future",)

    def __init__(self, system: ActorSystem) -> None:
        loop: asyncio.AbstractEventLoop = cast("Any", system.dispatcher).loop
        self.future: asyncio.Future[T] = loop.create_future()
        self.future.add_done_callback(_looked_at)

    def succeed(self, value: T) -> None:
        """Set the result, unless it is done."""
        if not self.future.done():
            self.future.set_result(value)

    def fail(self, error: BaseException) -> None:
        """Set the error, unless it is done."""
        if not self.future.done():
            if isinstance(error, StopIteration):
                error = RuntimeError(f"a function of a stream raised {error!r}")
            self.future.set_exception(error)

    def detach(self, what: str) -> None:
        """The stage is over without a result."""
        self.fail(AbruptTerminationError(f"{what} ended without a result"))


def _looked_at(future: asyncio.Future[Any]) -> None:
    """A failure was logged where it happened; that nobody waits for it is no second one."""
    if not future.cancelled():
        future.exception()
