"""ListOffsets: looking up by time, what is left after DeleteRecords, and partitions that are asked for twice."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.contract.kafka.batches import made
from tests.contract.kafka.conftest import wait_for
from tests.kafka.client import RawClient

from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages import delete_records, list_offsets

pytestmark = pytest.mark.contract

LATEST, EARLIEST, LARGEST = -1, -2, -3
NONE = (0, -1, -1, -1)


class Topic:
    """One partition of a fresh topic; timestamps in answers are relative to `now_ms` where they are not -1."""

    def __init__(self, client: RawClient, name: str) -> None:
        self.client = client
        self.name = name
        self.now_ms = int(time.time() * 1000)
        wait_for(lambda: client.fetch(name, 0)[0] == 0)

    def produce(self, *stamps: int, base: int | None = None) -> None:
        assert self.client.produce(self.name, made(self.now_ms if base is None else base, stamps))[0] == 0

    def delete_before(self, offset: int) -> None:
        partition = delete_records.DeleteRecordsPartition(0, offset)
        request = delete_records.DeleteRecordsRequest(
            [delete_records.DeleteRecordsTopic(self.name, [partition])], 10_000
        )
        assert self.client.ask(request, 2).topics[0].partitions[0].error_code == 0

    def ask(self, *groups: list[tuple[int, int]], version: int = 7) -> list[Any]:
        """For each (partition, timestamp): code, timestamp, offset, epoch; one group is one entry of the topic."""
        topics = [
            list_offsets.ListOffsetsTopic(self.name, [list_offsets.ListOffsetsPartition(p, -1, t) for p, t in group])
            for group in groups
        ]
        answer = self.client.ask(list_offsets.ListOffsetsRequest(-1, 0, topics), version)
        return [
            (a.partition_index, a.error_code, a.timestamp - self.now_ms if a.timestamp >= 0 else -1, a.offset)
            for topic in answer.topics
            for a in topic.partitions
        ]

    def at(self, timestamp: int) -> Any:
        ((_, code, stamp, offset),) = self.ask([(0, timestamp)])
        assert code == 0
        return stamp, offset


@pytest.fixture
def topic(kafka_bootstrap: str, make_topic: Callable[..., str]) -> Any:
    with RawClient(kafka_bootstrap) as client:
        yield Topic(client, make_topic(1))


def test_by_time(topic: Topic) -> None:
    assert topic.at(LARGEST) == (-1, -1)
    topic.produce(0, 5, 1)
    assert (topic.at(LARGEST), topic.at(topic.now_ms + 1)) == ((5, 1), (5, 1))
    assert topic.at(topic.now_ms + 6) == (-1, -1)


def test_what_is_deleted_is_not_found_by_time_but_may_be_the_largest(topic: Topic) -> None:
    topic.produce(0, 5, 1)
    topic.delete_before(2)
    assert (topic.at(LARGEST), topic.at(topic.now_ms), topic.at(topic.now_ms + 5)) == ((5, 1), (1, 2), (-1, -1))
    topic.delete_before(3)
    assert (topic.at(LARGEST), topic.at(topic.now_ms)) == ((5, 1), (-1, -1))
    assert (topic.at(LATEST), topic.at(EARLIEST)) == ((-1, 3), (-1, 3))
    topic.produce(0)
    assert (topic.at(LARGEST), topic.at(topic.now_ms)) == ((5, 1), (0, 3))


def test_records_without_a_timestamp(topic: Topic) -> None:
    topic.produce(0, 0, base=-1)
    assert (topic.at(LARGEST), topic.at(0)) == ((-1, 0), (-1, -1))
    topic.produce(0)
    assert (topic.at(LARGEST), topic.at(0)) == ((0, 2), (0, 2))


def test_a_partition_that_is_asked_for_twice_is_refused_once(topic: Topic) -> None:
    refused = [(0, errors.INVALID_REQUEST, -1, -1)]
    assert topic.ask([(0, LATEST), (0, LATEST)]) == refused
    assert topic.ask([(0, LATEST), (0, EARLIEST), (0, EARLIEST)]) == refused
    assert topic.ask([(0, LATEST)], [(0, EARLIEST)]) == refused
    assert topic.ask([(7, LATEST), (7, EARLIEST)]) == [(7, errors.INVALID_REQUEST, -1, -1)]
    assert sorted(topic.ask([(0, LATEST)], [(1, EARLIEST)])) == [
        (0, 0, -1, 0), (1, errors.UNKNOWN_TOPIC_OR_PARTITION, -1, -1),
    ]  # fmt: skip
