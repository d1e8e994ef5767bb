"""What the coordinators of groups and of transactions use of their broker."""

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
    """A broker, seen from its coordinators."""

    settings: KafkaSettings
    clock: Clock
    timers: Timers
    catalog: Catalog
    new_id: Callable[[], uuid.UUID]

    def create_topic_automatically(self, name: str) -> Topic:
        """A topic that someone named before anyone made it. Raises `KafkaError`."""
        ...

    def next_producer_id(self) -> int:
        """An id that was never given before, over restarts too."""
        ...

    def touched(self, partition: Partition) -> None:
        """There is more to read in this partition."""
        ...

    def when_durable(self, partitions: Iterable[Partition], done: Done) -> None:
        """Call `done` when what was appended to `partitions` is as durable as the settings ask."""
        ...


class OffsetsInTransactions(Protocol):
    """The groups, seen from the transactions that commit their offsets."""

    def end_transaction_on(self, partitions: set[int], producer_id: int, *, commit: bool) -> None:
        """A transaction marker reached these partitions of the offsets topic."""
        ...
