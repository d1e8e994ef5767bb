"""A topic as a target: the rows of a batch as records, in one transaction with the batch's number, so once.

The transactional id is the stream's: a runner that was thought dead and is not can write nothing more once its
successor has opened. The batch's number belongs to the checkpoint (see `batch_transactions`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from confluent_kafka import KafkaError, KafkaException

from smackbox.base.event_keys import key_bytes
from smackbox.spark.batch_transactions import BatchTransactions, RecordRefusedError, is_fenced
from smackbox.spark.streaming.errors import AwayError, StreamError
from smackbox.spark.streaming.outputs.output import OutputBatch, as_dict

_HOPELESS = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
    }
)


class TopicOutput:
    """`event` is what the topic's records are; `key` names the field that chooses the partition."""

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        stream: str,
        event: type[msgspec.Struct],
        key: str | None,
        options: Mapping[str, str],
    ) -> None:
        self._topic = topic
        self._stream = stream
        self._event = event
        self._names = dict(zip(event.__struct_fields__, event.__struct_encode_fields__, strict=True))
        self._key = key
        self._options = {"bootstrap.servers": bootstrap, **options}
        self._transactions: BatchTransactions | None = None

    def open(self, checkpoint: str) -> None:
        if self._transactions is None:
            name = f"{self._stream}-to-{self._topic}"
            self._transactions = BatchTransactions(self._options, name, f"smackbox-{name}-{checkpoint}")
        try:
            self._transactions.open()
        except KafkaException as error:
            self.close()
            raise self._error(error) from error

    def put(self, batch: OutputBatch) -> None:
        if not batch.rows:
            return
        self.open(batch.checkpoint)
        transactions = self._transactions
        assert transactions is not None
        records = list(self._records(batch.rows))
        try:
            if batch.number > transactions.last_batch(self._topic):
                transactions.write(batch.number, records, self._topic)
        except RecordRefusedError as error:
            raise AwayError(f"the topic {self._topic} did not take a record: {error}") from error
        except KafkaException as error:
            # whatever state the producer is in, the next attempt begins with another one
            self.close()
            raise self._error(error) from error

    def close(self) -> None:
        if self._transactions is not None:
            self._transactions.close()
            self._transactions = None

    def _records(self, rows: Sequence[Any]) -> Iterator[dict[str, Any]]:
        for row in rows:
            event = row if type(row) is self._event else self._converted(row)
            yield {
                "topic": self._topic,
                "value": msgspec.json.encode(event),
                "key": None if self._key is None else key_bytes(getattr(event, self._key)),
            }

    def _converted(self, row: Any) -> Any:
        fields = as_dict(row)
        known = {self._names[name]: value for name, value in fields.items() if name in self._names}
        try:
            return msgspec.convert(known, self._event, strict=False)
        except msgspec.ValidationError as error:
            raise StreamError(f"the result does not fit the events of {self._topic}: {error}") from error

    def _error(self, error: KafkaException) -> Exception:
        reason = error.args[0]
        if is_fenced(error):
            return StreamError(
                f"another runner of {self._stream} writes to {self._topic}: this one ends ({reason.str()})"
            )
        if reason.code() in _HOPELESS:
            return StreamError(f"the topic {self._topic} refuses the batch: {reason.str()}")
        return AwayError(f"the topic {self._topic} does not take the batch: {reason.str()}")
