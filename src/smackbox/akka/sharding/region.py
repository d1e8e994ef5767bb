"""The region of one node: finds the shard of a message, starts shards here, keeps messages while a shard is nowhere.

A plain synchronous state machine. A region registers with the coordinator on the oldest node, again and again until it
is acknowledged; it asks for the home of a shard, again and again until it is known. A proxy is a region without shards.
Source: `ShardRegion` of Pekko.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from smackbox.akka.actor.path import Address
from smackbox.akka.cluster.member import Member, MemberStatus, UniqueAddress
from smackbox.akka.cluster.messages import MemberEvent, MemberRemoved
from smackbox.akka.sharding.messages import (
    BeginHandOff,
    BeginHandOffAck,
    CoordinatorCommand,
    CoordinatorMessage,
    GetShardHome,
    GracefulShutdownReq,
    HandOff,
    HostShard,
    Register,
    RegisterAck,
    RegisterProxy,
    ShardHome,
    ShardHomes,
    ShardStarted,
    ShardStopped,
)

BUFFER_LIMIT = 100_000
RETRY_S = 2.0
FIRST_RETRY_S = 0.25
OF_INTEREST = frozenset({MemberStatus.UP, MemberStatus.LEAVING, MemberStatus.EXITING})

log = logging.getLogger("smackbox.akka.sharding")


@dataclass(frozen=True, slots=True)
class RegionCalls:
    """What a region does. `start_shard` is answered by `shard_started`, `stop_shard` by `shard_stopped`.

    `tell_coordinator` sends to the coordinator that may be on a node, `send` to one that has acknowledged, or to a
    region; `deliver` gives a message to a shard of this node or to another region.
    """

    tell_coordinator: Callable[[Address, CoordinatorCommand], None]
    send: Callable[[Any, CoordinatorCommand], None]
    deliver: Callable[[Any, Any, Any], None]
    deliver_here: Callable[[str, Any, Any], None]
    start_shard: Callable[[str], None]
    stop_shard: Callable[[str, Any], None]
    watch: Callable[[Any], None]
    drop: Callable[[Any, Any, str], None]
    stop: Callable[[], None]


class Region:
    """`own` is its reference, `node` its node. Messages come with their sender. Time is in seconds."""

    def __init__(
        self,
        own: Any,
        node: UniqueAddress,
        calls: RegionCalls,
        *,
        role: str | None = None,
        is_proxy: bool = False,
        buffer_limit: int = BUFFER_LIMIT,
        retry_s: float = RETRY_S,
    ) -> None:
        self.coordinator: Any = None
        self.shards: set[str] = set()
        """That run here, or are starting."""
        self._own = own
        self._node = node
        self._calls = calls
        self._role = role
        self._is_proxy = is_proxy
        self._buffer_limit = buffer_limit
        self._retry_s = retry_s
        self._members: dict[UniqueAddress, Member] = {}
        self._homes: dict[str, Any] = {}
        self._starting: set[str] = set()
        self._stopping: set[str] = set()
        self._buffers: dict[str, deque[tuple[Any, Any]]] = {}
        self._buffered = 0
        self._next_retry_s = 0.0
        self._register_s = 0.0
        self._register_delay_s = FIRST_RETRY_S
        self._leaving = False
        self._full = False

    # -- the cluster

    def begin(self, members: list[Member], now_s: float) -> None:
        """The members at the start; later ones come as events."""
        for member in members:
            if self._matches(member):
                self._members[member.node] = member
        self._next_retry_s = now_s + self._retry_s
        self._start_registration(now_s)

    def member_event(self, event: MemberEvent, now_s: float) -> None:
        """A change of a member."""
        member = event.member
        if member.node == self._node and (isinstance(event, MemberRemoved) or member.status is MemberStatus.DOWN):
            self._calls.stop()
            return
        before = self._oldest()
        if isinstance(event, MemberRemoved):
            self._members.pop(member.node, None)
        elif self._matches(member):
            self._members[member.node] = member
        if self._oldest() != before:
            self.coordinator = None
            self._start_registration(now_s)

    def _matches(self, member: Member) -> bool:
        return member.status in OF_INTEREST and (self._role is None or self._role in member.roles)

    def _by_age(self) -> list[Member]:
        return sorted(self._members.values(), key=lambda member: member.age)

    def _oldest(self) -> UniqueAddress | None:
        members = self._by_age()
        return members[0].node if members else None

    def _to_coordinator(self, command: CoordinatorCommand) -> None:
        """On the oldest node, and while that one leaves also on those that come after it, to the first that is Up."""
        for member in self._by_age():
            self._calls.tell_coordinator(member.node.address, command)
            if member.status is MemberStatus.UP:
                return

    # -- registration

    def _start_registration(self, now_s: float) -> None:
        self._register_delay_s = FIRST_RETRY_S
        self._register(now_s)

    def _register(self, now_s: float) -> None:
        self._to_coordinator(RegisterProxy(self._own) if self._is_proxy else Register(self._own))
        self._register_s = now_s + self._register_delay_s
        self._register_delay_s = min(2 * self._register_delay_s, self._retry_s)

    def tick(self, now_s: float) -> None:
        """A few times a second."""
        if self.coordinator is None and now_s >= self._register_s:
            self._register(now_s)
        if now_s < self._next_retry_s:
            return
        self._next_retry_s = now_s + self._retry_s
        if self.coordinator is not None:
            self._ask_for_homes()
        if self._leaving:
            self._to_coordinator(GracefulShutdownReq(self._own))
            self._stop_when_empty()

    def _ask_for_homes(self) -> None:
        for shard in self._buffers:
            if shard not in self._homes:
                self._calls.send(self.coordinator, GetShardHome(shard))

    # -- messages of the coordinator

    def receive(self, message: CoordinatorMessage, sender: Any) -> None:
        """A message of the coordinator."""
        match message:
            case RegisterAck(coordinator):
                self._calls.watch(coordinator)
                self.coordinator = coordinator
                self._ask_for_homes()
            case HostShard(shard):
                self._host(shard, sender)
            case ShardHome(shard, region):
                self._home(shard, region)
            case ShardHomes(homes):
                for region, shards in homes.items():
                    for shard in shards:
                        self._home(shard, region)
            case BeginHandOff(shard):
                self._homes.pop(shard, None)
                self._calls.send(sender, BeginHandOffAck(shard))
            case HandOff(shard):
                self._hand_off(shard, sender)

    def _host(self, shard: str, sender: Any) -> None:
        if self._leaving:
            self._to_coordinator(GracefulShutdownReq(self._own))
            return
        self._homes[shard] = self._own
        self._start(shard)
        self._calls.send(sender, ShardStarted(shard))

    def _home(self, shard: str, region: Any) -> None:
        if self._homes.get(shard) == self._own and region != self._own:
            log.error("the shard %s is here, and the coordinator has it at %s", shard, region)
            return
        self._homes[shard] = region
        if region == self._own:
            self._start(shard)
            if shard not in self._starting:
                self._deliver_waiting(shard)
        else:
            self._calls.watch(region)
            self._deliver_waiting(shard)

    def _hand_off(self, shard: str, sender: Any) -> None:
        """What waits is dropped: others may have sent what comes after it elsewhere by now."""
        for message, from_ in self._take(shard):
            self._calls.drop(message, from_, f"the shard {shard} is handed over")
        if shard not in self.shards:
            self._calls.send(sender, ShardStopped(shard))
        elif shard not in self._stopping:
            self._stopping.add(shard)
            self._calls.stop_shard(shard, sender)

    def terminated(self, ref: Any, now_s: float) -> None:
        """The coordinator, or another region."""
        if ref == self.coordinator:
            self.coordinator = None
            self._start_registration(now_s)
        else:
            self._homes = {shard: region for shard, region in self._homes.items() if region != ref}

    # -- shards here

    def _start(self, shard: str) -> None:
        if shard not in self.shards and not self._is_proxy:
            self.shards.add(shard)
            self._starting.add(shard)
            self._calls.start_shard(shard)

    def shard_started(self, shard: str) -> None:
        """A shard of this node is ready."""
        self._starting.discard(shard)
        self._deliver_waiting(shard)

    def shard_stopped(self, shard: str) -> None:
        """A shard of this node has stopped."""
        self.shards.discard(shard)
        self._starting.discard(shard)
        self._stopping.discard(shard)
        if shard in self._buffers and self._homes.get(shard) == self._own and not self._leaving:
            self._start(shard)  # it came back while it was stopping
        self._stop_when_empty()

    # -- messages for entities

    def deliver(self, shard: str, message: Any, sender: Any) -> None:
        """To the shard, wherever it is; kept where that is not known."""
        home = self._homes.get(shard)
        if home is None:
            if shard not in self._buffers and self.coordinator is not None:
                self._calls.send(self.coordinator, GetShardHome(shard))
            self._keep(shard, message, sender)
        elif home != self._own:
            self._calls.deliver(home, message, sender)
        elif shard not in self.shards:
            self._start(shard)
            self._keep(shard, message, sender)
        elif shard in self._starting or shard in self._stopping or shard in self._buffers:
            self._keep(shard, message, sender)
            if shard not in self._starting and shard not in self._stopping:
                self._deliver_waiting(shard)
        else:
            self._calls.deliver_here(shard, message, sender)

    def _keep(self, shard: str, message: Any, sender: Any) -> None:
        if self._buffered >= self._buffer_limit:
            if not self._full:
                log.warning("%d messages wait for shards: more are dropped", self._buffered)
            self._full = True
            self._calls.drop(message, sender, f"{self._buffered} messages wait for shards already")
            return
        self._buffers.setdefault(shard, deque()).append((message, sender))
        self._buffered += 1

    def _take(self, shard: str) -> deque[tuple[Any, Any]]:
        waiting = self._buffers.pop(shard, deque())
        self._buffered -= len(waiting)
        self._full = self._full and not waiting
        return waiting

    def _deliver_waiting(self, shard: str) -> None:
        home = self._homes.get(shard)
        if home is None or (home == self._own and shard not in self.shards):
            return
        for message, sender in self._take(shard):
            if home == self._own:
                self._calls.deliver_here(shard, message, sender)
            else:
                self._calls.deliver(home, message, sender)

    # -- the end

    def shut_down(self) -> None:
        """Hand over all shards, then stop."""
        if not self._leaving:
            self._leaving = True
            self._to_coordinator(GracefulShutdownReq(self._own))
            self._stop_when_empty()

    def _stop_when_empty(self) -> None:
        if self._leaving and not self.shards and not self._buffers:
            self._calls.stop()
