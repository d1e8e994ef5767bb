"""What a framework's machine decided: records to store first, then what may be heard of it outside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Effects:
    """What follows from decisions: `records` are stored (None removes one), then `actions` happen in order."""

    records: dict[str, bytes | None] = field(default_factory=dict)
    actions: list[Callable[[], None]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.records or self.actions)
