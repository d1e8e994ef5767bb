"""The transaction coordinator: transactional ids, their producers, and the two-phase commit of their transactions.

    Empty ──first partition──> Ongoing ──EndTxn──> PrepareCommit ──markers──> CompleteCommit
                                  │                PrepareAbort  ──markers──> CompleteAbort
                                  └── timeout or a new producer with the same id: aborted, and the old one is fenced

Each step is written to `__transaction_state` before it is answered. `Prepare…` is the decision: after a crash, a
transaction that had reached it is completed when the broker opens; any other times out and is aborted. All partitions
are on this broker, so the markers are written at once. If the disk rejects a marker, the write is retried, and the
producer receives CONCURRENT_TRANSACTIONS meanwhile. A step that the disk rejects changes nothing.

Clients of transaction version 2 (KIP-890) add partitions by producing to them, and get a new epoch whenever a
transaction ends, so that late records of an ended transaction are fenced. Their markers carry the new epoch.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import IntEnum

from smackbox.kafka.state.coordinator_host import CoordinatorHost, OffsetsInTransactions
from smackbox.kafka.state.coordinator_log import CoordinatorLog, key_bytes, value_bytes
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.group_offsets import TopicPartition
from smackbox.kafka.state.partition import Partition
from smackbox.kafka.state.timers import Timer
from smackbox.kafka.state.topic import OFFSETS_TOPIC, TRANSACTIONS_TOPIC
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.control_record import Marker
from smackbox.kafka.wire.messages.transaction_records import (
    PartitionsSchema,
    TransactionLogKey,
    TransactionLogValue,
)
from smackbox.kafka.wire.schema import read

KEY_TYPE = 0
VALUE_VERSION = 1
LAST_EPOCH = 2**15 - 2  # the highest epoch that a producer is given; the next one can still fence it
NO_PRODUCER = -1
COORDINATOR_EPOCH = 0
RETRY_MS = 1_000

log = logging.getLogger(__name__)

Done = Callable[[KafkaError | None], None]


class TransactionState(IntEnum):
    """The states of a transaction, with their values in the log."""

    EMPTY = 0
    ONGOING = 1
    PREPARE_COMMIT = 2
    PREPARE_ABORT = 3
    COMPLETE_COMMIT = 4
    COMPLETE_ABORT = 5
    DEAD = 6
    PREPARE_EPOCH_FENCE = 7

    @property
    def label(self) -> str:
        """Its name in DescribeTransactions: `PrepareCommit`."""
        return "".join(part.capitalize() for part in self.name.split("_"))


_PREPARED = (TransactionState.PREPARE_COMMIT, TransactionState.PREPARE_ABORT)


@dataclass(slots=True, eq=False)
class Transaction:
    """One transactional id and its transaction, if any."""

    transactional_id: str
    producer_id: int
    epoch: int
    timeout_ms: int
    last_epoch: int = -1
    state: TransactionState = TransactionState.EMPTY
    partitions: set[TopicPartition] = field(default_factory=set)
    started_ms: int = -1
    updated_ms: int = 0
    version: int = 0
    timer: Timer | None = None


class TransactionCoordinator:
    """Transactions by transactional id."""

    def __init__(self, broker: CoordinatorHost, groups: OffsetsInTransactions) -> None:
        self._broker = broker
        self._groups = groups
        self._log = CoordinatorLog(broker, TRANSACTIONS_TOPIC)
        self.transactions: dict[str, Transaction] = {}

    # --- life

    def open(self) -> None:
        """Read the transactions back, and complete those that were already decided."""
        for _, record, _, _, _ in self._log.replay():
            if record.key is None or int.from_bytes(record.key[:2], "big") != KEY_TYPE:
                continue
            name = read(TransactionLogKey, 0, record.key, 2)[0].transactional_id
            if record.value is None:
                self.transactions.pop(name, None)
                continue
            said, _ = read(TransactionLogValue, int.from_bytes(record.value[:2], "big"), record.value, 2)
            self.transactions[name] = Transaction(
                name,
                said.producer_id,
                said.producer_epoch,
                said.transaction_timeout_ms,
                state=TransactionState(said.transaction_status),
                partitions={(t.topic, p) for t in said.transaction_partitions or () for p in t.partition_ids},
                started_ms=said.transaction_start_timestamp_ms,
                updated_ms=said.transaction_last_update_timestamp_ms,
                version=said.client_transaction_version,
            )
            if said.client_transaction_version >= 2 and said.producer_epoch > 0:
                self.transactions[name].last_epoch = said.producer_epoch - 1
        for transaction in self.transactions.values():
            if transaction.state in _PREPARED:
                self._complete_or_retry(transaction)
            elif transaction.state is TransactionState.ONGOING:
                self._start_timer(transaction)

    def close(self) -> None:
        """Stop the timers of all transactions."""
        for transaction in self.transactions.values():
            self._stop_timer(transaction)

    # --- producers

    def init_producer(self, name: str, timeout_ms: int, expected: tuple[int, int] | None, done: Done) -> Transaction:
        """Give the transactional id its next epoch; an open transaction is aborted, and its producer fenced.

        `expected` is the producer id and epoch that a client wants to continue with (KIP-360). Raises `KafkaError`.
        """
        if not name:
            raise KafkaError(errors.INVALID_REQUEST)
        if not 0 < timeout_ms <= self._broker.settings.transaction_max_timeout_ms:
            raise KafkaError(errors.INVALID_TRANSACTION_TIMEOUT)
        transaction = self.transactions.get(name)
        if transaction is None:
            transaction = Transaction(name, self._broker.next_producer_id(), 0, timeout_ms)
            self._persist(transaction, done)
            self.transactions[name] = transaction
            return transaction
        before = replace(transaction, partitions=set(transaction.partitions))
        try:
            if expected is not None and expected[0] != transaction.producer_id:
                raise KafkaError(errors.PRODUCER_FENCED)
            if expected is not None and expected[1] == transaction.last_epoch != transaction.epoch:
                done(None)  # a retry: the client has its new epoch already
                return transaction
            if expected is not None and expected[1] != transaction.epoch:
                raise KafkaError(errors.PRODUCER_FENCED)
            _check_settled(transaction)
            if transaction.state is TransactionState.ONGOING:
                transaction.epoch += 1
                self._end(transaction, commit=False)
                before = replace(transaction, partitions=set(transaction.partitions))  # the abort is stored
                _check_settled(transaction)
            self._next_epoch(transaction)
            transaction.timeout_ms = timeout_ms
            transaction.state = TransactionState.EMPTY
            transaction.partitions = set()
            transaction.started_ms = -1
            self._persist(transaction, done)
        except KafkaError:
            _restore(transaction, before)
            raise
        return transaction

    def _next_epoch(self, transaction: Transaction) -> None:
        if transaction.epoch >= LAST_EPOCH:
            transaction.producer_id = self._broker.next_producer_id()
            transaction.epoch, transaction.last_epoch = 0, -1
        else:
            transaction.last_epoch = transaction.epoch
            transaction.epoch += 1

    def of_producer(self, name: str, producer_id: int, epoch: int) -> Transaction:
        """The transaction that this producer may use. Raises `KafkaError`."""
        transaction = self.transactions.get(name)
        if transaction is None or transaction.producer_id != producer_id:
            raise KafkaError(errors.INVALID_PRODUCER_ID_MAPPING)
        if transaction.epoch != epoch:
            raise KafkaError(errors.PRODUCER_FENCED)
        return transaction

    # --- partitions

    def add(self, transaction: Transaction, wheres: set[TopicPartition], version: int, done: Done) -> None:
        """Add partitions to the transaction; the first one begins it."""
        if transaction.state is TransactionState.ONGOING and wheres <= transaction.partitions:
            done(None)
            return
        _check_settled(transaction)
        before = replace(transaction)
        begins = transaction.state is not TransactionState.ONGOING
        if begins:
            transaction.state = TransactionState.ONGOING
            transaction.started_ms = self._broker.clock.wall_ms()
        transaction.version = version
        transaction.partitions = wheres if begins else transaction.partitions | wheres
        try:
            self._persist(transaction, done)
        except KafkaError:
            _restore(transaction, before)
            raise
        if begins:
            self._start_timer(transaction)

    def check_produce(self, name: str, producer_id: int, epoch: int, where: TopicPartition, *, may_add: bool) -> None:
        """Whether a transactional batch may be appended here; with `may_add` (transaction version 2) the partition is
        added.

        Raises `KafkaError`.
        """
        transaction = self.transactions.get(name)
        if transaction is None or transaction.producer_id != producer_id:
            raise KafkaError(errors.INVALID_PRODUCER_ID_MAPPING)
        if transaction.epoch != epoch:
            raise KafkaError(errors.INVALID_PRODUCER_EPOCH)
        if transaction.state is TransactionState.ONGOING and where in transaction.partitions:
            return
        if not may_add:
            raise KafkaError(errors.INVALID_TXN_STATE, "the partition was not added to the transaction")
        self.add(transaction, {where}, 2, lambda _: None)

    # --- commit and abort

    def end(self, name: str, producer_id: int, epoch: int, *, commit: bool, bump: bool, done: Done) -> Transaction:
        """Commit or abort; with `bump` (transaction version 2) the producer continues with a new epoch.

        Raises `KafkaError`.
        """
        transaction = self.transactions.get(name)
        if transaction is None or transaction.producer_id != producer_id:
            if bump and transaction is not None and epoch == LAST_EPOCH and transaction.epoch == 0:
                return self._answer_retry(transaction, commit=commit, done=done)
            raise KafkaError(errors.INVALID_PRODUCER_ID_MAPPING)
        retried = bump and transaction.epoch == epoch + 1 == transaction.last_epoch + 1
        if transaction.epoch != epoch and not retried:
            raise KafkaError(errors.PRODUCER_FENCED)
        _check_settled(transaction)
        if retried:
            return self._answer_retry(transaction, commit=commit, done=done)
        if transaction.state is TransactionState.ONGOING:
            before = replace(transaction)
            if bump:
                transaction.last_epoch = transaction.epoch
                transaction.epoch += 1
            try:
                self._end(transaction, commit=commit, done=done)
            except KafkaError:
                _restore(transaction, before)
                raise
            if bump and transaction.epoch > LAST_EPOCH:
                transaction.producer_id = self._broker.next_producer_id()
                transaction.epoch = 0
                self._persist(transaction, lambda _: None)
            return transaction
        if bump and not commit:
            self._next_epoch(transaction)  # nothing to abort, but late requests are fenced
            transaction.state = TransactionState.COMPLETE_ABORT
            self._persist(transaction, done)
            return transaction
        same = TransactionState.COMPLETE_COMMIT if commit else TransactionState.COMPLETE_ABORT
        if bump or transaction.state is not same:
            raise KafkaError(errors.INVALID_TXN_STATE)
        done(None)
        return transaction

    def _answer_retry(self, transaction: Transaction, *, commit: bool, done: Done) -> Transaction:
        """The transaction ended, but the answer was lost."""
        same = TransactionState.COMPLETE_COMMIT if commit else TransactionState.COMPLETE_ABORT
        if transaction.state is not same:
            raise KafkaError(errors.INVALID_TXN_STATE if transaction.state in _ENDED else errors.PRODUCER_FENCED)
        done(None)
        return transaction

    def _end(self, transaction: Transaction, *, commit: bool, done: Done | None = None) -> None:
        """Decide to commit or abort, and do it. Raises `KafkaError` when the disk rejects the decision."""
        transaction.state = TransactionState.PREPARE_COMMIT if commit else TransactionState.PREPARE_ABORT
        self._persist(transaction, lambda _: None)
        self._stop_timer(transaction)
        self._complete_or_retry(transaction, done)

    def _complete_or_retry(self, transaction: Transaction, done: Done | None = None) -> None:
        """Carry out the decision, at once or when the disk accepts it; until then the producer gets a retriable
        error.
        """
        try:
            self._complete(transaction, done)
        except KafkaError as error:
            log.error("the end of transaction %s waits for the disk: %s", transaction.transactional_id, error.message)
            again = self._broker.clock.monotonic_ms() + RETRY_MS
            transaction.timer = self._broker.timers.at(again, lambda: self._complete_or_retry(transaction))
            if done is not None:
                done(None)

    def _complete(self, transaction: Transaction, done: Done | None = None) -> None:
        """Write the markers of a decided transaction, and then its completion."""
        commit = transaction.state is TransactionState.PREPARE_COMMIT
        marker = Marker(commit, COORDINATOR_EPOCH)
        marked: list[Partition] = []
        for topic, index in sorted(transaction.partitions):
            try:
                partition = self._broker.catalog.partition(topic, index)
            except KafkaError:
                continue  # deleted during the transaction
            self.mark(partition, transaction.producer_id, transaction.epoch, marker)
            marked.append(partition)
        before = replace(transaction)
        transaction.state = TransactionState.COMPLETE_COMMIT if commit else TransactionState.COMPLETE_ABORT
        transaction.partitions = set()

        def persisted(error: KafkaError | None) -> None:
            if done is None:
                return
            if error is not None:
                done(error)
            else:
                self._broker.when_durable(marked, done)

        try:
            self._persist(transaction, persisted)
        except KafkaError:
            _restore(transaction, before)
            raise

    def mark(self, partition: Partition, producer_id: int, epoch: int, marker: Marker) -> None:
        """End a producer's transaction on one partition. Raises `KafkaError` when the disk rejects the write."""
        partition.write_marker(producer_id, epoch, marker, self._broker.clock.wall_ms())
        if partition.topic == OFFSETS_TOPIC:
            self._groups.end_transaction_on({partition.index}, producer_id, commit=marker.commit)
        self._broker.touched(partition)

    def _is_late(self, transaction: Transaction) -> None:
        """The transaction exceeded its timeout: abort it and fence its producer."""
        transaction.timer = None
        if transaction.state is not TransactionState.ONGOING:
            return
        before = replace(transaction)
        transaction.last_epoch = transaction.epoch
        transaction.epoch += 1
        try:
            self._end(transaction, commit=False)
        except KafkaError as error:
            log.error("transaction %s is not aborted yet: %s", transaction.transactional_id, error.message)
            _restore(transaction, before)
            again = self._broker.clock.monotonic_ms() + RETRY_MS
            transaction.timer = self._broker.timers.at(again, lambda: self._is_late(transaction))

    # --- private

    def _start_timer(self, transaction: Transaction) -> None:
        age_ms = max(self._broker.clock.wall_ms() - transaction.started_ms, 0)
        deadline = self._broker.clock.monotonic_ms() + max(transaction.timeout_ms - age_ms, 0)
        transaction.timer = self._broker.timers.at(deadline, lambda: self._is_late(transaction))

    def _stop_timer(self, transaction: Transaction) -> None:
        if transaction.timer is not None:
            transaction.timer.cancel()
            transaction.timer = None

    def _persist(self, transaction: Transaction, done: Done) -> None:
        transaction.updated_ms = self._broker.clock.wall_ms()
        by_topic: dict[str, list[int]] = {}
        for topic, index in sorted(transaction.partitions):
            by_topic.setdefault(topic, []).append(index)
        value = TransactionLogValue(
            producer_id=transaction.producer_id,
            producer_epoch=transaction.epoch,
            transaction_timeout_ms=transaction.timeout_ms,
            transaction_status=int(transaction.state),
            transaction_partitions=[PartitionsSchema(topic, indexes) for topic, indexes in by_topic.items()] or None,
            transaction_last_update_timestamp_ms=transaction.updated_ms,
            transaction_start_timestamp_ms=transaction.started_ms,
            client_transaction_version=transaction.version,
        )
        key = key_bytes(KEY_TYPE, TransactionLogKey(transaction.transactional_id))
        self._log.append(transaction.transactional_id, [(key, value_bytes(VALUE_VERSION, value))], done)


def _check_settled(transaction: Transaction) -> None:
    """Raises `KafkaError` while a decision has not reached the disk."""
    if transaction.state in _PREPARED:
        raise KafkaError(errors.CONCURRENT_TRANSACTIONS)


def _restore(transaction: Transaction, before: Transaction) -> None:
    """Undo a change that the disk rejected."""
    transaction.producer_id, transaction.epoch, transaction.last_epoch = (
        before.producer_id, before.epoch, before.last_epoch,
    )  # fmt: skip
    transaction.state, transaction.partitions = before.state, before.partitions
    transaction.started_ms, transaction.timeout_ms, transaction.version = (
        before.started_ms, before.timeout_ms, before.version,
    )  # fmt: skip


_ENDED = (TransactionState.COMPLETE_COMMIT, TransactionState.COMPLETE_ABORT)
