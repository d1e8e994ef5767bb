"""The resources of an offer, and taking a task's resources from it.

Scalars are counted in thousandths, as in Mesos, so that sums are exact. A resource is a *lot*: an amount of one name,
for one role and reservation, with one disk. Lots reserved for the framework's role are used before unreserved ones. The
caller chooses which lots may be used; by default all except volumes and dynamic reservations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

Message = dict[str, Any]

Usable = Callable[[Message], bool]

ANY_ROLE = "*"
_THOUSANDTHS = 1000


def role_of(lot: Message) -> str:
    """The role that a lot is reserved for; `*` if none."""
    reservations = lot.get("reservations")
    return str(reservations[-1]["role"] if reservations else lot.get("role", ANY_ROLE))


def reservation_labels(lot: Message) -> dict[str, str]:
    """The labels of a lot's dynamic reservation."""
    reservations = lot.get("reservations") or []
    labels = (reservations[-1].get("labels") or {}).get("labels") or [] if reservations else []
    return {label["key"]: label.get("value", "") for label in labels}


def is_plain(lot: Message) -> bool:
    """Whether it is neither a volume nor dynamically reserved by a framework."""
    reservations = lot.get("reservations") or []
    return "persistence" not in (lot.get("disk") or {}) and not any(
        reservation.get("type") == "DYNAMIC" for reservation in reservations
    )


class Offer:
    """An offer that tasks take resources from. `take_…` return the Resource messages to launch with, or None and take
    nothing.
    """

    def __init__(self, message: Message) -> None:
        self.message = message
        self.id: str = message["id"]["value"]
        self.agent_id: str = message["agent_id"]["value"]
        self.hostname: str = message.get("hostname", "")
        self.attributes: list[Message] = message.get("attributes") or []
        self._lots = sorted((dict(lot) for lot in message.get("resources") or []), key=_common_last)

    @property
    def resources(self) -> list[Message]:
        """The remaining resources."""
        return [lot for lot in self._lots if _amount(lot) != 0]

    def scalar(self, name: str, usable: Usable = is_plain) -> float:
        """The remaining amount of a scalar."""
        left = sum(_amount(lot) for lot in self._lots if lot["name"] == name and usable(lot))
        return left / _THOUSANDTHS

    def take_scalar(self, name: str, amount: float, usable: Usable = is_plain) -> list[Message] | None:
        """Take `amount` of a scalar; an empty list for 0."""
        needed = _thousandths(amount)
        taken: list[tuple[Message, int]] = []
        for lot in self._lots:
            if needed == 0:
                break
            if lot["name"] == name and usable(lot):
                part = min(needed, _thousandths(lot["scalar"]["value"]))
                if part > 0:
                    taken.append((lot, part))
                    needed -= part
        if needed > 0:
            return None
        result = []
        for lot, part in taken:
            result.append({**lot, "scalar": {"value": part / _THOUSANDTHS}})
            lot["scalar"] = {"value": (_thousandths(lot["scalar"]["value"]) - part) / _THOUSANDTHS}
        return result

    def ports(self, usable: Usable = is_plain) -> list[int]:
        """All remaining ports, those reserved for the framework's role first."""
        return [port for lot in self._lots if lot["name"] == "ports" and usable(lot) for port in _numbers(lot)]

    def take_ports(self, ports: Iterable[int], usable: Usable = is_plain) -> list[Message] | None:
        """Take exactly these ports."""
        needed = set(ports)
        taken: list[tuple[Message, set[int]]] = []
        for lot in self._lots:
            if lot["name"] == "ports" and usable(lot) and (part := needed.intersection(_numbers(lot))):
                taken.append((lot, part))
                needed -= part
        if needed:
            return None
        result = []
        for lot, part in taken:
            result.append({**lot, "ranges": {"range": _ranges(part)}})
            lot["ranges"] = {"range": _ranges(set(_numbers(lot)) - part)}
        return result

    def take_volume(self, persistence_id: str) -> Message | None:
        """Take the persistent volume with that id."""
        for lot in self._lots:
            if lot.get("disk", {}).get("persistence", {}).get("id") == persistence_id:
                self._lots.remove(lot)
                return lot
        return None

    def attribute(self, name: str) -> str | None:
        """An attribute as text; `@hostname` and `hostname` are the agent's host name, unless it has an attribute of
        that name.
        """
        for attribute in self.attributes:
            if attribute["name"] == name:
                return attribute_text(attribute)
        if name in {"hostname", "@hostname"}:
            return self.hostname
        domain = (self.message.get("domain") or {}).get("fault_domain") or {}
        if name in {"@region", "@zone"}:
            part: str | None = (domain.get(name[1:]) or {}).get("name")
            return part
        return None


def attribute_text(attribute: Message) -> str:
    """An attribute in Mesos' text form: a number without trailing zeros, `[1-3,5-6]`, or text."""
    kind = attribute["type"]
    if kind == "SCALAR":
        value = attribute["scalar"]["value"]
        return str(int(value)) if value == int(value) else f"{value:.3f}".rstrip("0")
    if kind == "RANGES":
        ranges = attribute["ranges"].get("range") or []
        return "[" + ",".join(f"{range_['begin']}-{range_['end']}" for range_ in ranges) + "]"
    if kind == "SET":
        return "{" + ",".join(attribute["set"].get("item") or []) + "}"
    return str(attribute["text"]["value"])


def _common_last(lot: Message) -> bool:
    return role_of(lot) == ANY_ROLE


def _amount(lot: Message) -> int:
    if lot["type"] == "SCALAR":
        return _thousandths(lot["scalar"]["value"])
    return len(lot["ranges"].get("range") or []) if lot["type"] == "RANGES" else len(lot["set"].get("item") or [])


def _thousandths(amount: float) -> int:
    return round(amount * _THOUSANDTHS)


def _numbers(lot: Message) -> list[int]:
    return [n for range_ in lot["ranges"].get("range") or [] for n in range(range_["begin"], range_["end"] + 1)]


def _ranges(numbers: set[int]) -> list[Message]:
    ranges: list[Message] = []
    for number in sorted(numbers):
        if ranges and ranges[-1]["end"] == number - 1:
            ranges[-1]["end"] = number
        else:
            ranges.append({"begin": number, "end": number})
    return ranges
