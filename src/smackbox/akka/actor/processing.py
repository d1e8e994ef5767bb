"""How long actors take for their messages, sampled: the first actor of a turn of the dispatcher is timed.

Seconds on the event loop: of an `async` handler those up to its first wait, which is what keeps others waiting.
"""

from __future__ import annotations

from dataclasses import dataclass

NAMES_LIMIT = 200
OTHER = "other"
"""What further classes of actors are counted as."""


@dataclass(slots=True)
class Processed:
    """Messages that were timed, and their seconds."""

    messages: int = 0
    seconds: float = 0.0


class ProcessingTimes:
    """By the name of the actor's class."""

    def __init__(self) -> None:
        self.by_name: dict[str, Processed] = {}

    def add(self, name: str, messages: int, seconds: float) -> None:
        """An actor has handled so many messages in one go."""
        found = self.by_name.get(name)
        if found is None:
            if len(self.by_name) >= NAMES_LIMIT:
                name = OTHER
            found = self.by_name.setdefault(name, Processed())
        found.messages += messages
        found.seconds += seconds
