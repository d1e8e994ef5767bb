"""Whether an offer can hold one more instance of an app, and the resources that it takes; or why not, in Marathon's
terms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from smackbox.marathon.state.constraints import unmet
from smackbox.marathon.state.instance import Instance
from smackbox.marathon.wire.app import App
from smackbox.mesos_framework.offer import ANY_ROLE, Offer, Usable, is_plain, reservation_labels, role_of

Json = dict[str, Any]

UNFULFILLED_ROLE = "UnfulfilledRole"
UNFULFILLED_CONSTRAINT = "UnfulfilledConstraint"
NO_RESERVATION = "NoCorrespondingReservationFound"
AGENT_MAINTENANCE = "AgentMaintenance"
INSUFFICIENT = {
    "cpus": "InsufficientCpus", "mem": "InsufficientMemory", "disk": "InsufficientDisk", "gpus": "InsufficientGpus",
}  # fmt: skip
INSUFFICIENT_PORTS = "InsufficientPorts"
REASONS = (
    UNFULFILLED_ROLE, UNFULFILLED_CONSTRAINT, NO_RESERVATION, AGENT_MAINTENANCE, *INSUFFICIENT.values(),
    INSUFFICIENT_PORTS, "DeclinedScarceResources",
)  # fmt: skip
"""In the order of the summary in Marathon's queue."""

INSTANCE_LABEL = "marathon_instance"


@dataclass(frozen=True, slots=True)
class Match:
    """Resources for one instance, its host ports, and the disk for each of its volumes."""

    resources: list[Json] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)
    volumes: list[list[Json]] = field(default_factory=list)


class PortChoice:
    """Host ports in turn, so that a port is not reused immediately after its task ended."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}

    def choose(self, agent_id: str, free: Sequence[int], count: int) -> list[int]:
        """`count` of the free ports, continuing after the last one used on the agent."""
        last = self._last.get(agent_id, 0)
        ordered = [port for port in free if port > last] + [port for port in free if port <= last]
        chosen = ordered[:count]
        if chosen:
            self._last[agent_id] = chosen[-1]
        return chosen


def match(app: App, offer: Offer, siblings: Sequence[Instance], choice: PortChoice) -> Match | list[str]:
    """Take the resources of one instance from the offer, or leave it unchanged and return why not."""
    if offer.message.get("unavailability"):
        return [AGENT_MAINTENANCE]
    if unmet(app.constraints, offer, siblings):
        return [UNFULFILLED_CONSTRAINT]
    roles = app.accepted_resource_roles
    resident = app.is_resident

    def usable(lot: Json) -> bool:
        role = role_of(lot)
        return is_plain(lot) and (role == ANY_ROLE if resident else roles is None or role in roles)

    reasons = []
    needs = {"cpus": app.cpus, "mem": app.mem, "disk": app.disk, "gpus": float(app.gpus)}
    volumes = [float(volume.persistent.size) for volume in app.persistent_volumes if volume.persistent is not None]
    for name, amount in needs.items():
        if offer.scalar(name, usable) + 1e-9 < amount + (sum(volumes) if name == "disk" else 0):
            reasons.append(INSUFFICIENT[name])
    ports = _ports(app, offer, usable, choice)
    if ports is None:
        reasons.append(INSUFFICIENT_PORTS)
    if reasons:
        accepted = any(usable(lot) for lot in offer.resources)
        return reasons if accepted else [UNFULFILLED_ROLE]
    assert ports is not None
    resources: list[Json] = []
    for name, amount in needs.items():
        resources += offer.take_scalar(name, amount, usable) or []
    resources += offer.take_ports(ports, usable) or []
    return Match(resources, ports, [offer.take_scalar("disk", size, usable) or [] for size in volumes])


def match_reserved(offer: Offer, instance: Instance) -> Match | list[str]:
    """The resources reserved for this instance, including its volumes."""

    def own(lot: Json) -> bool:
        return reservation_labels(lot).get(INSTANCE_LABEL) == instance.id

    lots = [lot for lot in offer.resources if own(lot)]
    ids = {(lot.get("disk") or {}).get("persistence", {}).get("id") for lot in lots}
    if not lots or not set(instance.volumes) <= ids:
        return [NO_RESERVATION]
    ports = offer.ports(own)
    if len(ports) < len(instance.ports):
        return [INSUFFICIENT_PORTS]
    for lot in lots:
        if volume := (lot.get("disk") or {}).get("persistence", {}).get("id"):
            offer.take_volume(volume)
    for name in INSUFFICIENT:
        offer.take_scalar(name, offer.scalar(name, own), own)
    offer.take_ports(ports, own)
    return Match(lots, instance.ports)


def _ports(app: App, offer: Offer, usable: Usable, choice: PortChoice) -> list[int] | None:
    if app.host_networking:
        asked = [definition.port if app.require_ports else 0 for definition in app.port_definitions or []]
    else:
        asked = [mapping.host_port for mapping in app.port_mappings if mapping.host_port is not None]
    free = offer.ports(usable) if asked else []
    fixed = {port for port in asked if port}
    if not fixed <= set(free):
        return None
    chosen = choice.choose(offer.agent_id, [port for port in free if port not in fixed], asked.count(0))
    if len(chosen) < asked.count(0):
        return None
    dynamic = iter(chosen)
    return [port or next(dynamic) for port in asked]
