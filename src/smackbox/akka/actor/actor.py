"""The class of a classic actor: its state, its handler, and its lifecycle hooks."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from smackbox.akka.actor.context import ActorContext
from smackbox.akka.actor.messages import Signal
from smackbox.akka.actor.recipe import Takes
from smackbox.akka.actor.supervision import OneForOne

M = TypeVar("M")


class _Unhandled:
    __slots__ = ()

    def __repr__(self) -> str:
        return "UNHANDLED"


UNHANDLED = _Unhandled()
"""What a handler returns for a message or a signal that it does not handle."""

_making: list[ActorContext[Any]] = []


class Actor(Takes[M], Generic[M]):
    """An actor that handles messages of type M.

    `receive` and the hooks may be plain or `async`; while one waits, messages wait, too. `self.context` is available
    in the constructor. A failure ends the instance: a restart creates a new one with the same mailbox.
    """

    context: ActorContext[M]
    supervisor_strategy: OneForOne = OneForOne()
    """For its children."""

    def __new__(cls, *_args: Any, **_kwargs: Any) -> Actor[M]:
        if not _making:
            raise TypeError(f"{cls.__name__} is made by spawn, not by a call: system.spawn({cls.__name__})")
        actor = super().__new__(cls)
        actor.context = _making[-1]
        return actor

    def receive(self, message: M) -> Any:
        """Handle a message. Return `UNHANDLED` for any other."""
        return UNHANDLED

    def on_signal(self, signal: Signal) -> Any:
        """Receive `Terminated` and `ChildFailed`. An unhandled one is a death pact: the actor fails."""
        return UNHANDLED

    def pre_start(self) -> Any:
        """Called before the first message."""

    def post_stop(self) -> Any:
        """Called after the last message; the children have already stopped."""

    def pre_restart(self, cause: BaseException, message: Any) -> Any:
        """To the instance that failed with `message` (None where it was none). By default stops all children, then as
        `post_stop`; children that are not stopped here live on and are restarted.
        """
        for child in self.context.children.values():
            self.context.unwatch(child)
        self.context.stop_children()
        return self.post_stop()

    def post_restart(self, cause: BaseException) -> Any:
        """To the new instance. By default as `pre_start`."""
        return self.pre_start()
