"""What a framework's machine decided: records to store first, then what may become visible outside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


@dataclass(slots=True)
class Effects:
    """What follows from decisions: `records` are stored (None removes one), then `actions` happen in order.

    What stands between two cuts belongs together and is stored all or none; pieces may be stored one after another.
    """

    records: dict[str, bytes | None] = field(default_factory=dict)
    actions: list[Callable[[], None]] = field(default_factory=list)
    earlier: list[Effects] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.records or self.actions or self.earlier)

    def cut(self) -> None:
        """What was decided up to here may be stored without what comes."""
        if self.records or self.actions:
            self.earlier.append(Effects(self.records, self.actions))
            self.records, self.actions = {}, []

    def pieces(self, limit: int) -> Iterator[Effects]:
        """In order, as few as there can be of at most `limit` bytes each; what belongs together may be larger."""
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
