"""A topic: its id, its partitions, and its configuration overrides."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.partition import Partition
from smackbox.kafka.wire import error_codes as errors

NAME_LENGTH_LIMIT = 249
OFFSETS_TOPIC = "__consumer_offsets"
TRANSACTIONS_TOPIC = "__transaction_state"
INTERNAL_TOPICS = frozenset({OFFSETS_TOPIC, TRANSACTIONS_TOPIC})

_LEGAL_NAME = re.compile(r"[a-zA-Z0-9._-]+")


@dataclass(slots=True)
class Topic:
    """Partitions by index; `overrides` are the configurations that override the broker's."""

    name: str
    topic_id: bytes
    partitions: list[Partition] = field(default_factory=list)
    overrides: dict[str, str] = field(default_factory=dict)

    @property
    def internal(self) -> bool:
        """Whether it is an internal topic."""
        return self.name in INTERNAL_TOPICS


def check_name(name: str) -> None:
    """Raises `KafkaError` INVALID_TOPIC_EXCEPTION for names that Kafka rejects."""
    if not name:
        problem = "the empty string is not allowed"
    elif name in {".", ".."}:
        problem = f"'{name}' is not allowed"
    elif len(name) > NAME_LENGTH_LIMIT:
        problem = f"the length of '{name}' is longer than the max allowed length {NAME_LENGTH_LIMIT}"
    elif not _LEGAL_NAME.fullmatch(name):
        problem = f"'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
    else:
        return
    raise KafkaError(errors.INVALID_TOPIC_EXCEPTION, f"Topic name is invalid: {problem}")


def collision_key(name: str) -> str:
    """Names that differ only in '.' and '_' have the same key: they collide in metric names."""
    return name.replace(".", "_")
