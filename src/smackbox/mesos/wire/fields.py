"""The parsed table of fields, on which JSON and protobuf are both based.

A message is a plain `dict` from a field's name to its value: strings, booleans and numbers as they are, `bytes` as
base64, an enum as its name, a message as a `dict`, a repeated field as a `list`, a map as a `dict`. A message type is
parsed from its line on first use.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from smackbox.base.errors import RequestError
from smackbox.mesos.wire.tables import agent, executor, master, mesos, scheduler

SCALARS = frozenset({"string", "bytes", "bool", "double", "int32", "int64", "uint32", "uint64"})
INTEGER_BOUNDS = {
    "int32": (-(1 << 31), (1 << 31) - 1),
    "int64": (-(1 << 63), (1 << 63) - 1),
    "uint32": (0, (1 << 32) - 1),
    "uint64": (0, (1 << 64) - 1),
}


class MessageError(RequestError):
    """A message that is invalid for its type; `path` names the field, outermost first."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path = ""

    def within(self, step: str) -> MessageError:
        """The same error, seen from one level up."""
        separator = "" if not self.path or self.path.startswith("[") else "."
        self.path = f"{step}{separator}{self.path}"
        return self

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}" if self.path else self.reason


@dataclass(frozen=True, slots=True)
class Field:
    """`kind` is a scalar's name, `enum` or `message`, these two with their full `type_name`. A map has string keys."""

    name: str
    number: int
    kind: str
    type_name: str
    required: bool
    repeated: bool
    is_map: bool


@dataclass(frozen=True, slots=True)
class MessageType:
    """The fields of one message type, by number."""

    name: str
    fields: tuple[Field, ...]
    required: tuple[str, ...]


def _read_lines() -> tuple[dict[str, str], dict[str, str]]:
    messages: dict[str, str] = {}
    enums: dict[str, str] = {}
    for table in (mesos.TABLE, scheduler.TABLE, executor.TABLE, master.TABLE, agent.TABLE):
        for line in table.replace("\n    ", " ").splitlines():
            name, colon, body = line.partition(":")
            if not colon:
                continue
            if name.startswith("enum "):
                enums[name.removeprefix("enum ")] = body
            else:
                messages[name] = body
    return messages, enums


_MESSAGES, _ENUMS = _read_lines()


def message_names() -> list[str]:
    """The fully qualified names of all message types."""
    return list(_MESSAGES)


@cache
def message_type(name: str) -> MessageType:
    """The type with that full name, such as `TaskInfo` or `scheduler.Call.Accept`."""
    parts = (part.strip() for part in _MESSAGES[name].split(","))
    fields = sorted((_read_field(name, part) for part in parts if part), key=lambda field: field.number)
    return MessageType(name, tuple(fields), tuple(field.name for field in fields if field.required))


@cache
def enum_numbers(name: str) -> dict[str, int]:
    """The names and numbers of an enum."""
    pairs = (part.split() for part in _ENUMS[name].split(","))
    return {label: int(number) for label, number in pairs}


@cache
def enum_names(name: str) -> dict[int, str]:
    return {number: label for label, number in enum_numbers(name).items()}


def _read_field(message: str, text: str) -> Field:
    name, type_text, number = text.split()
    kind = type_text.rstrip("!*")
    is_map = kind.startswith("string>")
    kind = kind.removeprefix("string>")
    type_name = ""
    if kind not in SCALARS:
        type_name = _resolve(message, kind)
        kind = "message" if type_name in _MESSAGES else "enum"
    return Field(name, int(number), kind, type_name, type_text.endswith("!"), type_text.endswith("*"), is_map)


def _resolve(scope: str, name: str) -> str:
    if name.startswith("."):
        return name[1:]
    while scope:
        full = f"{scope}.{name}"
        if full in _MESSAGES or full in _ENUMS:
            return full
        scope = scope.rpartition(".")[0]
    assert name in _MESSAGES or name in _ENUMS, f"the table has no {name}"
    return name
