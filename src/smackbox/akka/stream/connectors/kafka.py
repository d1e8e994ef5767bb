"""Kafka as sources, flows and sinks: plain, committable, partitioned, transactional; a committer that batches.

    Kafka.committable_source(settings, ["events"])
        .map_async(16, store)                       gives the message's `CommittableOffset` on
        .run_with(Committer.sink(), system)

The client is `confluent-kafka`, on a thread of its own for each source. Back-pressure: when `HIGH` elements wait, all
partitions are paused, and resumed when half of them are taken; the client goes on polling, and stays in its group.
An offset that is committed is the next one to read. A committer never moves an offset backwards: not behind what was
committed before, and not for a partition that was revoked since the message was read, as another member has it.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

from smackbox.akka.stream.errors import NO_MORE_ELEMENTS, StreamError
from smackbox.akka.stream.flow import Flow
from smackbox.akka.stream.inner_streams import OuterStage
from smackbox.akka.stream.promise import Promise
from smackbox.akka.stream.sink import Sink
from smackbox.akka.stream.source import Source
from smackbox.akka.stream.stage import Stage
from smackbox.akka.stream.substreams import Substream
from smackbox.base.kafka_transactions import transaction_options

if TYPE_CHECKING:
    from smackbox.akka.stream.materializer import Part

T = TypeVar("T")

HIGH = 2_000
"""Elements that wait for the stream; then the partitions are paused."""
POLL_S = 0.05
POLL_BATCH = 500
COMMIT_BATCH = 1_000
COMMIT_WITHIN_S = 10.0
COMMIT_PARALLELISM = 100
CLIENT_TIMEOUT_S = 30.0
TRANSACTION_WITHIN_S = 0.1

Partition = tuple[str, int]

log = logging.getLogger("smackbox.akka.stream.kafka")


class KafkaStreamError(StreamError):
    """The broker or the client refused something."""


@dataclass(frozen=True)
class ConsumerSettings:
    """`properties` are those of librdkafka, and win over the rest.

    A stream that ends by itself leaves its consumer in the group for `stop_timeout_s`: what it gave can still be
    committed; the control's `shutdown` leaves at once.
    """

    bootstrap: str
    group: str
    properties: dict[str, Any] = field(default_factory=dict)
    stop_timeout_s: float = 30.0

    def client(self, **more: Any) -> dict[str, Any]:
        """The settings of librdkafka's consumer; what is given here and in `properties` wins."""
        return {
            "bootstrap.servers": self.bootstrap,
            "group.id": self.group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            **more,
            **self.properties,
        }


@dataclass(frozen=True)
class ProducerSettings:
    """How a producer is made."""

    bootstrap: str
    properties: dict[str, Any] = field(default_factory=dict)

    def client(self, **more: Any) -> dict[str, Any]:
        """The settings of librdkafka's producer; what is given here and in `properties` wins."""
        return {
            "bootstrap.servers": self.bootstrap,
            "enable.idempotence": True,
            "linger.ms": 5,
            **more,
            **self.properties,
        }


@dataclass(frozen=True, slots=True)
class Record:
    """A message that was read, or (without an offset) one to write."""

    topic: str
    value: bytes | None
    key: bytes | None = None
    partition: int = -1
    offset: int = -1
    timestamp_ms: int = 0
    headers: tuple[tuple[str, bytes | None], ...] = ()


@dataclass(frozen=True, slots=True)
class CommittableOffset:
    """The message at `offset` is done: what is committed is the one after it."""

    partition: Partition
    offset: int
    epoch: int
    consumer: ConsumerThread

    async def commit(self) -> None:
        """Commit it alone. Streams batch, by `Committer`."""
        await self.consumer.commit({self.partition: self})


@dataclass(frozen=True, slots=True)
class CommittableMessage:
    """A record with the offset to commit once it is dealt with."""

    record: Record
    offset: CommittableOffset


