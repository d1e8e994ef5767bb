"""Resources and their arithmetic.

A `Resources` maps a `Kind` to an amount. The kind is everything about a resource except its amount: its name, its stack
of reservations (the last one is current), its disk, and whether it is shared or revocable. The amount is an integer
number of thousandths for a scalar (Mesos keeps three decimals too), `Ranges`, or a frozenset. A persistent volume or a
mounted disk cannot be split, so its size is part of its kind; a shared volume's amount is its size times the number of
its users.

`Resources` are values: only methods whose name ends in `_in_place` change one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

import msgspec

from smackbox.base.errors import RequestError
from smackbox.mesos.resources import ranges
from smackbox.mesos.resources.ranges import Ranges

if TYPE_CHECKING:
    from smackbox.mesos.wire.messages import Labels, Resource, ResourceDiskInfo, ResourceReservationInfo


UNITS = 1_000
Amount = int | Ranges | frozenset[str]
_encode = msgspec.json.Encoder(order="deterministic").encode


class ResourceError(RequestError):
    """A resource that Mesos would reject."""


class Kind:
    """The kind of a resource. Equal kinds are the same object, so that they compare and hash by identity."""

    __slots__ = (
        "__weakref__",
        "disk",
        "is_volume",
        "name",
        "provider",
        "reservations",
        "revocable",
        "role",
        "shape",
        "shared",
        "size",
    )
    _known: WeakValueDictionary[tuple[object, ...], Kind] = WeakValueDictionary()

    name: str
    shape: str
    reservations: tuple[bytes, ...]
    disk: bytes
    shared: bool
    revocable: bool
    provider: str
    size: int
    role: str
    is_volume: bool

    @classmethod
    def of(
        cls,
        name: str,
        shape: str,
        reservations: tuple[bytes, ...] = (),
        disk: bytes = b"",
        *,
        shared: bool = False,
        revocable: bool = False,
        provider: str = "",
        size: int = 0,
    ) -> Kind:
        key = (name, shape, reservations, disk, shared, revocable, provider, size)
        kind = cls._known.get(key)
        if kind is None:
            kind = cls()
            kind.name, kind.shape, kind.reservations, kind.disk = name, shape, reservations, disk
            kind.shared, kind.revocable, kind.provider, kind.size = shared, revocable, provider, size
            kind.role = msgspec.json.decode(reservations[-1])["role"] if reservations else "*"
            kind.is_volume = b'"persistence"' in disk
            cls._known[key] = kind
        return kind

    def with_reservations(self, reservations: tuple[bytes, ...]) -> Kind:
        return Kind.of(
            self.name,
            self.shape,
            reservations,
            self.disk,
            shared=self.shared,
            revocable=self.revocable,
            provider=self.provider,
            size=self.size,
        )

    def without_operations(self) -> Kind:
        """The kind without dynamic reservations and volume: the agent's configured resource."""
        static = tuple(level for level in self.reservations if msgspec.json.decode(level)["type"] == "STATIC")
        disk: ResourceDiskInfo = msgspec.json.decode(self.disk) if self.disk else {}
        source = disk.get("source")
        plain = _encode({"source": source}) if source is not None else b""
        size = self.size if source is not None and source.get("type") == "MOUNT" else 0
        return Kind.of(
            self.name, self.shape, static, plain, revocable=self.revocable, provider=self.provider, size=size
        )

    def allocatable_to(self, role: str) -> bool:
        """Whether it is unreserved, or reserved for that role or one above it."""
        return self.role in ("*", role) or role.startswith(self.role + "/")

    @property
    def dynamic(self) -> bool:
        return bool(self.reservations) and msgspec.json.decode(self.reservations[-1])["type"] == "DYNAMIC"

    def __repr__(self) -> str:
        return f"<{self.name}({self.role}){'+disk' if self.disk else ''}>"


