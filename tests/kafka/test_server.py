"""The broker's sockets: framing, pipelining, order, limits, garbage, the advertised address, start and stop."""

from __future__ import annotations

import io
import struct
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from crc32c import crc32c
from kio.index import load_payload_module
from kio.serial import entity_reader, entity_writer
from kio.static.constants import EntityType
from tests.kafka.client import RawClient, batch
from tests.kafka.conftest import StartKafka

from smackbox.base.errors import SettingError, StartError
from smackbox.kafka.handlers.apis import APIS
from smackbox.kafka.server import KafkaServer
from smackbox.kafka.settings import KafkaSettings
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from smackbox.kafka.wire.messages.create_topics import CreatableTopic, CreateTopicsRequest
from smackbox.kafka.wire.messages.describe_cluster import DescribeClusterRequest
from smackbox.kafka.wire.messages.metadata import MetadataRequest, MetadataRequestTopic
from smackbox.kafka.wire.record_batch import read_header, records
from smackbox.kafka.wire.schema import read
from smackbox.net.service import ServiceThread

METADATA = MetadataRequest(topics=[])


def create(client: RawClient, topic: str, partitions: int = 1) -> None:
    answer = client.ask(CreateTopicsRequest([CreatableTopic(topic, partitions, 1)]), 5)
    assert answer.topics[0].error_code == 0


def test_a_request_that_comes_byte_by_byte(start_kafka: StartKafka) -> None:
    with RawClient(start_kafka().url) as client:
        for byte in client.request(METADATA, 9):
            client.socket.sendall(bytes([byte]))
        assert client.answer(METADATA, 9).brokers


def test_pipelined_requests_are_answered_in_order(start_kafka: StartKafka) -> None:
    with RawClient(start_kafka().url) as client:
        create(client, "t")
        frames = b"".join(client.produce_frame("t", batch(b"%d" % i)) for i in range(200))
        client.socket.sendall(frames)
        assert [client.produced("t") for _ in range(200)] == [(0, i) for i in range(200)]


def test_a_parked_fetch_holds_back_the_answers_behind_it(start_kafka: StartKafka) -> None:
    with RawClient(start_kafka().url) as client, RawClient(client_url(client)) as other:
        create(client, "t")
        name = b"t"
        body = struct.pack(">iiiib", -1, 60_000, 1, 1000, 0) + struct.pack(">ih", 1, len(name)) + name
        body += struct.pack(">iiqi", 1, 0, 0, 1000)
        client.socket.sendall(client.frame(1, 4, body) + client.request(METADATA, 1))
        assert other.produce("t", batch(b"wakes the fetch")) == (0, 0)
        first, answer = client.receive()
        assert b"wakes the fetch" in answer
        second, _ = client.receive()
        assert second == first + 1


def client_url(client: RawClient) -> str:
    host, port = client.socket.getpeername()
    return f"{host}:{port}"


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: kafka\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
        b"\xff\xff\xff\xff" * 10,
        b"\x00\x00\x00\x01x",
        struct.pack(">ihhih", 10, 3, 1, 1, 300),
        struct.pack(">ihhih", 14, 3, 1, 1, 0) + b"\x7f\xff\xff\xff",
        struct.pack(">ihhih", 10, 999, 0, 1, 0),
        struct.pack(">ihhih", 10, 3, 99, 1, 0),
    ],
    ids=["http", "tls", "negative length", "too short", "client id", "array", "api key", "version"],
)
def test_garbage_closes_only_its_own_connection(start_kafka: StartKafka, garbage: bytes) -> None:
    kafka = start_kafka()
    with RawClient(kafka.url) as good, RawClient(kafka.url) as bad:
        bad.socket.sendall(garbage)
        assert bad.is_closed_by_peer()
        assert good.ask(METADATA, 9).brokers


def test_an_unknown_version_of_api_versions_gets_the_list_in_version_0(start_kafka: StartKafka) -> None:
    with RawClient(start_kafka().url) as client:
        client.socket.sendall(struct.pack(">ihhih", 10, 18, 99, 7, 0))
        correlation_id, body = client.receive()
        assert correlation_id == 7
        response, end = read(ApiVersionsResponse, 0, body)
        assert end == len(body)
        assert response.error_code == errors.UNSUPPORTED_VERSION
        assert {api.api_key for api in response.api_keys} == set(APIS)


