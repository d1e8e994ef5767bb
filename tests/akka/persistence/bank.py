"""An account for tests: amounts are added, texts are commands."""

from __future__ import annotations

from typing import Any

import msgspec

from smackbox.akka.actor.ref import ActorRef
from smackbox.akka.persistence.effect import Effect
from smackbox.akka.persistence.event_sourced import EventSourcedBehavior
from smackbox.akka.persistence.extension import Persistence
from smackbox.akka.persistence.memory import MemoryJournal, MemorySnapshots, MemoryStates
from smackbox.akka.testkit.kit import ActorTestKit


class Added(msgspec.Struct, frozen=True):
    amount: int


class Balance(msgspec.Struct, frozen=True):
    total: int = 0
    events: int = 0


class Get(msgspec.Struct, frozen=True):
    reply_to: ActorRef[Any]


class Add(msgspec.Struct, frozen=True):
    amounts: tuple[Any, ...]
    reply_to: ActorRef[Any] | None = None


def on_command(state: Balance, command: Any) -> Effect[Added, Balance]:
    match command:
        case Get(reply_to):
            return Effect.reply(reply_to, state)
        case Add(amounts, None):
            return Effect.persist_all(Added(amount) for amount in amounts)
        case Add(amounts, reply_to):
            return Effect.persist_all(Added(amount) for amount in amounts).then_reply(reply_to, lambda new: new)
        case "stop":
            return Effect.stop()
        case _:
            return Effect.unhandled()


def on_event(state: Balance, event: Added) -> Balance:
    if event.amount == 13:
        raise ValueError("13 is refused")
    return Balance(state.total + event.amount, state.events + 1)


def account(id_: str = "Account|1", **options: Any) -> EventSourcedBehavior[Any, Added, Balance]:
    return EventSourcedBehavior(id_, Balance(), on_command, on_event, **options)


class Bank:
    """A kit whose system has journal, snapshots and states in memory."""

    def __init__(self, **options: Any) -> None:
        self.kit = ActorTestKit()
        self.journal = MemoryJournal()
        self.snapshots = MemorySnapshots()
        self.states = MemoryStates()
        self.persistence = self.kit.run(self._persistence(options))

    async def _persistence(self, options: dict[str, Any]) -> Persistence:
        persistence = Persistence(self.kit.system, self.journal, self.snapshots, self.states, **options)
        persistence.register("bank.Added", Added)
        persistence.register("bank.Balance", Balance)
        return persistence

    def balance(self, ref: ActorRef[Any]) -> Balance:
        return self.kit.run(ref.ask(Get, 3.0))

    def add(self, ref: ActorRef[Any], *amounts: Any) -> Balance:
        return self.kit.run(ref.ask(lambda reply_to: Add(amounts, reply_to), 3.0))

    def events(self, id_: str = "Account|1") -> list[int]:
        return sorted(self.journal._events.get(id_, {}))

    def restart(self, ref: ActorRef[Any], behavior: Any = None) -> ActorRef[Any]:
        """Another actor in place of this one."""
        self.kit.stop(ref)
        return self.kit.spawn(behavior or account())

    def __enter__(self) -> Bank:
        return self

    def __exit__(self, *_: object) -> None:
        self.kit.close()
