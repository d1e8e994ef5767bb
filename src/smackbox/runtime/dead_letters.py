"""Dead letters over Kafka's protocol: list them with their reasons, send them again after a fix, or drop them.

A dead letter is a record with a header `error.reason`. The headers of the process that set it aside, `error.*` and
`source.*`, come first; the headers of the original follow unchanged.

Single records cannot be removed from a topic, so the state of a letter is in the topic `LEDGER`: key
`topic/partition/offset`, value `{"action": "replayed", "time": ms}`; it is compacted. A replay sends the original and
writes its ledger line in one transaction of Kafka's, under a transactional id of the dead-letter topic: a replay that
is killed and run again sends nothing twice, and of two at once one is fenced. Over HTTP a letter may go twice, when the
process dies between the answer and the ledger; the event's `unique` field has it counted once.
"""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from http.client import HTTPException
from itertools import islice
from typing import Any

import msgspec

from smackbox.base.errors import UserError
from smackbox.base.kafka_transactions import transaction_options

LEDGER = "smack.dead-letters"
REASON = "error.reason"
ADDED = (
    (REASON, "source.stream", "source.topic", "source.partition", "source.offset", "source.timestamp"),
    (REASON, "error.path", "error.index", "source.path", "source.topic"),
)
"""What a stream and what an endpoint puts before the original's headers, in this order; some may be missing."""

TIMEOUT_S = 30.0
CHUNK = 1_000
POLL_S = 0.05
"""The client waits so long for a whole chunk, also when the end has come."""

TRANSACTION_LETTERS = 500
HTTP_LIMIT_S = 30.0
FIRST_FETCH_BYTES = 16 * 1024
SAMPLE_LIMIT_S = 5.0

Header = tuple[str, bytes | None]


class Handled(msgspec.Struct, frozen=True):
    """What was done to a letter, and when (milliseconds since 1970)."""

    action: str
    time: int


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter: the original's `key`, `value` and `headers`, and the `added` headers."""

    topic: str
    partition: int
    offset: int
    time_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...]
    added: dict[str, str]

    @property
    def reason(self) -> str:
        """The reason why it was set aside."""
        return self.added[REASON]

    @property
    def place(self) -> str:
        """`partition/offset` in the dead-letter topic."""
        return f"{self.partition}/{self.offset}"

    @property
    def ledger_key(self) -> bytes:
        """Its key in the ledger."""
        return f"{self.topic}/{self.place}".encode()


def letter_of(message: Any) -> Letter | None:
    """A message as a dead letter; None for any other message."""
    added: dict[str, str] = {}
    headers: list[Header] = list(message.headers() or ())
    for _ in range(max(_begins(headers, order) for order in ADDED)):
        name, value = headers.pop(0)
        added[name] = (value or b"").decode(errors="replace")
    if REASON not in added:
        return None
    place = message.topic(), message.partition(), message.offset()
    return Letter(*place, message.timestamp()[1], message.key(), message.value(), tuple(headers), added)


def _begins(headers: list[Header], order: tuple[str, ...]) -> int:
    """The number of leading headers in that order."""
    count = at = 0
    for name, _ in headers:
        if name not in order[at:]:
            break
        at = order.index(name, at) + 1
        count += 1
    return count


