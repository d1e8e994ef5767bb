"""Routers: one reference before many actors. A pool starts its routees, a group finds them by a service key.

    workers = system.spawn(Routers.pool(4, Worker, RoundRobin()), "workers")
    parsers = system.spawn(Routers.group(PARSER, ConsistentHashing(lambda event: event.campaign)), "parsers")

`Broadcast(message)` reaches every routee, whatever the logic. Without routees a message is a dead letter.
"""

from __future__ import annotations

import asyncio
import hashlib
from bisect import bisect
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Protocol

from smackbox.akka.actor.actor import Actor
from smackbox.akka.actor.errors import AskTimeoutError
from smackbox.akka.actor.local_ref import LocalRef
from smackbox.akka.actor.messages import Signal, Terminated
from smackbox.akka.actor.props import Props, props_of
from smackbox.akka.actor.receptionist import Listing, ServiceKey
from smackbox.akka.actor.record import record
from smackbox.akka.actor.ref import ActorRef, PromiseRef

Refs = Sequence[ActorRef[Any]]

VIRTUAL_NODES = 10
"""Places of each routee on the ring of consistent hashing (Pekko's default factor)."""


@record
class Broadcast:
    """A message for every routee."""

    message: Any


class Logic(Protocol):
    """`select` chooses the routees of a message from the present ones."""

    def select(self, routees: Refs, message: Any, chance: Callable[[], float]) -> Refs: ...


class RoundRobin:
    def __init__(self) -> None:
        self._next = -1

    def select(self, routees: Refs, message: Any, chance: Callable[[], float]) -> Refs:
        self._next = (self._next + 1) % len(routees)
        return (routees[self._next],)


class Random:
    def select(self, routees: Refs, message: Any, chance: Callable[[], float]) -> Refs:
        return (routees[int(chance() * len(routees)) % len(routees)],)


class SmallestMailbox:
    """The routee with the fewest waiting messages; remote ones count as the fullest."""

    def select(self, routees: Refs, message: Any, chance: Callable[[], float]) -> Refs:
        return (min(routees, key=_waiting),)


class ToAll:
    """Every message to every routee."""

    def select(self, routees: Refs, message: Any, chance: Callable[[], float]) -> Refs:
        return routees


class ConsistentHashing:
    """The same key goes to the same routee while that one lives; few keys move when routees come and go."""

    def __init__(self, key: Callable[[Any], Hashable], virtual_nodes: int = VIRTUAL_NODES) -> None:
        self._key = key
        self._virtual_nodes = virtual_nodes
        self._routees: tuple[ActorRef[Any], ...] = ()
        self._ring: list[tuple[int, ActorRef[Any]]] = []

    def select(self, routees: Refs, message: Any, chance: Callable[[], float]) -> Refs:
        if tuple(routees) != self._routees:
            self._routees = tuple(routees)
            points = ((_hash(f"{ref.path}-{number}"), ref) for ref in routees for number in range(self._virtual_nodes))
            self._ring = sorted(points, key=lambda point: point[0])
        place = bisect(self._ring, _hash(repr(self._key(message))), key=lambda point: point[0])
        return (self._ring[place % len(self._ring)][1],)


@record
class ScatterGather:
    """To every routee; the first reply goes to the sender, and an `AskTimeoutError` after `within_s` without any."""

    within_s: float

    def select(self, routees: Refs, message: Any, chance: Callable[[], float]) -> Refs:
        return routees


class Routers:
    """Creates routers."""

    @staticmethod
    def pool(size: int, routee: Any, logic: Logic | None = None) -> Props[Any]:
        """`size` children created from `routee` (a class, a behavior or `Props`). The pool stops after all of them."""
        if size < 1:
            raise ValueError("a pool has at least one routee")
        return Props.of(_Pool, size, props_of(routee), logic or RoundRobin())

    @staticmethod
    def group(key: ServiceKey[Any], logic: Logic | None = None) -> Props[Any]:
        """The actors registered under `key` with the receptionist."""
        return Props.of(_Group, key, logic or Random())


class _Router(Actor[Any]):
    def __init__(self, logic: Logic) -> None:
        self._logic = logic
        self._routees: list[ActorRef[Any]] = []

    def receive(self, message: Any) -> None:
        context = self.context
        sender = context.sender
        everybody = isinstance(message, Broadcast)
        inner = message.message if everybody else message
        if not self._routees:
            context.system.dead_letter(inner, context.ref, "the router has no routees")
            return
        if isinstance(self._logic, ScatterGather) and not everybody:
            self._scatter(inner, sender, self._logic.within_s)
            return
        chosen = self._routees if everybody else self._logic.select(self._routees, inner, context.system.chance)
        for routee in chosen:
            routee.tell(inner, sender)

    def _scatter(self, message: Any, sender: ActorRef[Any], within_s: float) -> None:
        promise: PromiseRef[Any] = PromiseRef(self.context.system, self.context.path, within_s)
        for routee in self._routees:
            routee.tell(message, promise)

        def done(future: asyncio.Future[Any]) -> None:
            error = future.exception()
            if error is None:
                sender.tell(future.result())
            elif isinstance(sender, PromiseRef):
                sender.fail(error if isinstance(error, AskTimeoutError) else AskTimeoutError(str(error)))
            else:
                sender.tell(error)

        promise.future.add_done_callback(done)


class _Pool(_Router):
    def __init__(self, size: int, routee: Props[Any], logic: Logic) -> None:
        super().__init__(logic)
        for _ in range(size):
            self._routees.append(self.context.watch(self.context.spawn(routee)))

    def on_signal(self, signal: Signal) -> None:
        if isinstance(signal, Terminated):
            self._routees = [routee for routee in self._routees if routee != signal.ref]
            if not self._routees:
                self.context.stop()


class _Group(_Router):
    def __init__(self, key: ServiceKey[Any], logic: Logic) -> None:
        super().__init__(logic)
        self._key = key
        self._is_known = False

    def pre_start(self) -> None:
        self.context.system.receptionist.subscribe(self._key, self.context.ref)

    def receive(self, message: Any) -> None:
        if isinstance(message, Listing) and message.key == self._key:
            self._routees = sorted(message.instances, key=lambda ref: str(ref.path))
            if not self._is_known:
                self._is_known = True
                self.context.unstash_all()
        elif not self._is_known:
            self.context.stash()  # the first listing is on its way
        else:
            super().receive(message)


def _waiting(ref: ActorRef[Any]) -> float:
    return len(ref.cell.box or ()) if isinstance(ref, LocalRef) else float("inf")


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
