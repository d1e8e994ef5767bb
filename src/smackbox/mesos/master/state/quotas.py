"""Quotas: a role's guarantees and limits (Mesos 1.9's docs/quota.md).

A quota belongs to a top-level role and includes all roles below it. A role consumes its reservations, allocated or not,
and the unreserved resources allocated to it. For guarantees that are not met, that much of the free resources is held
back: the headroom.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from smackbox.mesos.master.state.roles import top
from smackbox.mesos.master.state.sorter import Quantities
from smackbox.mesos.resources.resources import Resources

if TYPE_CHECKING:
    from smackbox.mesos.master.state.agent_pool import AgentPool


@dataclass(slots=True)
class Quota:
    guarantees: Quantities = field(default_factory=dict)
    limits: Quantities = field(default_factory=dict)

    @property
    def is_default(self) -> bool:
        return not self.guarantees and not self.limits


class Quotas:
    """The quotas of all roles, and their consumption."""

    def __init__(self) -> None:
        self.by_role: dict[str, Quota] = {}
        self._unreserved: dict[str, Quantities] = {}
        self._reserved: dict[str, Quantities] = {}
        self._free: Quantities = {}
        self._headroom: Quantities = {}

    @property
    def any(self) -> bool:
        return bool(self.by_role)

    @property
    def has_guarantees(self) -> bool:
        return any(quota.guarantees for quota in self.by_role.values())

    def set(self, role: str, quota: Quota) -> None:
        if quota.is_default:
            self.by_role.pop(role, None)
        else:
            self.by_role[role] = quota

    def consumed(self, role: str) -> Quantities:
        """The consumption of a top-level role, with all roles below it."""
        return _sum(self._unreserved.get(role, {}), self._reserved.get(role, {}))

    # --- changes

    def allocated(self, role: str, resources: Resources, sign: int) -> None:
        _count(self._unreserved.setdefault(top(role), {}), resources.unreserved(), sign)

    def total_changed(self, old: Resources, new: Resources) -> None:
        for resources, sign in ((old, -1), (new, 1)):
            for role, reserved in resources.reservations().items():
                _count(self._reserved.setdefault(top(role), {}), reserved, sign)

    def granted(self, resources: Resources) -> None:
        if self.by_role:
            _count(self._free, resources.unreserved(), -1)

    # --- in a pass

    def begin_pass(self, pools: Iterable[AgentPool]) -> None:
        if not self.by_role:
            return
        self._free = {}
        for pool in pools:
            if pool.active:
                _count(self._free, pool.free.unreserved(), 1)
        self.begin_fair_share()

    def begin_fair_share(self) -> None:
        """Compute the headroom for guarantees that are not met."""
        self._headroom = {}
        for role, quota in self.by_role.items():
            for name, missing in self._missing(role, quota).items():
                self._headroom[name] = self._headroom.get(name, 0) + missing

    def is_short(self, role: str) -> bool:
        quota = self.by_role.get(top(role))
        return quota is not None and bool(self._missing(top(role), quota))

    def trim_to_guarantee(self, role: str, wanted: Resources) -> Resources:
        """The part of `wanted` that the guarantee still needs; empty if none of it helps."""
        quota = self.by_role[top(role)]
        missing = self._missing(top(role), quota)
        helps = False
        result = Resources()
        for kind, amount in wanted:
            if kind.reservations or not isinstance(amount, int):
                result.add_in_place(kind, amount)
                continue
            if kind.name in quota.guarantees:
                granted = min(amount, missing.get(kind.name, 0))
                helps = helps or granted > 0
            else:
                granted = min(amount, self._spare(kind.name), self._room(role, kind.name, amount))
            result.add_in_place(kind, max(granted, 0))
        return result if helps else Resources()

    def trim_to_bounds(self, role: str, wanted: Resources) -> Resources:
        """The part of `wanted` that the role's limit allows and no guarantee needs."""
        result = Resources()
        scalars = False
        for kind, amount in wanted:
            if kind.reservations or not isinstance(amount, int):
                result.add_in_place(kind, amount)
                continue
            granted = max(min(amount, self._spare(kind.name), self._room(role, kind.name, amount)), 0)
            scalars = scalars or granted > 0
            result.add_in_place(kind, granted)
        return result if scalars else result.reserved()

    def _missing(self, role: str, quota: Quota) -> Quantities:
        if not quota.guarantees:
            return {}
        has = self.consumed(role)
        return {name: least - has.get(name, 0) for name, least in quota.guarantees.items() if least > has.get(name, 0)}

    def _spare(self, name: str) -> int:
        return self._free.get(name, 0) - self._headroom.get(name, 0)

    def _room(self, role: str, name: str, wanted: int) -> int:
        quota = self.by_role.get(top(role))
        if quota is None or name not in quota.limits:
            return wanted
        return quota.limits[name] - self.consumed(top(role)).get(name, 0)


def _count(into: Quantities, resources: Resources, sign: int) -> None:
    for kind, amount in resources:
        if isinstance(amount, int) and not kind.revocable:
            counted = kind.size if kind.shared else amount
            into[kind.name] = into.get(kind.name, 0) + sign * counted


def _sum(left: Quantities, right: Quantities) -> Quantities:
    result = dict(left)
    for name, amount in right.items():
        result[name] = result.get(name, 0) + amount
    return result
