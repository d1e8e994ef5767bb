"""Label selectors of GET /v2/apps: `a`, `a==b`, `a!=b`, `a in (b, c)`, `a notin (b, c)`; commas mean and."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from smackbox.marathon.wire.errors import Refusal

Selector = Callable[[Mapping[str, str]], bool]

_NAME = r"(?:[-A-Za-z0-9_./]|\\.)+"
_ONE = re.compile(
    rf"\s*(?P<key>{_NAME})"
    rf"(?:\s*(?P<operator>==|!=)\s*(?P<value>{_NAME})|\s+(?P<set>in|notin)\s*\((?P<values>[^)]*)\))?\s*"
)


def parse(text: str) -> Selector:
    """Parse a selector. Raises `Refusal` (400) for an invalid one."""
    conditions: list[Selector] = []
    position = 0
    while True:
        match = _ONE.match(text, position)
        if match is None:
            raise Refusal(400, f"'{text}' is not a label selector: syntax error at character {position}")
        conditions.append(_condition(match))
        position = match.end()
        if position == len(text):
            return lambda labels: all(condition(labels) for condition in conditions)
        if text[position] != ",":
            raise Refusal(400, f"'{text}' is not a label selector: expected , at character {position}")
        position += 1


def _condition(found: re.Match[str]) -> Selector:
    key = _plain(found["key"])
    if found["operator"]:
        value = _plain(found["value"])
        if found["operator"] == "==":
            return lambda labels: labels.get(key) == value
        return lambda labels: key in labels and labels[key] != value
    if found["set"]:
        values = {_plain(instance.strip()) for instance in found["values"].split(",")}
        if found["set"] == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: key in labels and labels[key] not in values
    return lambda labels: key in labels


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)
