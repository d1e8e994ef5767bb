"""The hierarchical allocator: Mesos' default (docs/allocation-module.md).

A pass visits the agents in random order and offers all free resources of an agent to the first eligible framework:
roles in the order of their shares, then frameworks within the role. Roles whose guarantee is not met come first.
Resources needed to meet guarantees are held back, and no role gets more than its limit.

Declined resources are not offered again to that framework and role until the filter expires, unless more is free than
was declined.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from smackbox.base.clock import Clock
from smackbox.mesos.master.state.agent_pool import AgentPool
from smackbox.mesos.master.state.quotas import Quotas
from smackbox.mesos.master.state.roles import ANY
from smackbox.mesos.master.state.sorter import Level, Quantities, RoleTree, Totals
from smackbox.mesos.resources.resources import UNITS, Kind, Resources

if TYPE_CHECKING:
    from smackbox.mesos.wire.messages import AgentInfo, FrameworkInfo


DEFAULT_REFUSE_SECONDS = 5.0
FILTERS_LIMIT = 100
"""The maximum number of filters of one framework and role on one agent; the oldest are dropped."""
MAX_REFUSE_SECONDS = 365 * 24 * 3600.0
MIN_ALLOCATABLE: tuple[Quantities, ...] = ({"cpus": UNITS // 100}, {"mem": 32 * UNITS})

_NEVER = 1 << 62

Shuffle = Callable[[list[AgentPool]], None]
AgentTest = Callable[[AgentPool], bool]


@dataclass(slots=True)
class Filter:
    """Resources that a framework declined, and until when they are filtered."""

    resources: Resources
    expires_ms: int


@dataclass(slots=True)
class Claim:
    """A framework, as the allocator sees it."""

    id: str
    roles: set[str]
    suppressed: set[str]
    capabilities: frozenset[str]
    active: bool = True
    changed: int = 0
    filters: dict[str, dict[str, list[Filter]]] = field(default_factory=dict)
    min_allocatable: dict[str, list[Quantities]] = field(default_factory=dict)
    constraints: dict[str, AgentTest] = field(default_factory=dict)

    def takes(self, kind: Kind) -> bool:
        """Whether the framework can use resources of that kind."""
        if kind.shared and "SHARED_RESOURCES" not in self.capabilities:
            return False
        if kind.revocable and "REVOCABLE_RESOURCES" not in self.capabilities:
            return False
        return len(kind.reservations) < 2 or "RESERVATION_REFINEMENT" in self.capabilities


@dataclass(frozen=True, slots=True)
class Grant:
    """What to offer a framework from an agent."""

    framework_id: str
    role: str
    agent_id: str
    resources: Resources


class Allocator:
    """All competing frameworks and their allocations. `shuffle` provides the randomness."""

    def __init__(
        self,
        clock: Clock,
        shuffle: Shuffle,
        *,
        min_allocatable: Iterable[Quantities] = MIN_ALLOCATABLE,
        filter_gpu_resources: bool = True,
        interval_ms: int = 1_000,
    ) -> None:
        self.agents: dict[str, AgentPool] = {}
        self.claims: dict[str, Claim] = {}
        self.totals = Totals()
        self.quotas = Quotas()
        self.roles = RoleTree(self.totals)
        self.passes = 0
        self._changes = 0
        self._now_ms = 0
        self._clock = clock
        self._shuffle = shuffle
        self._min_allocatable = list(min_allocatable)
        self._filter_gpus = filter_gpu_resources
        self._interval_ms = interval_ms
        self._members: dict[str, Level] = {}
        self._earliest_ms = _NEVER
        self._turns: dict[str, list[Claim]] = {}
        self._constrained = False

    # --- agents

    def add_agent(
        self,
        agent_id: str,
        info: AgentInfo,
        total: Resources,
        used: dict[tuple[str, str], Resources] | None = None,
    ) -> None:
        """Add an agent; `used` is already allocated there, by framework and role."""
        pool = AgentPool(agent_id, info, total, Resources(total.amounts), has_gpus=_has_gpus(total))
        self.agents[agent_id] = pool
        self.totals.change(total.quantities(), 1)
        self.quotas.total_changed(Resources(), total)
        for (framework_id, role), resources in (used or {}).items():
            self._take(pool, framework_id, role, resources)

    def remove_agent(self, agent_id: str) -> None:
        """Remove an agent, with its allocations."""
        pool = self.agents[agent_id]
        for (framework_id, role), resources in list(pool.allocated.items()):
            self._give_back(pool, framework_id, role, resources)
        del self.agents[agent_id]
        self.totals.change(pool.total.quantities(), -1)
        self.quotas.total_changed(pool.total, Resources())
        for claim in self.claims.values():
            for filters in claim.filters.values():
                filters.pop(agent_id, None)

    def set_agent_active(self, agent_id: str, active: bool) -> None:
        """Set whether an agent's resources are offered."""
        self.agents[agent_id].active = active

    def update_total(self, agent_id: str, total: Resources) -> None:
        """Update an agent's total after an operation, or when it reconnected with other resources."""
        pool = self.agents[agent_id]
        self.totals.change(pool.total.quantities(), -1)
        self.totals.change(total.quantities(), 1)
        self.quotas.total_changed(pool.total, total)
        pool.total = total
        pool.has_gpus = _has_gpus(total)
        pool.settled = -1
        free = Resources(total.amounts)
        for resources in pool.allocated.values():
            for kind, amount in resources:
                if not kind.shared:
                    free.subtract_in_place(kind, amount)
        pool.free = free

    # --- frameworks

    def add_framework(
        self, framework_id: str, roles: Iterable[str], suppressed: Iterable[str], capabilities: Iterable[str]
    ) -> Claim:
        """Add a framework that wants resources."""
        claim = Claim(framework_id, set(), set(suppressed), frozenset(capabilities))
        self.claims[framework_id] = claim
        for role in roles:
            self._join(claim, role)
        return claim

    def update_framework(
        self, framework_id: str, roles: Iterable[str], suppressed: Iterable[str], capabilities: Iterable[str]
    ) -> None:
        """Update a framework. A role that it left stays in the accounting until nothing is allocated to it."""
        claim = self.claims[framework_id]
        new_roles = set(roles)
        for role in new_roles - claim.roles:
            self._join(claim, role)
        for role in claim.roles - new_roles:
            claim.roles.discard(role)
            claim.filters.pop(role, None)
            self._leave_if_idle(framework_id, role)
        claim.suppressed = set(suppressed)
        claim.capabilities = frozenset(capabilities)
        self._changed(claim)

    def remove_framework(self, framework_id: str) -> None:
        """Remove a framework and free its resources."""
        for pool in self.agents.values():
            for other, role in list(pool.allocated):
                if other == framework_id:
                    self._give_back(pool, framework_id, role, pool.allocated[other, role])
        claim = self.claims.pop(framework_id)
        for role in claim.roles:
            self._leave_if_idle(framework_id, role)

    def set_framework_active(self, framework_id: str, active: bool) -> None:
        """Set whether a framework gets offers; its filters are dropped when it reconnects."""
        claim = self.claims[framework_id]
        claim.active = active
        claim.filters.clear()
        self._changed(claim)

    def revive(self, framework_id: str, roles: Iterable[str]) -> None:
        """Clear the framework's filters and resume offers; no role means all."""
        claim = self.claims[framework_id]
        for role in list(roles) or claim.roles:
            claim.suppressed.discard(role)
            claim.filters.pop(role, None)
        self._changed(claim)

    def suppress(self, framework_id: str, roles: Iterable[str]) -> None:
        """Stop offers for these roles; no role means all."""
        claim = self.claims[framework_id]
        claim.suppressed.update(list(roles) or claim.roles)

    def set_weight(self, role: str, weight: float) -> None:
        """Set the weight of a role's share."""
        self.roles.set_weight(role, weight)

    # --- allocations

    def allocated(self, framework_id: str, role: str, agent_id: str, resources: Resources) -> None:
        """Record resources that a framework already has."""
        self._take(self.agents[agent_id], framework_id, role, resources)

    def recover(
        self, framework_id: str, role: str, agent_id: str, resources: Resources, refuse_seconds: float | None = None
    ) -> None:
        """Resources are free again, after a decline (which sets a filter) or the end of their use."""
        pool = self.agents.get(agent_id)
        if pool is not None:
            self._give_back(pool, framework_id, role, resources)
        claim = self.claims.get(framework_id)
        if refuse_seconds is None or pool is None or claim is None or role not in claim.roles or not resources:
            return
        if refuse_seconds < 0:
            refuse_seconds = DEFAULT_REFUSE_SECONDS
        if refuse_seconds > 0:
            # at least one pass, so that others are asked first
            duration_ms = max(int(min(refuse_seconds, MAX_REFUSE_SECONDS) * 1_000), self._interval_ms)
            expires_ms = self._clock.monotonic_ms() + duration_ms
            by_agent = claim.filters.setdefault(role, {})
            kept = [
                filter_
                for filter_ in by_agent.get(agent_id, ())
                if filter_.expires_ms > expires_ms or not resources.contains(filter_.resources)
            ]
            by_agent[agent_id] = [*kept[-FILTERS_LIMIT + 1 :], Filter(resources, expires_ms)]
            pool.settled_until_ms = min(pool.settled_until_ms, expires_ms)

    def replace(self, framework_id: str, role: str, agent_id: str, old: Resources, new: Resources) -> None:
        """An operation converted `old` into `new`, on the agent and in the framework's allocation."""
        pool = self.agents[agent_id]
        self._give_back(pool, framework_id, role, old)
        self.update_total(agent_id, pool.total - old + new)
        self._take(pool, framework_id, role, new)

    def allocate(self, agent_ids: Iterable[str] | None = None) -> list[Grant]:
        """One pass, over all agents or some."""
        self.passes += 1
        pools = [self.agents[id_] for id_ in agent_ids if id_ in self.agents] if agent_ids else self.agents.values()
        self._now_ms = self._clock.monotonic_ms()
        if self.quotas.any:
            self._changes += 1  # one role's bound depends on what another has
        candidates = [
            pool
            for pool in pools
            if pool.active and pool.free and (pool.settled != self._changes or not self._is_settled(pool))
        ]
        self._shuffle(candidates)
        self._turns.clear()
        self._constrained = any(claim.constraints for claim in self.claims.values())
        grants: dict[tuple[str, str, str], Resources] = {}
        self.quotas.begin_pass(self.agents.values())
        if self.quotas.has_guarantees:
            for pool in candidates:
                self._meet_guarantees(pool, grants)
            self.quotas.begin_fair_share()
        for pool in candidates:
            self._share_out(pool, grants)
        return [Grant(*key, resources) for key, resources in grants.items()]

    def share(self, framework_id: str, role: str) -> float:
        """The framework's dominant share within the role."""
        return self._members[role].share(framework_id)

    # --- one agent in a pass

    def _meet_guarantees(self, pool: AgentPool, grants: dict[tuple[str, str, str], Resources]) -> None:
        for role in self.roles.names():
            if not self.quotas.is_short(role):
                continue
            for claim in self._in_turn(role, pool):
                if not pool.free:
                    return
                wanted = self.quotas.trim_to_guarantee(role, self._what_it_takes(claim, role, pool.free))
                if wanted and self._offers(claim, role, pool, wanted):
                    self._grant(pool, claim.id, role, wanted, grants)

    def _share_out(self, pool: AgentPool, grants: dict[tuple[str, str, str], Resources]) -> None:
        bounded = self.quotas.any
        plain = _is_plain(pool.free)
        asked = pool.settled if self._is_settled(pool) and not bounded else -1
        self._earliest_ms = pool.settled_until_ms if asked >= 0 else _NEVER
        granted = False
        for role in self.roles.names():
            if not plain and not any(kind.allocatable_to(role) for kind, _ in pool.free):
                continue
            for claim in self._in_turn(role, pool):
                if claim.changed <= asked:
                    continue
                wanted = pool.free if plain else self._what_it_takes(claim, role, pool.free)
                if bounded:
                    wanted = self.quotas.trim_to_bounds(role, wanted)
                if wanted and self._offers(claim, role, pool, wanted):
                    self._grant(pool, claim.id, role, wanted, grants)
                    granted = True
                    if not pool.free:
                        return
                    plain = _is_plain(pool.free)
        if not granted:
            pool.settled, pool.settled_until_ms = self._changes, self._earliest_ms
            pool.settled_free = dict(pool.free.amounts)

    def _is_settled(self, pool: AgentPool) -> bool:
        return pool.settled_until_ms > self._now_ms and pool.settled_free == pool.free.amounts

    def _in_turn(self, role: str, pool: AgentPool) -> Iterable[Claim]:
        claims = self._turns.get(role)
        if claims is None:
            claims = self._turns[role] = self._who_is_next(role)
        if not (pool.has_gpus and self._filter_gpus) and not self._constrained:
            return claims
        return [claim for claim in claims if self._may_see(claim, role, pool)]

    def _who_is_next(self, role: str) -> list[Claim]:
        claims = (self.claims.get(framework_id) for framework_id in self._members[role].names())
        return [
            claim
            for claim in claims
            if claim is not None and claim.active and role in claim.roles and role not in claim.suppressed
        ]

    def _may_see(self, claim: Claim, role: str, pool: AgentPool) -> bool:
        if self._filter_gpus and pool.has_gpus and "GPU_RESOURCES" not in claim.capabilities:
            return False
        constraint = claim.constraints.get(role)
        return constraint is None or constraint(pool)

    def _what_it_takes(self, claim: Claim, role: str, free: Resources) -> Resources:
        amounts = free.amounts
        taken = {kind: amount for kind, amount in amounts.items() if kind.allocatable_to(role) and claim.takes(kind)}
        return Resources(taken)

    def _offers(self, claim: Claim, role: str, pool: AgentPool, wanted: Resources) -> bool:
        by_agent = claim.filters.get(role)
        if by_agent and pool.id in by_agent and self._is_refused(claim, role, pool.id, wanted):
            return False
        minima = claim.min_allocatable.get(role, self._min_allocatable)
        if not minima:
            return True
        quantities = wanted.quantities()
        return any(all(quantities.get(name, 0) >= least for name, least in minimum.items()) for minimum in minima)

    def _is_refused(self, claim: Claim, role: str, agent_id: str, wanted: Resources) -> bool:
        for filter_ in claim.filters[role][agent_id]:
            if filter_.expires_ms <= self._now_ms:
                self._drop_expired(claim, role, agent_id)
            elif filter_.resources.amounts == wanted.amounts or filter_.resources.contains(wanted):
                self._earliest_ms = min(self._earliest_ms, filter_.expires_ms)
                return True
        return False

    def _drop_expired(self, claim: Claim, role: str, agent_id: str) -> None:
        by_agent = claim.filters[role]
        if left := [filter_ for filter_ in by_agent.get(agent_id, ()) if filter_.expires_ms > self._now_ms]:
            by_agent[agent_id] = left
        else:
            by_agent.pop(agent_id, None)

    def _grant(
        self,
        pool: AgentPool,
        framework_id: str,
        role: str,
        resources: Resources,
        grants: dict[tuple[str, str, str], Resources],
    ) -> None:
        key = (framework_id, role, pool.id)
        resources = Resources(resources.amounts)
        grants[key] = grants[key] + resources if key in grants else resources
        self._take(pool, framework_id, role, resources)
        self._turns.pop(role, None)
        self.quotas.granted(resources)

    # --- bookkeeping

    def _take(self, pool: AgentPool, framework_id: str, role: str, resources: Resources) -> None:
        if not resources:
            return
        for kind, amount in resources:
            if not kind.shared:
                pool.free.subtract_in_place(kind, amount)
        key = (framework_id, role)
        held = pool.allocated.get(key)
        pool.allocated[key] = held + resources if held is not None else resources
        quantities = resources.quantities()
        self._member(framework_id, role)
        self.roles.allocated(role, quantities)
        self._members[role].allocated(framework_id, quantities)
        self.quotas.allocated(role, resources, 1)

    def _give_back(self, pool: AgentPool, framework_id: str, role: str, resources: Resources) -> None:
        key = (framework_id, role)
        held = pool.allocated.get(key)
        if held is None or not resources:
            return
        rest = held - resources
        if rest:
            pool.allocated[key] = rest
        else:
            del pool.allocated[key]
        for kind, amount in resources:
            if not kind.shared and kind in pool.total.amounts:
                pool.free.add_in_place(kind, amount)
        quantities = resources.quantities()
        self.roles.recovered(role, quantities)
        self._members[role].recovered(framework_id, quantities)
        self.quotas.allocated(role, resources, -1)
        if not rest:
            self._leave_if_idle(framework_id, role)

    def _changed(self, claim: Claim) -> None:
        """Agents whose resources nobody wanted must be offered to this claim again."""
        self._changes += 1
        claim.changed = self._changes

    def _join(self, claim: Claim, role: str) -> None:
        claim.roles.add(role)
        self._changed(claim)
        self._member(claim.id, role)

    def _member(self, framework_id: str, role: str) -> None:
        members = self._members.get(role)
        if members is None:
            members = self._members[role] = Level(self.totals)
            self.roles.add(role)
        if framework_id not in members:
            members.add(framework_id)

    def _leave_if_idle(self, framework_id: str, role: str) -> None:
        """Remove a framework from a role that it has left, when it has nothing allocated there."""
        claim = self.claims.get(framework_id)
        members = self._members.get(role)
        if members is None or framework_id not in members or (claim is not None and role in claim.roles):
            return
        if any((framework_id, role) in pool.allocated for pool in self.agents.values()):
            return
        members.remove(framework_id)
        if not len(members):
            del self._members[role]
            self.roles.remove(role)


def _has_gpus(total: Resources) -> bool:
    return any(kind.name == "gpus" for kind, _ in total)


def _is_plain(free: Resources) -> bool:
    """Whether any framework may use all of it."""
    return not any(kind.reservations or kind.shared or kind.revocable for kind, _ in free)


def roles_of(info: FrameworkInfo) -> list[str]:
    """The roles of a `FrameworkInfo`."""
    if "MULTI_ROLE" in {capability.get("type") for capability in info.get("capabilities", [])}:
        return list(info.get("roles", []))
    return [info.get("role", ANY)]
