"""When snapshots are taken by count, and what is deleted once one is stored (Pekko's rules)."""

from __future__ import annotations

from smackbox.akka.actor.record import record


@record
class Retention:
    """A snapshot each `every` events; the last `keep` stay. With `delete_events` what they cover is deleted, too.

    Events are deleted before snapshots, and never those that an older kept snapshot needs.
    """

    every: int
    keep: int
    delete_events: bool = False

    def __post_init__(self) -> None:
        if self.every < 1 or self.keep < 1:
            raise ValueError("retention needs every >= 1 and keep >= 1")

    def is_due(self, sequence_nr: int) -> bool:
        """Whether a snapshot follows the event with that number."""
        return sequence_nr % self.every == 0

    def delete_upper(self, sequence_nr: int) -> int:
        """Up to here all may go when a snapshot at `sequence_nr` is stored; 0: nothing."""
        return max(0, sequence_nr - self.keep * self.every)

    def delete_lower(self, upper: int) -> int:
        """Deleting goes back only so far: what is older was deleted before."""
        return max(0, upper - self.keep * self.every)
