"""What a command handler decides, as a value: which events are stored, and what happens once they are.

return Effect.persist(Deposited(10)).then_reply(command.reply_to, lambda state: state.balance)
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

from smackbox.akka.actor.ref import ActorRef

E = TypeVar("E")
S = TypeVar("S")
R = TypeVar("R")

_NOTHING: tuple[Any, ...] = ()


class Kind(enum.Enum):
    """What an effect does first."""

    PERSIST = "persist"
    NONE = "none"
    UNHANDLED = "unhandled"
    STASH = "stash"
    DELETE = "delete"


class Effect(Generic[E, S]):
    """`E` is the type of events, `S` that of the state. What follows with `then_…` happens in that order, once the
    events are stored, and is lost when the actor fails before.
    """

    __slots__ = ("after", "events", "kind", "stops", "unstashes")

    def __init__(self, kind: Kind, events: tuple[Any, ...] = _NOTHING) -> None:
        self.kind = kind
        self.events = events
        self.after: list[Callable[[Any], Any]] | None = None
        self.stops = False
        self.unstashes = False

    # -- making one

    @staticmethod
    def persist(event: Any, *more: Any) -> Effect[Any, Any]:
        """Store the event, or all of the events or none. Of a durable state: the new state."""
        return Effect(Kind.PERSIST, (event, *more) if more else (event,))

    @staticmethod
    def persist_all(events: Iterable[Any]) -> Effect[Any, Any]:
        """Store all of the events, or none."""
        found = tuple(events)
        return Effect(Kind.PERSIST if found else Kind.NONE, found)

    @staticmethod
    def delete() -> Effect[Any, Any]:
        """Of a durable state: back to the empty state."""
        return Effect(Kind.DELETE)

    @staticmethod
    def none() -> Effect[Any, Any]:
        """Nothing is stored."""
        return Effect(Kind.NONE)

    @staticmethod
    def unhandled() -> Effect[Any, Any]:
        """The command is published as unhandled."""
        return Effect(Kind.UNHANDLED)

    @staticmethod
    def stash() -> Effect[Any, Any]:
        """Put the command aside until `then_unstash_all`."""
        return Effect(Kind.STASH)

    @staticmethod
    def unstash_all() -> Effect[Any, Any]:
        """Handle what is put aside next."""
        return Effect.none().then_unstash_all()

    @staticmethod
    def stop() -> Effect[Any, Any]:
        """The actor stops."""
        return Effect.none().then_stop()

    @staticmethod
    def reply(to: ActorRef[R], message: R) -> Effect[Any, Any]:
        """Nothing is stored, and `message` is sent."""
        return Effect.none().then_reply(to, lambda _: message)

    @staticmethod
    def no_reply() -> Effect[Any, Any]:
        """As `none`; says that no reply is wanted."""
        return Effect(Kind.NONE)

    # -- what follows

    def then_run(self, call: Callable[[S], Any]) -> Effect[E, S]:
        """Call with the state after the events."""
        if self.after is None:
            self.after = [call]
        else:
            self.after.append(call)
        return self

    def then_reply(self, to: ActorRef[R], message: Callable[[S], R]) -> Effect[E, S]:
        """Send what `message` makes of the state after the events."""
        return self.then_run(lambda state: to.tell(message(state)))

    def then_no_reply(self) -> Effect[E, S]:
        """Says that no reply is wanted."""
        return self

    def then_stop(self) -> Effect[E, S]:
        """Stop after all else."""
        self.stops = True
        return self

    def then_unstash_all(self) -> Effect[E, S]:
        """Handle what is put aside next."""
        self.unstashes = True
        return self
