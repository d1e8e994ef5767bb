"""Hypothesis makes request sequences; our broker and a real Kafka answer; the answers must be equal.

Runs where a real Kafka is (`make real`): both brokers get the same bytes in the same order. Not compared: what names a
broker, a time, an id or an offset that the server chose by itself, and error messages.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contract.conftest import REAL_KAFKA
from tests.contract.kafka.conftest import wait_for
from tests.kafka.client import RawClient, batch

from smackbox.kafka.server import KafkaServer
from smackbox.kafka.settings import KafkaSettings
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages import (
    add_offsets_to_txn,
    add_partitions_to_txn,
    create_topics,
    delete_records,
    describe_transactions,
    end_txn,
    find_coordinator,
    init_producer_id,
    list_offsets,
    offset_commit,
    offset_fetch,
    txn_offset_commit,
)
from smackbox.kafka.wire.record_batch import read_header, records
from smackbox.net.service import ServiceThread

pytestmark = [
    pytest.mark.contract,
    pytest.mark.skipif(REAL_KAFKA not in os.environ, reason="needs a real Kafka beside ours: make real"),
]

PARTITIONS = 2
TRANSIENT = {errors.COORDINATOR_NOT_AVAILABLE, errors.COORDINATOR_LOAD_IN_PROGRESS, errors.NOT_COORDINATOR}
TRANSIENT |= {errors.CONCURRENT_TRANSACTIONS}
BASE_MS = 1_700_000_000_000


@dataclass
class Side:
    """One broker, and the ids that it gave."""

    client: RawClient
    topic: str
    group: str
    transactional_id: str
    producers: dict[str, tuple[int, int]] = field(default_factory=dict)

    def ask(self, message: Any, version: int, code_of: Any) -> Any:
        """Ask until the coordinators are there: what is transient on a real cluster is not compared."""
        answer = None

        def answered() -> bool:
            nonlocal answer
            answer = self.client.ask(message, version)
            return code_of(answer) not in TRANSIENT

        wait_for(answered)
        return answer

    # --- operations: each gives what is compared

    def produce(self, partition: int, count: int, who: str, sequence: int, stamp: int) -> Any:
        attributes: dict[str, Any] = {}
        if who != "plain":
            if who not in self.producers:
                return None
            producer_id, epoch = self.producers[who]
            attributes = {"producer_id": producer_id, "producer_epoch": epoch, "base_sequence": sequence}
        values = [b"%d" % i for i in range(count)]
        return self.client.produce(self.topic, batch(*values, timestamp=BASE_MS + stamp, **attributes), partition)

    def fetch(self, partition: int, offset: int, committed: bool) -> Any:
        code, data = self.client.fetch(self.topic, offset, partition, committed=committed)
        rows: list[Any] = []
        position = 0
        while position + 61 <= len(data):
            header = read_header(data, position)
            if position + header.size > len(data):
                break
            kind = "control" if header.control else "data"
            rows.append((kind, header.base_offset, header.last_offset, header.base_sequence, header.transactional))
            if not header.control:
                rows += [(r.offset, r.timestamp, r.value) for r in records(data, header, position)]
            position += header.size
        return code, rows

    def list_offset(self, partition: int, timestamp: int, committed: bool) -> Any:
        request = list_offsets.ListOffsetsRequest(
            -1,
            int(committed),
            [list_offsets.ListOffsetsTopic(self.topic, [list_offsets.ListOffsetsPartition(partition, -1, timestamp)])],
        )
        (answer,) = self.client.ask(request, 7).topics[0].partitions
        # a marker's timestamp is the server's own
        timestamp = min(answer.timestamp, BASE_MS + 1000)
        return answer.error_code, timestamp, answer.offset, answer.leader_epoch

    def delete(self, partition: int, offset: int) -> Any:
        asked = delete_records.DeleteRecordsPartition(partition, offset)
        request = delete_records.DeleteRecordsRequest([delete_records.DeleteRecordsTopic(self.topic, [asked])], 10_000)
        (answer,) = self.client.ask(request, 2).topics[0].partitions
        return answer.error_code, answer.low_watermark

    def commit(self, partition: int, offset: int, generation: int) -> Any:
        asked = offset_commit.OffsetCommitRequestPartition(partition, offset, -1, "m")
        request = offset_commit.OffsetCommitRequest(
            self.group, generation, "", topics=[offset_commit.OffsetCommitRequestTopic(self.topic, partitions=[asked])]
        )
        answer = self.ask(request, 8, lambda a: a.topics[0].partitions[0].error_code)
        return answer.topics[0].partitions[0].error_code

    def committed(self, stable: bool) -> Any:
        topics = [offset_fetch.OffsetFetchRequestTopics(self.topic, partition_indexes=list(range(PARTITIONS + 1)))]
        group = offset_fetch.OffsetFetchRequestGroup(self.group, topics=topics)
        answer = self.ask(
            offset_fetch.OffsetFetchRequest(groups=[group], require_stable=stable), 8, lambda a: a.groups[0].error_code
        )
        rows = answer.groups[0].topics[0].partitions
        return [(r.partition_index, r.committed_offset, r.metadata, r.error_code) for r in rows]

    def init(self, who: str) -> Any:
        name = self.transactional_id if who == "txn" else None
        answer = self.ask(init_producer_id.InitProducerIdRequest(name, 60_000), 4, lambda a: a.error_code)
        if who == "txn":
            self.settle()
        if answer.error_code == 0:
            self.producers[who] = (answer.producer_id, answer.producer_epoch)
        return answer.error_code, answer.producer_epoch

    def add_partition(self, partition: int) -> Any:
        producer = self.producers.get("txn", (1, 0))
        topics = [add_partitions_to_txn.AddPartitionsToTxnTopic(self.topic, [partition])]
        request = add_partitions_to_txn.AddPartitionsToTxnRequest([], self.transactional_id, *producer, topics)
        answer = self.ask(
            request, 3, lambda a: a.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code
        )
        return answer.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code

    def produce_in_transaction(self, partition: int, sequence: int) -> Any:
        if "txn" not in self.producers:
            return None
        producer_id, epoch = self.producers["txn"]
        data = batch(
            b"t",
            timestamp=BASE_MS,
            producer_id=producer_id,
            producer_epoch=epoch,
            base_sequence=sequence,
            attributes=0x10,
        )
        frame = self.client.produce_frame(self.topic, data, partition, transactional_id=self.transactional_id)
        self.client.socket.sendall(frame)
        return self.client.produced(self.topic)

    def commit_in_transaction(self, partition: int, offset: int) -> Any:
        producer = self.producers.get("txn", (1, 0))
        added = self.ask(
            add_offsets_to_txn.AddOffsetsToTxnRequest(self.transactional_id, *producer, self.group),
            3,
            lambda a: a.error_code,
        )
        asked = txn_offset_commit.TxnOffsetCommitRequestPartition(partition, offset, -1, "t")
        request = txn_offset_commit.TxnOffsetCommitRequest(
            self.transactional_id,
            self.group,
            *producer,
            topics=[txn_offset_commit.TxnOffsetCommitRequestTopic(self.topic, partitions=[asked])],
        )
        if added.error_code:
            return added.error_code
        answer = self.ask(request, 3, lambda a: a.topics[0].partitions[0].error_code)
        return answer.topics[0].partitions[0].error_code

    def end(self, commit: bool) -> Any:
        producer = self.producers.get("txn", (1, 0))
        request = end_txn.EndTxnRequest(self.transactional_id, *producer, commit)
        code = self.ask(request, 3, lambda a: a.error_code).error_code
        self.settle()
        return code

    def settle(self) -> None:
        """Kafka answers EndTxn when the end is decided, and writes the markers a moment later."""
        asked = describe_transactions.DescribeTransactionsRequest([self.transactional_id])

        def settled() -> bool:
            state = self.client.ask(asked, 0).transaction_states[0]
            return not state.transaction_state.startswith("Prepare")

        wait_for(settled)


partitions = st.integers(0, PARTITIONS)  # one that is not there, too
offsets = st.integers(-1, 12)
OPERATIONS = st.one_of(
    st.tuples(
        st.just("produce"),
        partitions,
        st.integers(1, 4),
        st.sampled_from(["plain", "idempotent"]),
        st.integers(0, 6),
        st.integers(0, 5),
    ),
    st.tuples(st.just("fetch"), partitions, offsets, st.booleans()),
    st.tuples(
        st.just("list_offset"),
        partitions,
        st.one_of(st.sampled_from([-1, -2, -3]), st.integers(0, 8).map(lambda n: BASE_MS + n)),
        st.booleans(),
    ),
    st.tuples(st.just("delete"), partitions, offsets),
    st.tuples(st.just("commit"), partitions, st.integers(0, 9), st.sampled_from([-1, 3])),
    st.tuples(st.just("committed"), st.booleans()),
    st.tuples(st.just("init"), st.sampled_from(["idempotent", "txn"])),
    st.tuples(st.just("add_partition"), partitions),
    st.tuples(st.just("produce_in_transaction"), st.integers(0, PARTITIONS - 1), st.integers(0, 2)),
    st.tuples(st.just("commit_in_transaction"), st.integers(0, PARTITIONS - 1), st.integers(0, 9)),
    st.tuples(st.just("end"), st.booleans()),
)


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[str, str]]:
    """The addresses of our broker and of the real one."""
    with ServiceThread(KafkaServer(KafkaSettings())) as ours:
        yield ours.url, os.environ[REAL_KAFKA]


@settings(
    max_examples=int(os.environ.get("SMACK_FUZZ_EXAMPLES", "60")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(st.lists(OPERATIONS, min_size=1, max_size=25))
def test_both_answer_alike(both: tuple[str, str], operations: list[tuple[Any, ...]]) -> None:
    name = f"fuzz-{uuid.uuid4().hex[:12]}"
    with RawClient(both[0]) as ours, RawClient(both[1]) as real:
        sides = [Side(client, name, f"{name}-group", f"{name}-txn") for client in (ours, real)]
        for side in sides:
            topic = create_topics.CreatableTopic(name, PARTITIONS, 1)
            assert side.client.ask(create_topics.CreateTopicsRequest([topic], 10_000), 5).topics[0].error_code == 0
            for kind, key in ((0, side.group), (1, side.transactional_id)):
                request = find_coordinator.FindCoordinatorRequest(key_type=kind, coordinator_keys=[key])
                side.ask(request, 4, lambda a: a.coordinators[0].error_code)
            wait_for(lambda side=side: all(side.fetch(p, 0, False)[0] == 0 for p in range(PARTITIONS)))
        history = []
        for operation, *arguments in operations:
            answers = [getattr(side, operation)(*arguments) for side in sides]
            history.append((operation, *arguments, *answers))
            assert answers[0] == answers[1], history
