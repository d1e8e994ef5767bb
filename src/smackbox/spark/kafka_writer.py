"""`df.write.format("kafka")`: rows as records, by Spark's names.

Columns: `value` (string or binary; must be there), `key`, `headers`, `partition`, `topic`. Options: `kafka.*`, `topic`
(goes before the column), `includeHeaders` (without it, the column `headers` is not written).

At least once, as Spark's own: a task that is repeated writes its rows again. Within a task the idempotent producer
writes each record once and in order; the task ends when Kafka has all of them, and fails with the first refusal.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from confluent_kafka import KafkaException, Producer
from pyspark.sql.datasource import DataSourceArrowWriter, WriterCommitMessage

from smackbox.base.errors import SettingError
from smackbox.base.settings import near
from smackbox.spark.kafka_client import client_settings

FLUSH_TIMEOUT_S = 120.0
"""How long a task waits in all for the broker to take what it still has."""
PIECE_ROWS = 10_000
POLL_S = 0.1
CLIENT_LOG_LEVEL = 2
"""librdkafka's lines about each attempt to connect are left out: what matters is raised."""
_KNOWN = ("topic", "includeheaders")
_READING = frozenset({"path", "prune"})
_KINDS = {
    "key": (
        pa.types.is_string,
        pa.types.is_large_string,
        pa.types.is_binary,
        pa.types.is_large_binary,
        pa.types.is_null,
    ),
    "topic": (pa.types.is_string, pa.types.is_large_string, pa.types.is_null),
    "partition": (pa.types.is_int32, pa.types.is_null),
    "headers": (pa.types.is_list, pa.types.is_large_list, pa.types.is_null),
}
_KINDS["value"] = _KINDS["key"]


@dataclass
class Produced(WriterCommitMessage):  # type: ignore[misc]
    """What a task wrote."""

    records: int


class KafkaWriter(DataSourceArrowWriter):  # type: ignore[misc]
    """Raises `SettingError` for options and columns that make no record."""

    def __init__(self, options: Mapping[str, str], columns: Sequence[str]) -> None:
        client: dict[str, str] = {}
        chosen: dict[str, str] = {}
        for key, value in options.items():
            name = key.lower()
            if name.startswith("kafka."):
                client[name.removeprefix("kafka.")] = value
            elif name in _KNOWN:
                chosen[name] = value
            elif name not in _READING:
                raise SettingError(f"writing to kafka has no option {key!r}{near(name, _KNOWN)}")
        if "bootstrap.servers" not in client:
            raise SettingError("writing to kafka needs the option kafka.bootstrap.servers")
        self._client = client_settings(client)
        self._topic = chosen.get("topic")
        headers = chosen.get("includeheaders", "false").lower() == "true"
        for name in columns:
            if name not in _KINDS:
                raise SettingError(f"a Kafka record has no column {name!r}{near(name, _KINDS)}")
        if "value" not in columns:
            raise SettingError("writing to kafka needs a column value")
        if self._topic is None and "topic" not in columns:
            raise SettingError("writing to kafka needs the option topic or a column topic")
        self._columns = [name for name in columns if name != "headers" or headers]

    def write(self, iterator: Iterator[pa.RecordBatch]) -> Produced:
        producer = Producer(
            {"linger.ms": 5, "log_level": CLIENT_LOG_LEVEL, "enable.idempotence": True, "acks": "all", **self._client}
        )
        failures: list[Any] = []
        count = 0
        try:
            for batch in iterator:
                self._check(batch.schema)
                for first in range(0, batch.num_rows, PIECE_ROWS):
                    for record in self._records(batch.slice(first, PIECE_ROWS)):
                        self._produce(producer, record, failures)
                        count += 1
                    if failures:
                        break
            deadline = time.monotonic() + FLUSH_TIMEOUT_S
            while len(producer) and not failures and time.monotonic() < deadline:
                producer.flush(POLL_S)
            if failures:
                raise KafkaException(failures[0])
            if len(producer):
                raise TimeoutError(f"Kafka has not taken {len(producer)} records after {FLUSH_TIMEOUT_S} s")
        finally:
            producer.purge()
        return Produced(count)

    def _check(self, schema: pa.Schema) -> None:
        for name in self._columns:
            kind = schema.field(name).type
            if not any(fits(kind) for fits in _KINDS[name]):
                raise SettingError(f"the column {name} has the type {kind}, which Kafka records do not have")

    def _records(self, batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
        columns = [batch.column(name).to_pylist() for name in self._columns]
        for values in zip(*columns, strict=True):
            record = {name: value for name, value in zip(self._columns, values, strict=True) if value is not None}
            if self._topic is not None:
                record["topic"] = self._topic
            if "topic" not in record:
                raise SettingError("a row has a null topic: the option topic is for all rows")
            if "headers" in record:
                record["headers"] = [(header["key"], header["value"]) for header in record["headers"]]
            yield record

    @staticmethod
    def _produce(producer: Any, record: dict[str, Any], failures: list[Any]) -> None:
        def delivered(error: Any, _: Any) -> None:
            if error is not None:
                failures.append(error)

        deadline = time.monotonic() + FLUSH_TIMEOUT_S
        while True:
            try:
                producer.produce(**record, on_delivery=delivered)
                producer.poll(0)
                return
            except BufferError:
                # the client's queue is full: wait until the broker has taken some
                if time.monotonic() > deadline:
                    raise TimeoutError(f"Kafka takes no records for {FLUSH_TIMEOUT_S} s") from None
                producer.poll(POLL_S)
