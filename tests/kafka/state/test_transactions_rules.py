"""The transaction coordinator where its disk refuses, answers are lost and clients do what they may not.

`test_transactions` has the ordinary life of a transaction.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from tests.kafka.state.conftest import MakeBroker, advance
from tests.kafka.state.test_transactions import TIMEOUT_MS, code_of, done, end, init, write

from smackbox.base.clock import FakeClock
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.topic import OFFSETS_TOPIC, TRANSACTIONS_TOPIC
from smackbox.kafka.state.transactions import LAST_EPOCH, RETRY_MS, Transaction, TransactionState
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.record_batch import read_header, records

MAPPING, FENCED = errors.INVALID_PRODUCER_ID_MAPPING, errors.PRODUCER_FENCED
CONCURRENT, STATE = errors.CONCURRENT_TRANSACTIONS, errors.INVALID_TXN_STATE
ONGOING, PREPARE_COMMIT = TransactionState.ONGOING, TransactionState.PREPARE_COMMIT
COMMITTED, ABORTED = TransactionState.COMPLETE_COMMIT, TransactionState.COMPLETE_ABORT
T0 = ("t", 0)


def log_rows(broker: Broker) -> list[tuple[bytes, bytes]]:
    """Keys and values of `__transaction_state`."""
    rows = []
    for partition in broker.catalog.topics[TRANSACTIONS_TOPIC].partitions:
        for segment in partition.log.segments:
            for position, header in segment.scan(0):
                data = segment.read_batch(position, header)
                rows += [(r.key or b"", r.value or b"") for r in records(data, read_header(data))]
    return rows


def refuse(*_: object, **__: object) -> None:
    raise KafkaError(errors.KAFKA_STORAGE_ERROR, "full")


class Refusing:
    """A part of the broker refuses while this is entered."""

    def __init__(self, owner: object, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self._owner, self._name, self._patch = owner, name, monkeypatch

    def __enter__(self) -> None:
        self._patch.setattr(self._owner, self._name, refuse)

    def __exit__(self, *_: object) -> None:
        self._patch.undo()


def test_the_bytes_of_a_transactions_record(broker: Broker) -> None:
    """`TransactionLogKey` 0 and `TransactionLogValue` 1, whose numbers of states are Kafka's."""
    transaction = init(broker)
    [(key, value)] = log_rows(broker)
    assert key == struct.pack(">hh", 0, 3) + b"txn"
    assert value[:16] == struct.pack(">hqhi", 1, transaction.producer_id, 0, TIMEOUT_MS)
    assert value[16] == 0
    write(broker, transaction)
    assert log_rows(broker)[-1][1][16] == 1
    end(broker, transaction, commit=True)
    assert [row[1][16] for row in log_rows(broker)[-2:]] == [2, 4]
    write(broker, transaction, sequence=1)
    end(broker, transaction, commit=False)
    assert [row[1][16] for row in log_rows(broker)[-2:]] == [3, 5]


@pytest.mark.parametrize(
    ("name", "producer", "epoch", "code"),
    [("txn", 0, 0, 0), ("txn", 0, 1, FENCED), ("txn", 0, -1, FENCED), ("txn", 1, 0, MAPPING), ("no", 0, 0, MAPPING)],
)
def test_whose_transaction_it_is(broker: Broker, name: str, producer: int, epoch: int, code: int) -> None:
    transaction = init(broker)
    asked = (name, transaction.producer_id + producer, transaction.epoch + epoch)

    def ended(**how: bool) -> Callable[[], object]:
        return lambda: broker.transactions.end(*asked, done=done, **how)

    write(broker, transaction)
    if not code:
        assert broker.transactions.of_producer(*asked) is transaction
        return
    assert code_of(lambda: broker.transactions.of_producer(*asked)) == code
    produce = errors.INVALID_PRODUCER_EPOCH if code == FENCED else code
    assert code_of(lambda: broker.transactions.check_produce(*asked, T0, may_add=True)) == produce
    for how in ({"commit": True, "bump": False}, {"commit": True, "bump": True}, {"commit": False, "bump": True}):
        assert code_of(ended(**how)) == code
    assert transaction.state is ONGOING


