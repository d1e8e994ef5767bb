"""`kafka`: rows as records, each batch in one transaction, once.

Columns: `value` (string or binary; must be there), `key`, `headers`, `partition`, `topic` (or the option `topic`).
Spark's own sink writes at least once; this one is transactional: the transaction also commits the number of the batch,
as an offset of the group `smackbox-QUERY` (`sendOffsetsToTransaction`). A batch that was written, but whose commit in
the checkpoint was lost, finds its number there and is not written again. Consumers read with `read_committed`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from smackbox.spark.front.errors import SPARK, SparkError
from smackbox.spark.structured.batch import BatchRun, Rows
from smackbox.spark.structured.sinks.sink import Sink
from smackbox.spark.structured.sources.source import lower_case

TIMEOUT_S = 30.0
TRANSACTION_TIMEOUT_MS = 60_000
POLL_EVERY = 1_000
CLIENT_LOG_LEVEL = 2
_COLUMNS = {
    "key": (pa.types.is_string, pa.types.is_binary, pa.types.is_large_string, pa.types.is_null),
    "value": (pa.types.is_string, pa.types.is_binary, pa.types.is_large_string, pa.types.is_null),
    "topic": (pa.types.is_string, pa.types.is_large_string),
    "partition": (pa.types.is_int32,),
    "headers": (pa.types.is_list,),
}


def check(schema: pa.Schema, topic: str | None) -> None:
    """Raises `SparkError` for columns that make no record, as `KafkaWriter.validateQuery`."""
    if "value" not in schema.names:
        raise SparkError("Required attribute 'value' not found.")
    if topic is None and "topic" not in schema.names:
        raise SparkError(
            "topic option required when no 'topic' attribute is present. Use the topic option for setting a topic."
        )
    for name, kinds in _COLUMNS.items():
        if name in schema.names and not any(fits(schema.field(name).type) for fits in kinds):
            raise SparkError(
                f"Attribute '{name}' has the type {schema.field(name).type}, which Kafka records do not have."
            )


class KafkaSink(Sink):
    """`query_id` names the transactions: another run of the query fences this one's producer."""

    description = "org.apache.spark.sql.kafka010.KafkaSourceProvider$KafkaTable"

    def __init__(self, options: Mapping[str, str], schema: pa.Schema, query_id: str) -> None:
        found = lower_case(options)
        self._topic = found.get("topic")
        check(schema, self._topic)
        client = {key.removeprefix("kafka."): value for key, value in found.items() if key.startswith("kafka.")}
        if "bootstrap.servers" not in client:
            raise SparkError("Option 'kafka.bootstrap.servers' must be specified for configuring Kafka producer")
        self._group = f"smackbox-{query_id}"
        consumer = {
            key: value for key, value in client.items() if key.startswith(("bootstrap", "sasl", "security", "ssl"))
        }
        self._consumer = Consumer({**consumer, "group.id": self._group, "log_level": CLIENT_LOG_LEVEL})
        self._producer = Producer(
            {
                "linger.ms": 0,
                "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
                "log_level": CLIENT_LOG_LEVEL,
                **client,
                "transactional.id": self._group,
            }
        )
        self._done: int | None = None

    def add(self, batch: int, rows: Rows, run: BatchRun) -> int:
        table = run.table(rows)
        try:
            if self._done is None:
                self._producer.init_transactions(TIMEOUT_S)
            if table.num_rows == 0:
                return 0
            if self._done is None:
                self._done = self._committed(table)
            if batch > self._done:
                self._write(batch, table)
        except KafkaException as error:
            raise SparkError(f"Kafka did not take batch {batch}: {error}", classes=SPARK) from error
        return table.num_rows  # type: ignore[no-any-return]

    def stop(self) -> None:
        self._consumer.close()

    def _committed(self, table: pa.Table) -> int:
        """The last batch whose transaction is committed; -1 for none. Open ones were ended by `init_transactions`."""
        (place,) = self._consumer.committed([self._marker(table)], TIMEOUT_S)
        return place.offset - 1 if place.offset > 0 else -1

    def _marker(self, table: pa.Table) -> TopicPartition:
        """The partition whose group offset is the number of the batch: any that exists."""
        name = self._topic or next(value for value in table.column("topic").to_pylist() if value is not None)
        return TopicPartition(name, 0)

    def _write(self, batch: int, table: pa.Table) -> None:
        self._producer.begin_transaction()
        try:
            failures: list[Any] = []
            for number, record in enumerate(_records(table, self._topic)):
                self._produce(record, failures)
                if number % POLL_EVERY == 0:
                    self._producer.poll(0)
            place = self._marker(table)
            place.offset = batch + 1
            self._producer.send_offsets_to_transaction([place], self._consumer.consumer_group_metadata(), TIMEOUT_S)
            if failures:
                raise SparkError(f"Kafka did not take a record of batch {batch}: {failures[0]}", classes=SPARK)
            self._producer.commit_transaction(TIMEOUT_S)
        except BaseException:
            self._producer.abort_transaction(TIMEOUT_S)
            raise
        self._done = batch

    def _produce(self, record: dict[str, Any], failures: list[Any]) -> None:
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


def _records(table: pa.Table, topic: str | None) -> list[dict[str, Any]]:
    names = [name for name in _COLUMNS if name in table.schema.names]
    records = []
    for values in zip(*(table.column(name).to_pylist() for name in names), strict=True):
        record = {name: value for name, value in zip(names, values, strict=True) if value is not None}
        if topic is not None:
            record["topic"] = topic
        if "topic" not in record:
            raise SparkError("null topic present in the data. Use the topic option for setting a default topic.")
        if "headers" in record:
            record["headers"] = [(header["key"], header["value"]) for header in record["headers"]]
        records.append(record)
    return records
