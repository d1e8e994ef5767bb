"""What a partition accepts of idempotent producers: `ProducerAppendInfo.checkProducerEpoch` and `checkSequence`."""

from __future__ import annotations

import struct

import pytest
from crc32c import crc32c
from hypothesis import given
from hypothesis import strategies as st

from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.producers import BATCHES_KEPT, NO_EPOCH, KeptBatch, ProducerState, ProducerTable
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.record_batch import TRANSACTIONAL, BatchHeader

LAST = 2**31 - 1
FENCED, OUT_OF_ORDER = errors.INVALID_PRODUCER_EPOCH, errors.OUT_OF_ORDER_SEQUENCE_NUMBER


def header(
    sequence: int, count: int = 1, *, epoch: int = 3, producer_id: int = 7, attributes: int = 0, timestamp: int = 50
) -> BatchHeader:
    return BatchHeader(0, 0, 0, 2, 0, attributes, count - 1, 0, timestamp, producer_id, epoch, sequence, count)


def noted(*headers: BatchHeader) -> ProducerTable:
    """A table that appended these batches one behind the other, from offset 100 on."""
    table, offset = ProducerTable(), 100
    for each in headers:
        table.note(each, offset)
        offset += each.record_count
    return table


@pytest.mark.parametrize(
    ("known", "sent", "code"),
    [
        pytest.param([], header(9), None, id="an unknown producer begins anywhere"),
        pytest.param([header(0, 2)], header(2), None, id="the next sequence"),
        pytest.param([header(0, 2)], header(3), OUT_OF_ORDER, id="a gap"),
        pytest.param([header(0, 2)], header(1), OUT_OF_ORDER, id="inside the last batch"),
        pytest.param([header(0, 2)], header(0, 3), OUT_OF_ORDER, id="same first sequence, another last one"),
        pytest.param([header(0, 2), header(2)], header(1, 2), OUT_OF_ORDER, id="same last sequence, another first one"),
        pytest.param([header(0, 2)], header(2, epoch=2), FENCED, id="an older epoch"),
        pytest.param([header(5)], header(0, epoch=4), None, id="a new epoch that starts at 0"),
        pytest.param([header(5)], header(6, epoch=4), OUT_OF_ORDER, id="a new epoch that does not start at 0"),
        pytest.param([header(LAST)], header(0), None, id="sequences wrap to 0"),
        pytest.param([header(LAST)], header(1), OUT_OF_ORDER, id="sequences do not wrap to 1"),
        pytest.param([header(LAST - 1, 3)], header(1), None, id="a batch over the wrap"),
        pytest.param([header(-1)], header(0), None, id="batches without sequences do not count"),
        pytest.param([header(-1)], header(1), OUT_OF_ORDER, id="the first sequence of a known epoch is 0"),
    ],
)
def test_epochs_and_sequences(known: list[BatchHeader], sent: BatchHeader, code: int | None) -> None:
    table = noted(*known)
    if code is None:
        assert table.check(sent) is None
        return
    with pytest.raises(KafkaError) as raised:
        table.check(sent)
    assert raised.value.code == code


def test_a_producer_without_an_epoch_begins_anywhere() -> None:
    """Kafka's NO_PRODUCER_EPOCH: what is known of the producer says nothing of its sequences."""
    table = ProducerTable()
    table.states[7] = ProducerState(7)
    assert table.states[7].epoch == NO_EPOCH
    assert table.check(header(9)) is None


def test_other_producers_are_independent() -> None:
    assert noted(header(5)).check(header(9, producer_id=8)) is None


def test_the_last_five_batches_are_duplicates_with_their_old_offsets() -> None:
    table = noted(*(header(2 * i, 2, timestamp=i) for i in range(BATCHES_KEPT + 1)))
    for i in range(1, BATCHES_KEPT + 1):
        kept = table.check(header(2 * i, 2))
        assert kept == KeptBatch(2 * i, 2 * i + 1, 101 + 2 * i, 1, i)
        assert kept.first_offset == 100 + 2 * i
    with pytest.raises(KafkaError):
        table.check(header(0, 2))
    assert BATCHES_KEPT == 5, "ProducerStateEntry.NUM_BATCHES_TO_RETAIN"


def test_a_new_epoch_forgets_the_batches_of_the_old_one() -> None:
    table = noted(header(0), header(1), header(0, epoch=4, timestamp=60))
    state = table.states[7]
    assert (state.epoch, list(state.batches)) == (4, [KeptBatch(0, 0, 102, 0, 60)])
    assert (state.last_sequence, state.last_offset, state.last_timestamp) == (0, 102, 60)