# --- adding partitions


def test_partitions_join_once(broker: Broker, clock: FakeClock) -> None:
    transaction = init(broker)
    broker.transactions.add(transaction, {T0}, 1, done)
    started, rows = transaction.started_ms, len(log_rows(broker))
    assert started == clock.wall_ms()
    clock.advance_ms(5)
    answers: list[KafkaError | None] = []
    broker.transactions.add(transaction, {T0}, 1, answers.append)
    assert (answers, len(log_rows(broker))) == ([None], rows), "nothing to store, and an answer"
    broker.transactions.add(transaction, {T0, ("t", 1)}, 1, done)
    assert transaction.partitions == {T0, ("t", 1)}
    assert (transaction.started_ms, transaction.version, len(log_rows(broker))) == (started, 1, rows + 1)


def test_the_next_transaction_has_none_of_the_partitions_of_the_last(broker: Broker, clock: FakeClock) -> None:
    transaction = init(broker)
    write(broker, transaction)
    end(broker, transaction, commit=True)
    assert transaction.partitions == set()
    clock.advance_ms(TIMEOUT_MS - 1)
    broker.transactions.add(transaction, {("u", 0)}, 2, done)
    assert (transaction.partitions, transaction.version) == ({("u", 0)}, 2)
    advance(broker, clock, TIMEOUT_MS - 1)
    assert transaction.state is ONGOING, "its time counts from its own first partition"
    advance(broker, clock, 1)
    assert transaction.state is ABORTED