class Control:
    """Of a running source."""

    def __init__(self, thread: ConsumerThread) -> None:
        self._thread = thread

    def stop(self) -> None:
        """Read no more, and complete the stream; commits of what it gave are still taken."""
        self._thread.stop_reading()

    async def drain_and_shutdown(self, stream: asyncio.Future[T]) -> T:
        """Stop, wait for the end of `stream`, and then leave the group."""
        self.stop()
        try:
            return await stream
        finally:
            await self._thread.close()

    async def shutdown(self) -> None:
        """Stop, and leave the group."""
        self.stop()
        await self._thread.close()


class ConsumerThread:
    """One client on its thread. What comes in is handed to `stage` by `note`; what is asked goes in by `_commands`."""

    def __init__(
        self, settings: ConsumerSettings, topics: Iterable[str], loop: asyncio.AbstractEventLoop, **more: Any
    ) -> None:
        self._settings = settings
        self._topics = list(topics)
        self._loop = loop
        self._more = more
        self._commands: queue.SimpleQueue[tuple[Callable[..., Any], tuple[Any, ...], Any]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._stage: ConsumerStage | None = None
        self._client: Any = None
        self._reading = True
        self._closing = False
        self._close_at_s: float | None = None
        self._paused = False
        self._given = 0
        self.taken = 0
        """Of what was given; the stage counts it, and the thread pauses by the difference."""
        self.epochs: dict[Partition, int] = {}
        """How often a partition was assigned; touched by the thread, read by all."""
        self.assigned: set[Partition] = set()
        self._committed: dict[Partition, int] = {}

    def start(self, stage: ConsumerStage) -> None:
        """Begin to read for that stage."""
        self._stage = stage
        self._thread = threading.Thread(target=self._run, name="kafka-consumer", daemon=True)
        self._thread.start()

    # -- asked from the loop

    def stop_reading(self) -> None:
        """Read no more; what was read can still be committed."""
        self._reading = False
        if self._stage is not None:
            self._stage.note(self._stage.drained)

    async def commit(self, offsets: dict[Partition, CommittableOffset]) -> None:
        """Raises `KafkaStreamError`. What would move an offset backwards is left out."""
        await asyncio.wrap_future(self._asked(self._commit, offsets))

    async def call(self, function: Callable[..., T]) -> T:
        """What `function(client)` gives, on the thread."""
        result: T = await asyncio.wrap_future(self._asked(lambda: function(self._client)))
        return result

    async def close(self) -> None:
        """Close the consumer and wait for its thread, within the client's timeout."""
        self.close_soon()
        thread = self._thread
        if thread is not None:
            await asyncio.to_thread(thread.join, CLIENT_TIMEOUT_S)

    def close_soon(self) -> None:
        """Close the consumer without waiting."""
        self._reading = False
        self._closing = True

    def close_later(self) -> None:
        """The stream is over; commits of what it gave may still come."""
        self._reading = False
        self._close_at_s = time.monotonic() + self._settings.stop_timeout_s

    def _asked(self, call: Callable[..., Any], *arguments: Any) -> Any:
        from concurrent.futures import Future

        future: Future[Any] = Future()
        if self._closing and (self._thread is None or not self._thread.is_alive()):
            future.set_exception(KafkaStreamError("the consumer has left its group: nothing can be committed by it"))
        else:
            self._commands.put((call, arguments, future))
        return future

    # -- on the thread

    def _run(self) -> None:
        from confluent_kafka import Consumer, KafkaException

        stage = self._stage
        assert stage is not None
        try:
            self._client = Consumer(self._settings.client(**self._more))
            self._client.subscribe(
                self._topics, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke
            )
            while not self._closing:
                self._do_commands()
                self._press_back()
                if self._close_at_s is not None and time.monotonic() >= self._close_at_s:
                    break
                messages = self._client.consume(POLL_BATCH, POLL_S)
                if messages and self._reading:
                    self._give(stage, messages)
        except (KafkaException, OSError, ValueError) as error:
            stage.note(stage.fail_stage, KafkaStreamError(f"the consumer of {', '.join(self._topics)} failed: {error}"))
        finally:
            self._closing = True
            self._do_commands()
            if self._client is not None:
                self._client.close()
            self._do_commands()
            stage.note(stage.drained)

    def _give(self, stage: ConsumerStage, messages: list[Any]) -> None:
        from confluent_kafka import KafkaError

        records = []
        for message in messages:
            error = message.error()
            if error is None:
                partition = (message.topic(), message.partition())
                records.append((partition, self.epochs.get(partition, 0), _record(message)))
            elif error.code() in {KafkaError._PARTITION_EOF, KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN}:
                continue
            elif error.fatal() or error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                stage.note(stage.fail_stage, KafkaStreamError(str(error)))
                return
            else:
                log.warning("%s", error)
        if records:
            self._given += len(records)
            stage.note(stage.arrived, records)

    def _press_back(self) -> None:
        waiting = self._given - self.taken
        if waiting >= HIGH and not self._paused:
            self._pause(True)
        elif self._paused and waiting * 2 <= HIGH:
            self._pause(False)

    def _do_commands(self) -> None:
        while True:
            try:
                call, arguments, future = self._commands.get_nowait()
            except queue.Empty:
                return
            try:
                result = call(*arguments)
            except Exception as error:
                future.set_exception(KafkaStreamError(str(error)))
            else:
                future.set_result(result)

    def _pause(self, paused: bool) -> None:
        self._paused = paused
        assignment = self._client.assignment()
        if assignment:
            (self._client.pause if paused else self._client.resume)(assignment)

    def _commit(self, offsets: dict[Partition, CommittableOffset]) -> None:
        from confluent_kafka import TopicPartition

        wanted = []
        for partition, offset in offsets.items():
            following = offset.offset + 1
            if partition not in self.assigned or offset.epoch != self.epochs[partition]:
                log.info("offset %d of %s is not committed: the partition was revoked since", following, partition)
            elif following > self._committed.get(partition, -1):
                wanted.append(TopicPartition(*partition, following))
        if not wanted:
            return
        for result in self._client.commit(offsets=wanted, asynchronous=False):
            if result.error is not None:
                raise KafkaStreamError(f"{result.topic}-{result.partition}: {result.error}")
            self._committed[(result.topic, result.partition)] = result.offset

    def _on_assign(self, _client: Any, partitions: list[Any]) -> None:
        for partition in partitions:
            key = (partition.topic, partition.partition)
            self.epochs[key] = self.epochs.get(key, 0) + 1
            self._committed.pop(key, None)
            self.assigned.add(key)
        if self._paused:
            self._client.pause(partitions)
        if self._stage is not None:
            self._stage.note(self._stage.assigned, [(p.topic, p.partition) for p in partitions])

    def _on_revoke(self, _client: Any, partitions: list[Any]) -> None:
        """What was asked to be committed is committed before the partitions go."""
        self._do_commands()
        for partition in partitions:
            self.assigned.discard((partition.topic, partition.partition))
        if self._stage is not None:
            self._stage.note(self._stage.revoked, [(p.topic, p.partition) for p in partitions])


class ConsumerStage(Stage):
    """Gives what `make(thread, partition, epoch, record)` makes of each record."""

    ins = 0

    def __init__(self, thread: ConsumerThread, make: Callable[[ConsumerThread, Partition, int, Record], Any]) -> None:
        self._thread = thread
        self._make = make
        self._waiting: deque[tuple[Partition, int, Record]] = deque()
        self._drained = False

    def note(self, call: Any, *arguments: Any) -> None:
        """From the consumer's thread: call this in the stage's turn."""
        self.interpreter.calls.append((self, call, arguments))
        self.interpreter.wake()

    def pre_start(self) -> None:
        self._thread.start(self)

    def on_pull(self) -> None:
        self._move()

    def arrived(self, records: list[tuple[Partition, int, Record]]) -> None:
        """Records have come, each with its partition and that partition's epoch."""
        self._waiting.extend(records)
        self._move()

    def assigned(self, partitions: list[Partition]) -> None:
        """The group gave these partitions to this consumer."""
        log.debug("assigned: %s", partitions)

    def revoked(self, partitions: list[Partition]) -> None:
        """What was read of them and waits is another member's to read."""
        gone, before = set(partitions), len(self._waiting)
        self._waiting = deque(entry for entry in self._waiting if entry[0] not in gone)
        self._thread.taken += before - len(self._waiting)

    def drained(self) -> None:
        """Reading has stopped: complete once what came is given."""
        self._drained = True
        self._waiting.clear()
        self._move()

    def post_stop(self) -> None:
        if self.interpreter.aborted is not None:
            self._thread.close_soon()
        elif not self._drained:
            self._thread.close_later()

    def _move(self) -> None:
        waiting = self._waiting
        if waiting and self.outlet.is_wanted:
            self._thread.taken += 1
            self.outlet.push(self._make(self._thread, *waiting.popleft()))
        if self._drained and not waiting:
            self.complete_stage()


class PartitionedStage(ConsumerStage):
    """A source for each partition that is assigned; it completes when the partition is revoked."""

    def __init__(self, thread: ConsumerThread, make: Callable[[ConsumerThread, Partition, int, Record], Any]) -> None:
        super().__init__(thread, make)
        self._new: deque[Partition] = deque()
        self._open: dict[Partition, tuple[Substream, deque[Any]]] = {}

    def on_pull(self) -> None:
        self._hand_out()

    def on_timer(self, key: Any) -> None:
        key.expired()

    def arrived(self, records: list[tuple[Partition, int, Record]]) -> None:
        for partition, epoch, record in records:
            found = self._open.get(partition)
            if found is None:
                self._thread.taken += 1
            else:
                found[1].append(self._make(self._thread, partition, epoch, record))
        for partition in list(self._open):
            self._give(partition)

    def assigned(self, partitions: list[Partition]) -> None:
        for partition in partitions:
            substream = Substream(self, f"the source of {partition[0]}-{partition[1]}")
            substream.on_pull = lambda partition=partition: self._give(partition)  # type: ignore[misc]
            substream.on_cancel = lambda _, partition=partition: self._left(partition)  # type: ignore[misc]
            self._open[partition] = (substream, deque())
            self._new.append(partition)
        self._hand_out()

    def revoked(self, partitions: list[Partition]) -> None:
        for partition in partitions:
            found = self._open.pop(partition, None)
            if found is not None:
                self._thread.taken += len(found[1])
                found[0].complete()
            if partition in self._new:
                self._new.remove(partition)

    def drained(self) -> None:
        self._drained = True
        for substream, _ in self._open.values():
            substream.complete()
        self._open.clear()
        self.complete_stage()

    def fail_stage(self, error: BaseException) -> None:
        for substream, _ in self._open.values():
            substream.fail(error)
        super().fail_stage(error)

    def _hand_out(self) -> None:
        if self._new and self.outlet.is_wanted:
            partition = self._new.popleft()
            substream, _ = self._open[partition]
            self.outlet.push((partition, Source.of_substream(substream)))
            substream.schedule_timeout()

    def _give(self, partition: Partition) -> None:
        found = self._open.get(partition)
        if found is None:
            return
        substream, waiting = found
        if waiting and substream.is_wanted:
            self._thread.taken += 1
            substream.push(waiting.popleft())

    def _left(self, partition: Partition) -> None:
        found = self._open.pop(partition, None)
        if found is not None:
            self._thread.taken += len(found[1])


class _Producer:
    """A client of one run, and a thread that serves its callbacks."""

    def __init__(self, settings: ProducerSettings, loop: asyncio.AbstractEventLoop) -> None:
        from confluent_kafka import Producer

        self._client = Producer(settings.client())
        self._loop = loop
        self._over = False
        self._thread = threading.Thread(target=self._serve, name="kafka-producer", daemon=True)
        self._thread.start()

    async def send(self, record: Record) -> Record:
        """The record with its partition and offset. Raises `KafkaStreamError`."""
        from confluent_kafka import KafkaException

        loop = self._loop
        done: asyncio.Future[Record] = loop.create_future()

        def delivered(error: Any, message: Any) -> None:
            loop.call_soon_threadsafe(_settle, done, error, message, record)

        options: dict[str, Any] = {"headers": list(record.headers)} if record.headers else {}
        if record.partition >= 0:
            options["partition"] = record.partition
        while True:
            try:
                self._client.produce(record.topic, record.value, record.key, on_delivery=delivered, **options)
                break
            except BufferError:
                await asyncio.sleep(0.01)
            except KafkaException as error:
                raise KafkaStreamError(f"{record.topic}: {error}") from error
        return await done

    def close(self) -> None:
        self._over = True

    def _serve(self) -> None:
        while not self._over:
            self._client.poll(POLL_S)
        self._client.flush(CLIENT_TIMEOUT_S)


def _settle(done: asyncio.Future[Record], error: Any, message: Any, record: Record) -> None:
    if done.done():
        return
    if error is not None:
        done.set_exception(KafkaStreamError(f"{record.topic}: {error}"))
        return
    _, timestamp_ms = message.timestamp()
    done.set_result(
        Record(
            record.topic, record.value, record.key, message.partition(), message.offset(), timestamp_ms, record.headers
        )
    )


class Kafka:
    """Sources, flows and sinks of Kafka's topics."""

    @staticmethod
    def plain_source(settings: ConsumerSettings, topics: Iterable[str]) -> Source[Record, Control]:
        """Records; nothing is committed."""
        return _consumer(settings, topics, ConsumerStage, lambda _thread, _partition, _epoch, record: record)

    @staticmethod
    def committable_source(settings: ConsumerSettings, topics: Iterable[str]) -> Source[CommittableMessage, Control]:
        """Records with offsets that a `Committer` takes. The control's `drain_and_shutdown` ends it well."""
        return _consumer(settings, topics, ConsumerStage, _committable)

    @staticmethod
    def partitioned_source(
        settings: ConsumerSettings, topics: Iterable[str]
    ) -> Source[tuple[Partition, Source[CommittableMessage, None]], Control]:
        """A source for each partition while this member has it."""
        return _consumer(settings, topics, PartitionedStage, _committable)

    @staticmethod
    def transactional_source(settings: ConsumerSettings, topics: Iterable[str]) -> Source[CommittableMessage, Control]:
        """Committed records alone, for `transactional_sink`, which commits their offsets with what it writes."""
        return _consumer(settings, topics, ConsumerStage, _committable, **{"isolation.level": "read_committed"})

    @staticmethod
    def sink(settings: ProducerSettings, parallelism: int = 1_000) -> Sink[Record, asyncio.Future[None]]:
        """Writes records; the future is notified when all are acknowledged."""
        flow: Flow[Record, Record, None] = Kafka._writing(settings, parallelism, lambda record: record, _only)
        return flow.to_mat(Sink.ignore(), lambda _, done: done)

    @staticmethod
    def flow(settings: ProducerSettings, parallelism: int = 1_000) -> Flow[tuple[Record, T], tuple[Record, T], None]:
        """Writes the record of a pair, and gives the pair on, with the record as it was written, in order."""
        return Kafka._writing(settings, parallelism, lambda pair: pair[0], lambda record, pair: (record, pair[1]))

    @staticmethod
    def committable_sink(
        settings: ProducerSettings, parallelism: int = 1_000
    ) -> Sink[tuple[Record, CommittableOffset], asyncio.Future[None]]:
        """Writes records, and commits the offsets of what they were made of."""
        flow: Any = Kafka.flow(settings, parallelism)
        sink: Any = flow.map(lambda pair: pair[1]).to_mat(Committer.sink(), lambda _, done: done)
        return cast("Sink[tuple[Record, CommittableOffset], asyncio.Future[None]]", sink)

    @staticmethod
    def transactional_sink(
        settings: ProducerSettings, transactional_id: str, within_s: float = TRANSACTION_WITHIN_S
    ) -> Sink[tuple[Record, CommittableOffset], asyncio.Future[None]]:
        """Writes records and offsets in transactions of up to `within_s`: both are there, or none."""

        def make(part: Part) -> tuple[Stage, asyncio.Future[None]]:
            promise: Promise[None] = Promise(part.system)
            loop: asyncio.AbstractEventLoop = cast("Any", part.system.dispatcher).loop
            transactions = _Transactions(settings, transactional_id, loop)
            flow: Flow[Any, Any, None] = Flow()
            flow = flow.grouped_within(COMMIT_BATCH, within_s).map_async(1, transactions.write)
            return _Line(flow, promise, transactions.close), promise.future

        return Sink.of_stage(make)

    @staticmethod
    def _writing(
        settings: ProducerSettings,
        parallelism: int,
        record_of: Callable[[Any], Record],
        result: Callable[[Record, Any], Any],
    ) -> Flow[Any, Any, None]:
        from smackbox.akka.stream.async_ops import MapAsync

        def make(part: Part) -> tuple[Stage, None]:
            producer = _Producer(settings, cast("Any", part.system.dispatcher).loop)

            async def write(element: Any) -> Any:
                return result(await producer.send(record_of(element)), element)

            class Write(MapAsync):
                def post_stop(self) -> None:
                    super().post_stop()
                    producer.close()

            return Write(parallelism, write), None

        flow: Flow[Any, Any, None] = Flow.of_stage(make)
        return flow


class _Transactions:
    """A transactional client; its calls block, and run on a thread of their own."""

    def __init__(self, settings: ProducerSettings, transactional_id: str, loop: asyncio.AbstractEventLoop) -> None:
        from concurrent.futures import ThreadPoolExecutor

        self._settings = settings
        self._id = transactional_id
        self._loop = loop
        self._pool = ThreadPoolExecutor(1, "kafka-transactions")
        self._client: Any = None

    async def write(self, pairs: list[tuple[Record, CommittableOffset]]) -> int:
        offsets = _highest(offset for _, offset in pairs)
        metadata = await pairs[0][1].consumer.call(lambda client: client.consumer_group_metadata())
        await self._loop.run_in_executor(self._pool, self._write, pairs, offsets, metadata)
        return len(pairs)

    def close(self) -> None:
        self._pool.shutdown(wait=False)

    def _write(self, pairs: list[Any], offsets: dict[Partition, CommittableOffset], metadata: Any) -> None:
        from confluent_kafka import KafkaException, Producer, TopicPartition

        if self._client is None:
            self._client = Producer(
                {**transaction_options(), **self._settings.client(**{"transactional.id": self._id})}
            )
            self._client.init_transactions(CLIENT_TIMEOUT_S)
        current = {key: one for key, one in offsets.items() if one.epoch == one.consumer.epochs.get(key)}
        if len(current) < len(offsets):
            raise KafkaStreamError("a partition was revoked before its records were written: another member has them")
        self._client.begin_transaction()
        try:
            for record, _ in pairs:
                self._client.produce(record.topic, record.value, record.key, headers=list(record.headers))
                self._client.poll(0)
            ends = [TopicPartition(*key, one.offset + 1) for key, one in current.items()]
            self._client.send_offsets_to_transaction(ends, metadata, CLIENT_TIMEOUT_S)
            self._client.commit_transaction(CLIENT_TIMEOUT_S)
        except (KafkaException, BufferError) as error:
            self._client.abort_transaction(CLIENT_TIMEOUT_S)
            raise KafkaStreamError(f"the transaction {self._id} is aborted: {error}") from error


class _Line(OuterStage):
    """A flow into nothing, with a promise for its end and something to close."""

    outs = 0

    def __init__(self, flow: Flow[Any, Any, None], promise: Promise[None], close: Callable[[], None]) -> None:
        self._flow = flow
        self._promise = promise
        self._close_client = close
        self._done: Any = None
        self.keep_going = True

    def pre_start(self) -> None:
        self._inner, done = self.run_sink(self._flow.to_mat(Sink.ignore(), lambda _, done: done), self._pulled)
        ended = self.callback(self._ended)
        done.add_done_callback(ended)

    def on_push(self) -> None:
        self._inner.push(self.inlet.grab())

    def on_upstream_finish(self) -> None:
        self._inner.complete()

    def on_upstream_failure(self, error: BaseException) -> None:
        self._inner.fail(error)

    def post_stop(self) -> None:
        self._promise.detach("the sink")
        self._close_client()

    def _pulled(self) -> None:
        self.inlet.try_pull()

    def _ended(self, done: asyncio.Future[None]) -> None:
        error = done.exception()
        if error is not None:
            self._promise.fail(error)
            self.fail_stage(error)
        else:
            self._promise.succeed(None)
            self.complete_stage()


class Committer:
    """Commits offsets in batches: of each partition the highest."""

    @staticmethod
    def flow(
        batch: int = COMMIT_BATCH, within_s: float = COMMIT_WITHIN_S, parallelism: int = COMMIT_PARALLELISM
    ) -> Flow[CommittableOffset, int, None]:
        """Gives the number of offsets of each batch that is committed. Up to `parallelism` batches are on their way."""
        offsets: Flow[CommittableOffset, CommittableOffset, None] = Flow()
        return offsets.grouped_within(batch, within_s).map_async(parallelism, _commit)

    @staticmethod
    def sink(
        batch: int = COMMIT_BATCH, within_s: float = COMMIT_WITHIN_S, parallelism: int = COMMIT_PARALLELISM
    ) -> Sink[CommittableOffset, asyncio.Future[None]]:
        """Commits the offsets that come, the highest of each partition, after `batch` of them or `within_s`."""
        return Committer.flow(batch, within_s, parallelism).to_mat(Sink.ignore(), lambda _, done: done)


async def _commit(offsets: list[CommittableOffset]) -> int:
    by_consumer: dict[int, list[CommittableOffset]] = {}
    for offset in offsets:
        by_consumer.setdefault(id(offset.consumer), []).append(offset)
    for group in by_consumer.values():
        await group[0].consumer.commit(_highest(group))
    return len(offsets)


def _highest(offsets: Iterable[CommittableOffset]) -> dict[Partition, CommittableOffset]:
    """Of each partition the newest assignment's highest."""
    highest: dict[Partition, CommittableOffset] = {}
    for offset in offsets:
        known = highest.get(offset.partition)
        if known is None or (offset.epoch, offset.offset) > (known.epoch, known.offset):
            highest[offset.partition] = offset
    return highest


def _committable(thread: ConsumerThread, partition: Partition, epoch: int, record: Record) -> CommittableMessage:
    return CommittableMessage(record, CommittableOffset(partition, record.offset, epoch, thread))


def _consumer(
    settings: ConsumerSettings, topics: Iterable[str], stage: type[ConsumerStage], make: Any, **more: Any
) -> Source[Any, Control]:
    names = list(topics)

    def made(part: Part) -> tuple[Stage, Control]:
        thread = ConsumerThread(settings, names, cast("Any", part.system.dispatcher).loop, **more)
        return stage(thread, make), Control(thread)

    return Source.of_stage(made)


def _record(message: Any) -> Record:
    _, timestamp_ms = message.timestamp()
    headers = tuple(message.headers() or ())
    return Record(
        message.topic(), message.value(), message.key(), message.partition(), message.offset(), timestamp_ms, headers
    )


def _only(record: Record, _: Any) -> Record:
    return record


__all__ = ["NO_MORE_ELEMENTS", "Committer", "ConsumerSettings", "Kafka", "ProducerSettings", "Record"]