def test_produce_is_advertised_from_0_for_librdkafka(start_kafka: StartKafka) -> None:
    with RawClient(start_kafka().url) as client:
        answer = client.ask(ApiVersionsRequest("test", "1"), 3)
        assert {a.api_key: (a.min_version, a.max_version) for a in answer.api_keys}[0] == (0, 13)


def test_the_address_that_was_dialled_is_advertised(start_kafka: StartKafka) -> None:
    kafka = start_kafka(host="0.0.0.0", insecure=True)
    port = kafka.url.rpartition(":")[2]
    for host in ("127.0.0.1", "127.0.0.2"):
        with RawClient(f"{host}:{port}") as client:
            (broker,) = client.ask(METADATA, 9).brokers
            assert (broker.host, broker.port) == (host, int(port))


def test_the_advertised_address_can_be_set(start_kafka: StartKafka) -> None:
    with RawClient(start_kafka(advertised="kafka.example:19092").url) as client:
        (broker,) = client.ask(METADATA, 9).brokers
        assert (broker.host, broker.port) == ("kafka.example", 19092)


def test_an_advertised_address_must_be_host_and_port() -> None:
    with pytest.raises(SettingError, match="host:port"):
        KafkaServer(KafkaSettings(advertised="no-port"))


def test_a_request_over_the_limit_closes_the_connection(start_kafka: StartKafka) -> None:
    with RawClient(start_kafka(socket_request_max_bytes=1000).url) as client:
        client.socket.sendall(struct.pack(">i", 1001))
        assert client.is_closed_by_peer()


def test_connections_over_the_limit_are_refused(start_kafka: StartKafka) -> None:
    kafka = start_kafka(max_connections=2)
    with RawClient(kafka.url) as first, RawClient(kafka.url) as second, RawClient(kafka.url) as third:
        assert first.ask(METADATA, 9).brokers
        assert second.ask(METADATA, 9).brokers
        assert third.is_closed_by_peer()


def test_partitions_over_the_limit_are_refused(start_kafka: StartKafka) -> None:
    with RawClient(start_kafka(max_partitions=3).url) as client:
        create(client, "a", 2)
        answer = client.ask(CreateTopicsRequest([CreatableTopic("b", 2, 1)]), 5)
        assert answer.topics[0].error_code == errors.POLICY_VIOLATION
        assert "max_partitions" in answer.topics[0].error_message


def test_fetches_over_the_limit_are_answered_at_once(start_kafka: StartKafka) -> None:
    with RawClient(start_kafka(max_parked_fetches=0).url) as client:
        create(client, "t")
        assert client.fetch("t", 0, wait_ms=15_000) == (0, b"")


def test_many_requests_in_flight_pause_reading_and_all_are_answered(start_kafka: StartKafka) -> None:
    kafka = start_kafka(max_inflight_requests=5)
    with RawClient(kafka.url) as client, RawClient(kafka.url) as other:
        create(client, "t")
        name = b"t"
        body = struct.pack(">iiiib", -1, 60_000, 1, 1000, 0) + struct.pack(">ih", 1, len(name)) + name
        body += struct.pack(">iiqi", 1, 0, 0, 1000)
        for _ in range(50):
            client.socket.sendall(client.frame(1, 4, body))
        other.produce("t", batch(b"x"))
        assert sum(b"x" in client.receive()[1] for _ in range(50)) == 50


def test_topics_come_and_go_with_the_server_unless_it_has_a_directory() -> None:
    with ServiceThread(KafkaServer(KafkaSettings())) as kafka, RawClient(kafka.url) as client:
        create(client, "t")
    with ServiceThread(KafkaServer(KafkaSettings())) as kafka, RawClient(kafka.url) as client:
        assert client.ask(MetadataRequest(topics=None), 9).topics == []


def test_records_topics_and_configs_survive_a_restart(start_kafka: StartKafka) -> None:
    first = start_kafka()
    with RawClient(first.url) as client:
        create(client, "t", 2)
        cluster_id = client.ask(METADATA, 9).cluster_id
        for i in range(50):
            assert client.produce("t", batch(b"%d" % i), 1) == (0, i)
    first.stop()
    with RawClient(start_kafka().url) as client:
        answer = client.ask(MetadataRequest(topics=[MetadataRequestTopic(name="t")]), 9)
        assert answer.cluster_id == cluster_id
        assert len(answer.topics[0].partitions) == 2
        _, data = client.fetch("t", 0, 1)
        assert len(split(data)) == 50
        assert client.produce("t", batch(b"next"), 1) == (0, 50)


