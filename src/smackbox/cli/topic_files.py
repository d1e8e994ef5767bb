"""A topic's records as a file and back: JSON lines; over Kafka's protocol, so with any Kafka.

    {"partition": 0, "offset": 17, "timestamp": 1769860800000, "key": "a", "value": "text", "headers": [["name", "x"]]}

`timestamp` is in milliseconds since 1970, and is the record's own. A key, value or header that is not UTF-8 is
`{"base64": "…"}`; null is null. Records are in the order of each partition; of transactions those that were committed.

An import keeps partitions, keys, values, headers and timestamps; offsets are the topic's own. A file is a path or a URL
(`store/object_files`), packed where its name ends in `.gz` or `.zst`; an export appears whole or not at all.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from smackbox.base.errors import UserError
from smackbox.store.object_files import reading, writing

TIMEOUT_S = 30.0
CHUNK = 1_000
POLL_S = 0.05
"""The client waits so long for a whole chunk, also when the end has come."""

NO_TIMESTAMP = -1

Text = str | dict[str, str] | None
Told = Callable[[int], None]
"""Called with how many records are done."""


class Line(msgspec.Struct, frozen=True):
    """One record as a line."""

    partition: int
    offset: int
    timestamp: int
    key: Text
    value: Text
    headers: tuple[tuple[str, Text], ...] = ()


def to_text(data: bytes | None) -> Text:
    """Bytes as JSON has them."""
    if data is None:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def to_bytes(text: Text) -> bytes | None:
    """What `to_text` was given. Raises `ValueError`."""
    if isinstance(text, dict):
        if text.keys() != {"base64"}:
            raise ValueError('an object must be {"base64": "…"}')
        return base64.b64decode(text["base64"], validate=True)
    return None if text is None else text.encode()


def line_of(message: Any) -> Line:
    """A message of the client as a line."""
    kind, timestamp = message.timestamp()
    return Line(
        message.partition(),
        message.offset(),
        timestamp if kind else NO_TIMESTAMP,
        to_text(message.key()),
        to_text(message.value()),
        tuple((name, to_text(value)) for name, value in message.headers() or ()),
    )


def export(
    consumer: Any, name: str, partitions: list[int], place: str, until_ms: int | None, told: Told = lambda _: None
) -> int:
    """Write the present records, with `until_ms` those of that time or earlier; returns their number.

    `consumer` reads committed records only and gives partition ends. Raises `UserError`.
    """
    from confluent_kafka import TopicPartition

    ends: dict[int, int] = {}
    starts: list[Any] = []
    for partition in partitions:
        low, high = consumer.get_watermark_offsets(TopicPartition(name, partition), timeout=TIMEOUT_S)
        if low < high:
            ends[partition] = high
            starts.append(TopicPartition(name, partition, low))
    consumer.assign(starts)
    count = 0
    with writing(place) as output:
        for message in _read(consumer, name, ends):
            kind, timestamp = message.timestamp()
            if until_ms is not None and kind and timestamp > until_ms:
                continue
            output.write(msgspec.json.encode(line_of(message)) + b"\n")
            count += 1
            if count % CHUNK == 0:
                told(count)
    return count


def load(producer: Any, name: str, partitions: int, place: str, told: Told = lambda _: None) -> int:
    """Produce the records of a file; returns the number acknowledged. Raises `UserError` with the number so far."""
    failures: list[str] = []
    acknowledged = 0

    def delivered(error: Any, _message: Any) -> None:
        nonlocal acknowledged
        if error is None:
            acknowledged += 1
        else:
            failures.append(error.str())

    def stop(why: str) -> UserError:
        producer.flush(TIMEOUT_S)
        return UserError(f"{why}; {acknowledged} records are in {name}")

    sent = 0
    with reading(place) as lines:
        for number, text in enumerate(lines, start=1):
            if not text.strip():
                continue
            try:
                line = msgspec.json.decode(text, type=Line)
                record = _record(line)
            except (msgspec.MsgspecError, ValueError) as error:
                raise stop(f"line {number} of {place} is no record: {error}") from error
            if line.partition >= partitions:
                raise stop(
                    f"line {number} of {place} is of partition {line.partition}, {name} has {partitions}: "
                    f"`smack topics alter {name} -p {line.partition + 1}` adds partitions"
                )
            _produce(producer, name, line, record, delivered)
            sent += 1
            if failures:
                raise stop(f"{name} refuses a record: {failures[0]}")
            if sent % CHUNK == 0:
                told(acknowledged)
    left = producer.flush(TIMEOUT_S)
    if failures or left:
        raise stop(f"{len(failures) + left} of {sent} records were not acknowledged: {(failures or ['no answer'])[0]}")
    return sent


def partitions_in(place: str) -> int:
    """The number of partitions that the records of a file need. Raises `UserError`."""
    most = 0
    with reading(place) as lines:
        for number, text in enumerate(lines, start=1):
            if text.strip():
                try:
                    most = max(most, msgspec.json.decode(text, type=_Place).partition)
                except msgspec.MsgspecError as error:
                    raise UserError(f"line {number} of {place} is no record: {error}") from error
    return most + 1


class _Place(msgspec.Struct):
    partition: int


def _read(consumer: Any, name: str, ends: dict[int, int]) -> Iterator[Any]:
    """Messages below `ends`; a partition is done at its end, or where a record at or behind it comes."""
    from confluent_kafka import KafkaError, KafkaException

    waiting = dict(ends)
    deadline = time.monotonic() + TIMEOUT_S
    while waiting:
        for message in consumer.consume(CHUNK, POLL_S):
            deadline = time.monotonic() + TIMEOUT_S
            error = message.error()
            partition = message.partition()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                raise KafkaException(error)
            if partition not in waiting:
                continue
            if error is None and message.offset() < waiting[partition]:
                yield message
            if message.offset() + (error is None) >= waiting[partition]:
                del waiting[partition]
        if time.monotonic() > deadline:
            raise UserError(f"{name} gives no records of partitions {sorted(waiting)} for {TIMEOUT_S:.0f} s")


def _record(line: Line) -> tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]:
    return to_bytes(line.key), to_bytes(line.value), [(name, to_bytes(value)) for name, value in line.headers]


def _produce(producer: Any, name: str, line: Line, record: Any, delivered: Callable[[Any, Any], None]) -> None:
    """Wait for room in the client's bounded queue."""
    key, value, headers = record
    timestamp = {} if line.timestamp == NO_TIMESTAMP else {"timestamp": line.timestamp}
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        try:
            producer.produce(
                name, value, key, line.partition, on_delivery=delivered, headers=headers or None, **timestamp
            )
            producer.poll(0)
            return
        except BufferError:
            if time.monotonic() > deadline:
                raise UserError(f"the broker took no record for {TIMEOUT_S:.0f} s") from None
            producer.poll(0.1)
