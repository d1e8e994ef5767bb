"""The part of the broker that the group and transaction coordinators use."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from typing import Protocol

from smackbox.base.clock import Clock
from smackbox.kafka.settings import KafkaSettings
from smackbox.kafka.state.catalog import Catalog
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.partition import Partition
from smackbox.kafka.state.timers import Timers
from smackbox.kafka.state.topic import Topic

Done = Callable[[KafkaError | None], None]


class CoordinatorHost(Protocol):
    """The broker as its coordinators see it."""

    settings: KafkaSettings
    clock: Clock
    timers: Timers
    catalog: Catalog
    new_id: Callable[[], uuid.UUID]

    def create_topic_automatically(self, name: str) -> Topic:
        """Create a topic on its first use. Raises `KafkaError`."""
        ...

    def next_producer_id(self) -> int:
        """An id that was never handed out before, even across restarts."""
        ...

    def touched(self, partition: Partition) -> None:
        """Mark that there is more to read in this partition."""
        ...

    def when_durable(self, partitions: Iterable[Partition], done: Done) -> None:
        """Call `done` when what was appended to `partitions` is as durable as the settings require."""
        ...


class OffsetsInTransactions(Protocol):
    """The groups as the transactions that commit their offsets see them."""

    def end_transaction_on(self, partitions: set[int], producer_id: int, *, commit: bool) -> None:
        """A transaction marker was written to these partitions of the offsets topic."""
        ...