def split(data: bytes) -> list[bytes]:
    """The values in fetched bytes, batch by batch."""
    values, position = [], 0
    while position + 61 <= len(data):
        header = read_header(data, position)
        if position + header.size > len(data):
            break
        values += [record.value or b"" for record in records(data, header, position)]
        position += header.size
    return values


def test_a_directory_is_held_by_one_broker(start_kafka: StartKafka, tmp_path: Path) -> None:
    start_kafka()
    with pytest.raises(StartError, match="held by process"):
        ServiceThread(KafkaServer(KafkaSettings(dir=tmp_path / "kafka"))).start()


def test_a_taken_port_is_one_clear_error(start_kafka: StartKafka) -> None:
    port = int(start_kafka().url.rpartition(":")[2])
    with pytest.raises(StartError, match="cannot listen"):
        ServiceThread(KafkaServer(KafkaSettings(port=port))).start()


def test_reset_wipes_everything(start_kafka: StartKafka) -> None:
    kafka = start_kafka()
    with RawClient(kafka.url) as client:
        create(client, "t")
        client.produce("t", batch(b"x"))
    kafka.call(kafka.service.reset())
    with RawClient(kafka.url) as client:
        assert client.ask(MetadataRequest(topics=None), 9).topics == []
        create(client, "t")
        assert client.produce("t", batch(b"y")) == (0, 0)


def damaged(**changes: int) -> bytearray:
    """A batch with other bytes at some places behind its CRC."""
    data = batch(b"x")
    for name, value in changes.items():
        data[{"magic": 16, "crc": 20, "count": 60, "length": 11}[name]] = value
    return data


def resealed(position: int, value: int) -> bytearray:
    """A batch with another byte, and a CRC that fits it."""
    data = batch(b"x")
    data[position] = value
    struct.pack_into(">I", data, 17, crc32c(bytes(data[21:])))
    return data


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (damaged(crc=0), errors.CORRUPT_MESSAGE),
        (damaged(magic=1), errors.INVALID_RECORD),
        (batch(b"x")[:30], errors.INVALID_RECORD),
        (batch(b"x")[:-1], errors.INVALID_RECORD),
        (batch(b"x") + batch(b"y"), errors.INVALID_RECORD),
        (bytearray(), errors.INVALID_RECORD),
        (resealed(60, 7), errors.INVALID_RECORD),  # the count
        (resealed(22, 0x20), errors.INVALID_RECORD),  # a control batch
        (resealed(22, 0x07), errors.CORRUPT_MESSAGE),  # no such compression
        (resealed(22, 0x04), errors.UNSUPPORTED_COMPRESSION_TYPE),  # zstd in version 3
        (resealed(22, 0x10), errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED),  # transactional without an id
        (batch(b"x", timestamp=4_000_000_000_000), errors.INVALID_TIMESTAMP),
        (batch(b"x", producer_id=5), errors.INVALID_RECORD),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else "batch",
)
def test_batches_that_are_refused(start_kafka: StartKafka, data: bytearray, code: int) -> None:
    with RawClient(start_kafka().url) as client:
        create(client, "t")
        assert client.produce("t", data) == (code, -1)
        assert client.produce("t", batch(b"good")) == (0, 0)


def test_without_acknowledgement_an_error_ends_the_connection(start_kafka: StartKafka) -> None:
    kafka = start_kafka()
    with RawClient(kafka.url) as client:
        create(client, "t")
        client.socket.sendall(client.produce_frame("t", batch(b"x"), acks=0))
        client.socket.sendall(client.produce_frame("t", batch(b"y")))
        assert client.produced("t") == (0, 1), "no answer to the first"
        client.socket.sendall(client.produce_frame("t", batch(b"x"), partition=7, acks=0))
        assert client.is_closed_by_peer()


