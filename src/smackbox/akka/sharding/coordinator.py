"""The coordinator of one type: where each shard is. A plain synchronous state machine.

    loading       until the replicated state is read
    initializing  0.5 s, in which regions that are gone are found out
    active        answers, allocates, moves shards

Each change of the state is stored by a majority before it is acted on; what comes meanwhile waits. A shard moves in
three steps: all regions forget where it is (BeginHandOff) and keep messages for it, its region stops its entities
(HandOff, ShardStopped), and it is allocated again, which is then told to whoever asks.

Source: `ShardCoordinator` and `DDataShardCoordinator` of Pekko, and `pekko.cluster.sharding` of its `reference.conf`.
"""

from __future__ import annotations

import enum
import logging
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from smackbox.akka.sharding.allocation import AllocationStrategy, LeastShardAllocation, Placement
from smackbox.akka.sharding.messages import (
    BeginHandOff,
    BeginHandOffAck,
    CoordinatorCommand,
    CoordinatorMessage,
    CoordinatorState,
    GetShardHome,
    GracefulShutdownReq,
    HandOff,
    HostShard,
    RegionStopped,
    Register,
    RegisterAck,
    RegisterProxy,
    ShardHome,
    ShardHomes,
    ShardStarted,
    ShardStopped,
)

HOMES_A_MESSAGE = 500
INITIALIZE_S = 0.5
WAITING_LIMIT = 100_000
"""Commands that wait for a change to be stored. Regions send theirs again, so what is above is dropped."""

log = logging.getLogger("smackbox.akka.sharding")


@dataclass(frozen=True, slots=True)
class CoordinatorSettings:
    """`removal_margin_s` is how long a region on a lost node may be at work."""

    strategy: AllocationStrategy = field(default_factory=LeastShardAllocation)
    rebalance_s: float = 10.0
    hand_off_timeout_s: float = 60.0
    shard_start_timeout_s: float = 10.0
    removal_margin_s: float = 0.0
    min_regions: int = 1


@dataclass(frozen=True, slots=True)
class CoordinatorCalls:
    """What a coordinator does. `load` is answered by `loaded`, `store` by `stored`, both again until they succeed."""

    send: Callable[[Any, CoordinatorMessage], None]
    watch: Callable[[Any], None]
    load: Callable[[], None]
    store: Callable[[CoordinatorState], None]
    stop: Callable[[], None]
    is_member: Callable[[Any], bool]
    is_local: Callable[[Any], bool]


class Phase(enum.Enum):
    """What a coordinator is ready for."""

    LOADING = "loading"
    INITIALIZING = "initializing"
    ACTIVE = "active"


@dataclass(slots=True)
class _Move:
    """A shard on its way from a region. `waiting` are the regions that have not forgotten it, `askers` who wants it."""

    from_: Any
    waiting: set[Any]
    until_s: float
    askers: dict[Any, None] = field(default_factory=dict)
    handing_off: bool = False


@dataclass(slots=True)
class _Change:
    state: CoordinatorState
    then: Callable[[float], None]


Work = Callable[[float], None]