class Resources:
    """An amount for each kind; never an empty one."""

    __slots__ = ("amounts",)

    def __init__(self, amounts: Mapping[Kind, Amount] | None = None) -> None:
        self.amounts: dict[Kind, Amount] = dict(amounts or {})

    # --- from and to messages

    @classmethod
    def from_messages(cls, messages: Iterable[Resource]) -> Resources:
        """From checked `Resource` messages, in either format of reservations. Raises `ResourceError`."""
        result = cls()
        for message in messages:
            kind, amount = _read(message)
            result.add_in_place(kind, amount)
        return result

    def to_messages(self, *, role: str | None = None, refined: bool = True) -> list[Resource]:
        """`Resource` messages, with `allocation_info` for `role`; with `refined` reservations are in `reservations`,
        otherwise in `role`.
        """
        return [_write(kind, amount, role, refined) for kind, amount in self.amounts.items()]

    # --- arithmetic

    def add_in_place(self, kind: Kind, amount: Amount) -> None:
        if not amount:
            return
        old = self.amounts.get(kind)
        if old is None:
            self.amounts[kind] = amount
        elif isinstance(old, int):
            self.amounts[kind] = old + amount  # type: ignore[operator]
        elif isinstance(old, frozenset):
            self.amounts[kind] = old | amount  # type: ignore[operator]
        else:
            self.amounts[kind] = ranges.union(old, amount)  # type: ignore[arg-type]

    def subtract_in_place(self, kind: Kind, amount: Amount) -> None:
        old = self.amounts.get(kind)
        if old is None:
            return
        rest: Amount
        if isinstance(old, int):
            rest = max(old - amount, 0)  # type: ignore[operator]
        elif isinstance(old, frozenset):
            rest = old - amount  # type: ignore[operator]
        else:
            rest = ranges.difference(old, amount)  # type: ignore[arg-type]
        if rest:
            self.amounts[kind] = rest
        else:
            del self.amounts[kind]

    def __add__(self, other: Resources) -> Resources:
        result = Resources(self.amounts)
        for kind, amount in other.amounts.items():
            result.add_in_place(kind, amount)
        return result

    def __sub__(self, other: Resources) -> Resources:
        result = Resources(self.amounts)
        for kind, amount in other.amounts.items():
            result.subtract_in_place(kind, amount)
        return result

    def contains(self, other: Resources) -> bool:
        return all(self._contains_one(kind, amount) for kind, amount in other.amounts.items())

    def _contains_one(self, kind: Kind, amount: Amount) -> bool:
        mine = self.amounts.get(kind)
        if mine is None:
            return False
        if kind.shared:
            return True
        if isinstance(mine, int):
            return mine >= amount  # type: ignore[operator]
        if isinstance(mine, frozenset):
            return mine >= amount  # type: ignore[operator]
        return ranges.contains(mine, amount)  # type: ignore[arg-type]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Resources) and self.amounts == other.amounts

    __hash__ = None  # type: ignore[assignment] # amounts change in place

    def __bool__(self) -> bool:
        return bool(self.amounts)

    def __iter__(self) -> Iterator[tuple[Kind, Amount]]:
        return iter(self.amounts.items())

    def __repr__(self) -> str:
        return f"Resources({self.amounts})"

    # --- parts

    def where(self, test: Callable[[Kind], bool]) -> Resources:
        return Resources({kind: amount for kind, amount in self.amounts.items() if test(kind)})

    def allocatable_to(self, role: str) -> Resources:
        return self.where(lambda kind: kind.allocatable_to(role))

    def unreserved(self) -> Resources:
        return self.where(lambda kind: not kind.reservations)

    def reserved(self, role: str | None = None) -> Resources:
        """The reserved resources; with a role, only those for that role."""
        return self.where(lambda kind: bool(kind.reservations) and (role is None or kind.role == role))

    def reservations(self) -> dict[str, Resources]:
        result: dict[str, Resources] = {}
        for kind, amount in self.amounts.items():
            if kind.reservations:
                result.setdefault(kind.role, Resources()).add_in_place(kind, amount)
        return result

    def stripped(self) -> Resources:
        """The same amounts as plain unreserved resources."""
        result = Resources()
        for kind, amount in self.amounts.items():
            result.add_in_place(Kind.of(kind.name, kind.shape), _once(kind, amount))
        return result

    def checkpointed(self) -> Resources:
        """What an agent must checkpoint: dynamic reservations and volumes."""
        return self.where(lambda kind: kind.dynamic or kind.is_volume)

    def quantities(self) -> dict[str, int]:
        """Thousandths of each scalar, regardless of reservations."""
        result: dict[str, int] = {}
        for kind, amount in self.amounts.items():
            if isinstance(amount, int):
                result[kind.name] = result.get(kind.name, 0) + (kind.size if kind.shared else amount)
        return result

    def scalar(self, name: str) -> float:
        return self.quantities().get(name, 0) / UNITS

    def model(self) -> dict[str, object]:
        """Resources as in Mesos' classic endpoints: a number, or ranges and sets as text, for each name."""
        shown: dict[str, object] = {"cpus": 0.0, "gpus": 0.0, "mem": 0.0, "disk": 0.0}
        plain = self.stripped()
        for kind, amount in plain.amounts.items():
            shown[kind.name] = amount / UNITS if isinstance(amount, int) else format_amount(amount)
        return shown


def _once(kind: Kind, amount: Amount) -> Amount:
    return kind.size if kind.shared else amount


def scalar(name: str, thousandths: int) -> Resources:
    return Resources({Kind.of(name, "SCALAR"): thousandths} if thousandths else {})


