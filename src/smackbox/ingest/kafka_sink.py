"""Sends accepted events to Kafka, with an idempotent producer whose queue is bounded in records and in bytes.

librdkafka sends and retries in its own threads. A timer on the server's loop fetches its delivery reports with
`poll(0)`, which never blocks. No second Python thread competes for the interpreter, one pass serves all reports that
have arrived, and all counters belong to the loop. The timer is fast while records are in flight, otherwise slow.

A record that is not acknowledged within the delivery timeout has failed. Whether it reached the log is then unknown, so
its sender must send it again, and readers drop duplicates by the event's identity.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from smackbox.ingest.sink import Done, Failure, Record

POLL_BUSY_S = 0.001
POLL_IDLE_S = 0.25
TOPICS_RETRY_S = 0.5
TOPICS_REQUEST_TIMEOUT_S = 5.0
RECORD_OVERHEAD = 256
CLOSE_TIMEOUT_S = 2.0
CLIENT_LOG_LEVEL = 2
"""librdkafka's log lines on each connection attempt are dropped: the state is logged once here."""

log = logging.getLogger(__name__)


class _Offer:
    """Records that are acknowledged together."""

    __slots__ = ("count", "done", "failure", "left", "sink", "size")

    def __init__(self, sink: KafkaSink, count: int, size: int, done: Done) -> None:
        self.sink = sink
        self.count = count
        self.left = count
        self.size = size
        self.done = done
        self.failure: Failure | None = None

    def delivered(self, error: KafkaError | None, _message: object = None) -> None:
        if error is not None and self.failure is None:
            self.failure = self.sink._failed(error)
        elif error is None and self.sink._silent:
            self.sink._answers_again()
        self.left -= 1
        if not self.left:
            self.sink._finish(self)