class DeadLetterTopics:
    """The dead letters of one Kafka. Raises `KafkaException` if it refuses, `UserError` if it does not answer."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap

    def topics(self) -> list[str]:
        """The topics whose first records are dead letters."""
        consumer = self._consumer(FIRST_FETCH_BYTES)
        try:
            found = consumer.list_topics(timeout=TIMEOUT_S).topics
            names = [name for name in found if not name.startswith("__") and name != LEDGER]
            places = [(name, number) for name in names for number in found[name].partitions]
            return sorted(_with_letters(consumer, places))
        finally:
            consumer.close()

    def pending(self, topic: str) -> Iterator[Letter]:
        """The pending letters of a topic, as they are read.

        Raises `UserError` where there is no such topic, once they are read.
        """
        handled = self.handled(topic)
        return (letter for letter in self._letters(topic) if letter.ledger_key not in handled)

    def handled(self, topic: str) -> dict[bytes, Handled]:
        """What was done to letters of the topic, by their keys in the ledger."""
        prefix = f"{topic}/".encode()
        return {
            message.key(): msgspec.json.decode(message.value(), type=Handled)
            for message in self._messages(LEDGER, missing=True)
            if message.key() and message.value() and message.key().startswith(prefix)
        }

    def replay(self, topic: str, wanted: Callable[[Letter], bool], to: str | None, url: str | None) -> int:
        """Send the originals of the selected letters again; returns their number.

        They go `to` a topic, or to the one that they came from; those of an HTTP endpoint, and all where `to` is an
        `http://` URL, are posted; `url` is that of the box's endpoints. Raises `UserError`.
        """
        if to is not None and to.startswith(("http://", "https://")):
            return self._handle(topic, wanted, "replayed", lambda letter, _: _post(letter, to))

        def send(letter: Letter, producer: Any) -> None:
            if to is None and (path := letter.added.get("source.path")):
                if url is None:
                    raise UserError(f"{letter.place} came over HTTP to {path}: give --to http://HOST:PORT{path}")
                if not path.startswith("/"):
                    raise UserError(f"{letter.place} names {path!r} as where it came from, which is no path: give --to")
                _post(letter, url + path)
                return
            target = to or letter.added.get("source.topic")
            if target is None:
                raise UserError(f"{letter.place} does not say where it came from: give --to TOPIC")
            _produce(producer, target, letter)

        return self._handle(topic, wanted, "replayed", send)

    def drop(self, topic: str, wanted: Callable[[Letter], bool]) -> int:
        """Mark the selected letters as dropped; returns their number."""
        return self._handle(topic, wanted, "dropped", lambda _letter, _producer: None)

    def _handle(
        self, topic: str, wanted: Callable[[Letter], bool], action: str, send: Callable[[Letter, Any], None]
    ) -> int:
        from confluent_kafka import Producer

        self._make_ledger()
        producer = Producer(
            {
                "bootstrap.servers": self._bootstrap,
                **transaction_options(),
                "transactional.id": f"smack-dlq-{topic}",
                "log_level": 2,
            }
        )
        producer.init_transactions(TIMEOUT_S)  # aborts the transaction of a killed replay
        letters = filter(wanted, self.pending(topic))
        done = 0
        while chunk := list(islice(letters, TRANSACTION_LETTERS)):
            producer.begin_transaction()
            try:
                for letter in chunk:
                    send(letter, producer)
                    value = msgspec.json.encode(Handled(action, time.time_ns() // 1_000_000))
                    producer.produce(LEDGER, value, letter.ledger_key)
                    done += 1
            except UserError as error:
                producer.commit_transaction(TIMEOUT_S)  # those before it are done
                raise UserError(f"{error}; {done} letters before it were {action}") from error
            producer.commit_transaction(TIMEOUT_S)
        return done

    def _letters(self, topic: str) -> Iterator[Letter]:
        for message in self._messages(topic):
            letter = letter_of(message)
            if letter is not None:
                yield letter

    def _messages(self, topic: str, *, missing: bool = False) -> Iterator[Any]:
        """All committed messages up to the present ends."""
        from confluent_kafka import TopicPartition

        consumer = self._consumer()
        try:
            found = consumer.list_topics(topic, timeout=TIMEOUT_S).topics[topic]
            if found.error is not None or not found.partitions:
                if missing:
                    return
                raise UserError(
                    f"no topic {topic!r} at {self._bootstrap}; `smack dlq list` shows those with dead letters"
                )
            waiting: dict[int, int] = {}
            for number in found.partitions:
                low, high = consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=TIMEOUT_S)
                if low < high:
                    waiting[number] = high
            consumer.assign([TopicPartition(topic, number, 0) for number in waiting])
            deadline = time.monotonic() + TIMEOUT_S
            while waiting:
                messages = consumer.consume(CHUNK, POLL_S)
                for message in messages:
                    yield from _counted(message, waiting)
                if messages:
                    deadline = time.monotonic() + TIMEOUT_S
                elif time.monotonic() > deadline:
                    raise UserError(f"{topic} gives no records for {TIMEOUT_S:.0f} s")
        finally:
            consumer.close()

    def _consumer(self, fetch_bytes: int = 1 << 20) -> Any:
        from confluent_kafka import Consumer

        return Consumer(
            {
                "bootstrap.servers": self._bootstrap,
                "group.id": "smack-dlq",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "max.partition.fetch.bytes": fetch_bytes,
                "log_level": 2,
            }
        )

    def _make_ledger(self) -> None:
        from confluent_kafka import KafkaError, KafkaException
        from confluent_kafka.admin import AdminClient, NewTopic

        admin = AdminClient({"bootstrap.servers": self._bootstrap, "log_level": 2})
        try:
            ledger = NewTopic(LEDGER, 1, config={"cleanup.policy": "compact"})
            admin.create_topics([ledger])[LEDGER].result(TIMEOUT_S)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise


def _counted(message: Any, waiting: dict[int, int]) -> Iterator[Any]:
    """The message, where it is below its partition's end; a partition at its end waits no more."""
    from confluent_kafka import KafkaError, KafkaException

    error, number = message.error(), message.partition()
    if error is not None and error.code() != KafkaError._PARTITION_EOF:
        raise KafkaException(error)
    if number not in waiting:
        return
    if error is None and message.offset() < waiting[number]:
        yield message
    if message.offset() + (error is None) >= waiting[number]:
        del waiting[number]