class Coordinator:
    """`own` is its reference. Time comes in as an argument, in seconds."""

    def __init__(self, own: Any, settings: CoordinatorSettings, placement: Placement, calls: CoordinatorCalls) -> None:
        self.phase = Phase.LOADING
        self.state = CoordinatorState()
        self._own = own
        self._settings = settings
        self._placement = placement
        self._calls = calls
        self._change: _Change | None = None
        self._waiting: deque[Work] = deque()
        self._working = False
        self._initialized_s = 0.0
        self._rebalance_s: float | None = None
        self._moves: dict[str, _Move] = {}
        self._alive: set[Any] = set()
        self._all_registered = False
        self._shutting_down: set[Any] = set()
        self._terminating: dict[Any, float] = {}
        self._unstarted: dict[str, float] = {}
        self._stopping = False
        self._remembered: frozenset[str] | None = None

    def begin(self) -> None:
        """Ask for the state that the last coordinator has left."""
        self._calls.load()

    def loaded(self, state: CoordinatorState | None, now_s: float, remembered: frozenset[str] | None = None) -> None:
        """The state that the last coordinator has left; None where there was none.

        `remembered` are shards with remembered entities: they, and all that come, are to be somewhere also when nobody
        asks; None where no entities are remembered.
        """
        if self.phase is not Phase.LOADING:
            return
        self._remembered = remembered
        self.state = state or CoordinatorState()
        self.phase = Phase.INITIALIZING
        self._initialized_s = now_s + (INITIALIZE_S if self.state != CoordinatorState() else 0.0)
        for ref in [*self.state.regions, *self.state.proxies]:
            if self._calls.is_member(ref):
                self._calls.watch(ref)
            else:
                self._do(partial(self._region_gone, ref), now_s)
        self.tick(now_s)

    def stored(self, now_s: float) -> None:
        """The last change is on enough nodes."""
        change, self._change = self._change, None
        if change is None:
            return
        self.state = change.state
        if self._remembered is not None:
            self._remembered |= change.state.shards.keys()
        self._waiting.appendleft(change.then)
        self._work(now_s)

    def stop(self, now_s: float) -> None:
        """The singleton moves: stop when the region of this node has handed over its shards."""
        del now_s
        self._stopping = True
        self._stop_when_ready()

    def _stop_when_ready(self) -> None:
        local = any(self._calls.is_local(region) for region in self.state.regions if region in self._alive)
        if self._stopping and self._change is None and (self.phase is not Phase.ACTIVE or not local):
            self._calls.stop()

    # -- what waits for a change to be stored

    def _do(self, work: Work, now_s: float) -> None:
        if len(self._waiting) < WAITING_LIMIT:
            self._waiting.append(work)
        self._work(now_s)

    def _work(self, now_s: float) -> None:
        if self._working:
            return  # what is done now goes on first
        self._working = True
        try:
            while self._change is None and self._waiting and self.phase is not Phase.LOADING:
                if self.phase is Phase.INITIALIZING and now_s < self._initialized_s:
                    return
                self._waiting.popleft()(now_s)
        finally:
            self._working = False
        self._stop_when_ready()

    def _update(self, state: CoordinatorState, then: Callable[[float], None]) -> None:
        assert self._change is None
        self._change = _Change(state, then)
        self._calls.store(state)

    # -- commands

    def receive(self, message: CoordinatorCommand, sender: Any, now_s: float) -> None:
        """A message of a region."""
        match message:
            case ShardStarted(shard):
                self._unstarted.pop(shard, None)
            case BeginHandOffAck(shard):
                self._forgotten(shard, sender, now_s)
            case ShardStopped(shard):
                move = self._moves.get(shard)
                if move is not None and move.handing_off:
                    self._moved(shard, True, now_s)
            case Register() | RegisterProxy() if self.phase is not Phase.ACTIVE:
                pass  # they ask again
            case Register(region):
                self._do(partial(self._register, region), now_s)
            case RegisterProxy(proxy):
                self._do(partial(self._register_proxy, proxy), now_s)
            case GetShardHome(shard):
                if not self._answer_home(shard, sender):
                    self._do(partial(self._allocate, shard, sender), now_s)
            case RegionStopped(region):
                self._do(partial(self._region_gone, region), now_s)
            case GracefulShutdownReq(region):
                self._do(partial(self._shut_down, region), now_s)

    def terminated(self, ref: Any, now_s: float, *, address_lost: bool) -> None:
        """A region has stopped. Where its node was lost it may be at work for the removal margin."""
        margin_s = self._settings.removal_margin_s
        if address_lost and margin_s > 0 and ref in self._alive:
            self._terminating.setdefault(ref, now_s + margin_s)
        else:
            self._do(partial(self._region_gone, ref), now_s)

    def tick(self, now_s: float) -> None:
        """A few times a second."""
        if self.phase is Phase.LOADING:
            return
        if self.phase is Phase.INITIALIZING and now_s >= self._initialized_s:
            self._work(now_s)
            if self._change is None:
                self._activate(now_s)
        for ref in [ref for ref, at_s in self._terminating.items() if now_s >= at_s]:
            self._terminating[ref] = float("inf")
            self._do(partial(self._region_gone, ref), now_s)
        for shard in [shard for shard, move in self._moves.items() if now_s >= move.until_s]:
            self._moved(shard, False, now_s)
        for shard in [shard for shard, at_s in self._unstarted.items() if now_s >= at_s]:
            del self._unstarted[shard]
            if shard in self.state.shards:
                self._host(shard, self.state.shards[shard], now_s)
        if self.phase is Phase.ACTIVE and self._rebalance_s is not None and now_s >= self._rebalance_s:
            self._rebalance_s = now_s + self._settings.rebalance_s
            self._rebalance(now_s)

    def _activate(self, now_s: float) -> None:
        self.phase = Phase.ACTIVE
        self._rebalance_s = now_s + self._settings.rebalance_s
        for shard, region in self.state.shards.items():
            self._host(shard, region, now_s)
        self._allocate_remembered(now_s)
        self._work(now_s)

    def _allocate_remembered(self, now_s: float) -> None:
        for shard in sorted((self._remembered or frozenset()) - self.state.shards.keys()):
            self._do(partial(self._allocate, shard, None), now_s)

    # -- regions

    def _register(self, region: Any, now_s: float) -> None:
        if not self._calls.is_member(region):
            return
        self._alive.add(region)
        self._tell_homes(region)
        if region in self.state.regions:
            self._calls.send(region, RegisterAck(self._own))
            self._allocate_remembered(now_s)
            return
        self._shutting_down.discard(region)

        def registered(now_s: float) -> None:
            self._calls.watch(region)
            self._calls.send(region, RegisterAck(self._own))
            self._allocate_remembered(now_s)

        self._update(self.state.with_region(region), registered)

    def _register_proxy(self, proxy: Any, now_s: float) -> None:
        del now_s
        if not self._calls.is_member(proxy):
            return
        self._tell_homes(proxy)
        if proxy in self.state.proxies:
            self._calls.send(proxy, RegisterAck(self._own))
            return

        def registered(_: float) -> None:
            self._calls.watch(proxy)
            self._calls.send(proxy, RegisterAck(self._own))

        self._update(self.state.with_proxy(proxy), registered)

    def _tell_homes(self, to: Any) -> None:
        homes = [
            (region, shard)
            for region, shards in self.state.regions.items()
            for shard in shards
            if shard not in self._moves
        ]
        for begin in range(0, len(homes), HOMES_A_MESSAGE):
            grouped: dict[Any, list[str]] = {}
            for region, shard in homes[begin : begin + HOMES_A_MESSAGE]:
                grouped.setdefault(region, []).append(shard)
            self._calls.send(to, ShardHomes({region: tuple(shards) for region, shards in grouped.items()}))

    def _region_gone(self, ref: Any, now_s: float) -> None:
        for shard, move in list(self._moves.items()):
            self._forgotten(shard, ref, now_s)
            if move.handing_off and move.from_ == ref and shard in self._moves:
                self._moved(shard, True, now_s)
        if ref not in self.state.regions and ref not in self.state.proxies:
            self._terminating.pop(ref, None)
            return
        shards = self.state.regions.get(ref, ())

        def removed(now_s: float) -> None:
            self._alive.discard(ref)
            self._shutting_down.discard(ref)
            self._terminating.pop(ref, None)
            for shard in shards:
                self._unstarted.pop(shard, None)
                self._do(partial(self._allocate, shard, None), now_s)

        self._update(self.state.without(ref), removed)

    def _shut_down(self, region: Any, now_s: float) -> None:
        if region in self.state.regions and region not in self._shutting_down:
            self._shutting_down.add(region)
            self._move(self.state.regions[region], now_s)

    # -- shards

    def _answer_home(self, shard: str, asker: Any) -> bool:
        """What can be answered without a change. Where nobody asks, None, it is only to be allocated."""
        if self.phase is not Phase.ACTIVE:
            return False
        if shard in self._moves:
            if asker is not None:
                self._moves[shard].askers[asker] = None
            return True
        if not self._all_registered:
            self._all_registered = len(self._alive) >= self._settings.min_regions
            if not self._all_registered:
                return True
        region = self.state.shards.get(shard)
        if region is None:
            return False
        if asker is not None and region not in self._terminating:
            self._calls.send(asker, ShardHome(shard, region))
        return True

    def _allocate(self, shard: str, asker: Any, now_s: float) -> None:
        del now_s
        if self._answer_home(shard, asker) or self.phase is not Phase.ACTIVE:
            return
        free = {
            region: shards
            for region, shards in self.state.regions.items()
            if region not in self._shutting_down and region not in self._terminating
        }
        region = self._settings.strategy.allocate(shard, free, self._placement) if free else None
        if region is None or region not in free:
            return  # it is asked for again

        def allocated(now_s: float) -> None:
            self._host(shard, region, now_s)
            if asker is not None:
                self._calls.send(asker, ShardHome(shard, region))

        self._update(self.state.allocated(shard, region), allocated)

    def _host(self, shard: str, region: Any, now_s: float) -> None:
        self._unstarted[shard] = now_s + self._settings.shard_start_timeout_s
        self._calls.send(region, HostShard(shard))

    # -- moving

    def _rebalance(self, now_s: float) -> None:
        if self.state.regions and not self._stopping:
            chosen = self._settings.strategy.rebalance(self.state.regions, self._moves.keys(), self._placement)
            self._move(chosen, now_s)

    def _move(self, shards: Iterable[str], now_s: float) -> None:
        for shard in list(shards):
            if shard in self._moves or shard not in self.state.shards:
                continue
            regions = list(dict.fromkeys([*self.state.regions, *self.state.proxies]))
            until_s = now_s + self._settings.hand_off_timeout_s
            self._moves[shard] = _Move(self.state.shards[shard], set(regions), until_s)
            self._unstarted.pop(shard, None)
            for region in regions:
                self._calls.send(region, BeginHandOff(shard))

    def _forgotten(self, shard: str, region: Any, now_s: float) -> None:
        del now_s
        move = self._moves.get(shard)
        if move is None or region not in move.waiting:
            return
        move.waiting.discard(region)
        if not move.waiting:
            move.handing_off = True
            self._calls.send(move.from_, HandOff(shard))

    def _moved(self, shard: str, ok: bool, now_s: float) -> None:
        move = self._moves[shard]
        if not ok:
            log.warning("the shard %s was not handed off in time", shard)
            self._shutting_down.discard(self.state.shards.get(shard))
            self._end_move(shard, now_s)
            return
        move.until_s = float("inf")
        move.handing_off = False
        self._do(partial(self._deallocate, shard), now_s)

    def _deallocate(self, shard: str, now_s: float) -> None:
        if shard not in self.state.shards:
            self._end_move(shard, now_s)
            return

        def deallocated(now_s: float) -> None:
            self._end_move(shard, now_s)
            self._do(partial(self._allocate, shard, None), now_s)

        self._update(self.state.deallocated(shard), deallocated)

    def _end_move(self, shard: str, now_s: float) -> None:
        move = self._moves.pop(shard)
        for asker in move.askers:
            if not self._answer_home(shard, asker):
                self._do(partial(self._allocate, shard, asker), now_s)