def test_a_producer_that_wrote_nothing_has_no_last_record() -> None:
    state = ProducerState(7)
    assert (state.last_sequence, state.last_offset, state.transaction_first_offset) == (-1, -1, -1)
    assert (state.coordinator_epoch, state.last_timestamp) == (-1, -1)


def test_a_transaction_is_open_from_its_first_batch_to_its_marker() -> None:
    table = noted(header(0), header(1, attributes=TRANSACTIONAL), header(2, attributes=TRANSACTIONAL))
    assert table.first_open_offset() == 101
    table.note(header(0, producer_id=8, attributes=TRANSACTIONAL), 90)
    assert table.first_open_offset() == 90, "the oldest of two"
    assert table.end_transaction(8, 3, 0, 70) == 90
    assert table.end_transaction(7, 3, 2, 70) == 101
    assert table.first_open_offset() == -1
    state = table.states[7]
    assert (state.coordinator_epoch, state.last_timestamp, state.last_sequence) == (2, 70, 2)
    assert table.end_transaction(7, 3, 2, 71) == -1, "none is open"


def test_a_transaction_open_at_offset_0_counts() -> None:
    table = ProducerTable()
    table.note(header(0, attributes=TRANSACTIONAL), 0)
    assert table.first_open_offset() == 0
    table.expire(1_000)
    assert 7 in table.states


def test_a_marker_with_a_new_epoch_fences_what_is_on_its_way() -> None:
    """KIP-890: the marker of a version-2 transaction carries the producer's next epoch."""
    table = noted(header(0, attributes=TRANSACTIONAL))
    table.end_transaction(7, 4, 0, 70)
    with pytest.raises(KafkaError) as raised:
        table.check(header(1))
    assert raised.value.code == FENCED
    assert table.check(header(0, epoch=4)) is None
    assert not table.states[7].batches


def test_a_marker_of_an_unknown_producer_is_remembered() -> None:
    table = ProducerTable()
    assert table.end_transaction(9, 2, 1, 70) == -1
    assert (table.states[9].epoch, table.states[9].coordinator_epoch, table.states[9].last_timestamp) == (2, 1, 70)


def test_silent_producers_expire_and_open_transactions_do_not() -> None:
    table = noted(
        header(0, producer_id=1, timestamp=49),
        header(0, producer_id=2, timestamp=50),
        header(0, producer_id=3, timestamp=49, attributes=TRANSACTIONAL),
    )
    table.expire(50)
    assert set(table.states) == {2, 3}


# --- the snapshot file: version i16, CRC-32C u32, count i32, entries of 42 bytes

ENTRY = bytes.fromhex(
    "0000000000000007 0003 00000001 0000000000000065 00000001 0000000000000032 00000002 0000000000000064"
)


def test_the_bytes_of_a_snapshot() -> None:
    table = noted(header(0, 2, attributes=TRANSACTIONAL))
    table.states[7].coordinator_epoch = 2
    body = struct.pack(">i", 1) + ENTRY
    assert table.snapshot() == struct.pack(">hI", 1, crc32c(body)) + body


def test_a_producer_without_batches_in_a_snapshot() -> None:
    table = ProducerTable()
    table.end_transaction(9, 2, 1, 70)
    assert struct.unpack(">qhiqiqiq", table.snapshot()[10:]) == (9, 2, -1, -1, 0, 70, 1, -1)
    again = ProducerTable.from_snapshot(table.snapshot())
    assert again is not None
    assert again.states == table.states


@given(st.integers(0, LAST), st.integers(1, 1000), st.integers(0, 2**15 - 1), st.integers(0, 2**40), st.booleans())
def test_a_snapshot_gives_the_last_batch_back(
    sequence: int, count: int, epoch: int, offset: int, transactional: bool
) -> None:
    table = ProducerTable()
    sent = header(sequence, count, epoch=epoch, attributes=TRANSACTIONAL if transactional else 0)
    table.note(sent, offset)
    again = ProducerTable.from_snapshot(table.snapshot())
    assert again is not None
    assert again.states == table.states
    assert again.check(sent) == table.check(sent) != None  # noqa: E711


def test_a_damaged_snapshot_is_none() -> None:
    whole = noted(header(0, 2)).snapshot()
    assert ProducerTable.from_snapshot(whole) is not None
    for at in range(len(whole)):
        assert ProducerTable.from_snapshot(whole[:at]) is None, f"cut at {at}"
        flipped = bytearray(whole)
        flipped[at] ^= 1
        assert ProducerTable.from_snapshot(bytes(flipped)) is None, f"byte {at} damaged"
    body = struct.pack(">i", 2) + whole[10:]
    assert ProducerTable.from_snapshot(struct.pack(">hI", 1, crc32c(body)) + body) is None, "a count too high"
    assert ProducerTable.from_snapshot(ProducerTable().snapshot()) is not None, "an empty one is whole"
