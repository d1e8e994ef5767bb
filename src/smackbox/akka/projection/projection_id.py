"""The name of a projection and which part of its events an instance handles."""

from __future__ import annotations

from smackbox.akka.actor.record import record


@record
class ProjectionId:
    """`ProjectionId("totals", "orders-3")`: the projection's name, and its tag or slice. One instance runs for each."""

    name: str
    key: str

    def __post_init__(self) -> None:
        if not self.name or not self.key:
            raise ValueError("a projection id needs a name and a key")

    @property
    def text(self) -> str:
        """Name and key, as pekko-projection joins them."""
        return f"{self.name}-{self.key}"
