"""The transaction coordinator: epochs, timeouts, and what a crash leaves half done."""

from __future__ import annotations

import pytest
from tests.kafka.client import batch
from tests.kafka.state.conftest import MakeBroker, advance

from smackbox.base.clock import FakeClock
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.transactions import LAST_EPOCH, Transaction, TransactionState
from smackbox.kafka.wire import error_codes as errors

TIMEOUT_MS = 60_000


def done(error: KafkaError | None) -> None:
    assert error is None


def init(broker: Broker, name: str = "txn", expected: tuple[int, int] | None = None) -> Transaction:
    return broker.transactions.init_producer(name, TIMEOUT_MS, expected, done)


def write(broker: Broker, transaction: Transaction, *, sequence: int = 0, may_add: bool = True) -> None:
    """Produce one transactional record to topic t."""
    if "t" not in broker.catalog.topics:
        broker.catalog.create("t", 1, {})
    producer = (transaction.producer_id, transaction.epoch)
    broker.transactions.check_produce(transaction.transactional_id, *producer, ("t", 0), may_add=may_add)
    data = batch(b"x", producer_id=producer[0], producer_epoch=producer[1], base_sequence=sequence, attributes=0x10)
    broker.catalog.topics["t"].partitions[0].produce(memoryview(data), 1_700_000_000_000)


def end(broker: Broker, transaction: Transaction, *, commit: bool, bump: bool = False) -> Transaction:
    return broker.transactions.end(
        transaction.transactional_id, transaction.producer_id, transaction.epoch, commit=commit, bump=bump, done=done
    )


def code_of(action: object) -> int:
    with pytest.raises(KafkaError) as raised:
        action()  # type: ignore[operator]
    return raised.value.code


@pytest.mark.parametrize("commit", [True, False])
def test_the_stable_offset_waits_for_the_end(broker: Broker, commit: bool) -> None:
    transaction = init(broker)
    write(broker, transaction)
    partition = broker.catalog.topics["t"].partitions[0]
    assert (partition.last_stable_offset, partition.high_watermark) == (0, 1)
    end(broker, transaction, commit=commit)
    assert (partition.last_stable_offset, partition.high_watermark) == (2, 2)
    assert bool(partition.aborted) is not commit


def test_a_transaction_that_takes_too_long_is_aborted_and_its_producer_fenced(broker: Broker, clock: FakeClock) -> None:
    transaction = init(broker)
    write(broker, transaction)
    epoch = transaction.epoch
    advance(broker, clock, TIMEOUT_MS - 1)
    assert transaction.state is TransactionState.ONGOING
    advance(broker, clock, 1)
    assert transaction.state is TransactionState.COMPLETE_ABORT
    assert transaction.epoch == epoch + 1
    old = Transaction("txn", transaction.producer_id, epoch, TIMEOUT_MS)
    assert code_of(lambda: end(broker, old, commit=True)) == errors.PRODUCER_FENCED
    assert code_of(lambda: write(broker, old)) == errors.INVALID_PRODUCER_EPOCH


def test_a_new_producer_aborts_what_the_old_one_began(broker: Broker) -> None:
    transaction = init(broker)
    write(broker, transaction)
    epoch = transaction.epoch
    assert init(broker).epoch > epoch
    assert broker.catalog.topics["t"].partitions[0].aborted


def test_a_producer_goes_on_from_its_own_epoch_only(broker: Broker) -> None:
    transaction = init(broker)
    producer_id, epoch = transaction.producer_id, transaction.epoch
    assert init(broker, expected=(producer_id, epoch)).epoch == epoch + 1
    assert init(broker, expected=(producer_id, epoch)).epoch == epoch + 1, "a retry has the same answer"
    assert code_of(lambda: init(broker, expected=(producer_id, epoch + 7))) == errors.PRODUCER_FENCED
    assert code_of(lambda: init(broker, expected=(producer_id + 1, epoch))) == errors.PRODUCER_FENCED


