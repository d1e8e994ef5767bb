"""Fetch (key 1), versions 4 to 18.

Whole batches are read from the log and sent unchanged. If fewer than `min_bytes` are available, the call is parked
until enough is appended or `max_wait_ms` has passed. `read_committed` reads up to the last stable offset and lists the
aborted transactions among the records that it read.

A full request with epoch 0 starts a session (KIP-227, `state/fetch_sessions.py`); later requests name only changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from smackbox.kafka.handlers.access import check_topic
from smackbox.kafka.handlers.call import PARKED, Answer, Call, Parked
from smackbox.kafka.state.acls import Operation
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.fetch_sessions import FetchSession, Key, Touched
from smackbox.kafka.state.partition import LEADER_EPOCH, Partition
from smackbox.kafka.state.timers import Timer
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.fetch import (
    TOPIC_IDS,
    FetchedPartition,
    FetchedTopics,
    FetchPartition,
    FetchRequest,
    write_response,
)

NO_OFFSET = -1
FINAL_EPOCH = -1
INITIAL_EPOCH = 0
SESSIONS = 7


def handle(broker: Broker, call: Call, request: FetchRequest) -> Answer | Parked:
    """Answer Fetch, at once or on completion."""
    if request.session_epoch in {FINAL_EPOCH, INITIAL_EPOCH}:
        broker.fetch_sessions.remove(request.session_id)
        fetch: _Fetch = _WholeFetch(broker, call, request)
    else:
        session = _session(broker, call, request)
        if isinstance(session, int):
            return write_response([], call.version, session)
        if not session.watched:
            broker.fetch_sessions.remove(session.id)
            return write_response([], call.version)
        fetch = _SessionFetch(broker, call, request, session)
    size, final = fetch.collect()
    if (
        final
        or size >= request.min_bytes
        or request.max_wait_ms <= 0
        or broker.parked_fetches >= broker.settings.max_parked_fetches
    ):
        return fetch.answer()
    _Parked(broker, call, request, fetch)
    return PARKED


def _session(broker: Broker, call: Call, request: FetchRequest) -> FetchSession | int:
    """Look up the session of an incremental request and advance it; or the error code."""
    sessions = broker.fetch_sessions
    session = sessions.get(request.session_id)
    if session is None:
        return errors.FETCH_SESSION_ID_NOT_FOUND
    if session.epoch != request.session_epoch:
        return errors.INVALID_FETCH_SESSION_EPOCH
    if session.by_topic_id != (call.version >= TOPIC_IDS):
        return errors.FETCH_SESSION_TOPIC_ID_ERROR
    if session.touched is not None:
        session.touched(last=True)
    sessions.update(
        session,
        (((name, want.partition), want) for name, asked in request.topics for want in asked),
        ((name, index) for name, indexes in request.forgotten for index in indexes),
    )
    sessions.use(session, broker.clock.monotonic_ms())
    return session


class _Fetch:
    """One request: the records available for it, and what it waits for."""

    def __init__(self, broker: Broker, call: Call, request: FetchRequest) -> None:
        self.broker = broker
        self.call = call
        self.request = request
        self.topics: FetchedTopics = []
        self._left = self._total = 0
        self._final = False

    def collect(self) -> tuple[int, bool]:
        """Read what is available: how many bytes of records, and whether waiting could yield more."""
        self._left = min(self.request.max_bytes, self.broker.settings.fetch_max_bytes)
        self._total, self._final = 0, False
        self.topics = self._look()
        return self._total, self._final

    def _look(self) -> FetchedTopics:
        raise NotImplementedError

    def answer(self) -> Answer:
        """The answer from the last `collect`."""
        raise NotImplementedError

    def waits_for(self) -> Iterable[tuple[Partition, FetchPartition]]:
        """The partitions whose new records would end the wait."""
        raise NotImplementedError

    def listen(self, look: Touched) -> Callable[[], None]:
        """Call `look` when partitions change; returns the function that stops this."""
        raise NotImplementedError

    def read(self, name: bytes, want: FetchPartition) -> tuple[FetchedPartition, Partition | None, bool]:
        """The answer for a partition, the partition itself, and whether its end was reached."""
        request = self.request
        partition = None
        try:
            partition = _partition(self.broker, self.call, name, want)
            bound = partition.bound(committed=request.committed)
            limit = min(want.max_bytes, self._left)
            data = partition.log.read(want.offset, limit, bound, min_one_batch=self._total == 0)
        except KafkaError as error:
            self._final = True
            return _refused(partition, want, error), partition, False
        self._total += len(data)
        self._left = max(self._left - len(data), 0)
        aborted = _aborted(partition, want.offset, data) if request.committed else None
        fetched = FetchedPartition(
            want.partition,
            0,
            partition.high_watermark,
            partition.last_stable_offset,
            partition.log.start_offset,
            aborted,
            data,
        )
        return fetched, partition, not data and want.offset >= bound


class _WholeFetch(_Fetch):
    """A full request: it names all its partitions, and may or may not start a session."""

    def _look(self) -> FetchedTopics:
        self._final = not self.request.topics
        return [(name, [self.read(name, want)[0] for want in asked]) for name, asked in self.request.topics]

    def answer(self) -> Answer:
        version = self.call.version
        session = None
        if self.request.session_epoch == INITIAL_EPOCH and version >= SESSIONS:
            wants = (((name, want.partition), want) for name, asked in self.request.topics for want in asked)
            now_ms = self.broker.clock.monotonic_ms()
            session = self.broker.fetch_sessions.create(wants, now_ms, by_topic_id=version >= TOPIC_IDS)
        if session is not None:
            for name, found in self.topics:
                for partition_read in found:
                    session.told((name, partition_read.partition), partition_read)
        return write_response(self.topics, version, 0, session.id if session is not None else 0)

    def waits_for(self) -> Iterable[tuple[Partition, FetchPartition]]:
        return [
            (_partition(self.broker, self.call, name, want), want)
            for name, asked in self.request.topics
            for want in asked
        ]

    def listen(self, look: Touched) -> Callable[[], None]:
        partitions = [partition for partition, _ in self.waits_for()]
        for partition in partitions:
            partition.waiters.add(look)

        def stop() -> None:
            for partition in partitions:
                partition.waiters.discard(look)

        return stop


class _SessionFetch(_Fetch):
    """An incremental request: looks only at the partitions that may have changed."""

    def __init__(self, broker: Broker, call: Call, request: FetchRequest, session: FetchSession) -> None:
        super().__init__(broker, call, request)
        self.session = session
        self._found: dict[Key, FetchedPartition] = {}

    def _look(self) -> FetchedTopics:
        session = self.session
        if self.broker.settings.authorizer:  # a permission may have been revoked
            session.active |= dict.fromkeys(session.watched)
        for key in list(session.active):
            found, partition, at_end = self.read(key[0], session.watched[key].want)
            if session.note(key, found, partition, at_end=at_end) or key in self._found:
                self._found[key] = found
        topics: dict[bytes, list[FetchedPartition]] = {}
        for (name, _), found in self._found.items():
            topics.setdefault(name, []).append(found)
        return list(topics.items())

    def answer(self) -> Answer:
        return write_response(self.topics, self.call.version, 0, self.session.id)

    def waits_for(self) -> Iterable[tuple[Partition, FetchPartition]]:
        for key in self.session.active:
            watched = self.session.watched[key]
            if watched.partition is not None:
                yield watched.partition, watched.want

    def listen(self, look: Touched) -> Callable[[], None]:
        self.session.touched = look

        def stop() -> None:
            self.session.touched = None

        return stop


def _partition(broker: Broker, call: Call, name: bytes, want: FetchPartition) -> Partition:
    if call.version >= TOPIC_IDS:
        topic = broker.catalog.by_id.get(name)
        if topic is None:
            raise KafkaError(errors.UNKNOWN_TOPIC_ID)
        check_topic(broker, call, Operation.READ, topic.name)
    else:
        topic_name = name.decode(errors="replace")
        check_topic(broker, call, Operation.READ, topic_name)
        topic = broker.catalog.topics.get(topic_name)
    if topic is None or not 0 <= want.partition < len(topic.partitions):
        raise KafkaError(errors.UNKNOWN_TOPIC_OR_PARTITION)
    if want.leader_epoch not in {-1, LEADER_EPOCH}:
        raise KafkaError(
            errors.UNKNOWN_LEADER_EPOCH if want.leader_epoch > LEADER_EPOCH else errors.FENCED_LEADER_EPOCH
        )
    return topic.partitions[want.partition]


def _refused(partition: Partition | None, want: FetchPartition, error: KafkaError) -> FetchedPartition:
    high_watermark = start = NO_OFFSET
    if partition is not None and error.code == errors.OFFSET_OUT_OF_RANGE:
        high_watermark, start = partition.high_watermark, partition.log.start_offset
    return FetchedPartition(want.partition, error.code, high_watermark, NO_OFFSET, start, None, b"")


def _aborted(partition: Partition, offset: int, data: bytes) -> list[tuple[int, int]]:
    if not data or not partition.aborted:
        return []
    # the read ends before the first offset of the next answer; a wider bound only lists more transactions
    aborted = partition.aborted.between(offset, partition.last_stable_offset)
    return [(entry.producer_id, entry.first_offset) for entry in aborted]


class _Parked:
    """A fetch that waits for records, its timeout or the end of its connection."""

    __slots__ = ("_broker", "_call", "_fetch", "_request", "_stop", "_timer")

    def __init__(self, broker: Broker, call: Call, request: FetchRequest, fetch: _Fetch) -> None:
        self._broker = broker
        self._call = call
        self._request = request
        self._fetch = fetch
        self._stop = fetch.listen(self._look)
        deadline = broker.clock.monotonic_ms() + request.max_wait_ms
        self._timer: Timer = broker.timers.at(deadline, self._answer)
        call.connection.on_close[self] = self._leave
        broker.parked_fetches += 1

    def _look(self, *, last: bool = False) -> None:
        """Records were appended, a topic was deleted, or (`last`) the session's next request arrived: answer if it is
        time.
        """
        if last:
            self._answer()
            return
        request = self._request
        if request.min_bytes > 1:
            bound_bytes = 0
            for partition, want in self._fetch.waits_for():
                if self._broker.catalog.by_id.get(partition.topic_id) is None:
                    break
                bound = partition.bound(committed=request.committed)
                bound_bytes += partition.log.bytes_between(want.offset, bound)
                if bound_bytes >= request.min_bytes:
                    break
            else:
                return
        size, final = self._fetch.collect()
        if final or size >= request.min_bytes:
            self._leave()
            self._call.respond(self._fetch.answer())

    def _answer(self) -> None:
        """The timeout has passed: answer with whatever is available."""
        self._leave()
        self._fetch.collect()
        self._call.respond(self._fetch.answer())

    def _leave(self) -> None:
        self._timer.cancel()
        self._broker.parked_fetches -= 1
        self._call.connection.on_close.pop(self, None)
        self._stop()