def total(parts: Iterable[Resources]) -> Resources:
    result = Resources()
    for part in parts:
        for kind, amount in part.amounts.items():
            result.add_in_place(kind, amount)
    return result


def format_amount(amount: Amount) -> str:
    if isinstance(amount, int):
        return f"{amount / UNITS:g}"
    if isinstance(amount, frozenset):
        return "{" + ", ".join(sorted(amount)) + "}"
    return "[" + ", ".join(f"{begin}-{end}" for begin, end in amount) + "]"


def reservation(kind: str, role: str, principal: str | None = None, labels: Labels | None = None) -> bytes:
    """One level of a stack of reservations, in the form of a `Kind`."""
    info: ResourceReservationInfo = {"type": kind, "role": role}
    if principal is not None:
        info["principal"] = principal
    if labels:
        info["labels"] = labels
    return _encode(info)


def _read(message: Resource) -> tuple[Kind, Amount]:
    name, shape = message["name"], message["type"]
    amount: Amount
    if shape == "SCALAR" and "scalar" in message:
        thousandths = round(message["scalar"]["value"] * UNITS)
        if thousandths < 0:
            raise ResourceError(f"resource {name!r} has a negative amount")
        amount = thousandths
    elif shape == "RANGES" and "ranges" in message:
        pairs = [(range_["begin"], range_["end"]) for range_ in message["ranges"].get("range", [])]
        if any(begin > end for begin, end in pairs):
            raise ResourceError(f"resource {name!r} has a range that ends before it begins")
        amount = ranges.normal(pairs)
    elif shape == "SET" and "set" in message:
        amount = frozenset(message["set"].get("item", []))
    else:
        raise ResourceError(f"resource {name!r} of type {shape} has no such value")
    disk = message.get("disk") or {}
    shared = "shared" in message
    is_indivisible = "persistence" in disk or disk.get("source", {}).get("type") == "MOUNT"
    if disk and name != "disk":
        raise ResourceError(f"resource {name!r} has disk information")
    if shared and "persistence" not in disk:
        raise ResourceError("only persistent volumes can be shared")
    kind = Kind.of(
        name,
        shape,
        _read_reservations(message),
        _encode(disk) if disk else b"",
        shared=shared,
        revocable="revocable" in message,
        provider=message.get("provider_id", {}).get("value", ""),
        size=amount if is_indivisible and isinstance(amount, int) else 0,
    )
    return kind, amount


def _read_reservations(message: Resource) -> tuple[bytes, ...]:
    if stack := message.get("reservations"):
        if "role" in message or "reservation" in message:
            raise ResourceError("a resource has both 'reservations' and 'role' or 'reservation'")
        levels = []
        for level in stack:
            if "role" not in level or "type" not in level:
                raise ResourceError("a reservation needs 'type' and 'role'")
            levels.append(reservation(level["type"], level["role"], level.get("principal"), level.get("labels")))
        return tuple(levels)
    role = message.get("role", "*")
    if role == "*":
        if "reservation" in message:
            raise ResourceError("resources of role '*' cannot be dynamically reserved")
        return ()
    if (info := message.get("reservation")) is None:
        return (reservation("STATIC", role),)
    return (reservation("DYNAMIC", role, info.get("principal"), info.get("labels")),)


def _write(kind: Kind, amount: Amount, role: str | None, refined: bool) -> Resource:
    message: Resource = {"name": kind.name, "type": kind.shape}
    if isinstance(amount, int):
        message["scalar"] = {"value": _once(kind, amount) / UNITS}  # type: ignore[operator]
    elif isinstance(amount, frozenset):
        message["set"] = {"item": sorted(amount)}
    else:
        message["ranges"] = {"range": [{"begin": begin, "end": end} for begin, end in amount]}
    if refined or len(kind.reservations) > 1:
        if kind.reservations:
            message["reservations"] = [msgspec.json.decode(level) for level in kind.reservations]
    else:
        message["role"] = kind.role
        if kind.reservations:
            info: ResourceReservationInfo = msgspec.json.decode(kind.reservations[0])
            if info["type"] == "DYNAMIC":
                message["reservation"] = _principal_and_labels(info)
    if kind.disk:
        message["disk"] = msgspec.json.decode(kind.disk)
    if kind.shared:
        message["shared"] = {}
    if kind.revocable:
        message["revocable"] = {}
    if kind.provider:
        message["provider_id"] = {"value": kind.provider}
    if role is not None:
        message["allocation_info"] = {"role": role}
    return message


def _principal_and_labels(info: ResourceReservationInfo) -> ResourceReservationInfo:
    shown: ResourceReservationInfo = {}
    if "principal" in info:
        shown["principal"] = info["principal"]
    if "labels" in info:
        shown["labels"] = info["labels"]
    return shown
