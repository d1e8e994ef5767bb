"""The lag of consumer groups behind the ends of their topics, over Kafka's own protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

TIMEOUT_S = 10.0


class Lag(NamedTuple):
    """A group on a topic: its committed partitions, and sums of offsets; `lag` counts the records still to be read."""

    group: str
    topic: str
    partitions: int
    committed: int
    end: int

    @property
    def lag(self) -> int:
        """Records between the committed offsets and the ends."""
        return max(0, self.end - self.committed)


def lags(bootstrap: str, groups: Sequence[str] = ()) -> list[Lag]:
    """The lag of these groups, of all where none is named, by group and topic. Raises `KafkaException`."""
    from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
    from confluent_kafka.admin import AdminClient, OffsetSpec

    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 2})
    names = list(groups)
    if not names:
        listed = admin.list_consumer_groups(request_timeout=TIMEOUT_S).result()
        names = sorted(group.group_id for group in listed.valid)
    committed: dict[tuple[str, str, int], int] = {}
    for name in names:
        (asked,) = admin.list_consumer_group_offsets(
            [ConsumerGroupTopicPartitions(name)], request_timeout=TIMEOUT_S
        ).values()
        for place in asked.result().topic_partitions:
            if place.offset >= 0 and place.error is None:
                committed[name, place.topic, place.partition] = place.offset
    places = {(topic, partition) for _, topic, partition in committed}
    wanted = {TopicPartition(*place): OffsetSpec.latest() for place in places}
    ends: dict[tuple[str, int], int] = {}
    answers: dict[Any, Any] = admin.list_offsets(wanted, request_timeout=TIMEOUT_S) if wanted else {}
    for place, answer in answers.items():
        ends[place.topic, place.partition] = answer.result().offset
    sums: dict[tuple[str, str], list[int]] = {}
    for (group, topic, partition), offset in sorted(committed.items()):
        total = sums.setdefault((group, topic), [0, 0, 0])
        end = ends[topic, partition]
        for index, value in enumerate((1, min(offset, end), end)):
            total[index] += value
    return [Lag(group, topic, *total) for (group, topic), total in sums.items()]
