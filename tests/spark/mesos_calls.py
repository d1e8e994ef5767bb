"""A clock and a Mesos master's calls, for frameworks that are driven step by step."""

from __future__ import annotations

from typing import Any


class Clock:
    now_ms = 1_000_000

    def monotonic_ms(self) -> int:
        return self.now_ms

    wall_ms = wall_us = monotonic_ms


class Calls:
    """What was called, by its kind and its first field."""

    def __init__(self) -> None:
        self.made: list[tuple[str, Any]] = []

    def call(self, kind: str, **fields: Any) -> None:
        self.made.append((kind, next(iter(fields.values()), None)))

    def acknowledge(self, status: Any) -> None:
        self.made.append(("ACKNOWLEDGE", status))

    def take(self) -> list[tuple[str, Any]]:
        made, self.made = self.made, []
        return made
