"""Produce and Fetch, which are read and written by hand, against kio in every version."""

from __future__ import annotations

import io
import uuid
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kio.index import load_payload_module
from kio.schema.errors import ErrorCode
from kio.serial import entity_reader, entity_writer
from kio.static.constants import EntityType

from smackbox.base.errors import ProtocolError
from smackbox.kafka.wire import fetch, produce

TOPIC_ID = uuid.UUID(int=7)


def kio(key: int, version: int, kind: str) -> Any:
    return load_payload_module(key, version, EntityType[kind])


def to_bytes(entity: Any) -> memoryview:
    buffer = io.BytesIO()
    entity_writer(type(entity))(buffer, entity)
    return memoryview(buffer.getvalue())


@pytest.mark.parametrize("version", range(produce.VERSIONS[0], produce.VERSIONS[1] + 1))
@pytest.mark.parametrize("transactional_id", [None, "txn"])
def test_a_produce_request_is_read(version: int, transactional_id: str | None) -> None:
    module = kio(0, version, "request")
    name: dict[str, Any] = {"topic_id": TOPIC_ID} if version >= produce.TOPIC_IDS else {"name": "tópic"}
    key = TOPIC_ID.bytes if version >= produce.TOPIC_IDS else "tópic".encode()
    data = to_bytes(
        module.ProduceRequest(
            transactional_id=transactional_id,
            acks=-1,
            timeout=timedelta(milliseconds=1500),
            topic_data=(
                module.TopicProduceData(
                    **name,
                    partition_data=(
                        module.PartitionProduceData(index=3, records=b"r" * 300),
                        module.PartitionProduceData(index=4, records=None),
                    ),
                ),
            ),
        )
    )
    request = produce.read_request(data, 0, version)
    assert request == (transactional_id, -1, 1500, [(key, [(3, b"r" * 300), (4, None)])])
    for cut in range(len(data) - 1):
        try:
            produce.read_request(data[:cut], 0, version)
        except ProtocolError:
            continue
        assert version >= produce.FLEXIBLE or cut >= len(data) - 1, f"read from {cut} of {len(data)} bytes"


@pytest.mark.parametrize("version", range(produce.VERSIONS[0], produce.VERSIONS[1] + 1))
def test_a_produce_response_is_written(version: int) -> None:
    name = TOPIC_ID.bytes if version >= produce.TOPIC_IDS else b"topic"
    body = produce.write_response(
        [(name, [produce.ProducedPartition(1, 0, 42, -1, 5), produce.ProducedPartition(2, 10, error_message="big")])],
        version,
    )
    response, size = entity_reader(kio(0, version, "response").ProduceResponse)(bytes(body), 0)
    assert size == len(body)
    (topic,) = response.responses
    first, second = topic.partition_responses
    assert (first.index, first.error_code, first.base_offset) == (1, ErrorCode.none, 42)
    assert (second.index, second.error_code) == (2, ErrorCode.message_too_large)
    if version >= 5:
        assert first.log_start_offset == 5
    if version >= 8:
        assert (first.error_message, second.error_message) == (None, "big")


@pytest.mark.parametrize("version", range(fetch.VERSIONS[0], fetch.VERSIONS[1] + 1))
def test_a_fetch_request_is_read(version: int) -> None:
    module = kio(1, version, "request")
    name: dict[str, Any] = {"topic_id": TOPIC_ID} if version >= fetch.TOPIC_IDS else {"topic": "topic"}
    partition: dict[str, Any] = {"partition": 3, "fetch_offset": 77, "partition_max_bytes": 4096}
    if version >= 5:
        partition["log_start_offset"] = -1
    if version >= 9:
        partition["current_leader_epoch"] = 5
    if version >= 12:
        partition["last_fetched_epoch"] = -1
    values: dict[str, Any] = {
        "max_wait": timedelta(milliseconds=500),
        "min_bytes": 1,
        "max_bytes": 1 << 20,
        "isolation_level": 1,
        "topics": (module.FetchTopic(**name, partitions=(module.FetchPartition(**partition),)),),
    }
    if version <= 14:
        values["replica_id"] = -1
    if version >= 7:
        gone = module.ForgottenTopic(**name, partitions=(4, 5))
        values |= {"session_id": 9, "session_epoch": 2, "forgotten_topics_data": (gone,)}
    data = to_bytes(module.FetchRequest(**values))
    key = TOPIC_ID.bytes if version >= fetch.TOPIC_IDS else b"topic"
    session = (9, 2) if version >= 7 else (0, -1)
    asked = fetch.FetchPartition(3, 5 if version >= 9 else -1, 77, 4096)
    forgotten = [(key, [4, 5])] if version >= 7 else []
    assert fetch.read_request(data, 0, version) == (500, 1, 1 << 20, True, *session, [(key, [asked])], forgotten)


@pytest.mark.parametrize("version", range(fetch.VERSIONS[0], fetch.VERSIONS[1] + 1))
def test_a_fetch_response_is_written(version: int) -> None:
    name = TOPIC_ID.bytes if version >= fetch.TOPIC_IDS else b"topic"
    partitions = [
        fetch.FetchedPartition(0, 0, 10, 9, 1, [(4, 2), (5, 3)], b"x" * 500),
        fetch.FetchedPartition(1, 1, -1, -1, -1, None, b""),
    ]
    pieces = fetch.write_response([(name, partitions)], version)
    assert b"x" * 500 in pieces, "records are not copied into the framing"
    body = b"".join(pieces)
    response, size = entity_reader(kio(1, version, "response").FetchResponse)(body, 0)
    assert size == len(body)
    (topic,) = response.responses
    first, second = topic.partitions
    assert (first.error_code, first.high_watermark, first.last_stable_offset) == (ErrorCode.none, 10, 9)
    assert bytes(first.records) == b"x" * 500
    assert [(a.producer_id, a.first_offset) for a in first.aborted_transactions] == [(4, 2), (5, 3)]
    assert second.error_code == ErrorCode.offset_out_of_range
    assert second.aborted_transactions is None


@given(st.binary(max_size=300), st.sampled_from(range(3, 14)))
def test_any_bytes_are_a_produce_request_or_a_protocol_error(data: bytes, version: int) -> None:
    try:
        produce.read_request(memoryview(data), 0, version)
    except ProtocolError:
        pass


@given(st.binary(max_size=300), st.sampled_from(range(4, 19)))
def test_any_bytes_are_a_fetch_request_or_a_protocol_error(data: bytes, version: int) -> None:
    try:
        fetch.read_request(memoryview(data), 0, version)
    except ProtocolError:
        pass
