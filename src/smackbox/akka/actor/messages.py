"""Messages and signals from the system to actors, and messages that every actor accepts."""

from __future__ import annotations

from typing import Any

from smackbox.akka.actor.errors import ActorError
from smackbox.akka.actor.record import record
from smackbox.akka.actor.ref import ActorRef


class DeathPactError(ActorError):
    """An actor that is watched has terminated, and the watcher does not handle `Terminated`."""

    def __init__(self, dead: ActorRef[Any]) -> None:
        super().__init__(f"the watched actor {dead.path} has terminated, and Terminated is not handled")
        self.dead = dead


class Signal:
    """A notice about the actor itself or others. It goes to `on_signal`, and never waits behind messages."""

    __slots__ = ()


@record
class Terminated(Signal):
    """A watched actor has terminated: exactly one for each `watch`."""

    ref: ActorRef[Any]


@record
class ChildFailed(Terminated):
    """A watched child stopped because it failed."""

    cause: BaseException


@record
class PreRestart(Signal):
    """To a functional behavior, before it restarts after a failure."""


@record
class PostStop(Signal):
    """To a functional behavior: its last signal."""


@record
class PoisonPill:
    """Stops an actor when it is taken from the mailbox."""


@record
class Kill:
    """Makes an actor fail with `ActorKilledError`."""


@record
class Identify:
    """Answered by every actor with `ActorIdentity`; a selection that matches nothing answers with None."""

    message_id: Any


@record
class ActorIdentity:
    correlation_id: Any
    ref: ActorRef[Any] | None


@record
class DeadLetter:
    """On the event stream: a message that reached nobody, and why."""

    message: Any
    sender: ActorRef[Any] | None
    recipient: str
    reason: str


@record
class UnhandledMessage:
    """On the event stream: a message that its recipient did not handle."""

    message: Any
    sender: ActorRef[Any] | None
    recipient: ActorRef[Any]
