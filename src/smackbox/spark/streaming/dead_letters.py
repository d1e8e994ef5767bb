"""Records that are no events, put aside in a topic with the reason; waited for before their batch is committed.

Value, key and headers stay as they were; the reason and where the record came from are headers before its own.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from confluent_kafka import KafkaError, Producer

from smackbox.spark.streaming.errors import SourceAwayError
from smackbox.spark.streaming.inputs.input import OwnRecord
from smackbox.spark.streaming.records import BadRecord
from smackbox.spark.streaming.source import CLIENT_LOG_LEVEL

FLUSH_TIMEOUT_S = 30.0
DELIVERY_TIMEOUT_MS = 20_000

log = logging.getLogger(__name__)


class DeadLetters:
    """A repeated batch puts its dead letters aside again: they come at least once."""

    def __init__(self, bootstrap: str, topic: str, stream: str, options: Mapping[str, str]) -> None:
        self._topic = topic
        self._stream = stream
        self._producer: Any = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "message.timeout.ms": DELIVERY_TIMEOUT_MS,
                "logger": log,
                "log_level": CLIENT_LOG_LEVEL,
                **options,
            }
        )

    def put(self, records: Sequence[BadRecord]) -> None:
        """Raises `SourceAwayError` unless Kafka acknowledges every record."""
        failures: list[KafkaError] = []

        def delivered(error: KafkaError | None, _message: object) -> None:
            if error is not None:
                failures.append(error)

        for record in records:
            message = record.message
            headers = [
                ("error.reason", record.reason.encode()),
                ("source.stream", self._stream.encode()),
                ("source.topic", message.topic().encode()),
                ("source.partition", str(message.partition()).encode()),
                ("source.offset", str(message.offset()).encode()),
                ("source.timestamp", str(message.timestamp()[1]).encode()),
                *(message.headers() or ()),
            ]
            while True:
                try:
                    self._producer.produce(
                        self._topic, _original(message), message.key(), headers=headers, on_delivery=delivered
                    )
                    break
                except BufferError:
                    self._producer.poll(0.1)
        left = self._producer.flush(FLUSH_TIMEOUT_S)
        if failures or left:
            raise SourceAwayError(f"the dead-letter topic {self._topic} does not answer: {failures[:1] or left}")

    def close(self) -> None:
        self._producer.flush(1.0)


def _original(message: Any) -> bytes | None:
    """What came; of a row that could not be read, where it was."""
    value: bytes | None = message.data if isinstance(message, OwnRecord) else message.value()
    return value
