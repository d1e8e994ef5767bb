"""The decisions of a framework's state machine: records to store first, then actions that become visible outside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


@dataclass(slots=True)
class Effects:
    """The effects of decisions: `records` are stored (None removes one), then `actions` happen in order.

    Records between two cuts are stored together, all or none; pieces may be stored one after another.
    """

    records: dict[str, bytes | None] = field(default_factory=dict)
    actions: list[Callable[[], None]] = field(default_factory=list)
    earlier: list[Effects] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.records or self.actions or self.earlier)

    def cut(self) -> None:
        """Everything decided so far may be stored without what follows."""
        if self.records or self.actions:
            self.earlier.append(Effects(self.records, self.actions))
            self.records, self.actions = {}, []

    def pieces(self, limit: int) -> Iterator[Effects]:
        """The pieces in order, as few as possible with at most `limit` bytes each; a single group may be larger."""
        piece = Effects()
        size = 0
        for group in (*self.earlier, Effects(self.records, self.actions)):
            more = sum(len(name) + len(value or b"") for name, value in group.records.items())
            if size and size + more > limit:
                yield piece
                piece, size = Effects(), 0
            piece.records.update(group.records)
            piece.actions += group.actions
            size += more
        if piece:
            yield piece
