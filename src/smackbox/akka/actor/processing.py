"""Samples of actors' processing times: the first actor of each dispatcher turn is timed.

Times are seconds on the event loop: for an `async` handler those up to its first wait, during which it blocks others.
"""

from __future__ import annotations

from dataclasses import dataclass

NAMES_LIMIT = 200
OTHER = "other"
"""What further classes of actors are counted as."""


@dataclass(slots=True)
class Processed:
    """The number of timed messages, and their seconds."""

    messages: int = 0
    seconds: float = 0.0


class ProcessingTimes:
    """By the name of the actor's class."""

    def __init__(self) -> None:
        self.by_name: dict[str, Processed] = {}

    def add(self, name: str, messages: int, seconds: float) -> None:
        """Record that an actor has handled this many messages in one turn."""
        found = self.by_name.get(name)
        if found is None:
            if len(self.by_name) >= NAMES_LIMIT:
                name = OTHER
            found = self.by_name.setdefault(name, Processed())
        found.messages += messages
        found.seconds += seconds
