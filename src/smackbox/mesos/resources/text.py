"""Resources and attributes as text, in the form of Mesos' flags.

`cpus:4;mem:1024;disk(ads):10;ports:[31000-32000];kinds:{a,b}`: a name, a role in parentheses if it is reserved, and a
number, ranges in brackets or a set in braces. An attribute may also be text: `rack:r1;zone:[1-3]`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

import msgspec

from smackbox.mesos.resources.resources import ResourceError, Resources, format_amount
from smackbox.mesos.wire import json_format
from smackbox.mesos.wire.fields import MessageError

if TYPE_CHECKING:
    from smackbox.mesos.wire.messages import Attribute, Request, Resource, Value, ValueRange


_RESOURCE = re.compile(r"\s*([^\s:(;]+)\s*(?:\(([^)]*)\))?\s*:\s*(.*)", re.DOTALL)


def parse_resources(text: str, *, default_role: str = "*") -> Resources:
    """From text, or from a JSON array of `Resource` messages. Raises `ResourceError`."""
    text = text.strip()
    if text.startswith("["):
        try:
            request: Request = json_format.decode("Request", b'{"resources":' + text.encode() + b"}")
        except MessageError as error:
            raise ResourceError(f"resources {text!r}: {error}") from error
        return Resources.from_messages(request["resources"])
    messages = []
    for part in filter(None, (one.strip() for one in text.split(";"))):
        match = _RESOURCE.fullmatch(part)
        if match is None:
            raise ResourceError(f"{part!r} is not a resource such as cpus:4 or ports(role):[31000-32000]")
        name, role, value = match.groups()
        message = cast("Resource", {"name": name, **_value(value.strip(), name), "role": role or default_role})
        if message["type"] == "TEXT":
            raise ResourceError(f"resource {name!r} cannot be text: {value!r}")
        messages.append(message)
    return Resources.from_messages(messages)


def parse_attributes(text: str) -> list[Attribute]:
    """The `Attribute` messages of a text. Raises `ResourceError`."""
    attributes: list[Attribute] = []
    for part in filter(None, (one.strip() for one in text.split(";"))):
        name, colon, value = part.partition(":")
        if not colon:
            raise ResourceError(f"{part!r} is not an attribute such as rack:r1")
        attributes.append(cast("Attribute", {"name": name.strip(), **_value(value.strip(), name)}))
    return attributes


def format_resources(resources: Resources) -> str:
    parts = []
    for kind, amount in resources:
        role = f"({kind.role})" if kind.role != "*" else ""
        parts.append(f"{kind.name}{role}:{format_amount(amount)}")
    return "; ".join(parts)


def attribute_model(attributes: list[Attribute]) -> dict[str, object]:
    """Attributes as in the classic endpoints: a number or a text for each name."""
    shown: dict[str, object] = {}
    for attribute in attributes:
        if "scalar" in attribute:
            shown[attribute["name"]] = attribute["scalar"]["value"]
        elif "text" in attribute:
            shown[attribute["name"]] = attribute["text"]["value"]
        elif "ranges" in attribute:
            pairs = tuple((item["begin"], item["end"]) for item in attribute["ranges"].get("range", []))
            shown[attribute["name"]] = format_amount(pairs)
        else:
            shown[attribute["name"]] = format_amount(frozenset(attribute.get("set", {}).get("item", [])))
    return shown


def _value(text: str, name: str) -> Value:
    try:
        if text.startswith("[") and text.endswith("]"):
            pairs = [part.split("-") for part in text[1:-1].split(",") if part.strip()]
            ranges: list[ValueRange] = [{"begin": int(begin), "end": int(end)} for begin, end in pairs]
            return {"type": "RANGES", "ranges": {"range": ranges}}
        if text.startswith("{") and text.endswith("}"):
            items = [part.strip() for part in text[1:-1].split(",") if part.strip()]
            return {"type": "SET", "set": {"item": items}}
    except ValueError as error:
        raise ResourceError(f"{name}:{text} is not a list of ranges such as [1-5,8-9]") from error
    try:
        number = msgspec.json.decode(text.encode(), type=float)
    except msgspec.DecodeError:
        return {"type": "TEXT", "text": {"value": text}}
    return {"type": "SCALAR", "scalar": {"value": number}}
