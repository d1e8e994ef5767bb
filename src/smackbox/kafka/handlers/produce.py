"""Produce (key 0), versions 3 to 13.

Each partition's batch is checked, assigned its offset and appended with one write; the answer waits for the disk only
with `--sync`. acks=0 gets no answer; an error closes its connection. Topics are named by name, from version 13 on by
id. From version 12 on (transaction version 2) producing to a partition adds it to the transaction. Versions 0 to 2 are
advertised and rejected, as in Kafka, for librdkafka's sake.
"""

from __future__ import annotations

from smackbox.base.errors import ProtocolError
from smackbox.kafka.handlers.access import check_topic, check_transactional_id
from smackbox.kafka.handlers.call import PARKED, Answer, Call, Parked
from smackbox.kafka.state.acls import Operation
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.partition import Partition
from smackbox.kafka.state.topic import INTERNAL_TOPICS, Topic
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.produce import (
    TOPIC_IDS,
    ProducedPartition,
    ProducedTopics,
    ProduceRequest,
    write_response,
)
from smackbox.kafka.wire.record_batch import is_transactional, read_header

ZSTD_SINCE = 7
JOINS_SINCE = 12
VALID_ACKS = (-1, 0, 1)


def handle(broker: Broker, call: Call, request: ProduceRequest) -> Answer | Parked | None:
    """Answer Produce, at once or on completion."""
    if request.transactional_id is not None:
        check_transactional_id(broker, call, Operation.WRITE, request.transactional_id)
    answers: ProducedTopics = []
    appended: list[Partition] = []
    version = call.version
    now_ms = broker.clock.wall_ms()
    for name, batches in request.topics:
        topic = _topic(broker, name, version)
        results = []
        for index, batch in batches:
            try:
                if topic is not None or version < TOPIC_IDS:
                    check_topic(broker, call, Operation.WRITE, topic.name if topic else name.decode(errors="replace"))
                if topic is None:
                    raise KafkaError(
                        errors.UNKNOWN_TOPIC_ID if version >= TOPIC_IDS else errors.UNKNOWN_TOPIC_OR_PARTITION
                    )
                if request.acks not in VALID_ACKS:
                    raise KafkaError(errors.INVALID_REQUIRED_ACKS)
                if topic.name in INTERNAL_TOPICS:
                    raise KafkaError(errors.INVALID_TOPIC_EXCEPTION, f"Cannot append to internal topic {topic.name}")
                if not 0 <= index < len(topic.partitions):
                    raise KafkaError(errors.UNKNOWN_TOPIC_OR_PARTITION)
                if batch is None or not batch:
                    raise KafkaError(errors.INVALID_RECORD, "a produce request must hold exactly one record batch")
                partition = topic.partitions[index]
                if is_transactional(batch):
                    _check_transaction(broker, request, version, partition, batch)
                base_offset, append_time = partition.produce(batch, now_ms, allow_zstd=version >= ZSTD_SINCE)
            except KafkaError as error:
                results.append(ProducedPartition(index, error.code, error_message=error.message or None))
                continue
            appended.append(partition)
            broker.touched(partition)
            results.append(ProducedPartition(index, 0, base_offset, append_time, partition.log.start_offset))
        answers.append((name, results))
    if request.acks == 0:
        _check_unanswered(answers)
        return None
    if broker.settings.sync and appended:

        def committed(error: KafkaError | None) -> None:
            call.respond(write_response(answers if error is None else _failed(answers, error), version))

        broker.when_durable(appended, committed)
        return PARKED
    return write_response(answers, version)


def _check_unanswered(answers: ProducedTopics) -> None:
    """Close the connection of a producer with acks=0 after an error, as Kafka does, so that it asks for metadata again.
    Raises `ProtocolError`.
    """
    for name, results in answers:
        for result in results:
            if result.error_code:
                where = f"{name.decode(errors='replace')}-{result.partition}"
                raise ProtocolError(f"error {result.error_code} for {where} with acks=0: {result.error_message or ''}")


def _check_transaction(
    broker: Broker, request: ProduceRequest, version: int, partition: Partition, batch: memoryview
) -> None:
    """A transactional batch must belong to its producer's open transaction. Raises `KafkaError`."""
    if request.transactional_id is None:
        raise KafkaError(errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
    header = read_header(batch)
    broker.transactions.check_produce(
        request.transactional_id,
        header.producer_id,
        header.producer_epoch,
        (partition.topic, partition.index),
        may_add=version >= JOINS_SINCE,
    )


def _topic(broker: Broker, name: bytes, version: int) -> Topic | None:
    if version >= TOPIC_IDS:
        return broker.catalog.by_id.get(name)
    return broker.catalog.topics.get(name.decode(errors="replace"))


def _failed(answers: ProducedTopics, error: KafkaError) -> ProducedTopics:
    """The same answers with an error, when the disk did not accept what was appended."""
    return [
        (
            name,
            [
                result
                if result.error_code
                else ProducedPartition(result.partition, error.code, error_message=error.message)
                for result in results
            ],
        )
        for name, results in answers
    ]
