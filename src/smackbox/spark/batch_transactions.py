"""Batches of records in Kafka, each in one transaction that also says which batch it was.

The number of the batch is committed with its records, as an offset of a group (`sendOffsetsToTransaction`): a batch
that was written, but whose end its writer did not live to note, is found there and not written again. The transactional
id fences: another writer with it makes this one fail. Consumers read with `read_committed`. The broker forgets a
group's offset after `offsets.retention.minutes` (a week): a writer that was killed in that moment must start before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from smackbox.base.kafka_transactions import transaction_options

TIMEOUT_S = 30.0
TRANSACTION_TIMEOUT_MS = 60_000
POLL_EVERY = 1_000
CLIENT_LOG_LEVEL = 2
_FENCED = frozenset({KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH})


class RecordRefusedError(Exception):
    """Kafka did not take a record of a batch; its transaction is aborted."""


class BatchTransactions:
    """One writer. `group` holds the number of the last batch; `options` are the client's.

    Every method raises `KafkaException`.
    """

    def __init__(self, options: Mapping[str, Any], transactional_id: str, group: str) -> None:
        known = ("bootstrap", "sasl", "security", "ssl", "log")
        consumer = {key: value for key, value in options.items() if key.startswith(known)}
        self._consumer = Consumer({"log_level": CLIENT_LOG_LEVEL, **consumer, "group.id": group})
        self._producer = Producer(
            {
                "linger.ms": 0,
                "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
                "log_level": CLIENT_LOG_LEVEL,
                **transaction_options(),
                **options,
                "transactional.id": transactional_id,
            }
        )
        self._is_open = False
        self._done: int | None = None

    def open(self) -> None:
        """Fence former writers and end their transactions."""
        if not self._is_open:
            self._producer.init_transactions(TIMEOUT_S)
            self._is_open = True

    def last_batch(self, topic: str) -> int:
        """The last batch whose transaction is committed; -1 for none. `topic` has the group's offset."""
        if self._done is None:
            (place,) = self._consumer.committed([TopicPartition(topic, 0)], TIMEOUT_S)
            self._done = place.offset - 1 if place.offset > 0 else -1
        return self._done

    def write(self, batch: int, records: Iterable[Mapping[str, Any]], topic: str) -> None:
        """Write the batch and its number. `records` are arguments of `produce`. Raises `RecordRefusedError` as well."""
        self._producer.begin_transaction()
        try:
            failures: list[Any] = []
            for number, record in enumerate(records):
                self._produce(record, failures)
                if number % POLL_EVERY == 0:
                    self._producer.poll(0)
            place = TopicPartition(topic, 0, batch + 1)
            self._producer.send_offsets_to_transaction([place], self._consumer.consumer_group_metadata(), TIMEOUT_S)
            if failures:
                raise RecordRefusedError(str(failures[0]))
            self._producer.commit_transaction(TIMEOUT_S)
        except BaseException:
            self._producer.abort_transaction(TIMEOUT_S)
            raise
        self._done = batch

    def close(self) -> None:
        """Release the connections."""
        self._consumer.close()

    def _produce(self, record: Mapping[str, Any], failures: list[Any]) -> None:
        def delivered(error: Any, _: Any) -> None:
            if error is not None:
                failures.append(error)

        while True:
            try:
                self._producer.produce(**record, on_delivery=delivered)
            except BufferError:
                self._producer.poll(1.0)
            else:
                return


def is_fenced(error: KafkaException) -> bool:
    """Whether another writer has the transactional id by now."""
    return error.args[0].code() in _FENCED