class KafkaSink:
    """One producer. `options` are librdkafka's, and override those set here."""

    def __init__(
        self,
        bootstrap: str,
        *,
        queue_events_limit: int,
        queue_bytes_limit: int,
        record_limit: int,
        delivery_timeout_s: float,
        topics_timeout_s: float,
        linger_ms: float,
        options: Mapping[str, str] | None = None,
    ) -> None:
        self._queue_events_limit = queue_events_limit
        self._queue_bytes_limit = queue_bytes_limit
        self._topics_timeout_s = topics_timeout_s
        self._client: dict[str, Any] = {
            "bootstrap.servers": bootstrap,
            "client.id": "smackbox-ingest",
            "reconnect.backoff.ms": 50,
            "reconnect.backoff.max.ms": 1_000,
            "logger": log,
            "log_level": CLIENT_LOG_LEVEL,
            **(options or {}),
        }
        self._configuration: dict[str, Any] = {
            "enable.idempotence": True,
            "linger.ms": linger_ms,
            "message.timeout.ms": int(delivery_timeout_s * 1000),
            "message.max.bytes": record_limit + 64 * 1024,
            "queue.buffering.max.messages": queue_events_limit,
            "queue.buffering.max.kbytes": queue_bytes_limit // 1024 + queue_events_limit * RECORD_OVERHEAD // 1024,
            "error_cb": self._on_error,
            **self._client,
        }
        self._producer: Producer | None = None
        self._topics: dict[str, int] = {}
        self._topics_task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = False
        self._fatal = False
        self._silent = False
        self._away: str | None = "its topics are not known to exist yet"
        self.queued_events = 0
        self.queued_bytes = 0

    @property
    def away(self) -> str | None:
        """Why Kafka is unreachable at the moment, or None."""
        return self._away

    async def start(self, topics: dict[str, int]) -> None:
        """Connect, and create missing topics (name: partitions)."""
        self._producer = Producer(self._configuration)
        self._topics = topics
        self._poll()
        await asyncio.wait({self._ensure_topics()}, timeout=self._topics_timeout_s)

    def offer(self, records: Sequence[Record], done: Done) -> Failure | None:
        """Queue records that belong together, or return why not; `done` gets the outcome once Kafka has answered for
        all.
        """
        if self._away is not None or self._stopped or self._producer is None:
            return Failure.AWAY
        size = 0
        for _, value, key, _ in records:
            size += len(value) + (len(key) if key else 0)
        if (
            self.queued_events + len(records) > self._queue_events_limit
            or self.queued_bytes + size > self._queue_bytes_limit
        ):
            return Failure.FULL
        was_idle = not self.queued_events
        self.queued_events += len(records)
        self.queued_bytes += size
        offer = _Offer(self, len(records), size, done)
        produce = self._producer.produce
        delivered = offer.delivered
        for topic, value, key, headers in records:
            try:
                if headers is None:
                    produce(topic, value, key, on_delivery=delivered)
                else:
                    produce(topic, value, key, on_delivery=delivered, headers=headers)
            except BufferError:
                delivered(KafkaError(KafkaError._QUEUE_FULL))
            except KafkaException as error:
                delivered(error.args[0])
        if was_idle:
            self._poll_soon(POLL_BUSY_S)
        return None

    async def stop(self, timeout_s: float) -> None:
        """Wait up to the timeout until the queue is empty, then stop. The remaining records fail."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while self.queued_events and loop.time() < deadline:
            await asyncio.sleep(POLL_BUSY_S)
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
        if self._topics_task is not None:
            self._topics_task.cancel()
            await asyncio.gather(self._topics_task, return_exceptions=True)
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.purge()
            async with asyncio.timeout(2 * CLOSE_TIMEOUT_S):
                await asyncio.to_thread(producer.flush, CLOSE_TIMEOUT_S)

    def _poll(self) -> None:
        if self._stopped or self._producer is None:
            return
        try:
            self._producer.poll(0)
            if self._fatal:
                self._replace(self._producer)
        finally:
            self._poll_soon(POLL_BUSY_S if self.queued_events else POLL_IDLE_S)

    def _poll_soon(self, delay_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._poll)

    def _finish(self, offer: _Offer) -> None:
        self.queued_bytes -= offer.size
        self.queued_events -= offer.count
        offer.done(offer.failure)

    def _failed(self, error: KafkaError) -> Failure:
        code = error.code()
        if code == KafkaError.MSG_SIZE_TOO_LARGE:
            return Failure.TOO_LARGE
        if code == KafkaError._QUEUE_FULL:
            return Failure.FULL
        if code in {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC}:
            self._ensure_topics()
        log.debug("a record was not acknowledged: %s", error)
        return Failure.AWAY

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal():
            log.error("the producer is beyond repair and is replaced: %s", error)
            self._fatal = True
        elif error.code() == KafkaError._ALL_BROKERS_DOWN and not self._silent:
            self._silent = True
            log.warning("no broker answers; events wait up to the delivery timeout")
        else:
            log.debug("librdkafka: %s", error)

    def _answers_again(self) -> None:
        self._silent = False
        log.warning("the broker answers again")

    def _replace(self, producer: Producer) -> None:
        """After a fatal error (fenced, sequence lost) a producer accepts nothing more: fail its records, open
        another.
        """
        self._fatal = False
        producer.purge()
        producer.poll(0)
        self._producer = Producer(self._configuration)

    def _ensure_topics(self) -> asyncio.Task[None]:
        """The task that creates the topics, started if none is running."""
        task = self._topics_task
        if task is None or task.done():
            task = self._topics_task = asyncio.get_running_loop().create_task(self._make_topics())
        return task

    async def _make_topics(self) -> None:
        while not self._stopped:
            problem = await asyncio.to_thread(make_topics, self._client, self._topics)
            if problem != self._away:
                if problem:
                    log.warning("ingest waits for the broker: %s", problem)
                self._away = problem
            if problem is None:
                return
            await asyncio.sleep(TOPICS_RETRY_S)


def make_topics(client: Mapping[str, Any], topics: Mapping[str, int]) -> str | None:
    """Create missing topics. Returns None, or why that failed for the moment. Blocks."""
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient(dict(client))
    new_topics = [
        NewTopic(name, num_partitions=partitions, replication_factor=-1) for name, partitions in topics.items()
    ]
    if not new_topics:
        return None
    futures = admin.create_topics(
        new_topics, operation_timeout=TOPICS_REQUEST_TIMEOUT_S, request_timeout=TOPICS_REQUEST_TIMEOUT_S
    )
    for name, future in futures.items():
        try:
            future.result(2 * TOPICS_REQUEST_TIMEOUT_S)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                return f"topic {name}: {error.args[0].str()}"
        except TimeoutError:
            return f"topic {name}: no answer within {2 * TOPICS_REQUEST_TIMEOUT_S} s"
    return None
