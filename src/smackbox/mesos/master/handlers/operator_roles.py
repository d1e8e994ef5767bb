"""Quotas and weights of roles."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from smackbox.mesos.http.answers import Answer, Refused
from smackbox.mesos.master.handlers.context import Call
from smackbox.mesos.master.state import roles
from smackbox.mesos.master.state.offers import remove_offer
from smackbox.mesos.master.state.quotas import Quota
from smackbox.mesos.master.state.registry import record
from smackbox.mesos.master.state.sorter import Quantities
from smackbox.mesos.resources.resources import UNITS, ResourceError, Resources

if TYPE_CHECKING:
    from smackbox.mesos.wire.messages import (
        MasterCallRemoveQuota,
        MasterCallSetQuota,
        MasterCallUpdateQuota,
        MasterCallUpdateWeights,
        MasterResponseGetQuota,
        QuotaQuotaConfig,
        Resource,
        ValueScalar,
        WeightInfo,
    )


def get_quota(call: Call) -> MasterResponseGetQuota:
    """GET_QUOTA."""
    quotas = {role: one for role, one in call.master.registry.quotas.items() if call.allows("get_quotas", role)}
    return {
        "status": {
            "infos": [
                {"role": role, "guarantee": as_resources(quota.guarantees)}
                for role, quota in quotas.items()
                if quota.guarantees
            ],
            "configs": [
                {"role": role, "guarantees": _scalars(quota.guarantees), "limits": _scalars(quota.limits)}
                for role, quota in quotas.items()
            ],
        }
    }


def update_quota(call: Call, message: MasterCallUpdateQuota) -> Answer:
    """UPDATE_QUOTA: apply all of the given quotas or none. Raises `Refused`."""
    quotas = {}
    for config in message.get("quota_configs", []):
        role = config["role"]
        if role in quotas:
            raise Refused(400, f"Invalid QuotaConfig: role '{role}' occurs twice")
        guarantees, limits = _quantities(config, "guarantees"), _quantities(config, "limits")
        for name, least in guarantees.items():
            if name in limits and least > limits[name]:
                raise Refused(400, f"Invalid QuotaConfig: the guarantee of '{name}' is greater than its limit")
        quotas[role] = Quota(guarantees, limits)
    return _store_quotas(call, quotas, force=message.get("force", False), too_much=400)


def set_quota(call: Call, message: MasterCallSetQuota) -> Answer:
    """SET_QUOTA: the guarantee of a role without quota; as before Mesos 1.9, it is also the limit."""
    request = message["quota_request"]
    return set_quota_of(call, request.get("role", ""), request.get("guarantee", []), force=request.get("force", False))


def set_quota_of(call: Call, role: str, guarantee: list[Resource], *, force: bool) -> Answer:
    """Set the quota of a role. Raises `Refused`: 400, 403, 409."""
    if role in call.master.registry.quotas:
        raise Refused(400, f"Failed to set quota: Role '{role}' already has quota")
    try:
        resources = Resources.from_messages(guarantee)
    except ResourceError as error:
        raise Refused(400, f"Failed to validate set quota request: {error}") from error
    if any(kind.reservations or kind.disk or not isinstance(amount, int) for kind, amount in resources):
        raise Refused(400, "Failed to validate set quota request: only plain scalars can be guaranteed")
    if not resources:
        raise Refused(400, "Failed to validate set quota request: nothing is guaranteed")
    quantities = resources.quantities()
    return _store_quotas(call, {role: Quota(quantities, dict(quantities))}, force=force, too_much=409)


def remove_quota(call: Call, message: MasterCallRemoveQuota) -> Answer:
    """REMOVE_QUOTA."""
    return remove_quota_of(call, message["role"])


def remove_quota_of(call: Call, role: str) -> Answer:
    """Remove the quota of a role. Raises `Refused`: 400, 403."""
    if role not in call.master.registry.quotas:
        raise Refused(400, f"Failed to remove quota: Role '{role}' has no quota set")
    return _store_quotas(call, {role: Quota()}, force=True, too_much=400)


def update_weights(call: Call, message: MasterCallUpdateWeights) -> Answer:
    """UPDATE_WEIGHTS."""
    return update_weights_to(call, message.get("weight_infos", []))


def update_weights_to(call: Call, infos: list[WeightInfo]) -> Answer:
    """Update weights. Raises `Refused`: 400, 403."""
    weights: dict[str, float] = {}
    for info in infos:
        role, weight = info.get("role", ""), info["weight"]
        _check_role(role, "Failed to validate update weights request")
        if not math.isfinite(weight) or weight <= 0:
            raise Refused(400, f"Failed to validate update weights request for role '{role}': Weights must be positive")
        call.require("update_weights", role)
        weights[role] = float(weight)
    changes: dict[str, bytes | None] = {}
    for role, weight in weights.items():
        changes.update(record(f"weight/{role}", weight))

    def apply() -> None:
        for role, weight in weights.items():
            call.master.allocator.set_weight(role, weight)
        for offer in list(call.master.offers.values()):
            remove_offer(call.master, offer, rescind=True)
        call.master.allocation_wanted = True

    return call.store(changes, apply)


def _store_quotas(call: Call, quotas: dict[str, Quota], *, force: bool, too_much: int) -> Answer:
    for role in quotas:
        _check_role(role, "Invalid QuotaConfig")
        if role == roles.ANY:
            raise Refused(400, "Invalid QuotaConfig: the role '*' can have no quota")
        if "/" in role:
            raise Refused(400, f"Invalid QuotaConfig: Setting quota on nested role '{role}' is not supported")
        call.require("update_quotas", role)
    if not force:
        _check_capacity(call, quotas, too_much)
    changes: dict[str, bytes | None] = {}
    for role, quota in quotas.items():
        stored = None if quota.is_default else {"guarantees": quota.guarantees, "limits": quota.limits}
        changes.update(record(f"quota/{role}", stored))

    def apply() -> None:
        for role, quota in quotas.items():
            call.master.allocator.quotas.set(role, quota)
        _make_room(call, quotas)
        call.master.allocation_wanted = True

    return call.store(changes, apply)


def _check_capacity(call: Call, quotas: dict[str, Quota], too_much: int) -> None:
    """Raises `Refused` unless the guarantees of all roles together are available."""
    guaranteed: Quantities = {}
    for role, quota in {**call.master.registry.quotas, **quotas}.items():
        if role not in quotas and role not in call.master.registry.quotas:
            continue
        for name, least in quota.guarantees.items():
            guaranteed[name] = guaranteed.get(name, 0) + least
    for name, least in guaranteed.items():
        there = call.master.allocator.totals.quantities.get(name, 0)
        if least > there:
            raise Refused(
                too_much,
                f"Invalid QuotaConfig: total quota guarantees of '{name}' ({least / UNITS:g}) exceed the cluster's "
                f"capacity ({there / UNITS:g}); use 'force' to override this check",
            )


def _make_room(call: Call, quotas: dict[str, Quota]) -> None:
    """Rescind offers that conflict with the quota: other roles' offers if a guarantee is not met, its own if it has too
    much.
    """
    allocator = call.master.allocator
    for role, quota in quotas.items():
        for offer in list(call.master.offers.values()):
            mine = roles.top(offer.role) == role
            has = allocator.quotas.consumed(role)
            beyond = any(has.get(name, 0) > most for name, most in quota.limits.items())
            if (mine and beyond) or (not mine and allocator.quotas.is_short(role)):
                remove_offer(call.master, offer, rescind=True)


def _check_role(role: str, label: str) -> None:
    try:
        roles.validate(role)
    except roles.RoleError as error:
        raise Refused(400, f"{label}: {error}") from error


def _quantities(config: QuotaQuotaConfig, field: str) -> Quantities:
    result = {}
    scalars = config.get("limits", {}) if field == "limits" else config.get("guarantees", {})
    for name, scalar in scalars.items():
        if not math.isfinite(scalar["value"]) or scalar["value"] < 0:
            raise Refused(400, f"Invalid QuotaConfig: '{name}' in {field} is negative or not finite")
        if amount := round(scalar["value"] * UNITS):
            result[name] = amount
        elif field == "limits":
            result[name] = 0
    return result


def as_resources(quantities: Quantities) -> list[Resource]:
    """Quantities as resources without a role."""
    return [
        {"name": name, "type": "SCALAR", "scalar": {"value": amount / UNITS}, "role": "*"}
        for name, amount in quantities.items()
    ]


def _scalars(quantities: Quantities) -> dict[str, ValueScalar]:
    return {name: {"value": amount / UNITS} for name, amount in quantities.items()}