def test_a_partition_that_is_not_stored_has_not_joined(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    transaction = init(broker)
    with Refusing(broker.transactions._log, "append", monkeypatch):
        assert code_of(lambda: broker.transactions.add(transaction, {T0}, 2, done)) == errors.KAFKA_STORAGE_ERROR
        assert (transaction.state, transaction.partitions) == (TransactionState.EMPTY, set())
        assert (transaction.started_ms, transaction.version, transaction.timer) == (-1, 0, None)


# --- the end


def test_an_answer_that_was_lost_at_the_last_epoch(broker: Broker) -> None:
    """The end at the last epoch gives a new producer id with epoch 0 (KIP-890); its retry has the old ones."""
    transaction = init(broker)
    old = transaction.producer_id
    transaction.epoch = LAST_EPOCH
    write(broker, transaction)
    end(broker, transaction, commit=True, bump=True)
    assert (transaction.producer_id != old, transaction.epoch, transaction.state) == (True, 0, COMMITTED)

    def again(commit: bool, epoch: int = LAST_EPOCH, name: str = "txn", bump: bool = True) -> Transaction:
        return broker.transactions.end(name, old, epoch, commit=commit, bump=bump, done=done)

    assert again(True) is transaction
    assert code_of(lambda: again(False)) == STATE
    assert code_of(lambda: again(True, LAST_EPOCH - 1)) == MAPPING
    assert code_of(lambda: again(True, bump=False)) == MAPPING
    assert code_of(lambda: again(True, name="other")) == MAPPING
    write(broker, transaction)
    assert code_of(lambda: again(True)) == FENCED, "the next transaction has begun"


def test_a_retried_end_must_be_the_same_end(broker: Broker) -> None:
    transaction = init(broker)
    first = transaction.epoch
    write(broker, transaction)
    end(broker, transaction, commit=True, bump=True)

    def again(commit: bool) -> Transaction:
        return broker.transactions.end("txn", transaction.producer_id, first, commit=commit, bump=True, done=done)

    assert again(True).epoch == first + 1
    assert code_of(lambda: again(False)) == STATE
    write(broker, transaction)
    assert code_of(lambda: again(True)) == FENCED


def test_version_2_may_abort_nothing_and_commit_something_only(make_broker: MakeBroker) -> None:
    """An abort without a transaction fences what is on its way; it is stored before it is answered."""
    broker = make_broker()
    transaction = init(broker)
    assert code_of(lambda: end(broker, transaction, commit=True, bump=True)) == STATE
    assert transaction.epoch == 0
    end(broker, transaction, commit=False, bump=True)
    assert (transaction.epoch, transaction.last_epoch, transaction.state) == (1, 0, ABORTED)
    again = make_broker().transactions.transactions["txn"]
    assert (again.epoch, again.state) == (1, ABORTED)


def test_an_end_that_is_not_decided_changes_nothing(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    transaction = init(broker)
    write(broker, transaction)
    with Refusing(broker.transactions._log, "append", monkeypatch):
        assert code_of(lambda: end(broker, transaction, commit=True, bump=True)) == errors.KAFKA_STORAGE_ERROR
    assert (transaction.state, transaction.epoch, transaction.partitions) == (ONGOING, 0, {T0})
    assert transaction.timer is not None, "it still times out"
    end(broker, transaction, commit=True, bump=True)
    assert (transaction.state, transaction.epoch) == (COMMITTED, 1)


def test_a_marker_that_the_disk_refuses_is_written_later(
    broker: Broker, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    transaction = init(broker)
    write(broker, transaction)
    answers: list[KafkaError | None] = []
    with Refusing(broker.transactions, "mark", monkeypatch):
        broker.transactions.end("txn", transaction.producer_id, 0, commit=True, bump=False, done=answers.append)
        assert (answers, transaction.state) == ([None], PREPARE_COMMIT), "the decision is stored"
        for action in (
            lambda: init(broker),
            lambda: broker.transactions.add(transaction, {T0}, 1, done),
            lambda: end(broker, transaction, commit=True),
        ):
            assert code_of(action) == CONCURRENT
        advance(broker, clock, RETRY_MS)
        assert transaction.state is PREPARE_COMMIT
    advance(broker, clock, RETRY_MS - 1)
    assert transaction.state is PREPARE_COMMIT
    advance(broker, clock, 1)
    assert transaction.state is COMMITTED
    partition = broker.catalog.topics["t"].partitions[0]
    assert partition.last_stable_offset == partition.high_watermark == 2


def test_a_transaction_that_is_late_is_aborted_when_the_disk_takes_it(
    broker: Broker, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    transaction = init(broker)
    write(broker, transaction)
    with Refusing(broker.transactions._log, "append", monkeypatch):
        advance(broker, clock, TIMEOUT_MS)
        assert (transaction.state, transaction.epoch) == (ONGOING, 0)
    advance(broker, clock, RETRY_MS - 1)
    assert transaction.state is ONGOING
    advance(broker, clock, 1)
    assert (transaction.state, transaction.epoch, transaction.last_epoch) == (ABORTED, 1, 0)


def test_a_topic_that_is_deleted_in_the_middle(broker: Broker) -> None:
    broker.catalog.create("gone", 1, {})
    transaction = init(broker)
    write(broker, transaction)
    broker.transactions.add(transaction, {("gone", 0)}, 1, done)
    broker.catalog.delete(broker.catalog.topics["gone"])
    end(broker, transaction, commit=True)
    assert transaction.state is COMMITTED
    assert broker.catalog.topics["t"].partitions[0].last_stable_offset == 2


def test_an_end_is_answered_when_it_is_durable(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    transaction = init(broker)
    write(broker, transaction)
    waiting: list[tuple[list[str], Callable[[KafkaError | None], None]]] = []
    monkeypatch.setattr(
        broker, "when_durable", lambda partitions, told: waiting.append(([p.topic for p in partitions], told))
    )
    answers: list[KafkaError | None] = []
    broker.transactions.end("txn", transaction.producer_id, 0, commit=True, bump=False, done=answers.append)
    decided, completed = waiting
    decided[1](None)
    assert (answers, completed[0]) == ([], [TRANSACTIONS_TOPIC])
    completed[1](None)
    topics, told = waiting[-1]
    assert (topics, answers) == (["t"], [])
    told(None)
    assert answers == [None]
    failed = KafkaError(errors.KAFKA_STORAGE_ERROR)
    completed[1](failed)
    assert answers == [None, failed]


@pytest.mark.parametrize("commit", [True, False])
def test_offsets_of_a_transaction_end_with_it(broker: Broker, commit: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    broker.catalog.create("t", 1, {})
    offsets = broker.create_topic_automatically(OFFSETS_TOPIC)
    ended: list[tuple[set[int], int, bool]] = []
    monkeypatch.setattr(
        broker.groups,
        "end_transaction_on",
        lambda partitions, producer, *, commit: ended.append((partitions, producer, commit)),
    )
    transaction = init(broker)
    broker.transactions.add(transaction, {(OFFSETS_TOPIC, offsets.partitions[2].index), T0}, 1, done)
    end(broker, transaction, commit=commit)
    assert ended == [({2}, transaction.producer_id, commit)], "and nothing for the partition of t"


# --- a new producer


def test_a_producer_that_is_not_stored_is_none(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    broker.create_topic_automatically(TRANSACTIONS_TOPIC)
    with Refusing(broker.transactions._log, "append", monkeypatch):
        assert code_of(lambda: init(broker)) == errors.KAFKA_STORAGE_ERROR
    assert broker.transactions.transactions == {}
    transaction = init(broker)
    with Refusing(broker.transactions._log, "append", monkeypatch):
        assert code_of(lambda: init(broker)) == errors.KAFKA_STORAGE_ERROR
    assert (transaction.epoch, transaction.last_epoch, transaction.state) == (0, -1, TransactionState.EMPTY)


def test_a_new_producer_has_its_own_timeout(broker: Broker, clock: FakeClock) -> None:
    transaction = init(broker)
    broker.transactions.init_producer("txn", 5_000, None, done)
    assert (transaction.epoch, transaction.last_epoch, transaction.timeout_ms) == (1, 0, 5_000)
    write(broker, transaction)
    advance(broker, clock, 5_000)
    assert (transaction.state, transaction.started_ms >= 0) == (ABORTED, True)
    init(broker)
    assert (transaction.state, transaction.started_ms) == (TransactionState.EMPTY, -1)


def test_a_retry_at_the_last_epochs_is_known_after_a_restart(make_broker: MakeBroker) -> None:
    """A version-2 record says the epoch; the one before it is the one that a retried end has."""
    broker = make_broker()
    transaction = init(broker)
    write(broker, transaction)
    end(broker, transaction, commit=True, bump=True)
    broker.transactions.close()
    again = make_broker()
    restored = again.transactions.transactions["txn"]
    assert (restored.epoch, restored.last_epoch, restored.version, restored.timeout_ms) == (1, 0, 2, TIMEOUT_MS)
    again.transactions.end("txn", restored.producer_id, 0, commit=True, bump=True, done=done)


def test_the_names_of_the_states() -> None:
    assert [state.label for state in TransactionState] == [
        "Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort", "Dead",
        "PrepareEpochFence",
    ]  # fmt: skip


def test_a_new_producer_waits_for_an_abort_that_the_disk_refuses(
    broker: Broker, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The abort is decided and stored: the old producer stays fenced, and cannot commit instead."""
    transaction = init(broker)
    old = Transaction("txn", transaction.producer_id, transaction.epoch, TIMEOUT_MS)
    write(broker, transaction)
    with Refusing(broker.transactions, "mark", monkeypatch):
        assert code_of(lambda: init(broker)) == CONCURRENT
        assert (transaction.state, transaction.epoch) == (TransactionState.PREPARE_ABORT, old.epoch + 1)
        assert code_of(lambda: end(broker, old, commit=True)) == FENCED
        assert code_of(lambda: write(broker, old, sequence=1)) == errors.INVALID_PRODUCER_EPOCH
        assert code_of(lambda: init(broker)) == CONCURRENT
    advance(broker, clock, RETRY_MS)
    assert (transaction.state, transaction.partitions) == (ABORTED, set())
    assert init(broker).epoch == old.epoch + 2
    write(broker, transaction)
    advance(broker, clock, RETRY_MS)
    assert transaction.state is ONGOING, "no retry is left over"


def test_a_new_producer_is_two_epochs_above_one_in_the_middle_of_a_transaction(broker: Broker) -> None:
    """One fences the old producer in its markers, the other is the new producer's."""
    transaction = init(broker)
    write(broker, transaction)
    answers: list[KafkaError | None] = []
    assert broker.transactions.init_producer("txn", TIMEOUT_MS, None, answers.append).epoch == 2
    assert broker.transactions.init_producer("txn", TIMEOUT_MS, (0, 1), answers.append).epoch == 2, "asked again"
    assert answers == [None, None]


def test_an_end_whose_completion_is_not_stored_is_completed_later(
    broker: Broker, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    transaction = init(broker)
    write(broker, transaction)
    append = broker.transactions._log.append
    appends: list[int] = []

    def second_fails(*what: object, **how: object) -> None:
        appends.append(1)
        if len(appends) == 2:
            refuse()
        append(*what, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(broker.transactions._log, "append", second_fails)
    end(broker, transaction, commit=True)
    assert (transaction.state, transaction.partitions) == (PREPARE_COMMIT, {T0})
    advance(broker, clock, RETRY_MS)
    assert (transaction.state, transaction.partitions) == (COMMITTED, set())


def test_the_last_epochs_of_a_producer_id(make_broker: MakeBroker) -> None:
    """32,767 could not be fenced any more: the id changes before, and is stored."""
    assert LAST_EPOCH == 32_766
    broker = make_broker()
    transaction = init(broker)
    first = transaction.producer_id
    transaction.epoch = LAST_EPOCH - 1
    write(broker, transaction)
    end(broker, transaction, commit=True, bump=True)
    assert (transaction.producer_id, transaction.epoch) == (first, LAST_EPOCH)
    write(broker, transaction)
    end(broker, transaction, commit=True, bump=True)
    assert (transaction.producer_id != first, transaction.epoch) == (True, 0)
    restored = make_broker().transactions.transactions["txn"]
    assert (restored.producer_id, restored.epoch, restored.last_epoch) == (transaction.producer_id, 0, -1)


def test_what_is_read_back(make_broker: MakeBroker) -> None:
    broker = make_broker()
    for name in ("one", "two"):
        write(broker, init(broker, name))
        end(broker, broker.transactions.transactions[name], commit=True)
    broker.transactions._log.append("one", [(struct.pack(">hh", 1, 3) + b"one", b"")])
    broker.transactions._log.append("two", [(struct.pack(">hh", 0, 3) + b"two", None)])
    assert len(broker.transactions.transactions) == 2
    again = make_broker().transactions.transactions
    assert set(again) == {"one"}


def test_an_older_epoch_is_read_back_of_version_2_alone(make_broker: MakeBroker) -> None:
    broker = make_broker()
    init(broker)
    broker.transactions.add(init(broker), {T0}, 1, done)
    restored = make_broker().transactions.transactions["txn"]
    assert (restored.epoch, restored.version, restored.last_epoch) == (1, 1, -1)


def test_a_close_leaves_no_timer(broker: Broker, clock: FakeClock) -> None:
    transaction = init(broker)
    write(broker, transaction)
    broker.transactions.close()
    advance(broker, clock, TIMEOUT_MS)
    assert (transaction.state, transaction.timer) == (ONGOING, None)
