"""Incremental fetches (KIP-227): what a session's answers hold, and how it ends."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.contract.kafka.conftest import wait_for
from tests.kafka.client import RawClient, batch

from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages import delete_records

pytestmark = pytest.mark.contract

VERSION = 7
PARTITIONS = 3


class Fetcher:
    """Fetch version 7 on one topic; an answer is a code and `partition: (code, high watermark, start, records?)`."""

    def __init__(self, client: RawClient, topic: str) -> None:
        self.client = client
        self.topic = topic
        self.session_id = self.epoch = 0

    def ask(
        self,
        wants: dict[int, int],
        *,
        forget: tuple[int, ...] = (),
        session: tuple[int, int] | None = None,
        wait_ms: int = 0,
        min_bytes: int = 1,
        topic: str | None = None,
    ) -> tuple[int, dict[int, Any]]:
        session_id, epoch = session or (self.session_id, self.epoch)
        name = (topic or self.topic).encode()
        named = struct.pack(">h", len(name)) + name
        body = struct.pack(">iiiib", -1, wait_ms, min_bytes, 1 << 20, 0) + struct.pack(">ii", session_id, epoch)
        body += struct.pack(">i", 1) + named + struct.pack(">i", len(wants)) if wants else struct.pack(">i", 0)
        for partition, offset in wants.items():
            body += struct.pack(">iqqi", partition, offset, -1, 1 << 20)
        body += struct.pack(">i", 1 if forget else 0)
        if forget:
            body += named + struct.pack(f">i{len(forget)}i", len(forget), *forget)
        self.client.socket.sendall(self.client.frame(1, VERSION, body))
        return self.receive()

    def receive(self) -> tuple[int, dict[int, Any]]:
        _, answer = self.client.receive()
        code, session_id, topics = struct.unpack_from(">hii", answer, 4)
        at, found = 14, {}
        for _ in range(topics):
            (length,) = struct.unpack_from(">h", answer, at)
            (count,) = struct.unpack_from(">i", answer, at + 2 + length)
            at += 6 + length
            for _ in range(count):
                partition, error, high, _, start, aborted, size = struct.unpack_from(">ihqqqii", answer, at)
                assert aborted <= 0
                at += 38 + size
                found[partition] = (error, high, start, size > 0)
        if session_id and code == 0:
            self.session_id, self.epoch = session_id, self.epoch + 1
        return code, found


@pytest.fixture
def fetcher(kafka_bootstrap: str, make_topic: Callable[..., str]) -> Iterator[Fetcher]:
    topic = make_topic(PARTITIONS)
    with RawClient(kafka_bootstrap) as client:
        wait_for(lambda: all(client.fetch(topic, 0, p)[0] == 0 for p in range(PARTITIONS)))
        yield Fetcher(client, topic)


def test_only_news_are_told(fetcher: Fetcher) -> None:
    empty = (0, 0, 0, False)
    assert fetcher.ask({0: 0, 1: 0, 2: 0}) == (0, {0: empty, 1: empty, 2: empty})
    assert fetcher.session_id != 0
    assert fetcher.ask({}) == (0, {})
    fetcher.client.produce(fetcher.topic, batch(b"a"), 1)
    assert fetcher.ask({}) == (0, {1: (0, 1, 0, True)})
    assert fetcher.ask({}) == (0, {1: (0, 1, 0, True)}), "it was not asked for from further on"
    assert fetcher.ask({1: 1}) == (0, {})
    assert fetcher.ask({}) == (0, {})


def test_a_high_watermark_alone_is_news(fetcher: Fetcher) -> None:
    fetcher.client.produce(fetcher.topic, batch(b"a"))
    assert fetcher.ask({0: 1}) == (0, {0: (0, 1, 0, False)})
    fetcher.client.produce(fetcher.topic, batch(b"b"))
    assert fetcher.ask({0: 2}) == (0, {0: (0, 2, 0, False)})
    assert fetcher.ask({}) == (0, {})


def test_a_start_that_moved_is_news(fetcher: Fetcher) -> None:
    fetcher.client.produce(fetcher.topic, batch(b"a", b"b"))
    assert fetcher.ask({0: 2}) == (0, {0: (0, 2, 0, False)})
    asked = delete_records.DeleteRecordsPartition(0, 1)
    request = delete_records.DeleteRecordsRequest([delete_records.DeleteRecordsTopic(fetcher.topic, [asked])], 10_000)
    assert fetcher.client.ask(request, 2).topics[0].partitions[0].error_code == 0
    assert fetcher.ask({}) == (0, {0: (0, 2, 1, False)})
    assert fetcher.ask({}) == (0, {})


def test_an_error_is_told_until_it_goes_and_its_end_is_news(fetcher: Fetcher) -> None:
    fetcher.ask({0: 0, 1: 0})
    code, found = fetcher.ask({0: 5})
    assert (code, found[0][0], found.keys()) == (0, errors.OFFSET_OUT_OF_RANGE, {0})
    code, found = fetcher.ask({})
    assert (code, found[0][0], found.keys()) == (0, errors.OFFSET_OUT_OF_RANGE, {0})
    assert fetcher.ask({0: 0}) == (0, {0: (0, 0, 0, False)})
    assert fetcher.ask({}) == (0, {})


def test_partitions_join_and_are_forgotten(fetcher: Fetcher) -> None:
    fetcher.ask({0: 0})
    assert fetcher.ask({1: 0}) == (0, {1: (0, 0, 0, False)})
    for partition in (0, 1):
        fetcher.client.produce(fetcher.topic, batch(b"a"), partition)
    assert fetcher.ask({}, forget=(0,)) == (0, {1: (0, 1, 0, True)})
    code, found = fetcher.ask({7: 0})
    assert (code, found[7][0]) == (0, errors.UNKNOWN_TOPIC_OR_PARTITION)


def test_a_session_that_forgets_everything_ends(fetcher: Fetcher) -> None:
    fetcher.ask({0: 0})
    session = (fetcher.session_id, 1)
    assert fetcher.ask({}, forget=(0,)) == (0, {})
    assert fetcher.ask({}, session=(session[0], 2)) == (errors.FETCH_SESSION_ID_NOT_FOUND, {})


def test_wrong_ids_and_epochs(fetcher: Fetcher) -> None:
    assert fetcher.ask({0: 0}, session=(12345, 1)) == (errors.FETCH_SESSION_ID_NOT_FOUND, {})
    assert fetcher.ask({0: 0}, session=(0, 1)) == (errors.FETCH_SESSION_ID_NOT_FOUND, {})
    fetcher.ask({0: 0})
    assert fetcher.ask({}, session=(fetcher.session_id, 2)) == (errors.INVALID_FETCH_SESSION_EPOCH, {})
    assert fetcher.ask({}) == (0, {}), "the session is as it was"


def test_epoch_minus_one_ends_a_session_and_makes_none(fetcher: Fetcher) -> None:
    fetcher.ask({0: 0})
    session_id = fetcher.session_id
    assert fetcher.ask({0: 0}, session=(session_id, -1)) == (0, {0: (0, 0, 0, False)})
    assert fetcher.ask({}, session=(session_id, 1)) == (errors.FETCH_SESSION_ID_NOT_FOUND, {})


def test_epoch_zero_replaces_a_session(fetcher: Fetcher) -> None:
    fetcher.ask({0: 0})
    first = fetcher.session_id
    fetcher.ask({0: 0, 1: 0}, session=(first, 0))
    assert fetcher.session_id not in {0, first}
    assert fetcher.ask({}, session=(first, 1)) == (errors.FETCH_SESSION_ID_NOT_FOUND, {})


def test_a_waiting_fetch_of_a_session_hears_of_records(fetcher: Fetcher, kafka_bootstrap: str) -> None:
    fetcher.ask({0: 0, 1: 0, 2: 0})
    fetcher.ask({}, wait_ms=10)
    with RawClient(kafka_bootstrap) as producer:
        body = struct.pack(">iiiib", -1, 20_000, 1, 1 << 20, 0) + struct.pack(">iiii", fetcher.session_id, 2, 0, 0)
        fetcher.client.socket.sendall(fetcher.client.frame(1, VERSION, body))
        producer.produce(fetcher.topic, batch(b"a"), 2)
        assert fetcher.receive() == (0, {2: (0, 1, 0, True)})


def test_a_topic_that_is_deleted_is_an_error(fetcher: Fetcher, admin: Any) -> None:
    fetcher.ask({0: 0})
    assert fetcher.ask({}) == (0, {})
    admin.delete_topics([fetcher.topic])[fetcher.topic].result(10)
    seen: list[int] = []

    def told() -> bool:
        code, found = fetcher.ask({})
        assert code == 0
        seen.extend(row[0] for row in found.values())
        return bool(seen)

    wait_for(told)
    assert seen[0] in {errors.UNKNOWN_TOPIC_OR_PARTITION, errors.NOT_LEADER_OR_FOLLOWER}
