"""A cluster in one process: a fake clock, and a network that delays, loses, cuts and partitions. Chance is a seed's."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable, Iterable
from typing import Any

from smackbox.akka.actor.path import Address
from smackbox.akka.cluster.core import TICK_S, ClusterCore, ClusterSettings, Phase
from smackbox.akka.cluster.member import MemberStatus, UniqueAddress
from smackbox.akka.cluster.messages import DomainEvent

EXIT_S = 0.5
"""What a node needs to finish its work before it exits."""


def address(number: int) -> Address:
    return Address("pekko", "lab", "10.0.0.1", 2000 + number)


class _Lease:
    """All nodes reach it, also in a partition."""

    def __init__(self, simulation: Simulation, own: UniqueAddress) -> None:
        self._simulation = simulation
        self._own = own

    def ask(self) -> None:
        simulation = self._simulation

        def answer() -> None:
            if simulation.lease_owner is None:
                simulation.lease_owner = self._own
            for core in simulation.nodes.values():
                if core.own == self._own:
                    core.lease_result(self.is_held(), simulation.now_s)

        simulation.at(simulation.random.uniform(0.001, 0.5), answer)

    def release(self) -> None:
        if self.is_held():
            self._simulation.lease_owner = None

    def is_held(self) -> bool:
        return self._simulation.lease_owner == self._own


class Simulation:
    """`loss` is the share of messages that are lost. Messages of a pair keep their order, as on TCP."""

    def __init__(self, seed: int, *, loss: float = 0.0, settings: ClusterSettings | None = None) -> None:
        self.random = random.Random(seed)
        self.loss = loss
        self.now_s = 0.0
        self.nodes: dict[int, ClusterCore] = {}
        self.events: dict[int, list[DomainEvent]] = {}
        self._settings = settings or ClusterSettings()
        self._groups: list[set[int]] = []
        self.cut: set[frozenset[int]] = set()
        self.lease_owner: UniqueAddress | None = None
        self.on_event: Callable[[int, DomainEvent], None] = lambda _number, _event: None
        self.on_exiting: Callable[[int, Callable[[], None]], None] = lambda _number, done: self.at(EXIT_S, done)
        """A node finishes its work, and calls back."""
        self.receive: Callable[[int, object, Address], bool] = lambda _number, _message, _sender: False
        """What is laid over the cluster takes its own messages."""
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()
        self._arrival_s: dict[tuple[Address, Address], float] = {}

    def start(self, number: int) -> ClusterCore:
        """A node in a new life."""
        own = UniqueAddress(address(number), self.random.getrandbits(62) + 1)
        core: ClusterCore
        events: list[DomainEvent] = []

        def exiting() -> None:
            self.on_exiting(number, lambda: core.exiting_completed(self.now_s))

        def publish(event: DomainEvent) -> None:
            events.append(event)
            self.on_event(number, event)

        core = ClusterCore(
            own,
            self._settings,
            send=lambda to, message: self.send(own, to, message),
            publish=publish,
            exiting=exiting,
            chance=self.random.random,
            wall_ms=lambda: int(self.now_s * 1_000),
            lease=_Lease(self, own),
        )
        self.nodes[number], self.events[number] = core, events
        self.at(self.random.random() * TICK_S, lambda: self._tick(number, core))
        return core

    def crash(self, number: int) -> None:
        del self.nodes[number]

    def partition(self, *groups: Iterable[int]) -> None:
        """Only nodes of one group reach each other; without groups all do."""
        self._groups = [set(group) for group in groups]

    def at(self, delay_s: float, call: Callable[[], None]) -> None:
        heapq.heappush(self._queue, (self.now_s + delay_s, next(self._count), call))

    def run(self, seconds: float) -> None:
        end_s = self.now_s + seconds
        while self._queue and self._queue[0][0] <= end_s:
            self.now_s, _, call = heapq.heappop(self._queue)
            call()
        self.now_s = end_s

    def run_until(self, condition: Callable[[], bool], limit_s: float) -> None:
        end_s = self.now_s + limit_s
        while not condition():
            assert self.now_s < end_s, f"not within {limit_s} s: {self.views()}"
            self.run(0.5)

    def agree(self, members: Iterable[int], status: MemberStatus = MemberStatus.UP) -> bool:
        """Whether these nodes, and only they, are members, of this status, reachable, with one leader for all."""
        expected = {self.nodes[number].own for number in members}
        cores = [self.nodes[number] for number in members]
        return len({core.gossip.leader(core.own) for core in cores}) == 1 and all(
            core.gossip.members.keys() == expected
            and all(member.status is status for member in core.gossip.members.values())
            and not core.gossip.reachability.unreachable
            and core.gossip.has_converged(core.own)
            for core in cores
        )

    def views(self) -> dict[int, str]:
        return {
            number: f"{core.phase.value}: "
            + " ".join(f"{member.node.address.port}={member.status.name}" for member in core.gossip.sorted_members)
            + f" unreachable {sorted(node.address.port or 0 for node in core.gossip.reachability.unreachable)}"
            for number, core in self.nodes.items()
        }

    def _tick(self, number: int, core: ClusterCore) -> None:
        if self.nodes.get(number) is core and core.phase is not Phase.STOPPED:
            core.tick(self.now_s)
            self.at(TICK_S, lambda: self._tick(number, core))

    def send(self, from_: UniqueAddress, to: Address, message: Any) -> None:
        if self.random.random() < self.loss:
            return
        pair = (from_.address, to)
        arrival_s = max(self.now_s + self.random.uniform(0.0005, 0.1), self._arrival_s.get(pair, 0.0))
        self._arrival_s[pair] = arrival_s
        self.at(arrival_s - self.now_s, lambda: self._arrive(from_, to, message))

    def _arrive(self, from_: UniqueAddress, to: Address, message: Any) -> None:
        sender, receiver = (from_.address.port or 0) - 2000, (to.port or 0) - 2000
        apart = any((sender in group) != (receiver in group) for group in self._groups)
        core = self.nodes.get(receiver)
        if core is None or apart or frozenset({sender, receiver}) in self.cut:
            return
        if not self.receive(receiver, message, from_.address):
            core.receive(message, lambda answer: self.send(core.own, from_.address, answer), self.now_s)
