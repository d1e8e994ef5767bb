"""A producer of Kafka for actors and routes: one client, and a future for each record that it sends.

    producer = KafkaProducer(system, ProducerSettings("localhost:9092"))

    @(path("events") & post & entity(as_(Event)))
    async def events(event: Event) -> Route:
        await producer.send("events", msgspec.json.encode(event), event.id.bytes)
        return complete(HTTPStatus.ACCEPTED)

librdkafka sends and retries on threads of its own. Its reports are fetched on the event loop by `poll(0)`, which never
blocks, while records are in flight; so no second Python thread competes for the interpreter. What waits to be sent is
bounded by librdkafka's queue (`queue.buffering.max.messages`); beyond it `send` raises. Streams have `Kafka.sink`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from smackbox.akka.actor.shutdown import BEFORE_ACTOR_SYSTEM_TERMINATE
from smackbox.akka.stream.connectors.kafka import CLIENT_TIMEOUT_S, KafkaStreamError, ProducerSettings
from smackbox.akka.stream.errors import BufferOverflowError

if TYPE_CHECKING:
    from smackbox.akka.actor.system import ActorSystem

POLL_S = 0.001
"""Between two looks for reports, while records are in flight."""


class KafkaProducer:
    """Of one actor system, on its event loop. It closes with the system, or by `close`."""

    def __init__(self, system: ActorSystem, settings: ProducerSettings) -> None:
        from confluent_kafka import KafkaException, Producer

        self._client = Producer(settings.client())
        self._refusal: type[Exception] = KafkaException
        self._loop = asyncio.get_running_loop()
        self._in_flight = 0
        self._is_closed = False
        self._timer: asyncio.TimerHandle | None = None
        self._forget: Callable[[], None] = system.shutdown.add_task(
            BEFORE_ACTOR_SYSTEM_TERMINATE, "kafka-producer", self.close
        )

    @property
    def in_flight(self) -> int:
        """Records that were sent and are not acknowledged yet."""
        return self._in_flight

    def send(
        self,
        topic: str,
        value: bytes | str | None,
        key: bytes | str | None = None,
        headers: Sequence[tuple[str, bytes | None]] = (),
    ) -> asyncio.Future[None]:
        """Send a record; the future is done when the broker has it, and fails with `KafkaStreamError` where it has not.

        Raises `BufferOverflowError` where librdkafka's queue is full, and `KafkaStreamError` where it does not take the
        record, or is closed.
        """
        if self._is_closed:
            raise KafkaStreamError(f"{topic}: the producer is closed")
        done: asyncio.Future[None] = self._loop.create_future()
        options: dict[str, Any] = {"headers": list(headers)} if headers else {}
        try:
            self._client.produce(topic, value, key, on_delivery=partial(self._delivered, done), **options)
        except BufferError:
            raise BufferOverflowError(f"{topic}: {self._in_flight} records wait to be sent: send later") from None
        except self._refusal as error:
            raise KafkaStreamError(f"{topic}: {error}") from error
        self._in_flight += 1
        if self._timer is None:
            self._timer = self._loop.call_later(POLL_S, self._poll)
        return done

    async def close(self) -> None:
        """Send what waits, for at most `CLIENT_TIMEOUT_S`, and close. What is not acknowledged then fails."""
        self._forget()
        self._is_closed = True
        deadline_s = self._loop.time() + CLIENT_TIMEOUT_S
        while self._in_flight and self._loop.time() < deadline_s:
            await asyncio.sleep(POLL_S)
        if self._in_flight:
            self._client.purge()
            self._client.poll(0)
        if self._timer is not None:
            self._timer.cancel()

    def _poll(self) -> None:
        self._client.poll(0)
        self._timer = self._loop.call_later(POLL_S, self._poll) if self._in_flight else None

    def _delivered(self, done: asyncio.Future[None], error: Any, message: Any) -> None:
        self._in_flight -= 1
        if done.done():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(KafkaStreamError(f"{message.topic()}: {error}"))
            done.exception()  # whoever waits gets it; nobody may


__all__ = ["KafkaProducer", "ProducerSettings"]