def _with_letters(consumer: Any, places: Iterable[tuple[str, int]]) -> set[str]:
    """The topics among these whose first record is a dead letter."""
    from confluent_kafka import OFFSET_BEGINNING, TopicPartition

    unseen = set(places)
    found: set[str] = set()
    consumer.assign([TopicPartition(name, number, OFFSET_BEGINNING) for name, number in unseen])
    deadline = time.monotonic() + SAMPLE_LIMIT_S
    while unseen and time.monotonic() < deadline:
        for message in consumer.consume(CHUNK, 0.1):
            place = (message.topic(), message.partition())
            if place in unseen:
                unseen.discard(place)
                consumer.incremental_unassign([TopicPartition(*place)])
                if message.error() is None and letter_of(message) is not None:
                    found.add(place[0])
    return found


def _produce(producer: Any, target: str, letter: Letter) -> None:
    """The unchanged original; in its own partition if it returns to its own topic."""
    place: dict[str, Any] = {}
    if letter.added.get("source.topic") == target and "source.partition" in letter.added:
        place["partition"] = int(letter.added["source.partition"])
    if int(letter.added.get("source.timestamp", "-1")) > 0:
        place["timestamp"] = int(letter.added["source.timestamp"])
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        try:
            producer.produce(target, letter.value, letter.key, headers=list(letter.headers) or None, **place)
            return
        except BufferError:
            if time.monotonic() > deadline:
                raise UserError(f"the broker took no record for {TIMEOUT_S:.0f} s") from None
            producer.poll(0.1)


def _post(letter: Letter, url: str) -> None:
    """Post the original. Raises `UserError` with the endpoint's reason if it is refused again."""
    request = urllib.request.Request(  # noqa: S310 - the person's own URL
        url, letter.value or b"", {"Content-Type": "application/json"}, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=HTTP_LIMIT_S):  # noqa: S310
            return
    except urllib.error.HTTPError as error:
        said = error.read(500).decode(errors="replace")
        raise UserError(f"{letter.place} is refused again by {url}: {error.code} {said}") from error
    except (OSError, HTTPException) as error:
        raise UserError(f"{url} does not answer: {error}") from error
