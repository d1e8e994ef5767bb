"""The scan of a batch's records says what parsing each of them says, whatever their sizes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smackbox.kafka.wire.record_batch import Record, encode_records
from smackbox.kafka.wire.record_scan import InvalidRecordsError, scan

BASE = 1_700_000_000_000
BYTES = st.one_of(st.none(), st.binary(max_size=5), st.integers(0, 200).map(bytes))
ROWS = st.lists(
    st.tuples(
        st.integers(1, 90),
        st.sampled_from([-(1 << 40), -70, -1, 0, 1, 63, 64, 8191, 8192, 1 << 30, 1 << 45]),
        BYTES,
        BYTES,
        st.lists(st.tuples(st.text(max_size=3), BYTES), max_size=2),
    ),
    min_size=1,
    max_size=6,
)


def rows_of(runs: list[tuple[int, int, bytes | None, bytes | None, list[tuple[str, bytes | None]]]]) -> list[Record]:
    rows: list[Record] = []
    for length, delta, key, value, headers in runs:
        for _ in range(length):
            rows.append(Record(len(rows), BASE + delta, key, value, tuple(headers)))
    return rows


@given(ROWS)
def test_it_finds_what_the_records_say(
    runs: list[tuple[int, int, bytes | None, bytes | None, list[tuple[str, bytes | None]]]],
) -> None:
    rows = rows_of(runs)
    found = scan(bytes(encode_records(rows, 0, BASE)), len(rows), BASE)
    stamps = [row.timestamp for row in rows]
    assert (found.max_timestamp, found.min_timestamp) == (max(-1, *stamps), min(stamps))
    assert found.sequential
    assert found.keyed == all(row.key is not None for row in rows)


@given(ROWS, st.data())
def test_an_offset_out_of_its_place_is_found(
    runs: list[tuple[int, int, bytes | None, bytes | None, list[tuple[str, bytes | None]]]], data: st.DataObject
) -> None:
    rows = rows_of(runs)
    at = data.draw(st.integers(0, len(rows) - 1))
    rows[at] = rows[at]._replace(offset=at + data.draw(st.sampled_from([-1, 1, 64, 9000])))
    assert not scan(bytes(encode_records(rows, 0, BASE)), len(rows), BASE).sequential


@given(ROWS, st.data())
def test_damaged_records_are_refused_or_read_alike(
    runs: list[tuple[int, int, bytes | None, bytes | None, list[tuple[str, bytes | None]]]], data: st.DataObject
) -> None:
    """One byte changed: the scan in runs and the one record by record agree."""
    rows = rows_of(runs)
    body = bytearray(encode_records(rows, 0, BASE))
    at = data.draw(st.integers(0, len(body) - 1))
    body[at] = data.draw(st.integers(0, 255))

    def outcome() -> object:
        try:
            found = scan(bytes(body), len(rows), BASE)
        except InvalidRecordsError:
            return "invalid"
        return found

    with pytest.MonkeyPatch.context() as patch:
        in_runs = outcome()
        patch.setattr("smackbox.kafka.wire.record_scan.SHORTEST_RUN", 1 << 60)
        assert in_runs == outcome()


def test_timestamps_of_minus_one_are_none() -> None:
    rows = [Record(i, -1, None, b"v") for i in range(20)]
    found = scan(bytes(encode_records(rows, 0, -1)), 20, -1)
    assert (found.max_timestamp, found.min_timestamp) == (-1, None)


@pytest.mark.parametrize("count", [-1, 0, 2, 4])
def test_a_count_that_is_not_that_of_the_records_is_refused(count: int) -> None:
    body = bytes(encode_records([Record(i, BASE, b"k", b"v") for i in range(3)], 0, BASE))
    with pytest.raises(InvalidRecordsError):
        scan(body, count, BASE)
