"""Fetch (key 1), versions 4 to 18.

Whole batches are read from the log and sent as they are. Where less than `min_bytes` is there, the call is parked until
an append brings it, or `max_wait_ms` is over. `read_committed` reads to the last stable offset and names the aborted
transactions in what it read.

Simplified: no fetch sessions (KIP-227). Every answer says session 0, upon which clients send full requests; a session
id that a client makes up is FETCH_SESSION_ID_NOT_FOUND.
"""

from __future__ import annotations

from smackbox.kafka.handlers.access import check_topic
from smackbox.kafka.handlers.call import PARKED, Answer, Call, Parked
from smackbox.kafka.state.acls import Operation
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.errors import KafkaError
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


def handle(broker: Broker, call: Call, request: FetchRequest) -> Answer | Parked:
    if request.session_id != 0 and request.session_epoch > 0:
        return write_response([], call.version, errors.FETCH_SESSION_ID_NOT_FOUND)
    topics, size, final = collect(broker, call, request)
    if (
        final
        or size >= request.min_bytes
        or request.max_wait_ms <= 0
        or broker.parked_fetches >= broker.settings.max_parked_fetches
    ):
        return write_response(topics, call.version)
    _ParkedFetch(broker, call, request)
    return PARKED


def collect(broker: Broker, call: Call, request: FetchRequest) -> tuple[FetchedTopics, int, bool]:
    """What there is now: the answer, how many bytes of records it holds, and whether waiting cannot better it."""
    answers: FetchedTopics = []
    total = 0
    final = not request.topics
    left = min(request.max_bytes, broker.settings.fetch_max_bytes)
    for name, asked in request.topics:
        results = []
        for want in asked:
            try:
                partition = _partition(broker, call, name, want)
                bound = partition.bound(committed=request.committed)
                data = partition.log.read(want.offset, min(want.max_bytes, left), bound, min_one_batch=total == 0)
            except KafkaError as error:
                final = True
                results.append(_refused(broker, call, name, want, error))
                continue
            total += len(data)
            left = max(left - len(data), 0)
            aborted = _aborted(partition, want.offset, data) if request.committed else None
            results.append(
                FetchedPartition(
                    want.partition,
                    0,
                    partition.high_watermark,
                    partition.last_stable_offset,
                    partition.log.start_offset,
                    aborted,
                    data,
                )
            )
        answers.append((name, results))
    return answers, total, final


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


def _refused(broker: Broker, call: Call, name: bytes, want: FetchPartition, error: KafkaError) -> FetchedPartition:
    high_watermark = start = NO_OFFSET
    if error.code == errors.OFFSET_OUT_OF_RANGE:
        partition = _partition(broker, call, name, want)
        high_watermark, start = partition.high_watermark, partition.log.start_offset
    return FetchedPartition(want.partition, error.code, high_watermark, NO_OFFSET, start, None, b"")


def _aborted(partition: Partition, offset: int, data: bytes) -> list[tuple[int, int]]:
    if not data or not partition.aborted:
        return []
    # what was read ends before the next answer's first offset; a wider bound only names more
    found = partition.aborted.between(offset, partition.last_stable_offset)
    return [(entry.producer_id, entry.first_offset) for entry in found]


class _ParkedFetch:
    """A fetch that waits for records, its time or its connection's end."""

    __slots__ = ("_broker", "_call", "_partitions", "_request", "_timer")

    def __init__(self, broker: Broker, call: Call, request: FetchRequest) -> None:
        self._broker = broker
        self._call = call
        self._request = request
        self._partitions = [
            (_partition(broker, call, name, want), want) for name, asked in request.topics for want in asked
        ]
        for partition, _ in self._partitions:
            partition.waiters.add(self._look)
        deadline = broker.clock.monotonic_ms() + request.max_wait_ms
        self._timer: Timer = broker.timers.at(deadline, self._answer)
        call.connection.on_close[self] = self._leave
        broker.parked_fetches += 1

    def _look(self) -> None:
        """Something was appended, or a topic is gone: is it time to answer?"""
        request = self._request
        if request.min_bytes > 1:
            bound_bytes = 0
            for partition, want in self._partitions:
                if self._broker.catalog.by_id.get(partition.topic_id) is None:
                    break
                bound = partition.bound(committed=request.committed)
                bound_bytes += partition.log.bytes_between(want.offset, bound)
                if bound_bytes >= request.min_bytes:
                    break
            else:
                return
        topics, size, final = collect(self._broker, self._call, request)
        if final or size >= request.min_bytes:
            self._leave()
            self._call.respond(write_response(topics, self._call.version))

    def _answer(self) -> None:
        """The time is over: whatever there is."""
        self._leave()
        topics, _, _ = collect(self._broker, self._call, self._request)
        self._call.respond(write_response(topics, self._call.version))

    def _leave(self) -> None:
        self._timer.cancel()
        self._broker.parked_fetches -= 1
        self._call.connection.on_close.pop(self, None)
        for partition, _ in self._partitions:
            partition.waiters.discard(self._look)