def test_a_bug_fails_its_request_and_nothing_else(start_kafka: StartKafka, monkeypatch: pytest.MonkeyPatch) -> None:
    kafka = start_kafka()
    with RawClient(kafka.url) as client:
        create(client, "t")

        def broken(*_: object) -> None:
            raise RuntimeError("a bug")

        monkeypatch.setattr(APIS[19], "_handler", broken)
        monkeypatch.setattr(APIS[60], "_handler", broken)
        answer = client.ask(DescribeClusterRequest(), 0)
        assert answer.error_code == errors.UNKNOWN_SERVER_ERROR
        with RawClient(kafka.url) as other:
            other.socket.sendall(other.request(CreateTopicsRequest([]), 5))
            assert other.is_closed_by_peer(), "an answer without a place for an error"
        assert client.produce("t", batch(b"x")) == (0, 0)


@pytest.mark.parametrize("key", sorted(APIS), ids=lambda key: APIS[key].name)
def test_every_advertised_version_is_answered(start_kafka: StartKafka, key: int) -> None:
    """With a request of default values: an answer that parses, whatever it says; nothing hangs or breaks."""
    api = APIS[key]
    if key in {0, 1}:
        return  # read and written by hand: test_produce_and_fetch_in_every_advertised_version
    kafka = start_kafka()
    for version in range(api.min_version, api.max_version + 1):
        with RawClient(kafka.url) as client:
            client.ask(api.request_type(), version)
    assert not any(count.errors for count in kafka.service.running.broker.metrics.by_api.values())


def test_produce_and_fetch_in_every_advertised_version(start_kafka: StartKafka) -> None:
    kafka = start_kafka()
    with RawClient(kafka.url) as client:
        create(client, "t")
        asked = MetadataRequest(topics=[MetadataRequestTopic(name="t")])
        topic_id = uuid.UUID(bytes=client.ask(asked, 10).topics[0].topic_id)
        written = 0
        for version in range(APIS[0].min_version, APIS[0].max_version + 1):
            client.socket.sendall(
                client.frame(0, version, produce_body("t", topic_id, version, batch(b"%d" % version)))
            )
            _, answer = client.receive()
            response = decoded(0, version, answer)
            (partition,) = response.responses[0].partition_responses
            assert (partition.error_code, partition.base_offset) == (0, written), version
            written += 1
        for version in range(APIS[1].min_version, APIS[1].max_version + 1):
            client.socket.sendall(client.frame(1, version, fetch_body("t", topic_id, version)))
            _, answer = client.receive()
            (partition,) = decoded(1, version, answer).responses[0].partitions
            assert (partition.error_code, partition.high_watermark) == (0, written), version
            assert len(split(bytes(partition.records))) == written


def produce_body(topic: str, topic_id: uuid.UUID, version: int, data: bytearray) -> bytes:
    module = load_payload_module(0, version, EntityType.request)
    name = {"topic_id": topic_id} if version >= 13 else {"name": topic}
    partition = module.PartitionProduceData(index=0, records=bytes(data))
    topic_data = module.TopicProduceData(**name, partition_data=(partition,))
    request = module.ProduceRequest(acks=-1, timeout=timedelta(seconds=10), topic_data=(topic_data,))
    return encoded(request)


def fetch_body(topic: str, topic_id: uuid.UUID, version: int) -> bytes:
    module = load_payload_module(1, version, EntityType.request)
    name = {"topic_id": topic_id} if version >= 13 else {"topic": topic}
    partition = module.FetchPartition(partition=0, fetch_offset=0, partition_max_bytes=1 << 20)
    values = {"max_wait": timedelta(0), "min_bytes": 1, "max_bytes": 1 << 20, "isolation_level": 0}
    if version >= 7:
        values |= {"session_id": 0, "session_epoch": -1, "forgotten_topics_data": ()}
    if version <= 14:
        values["replica_id"] = -1
    return encoded(module.FetchRequest(topics=(module.FetchTopic(**name, partitions=(partition,)),), **values))


def encoded(entity: Any) -> bytes:
    buffer = io.BytesIO()
    entity_writer(type(entity))(buffer, entity)
    return buffer.getvalue()


def decoded(key: int, version: int, answer: bytes) -> Any:
    module = load_payload_module(key, version, EntityType.response)
    offset = 1 if version >= APIS[key].flexible else 0
    entity, size = entity_reader(getattr(module, APIS[key].name + "Response"))(answer, offset)
    assert size == len(answer) - offset
    return entity