def test_epochs_run_out_and_a_new_producer_id_takes_over(broker: Broker) -> None:
    transaction = init(broker)
    before = transaction.producer_id
    transaction.epoch = LAST_EPOCH
    init(broker)
    assert transaction.producer_id != before
    assert transaction.epoch == 0


def test_a_partition_must_be_added_first_in_version_1(broker: Broker) -> None:
    transaction = init(broker)
    assert code_of(lambda: write(broker, transaction, may_add=False)) == errors.INVALID_TXN_STATE
    broker.transactions.add(transaction, {("t", 0)}, 1, done)
    write(broker, transaction, may_add=False)


def test_version_2_gives_a_new_epoch_with_each_end(broker: Broker) -> None:
    transaction = init(broker)
    first = transaction.epoch
    write(broker, transaction)
    end(broker, transaction, commit=True, bump=True)
    assert transaction.epoch == first + 1
    late = Transaction("txn", transaction.producer_id, first, TIMEOUT_MS)
    assert code_of(lambda: write(broker, late, sequence=1)) == errors.INVALID_PRODUCER_EPOCH
    broker.transactions.end("txn", transaction.producer_id, first, commit=True, bump=True, done=done)
    assert transaction.epoch == first + 1, "a retry of the end changes nothing"
    write(broker, transaction)
    end(broker, transaction, commit=False, bump=True)
    assert transaction.epoch == first + 2


def test_ending_what_has_not_begun(broker: Broker) -> None:
    transaction = init(broker)
    assert code_of(lambda: end(broker, transaction, commit=True)) == errors.INVALID_TXN_STATE
    write(broker, transaction)
    end(broker, transaction, commit=True)
    end(broker, transaction, commit=True)
    assert code_of(lambda: end(broker, transaction, commit=False)) == errors.INVALID_TXN_STATE


def test_limits_of_time_outs_and_names(broker: Broker) -> None:
    for name, timeout_ms, code in (
        ("", 1000, errors.INVALID_REQUEST),
        ("txn", 0, errors.INVALID_TRANSACTION_TIMEOUT),
        ("txn", 900_001, errors.INVALID_TRANSACTION_TIMEOUT),
    ):
        asked = (name, timeout_ms)
        assert code_of(lambda asked=asked: broker.transactions.init_producer(*asked, None, done)) == code


def test_an_open_transaction_survives_a_restart_and_times_out(make_broker: MakeBroker, clock: FakeClock) -> None:
    broker = make_broker()
    transaction = init(broker)
    write(broker, transaction)
    clock.advance_ms(TIMEOUT_MS // 2)
    again = make_broker()
    partition = again.catalog.topics["t"].partitions[0]
    assert partition.last_stable_offset == 0
    advance(again, clock, TIMEOUT_MS // 2)
    assert partition.last_stable_offset == 2
    assert partition.aborted


@pytest.mark.parametrize("commit", [True, False])
def test_a_decided_end_is_finished_after_a_crash(make_broker: MakeBroker, commit: bool) -> None:
    broker = make_broker()
    transaction = init(broker)
    write(broker, transaction)
    transaction.state = TransactionState.PREPARE_COMMIT if commit else TransactionState.PREPARE_ABORT
    broker.transactions._persist(transaction, done)
    again = make_broker()
    partition = again.catalog.topics["t"].partitions[0]
    assert partition.last_stable_offset == partition.high_watermark == 2
    assert bool(partition.aborted) is not commit
    assert again.transactions.transactions["txn"].state.label == ("CompleteCommit" if commit else "CompleteAbort")


def test_producer_ids_are_never_given_twice(make_broker: MakeBroker) -> None:
    given = set()
    for _ in range(3):
        broker = make_broker()
        for _ in range(1500):
            given.add(broker.next_producer_id())
    assert len(given) == 4500
