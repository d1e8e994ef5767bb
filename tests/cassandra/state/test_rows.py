"""Fragments and their merge: Cassandra's rules of which of two writes is seen."""

from __future__ import annotations

import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cassandra.state.tables import table_of

from smackbox.cassandra.state.keys import suffix
from smackbox.cassandra.state.rows import (
    COMPLEX,
    DELETION,
    EXPIRING,
    MARKER,
    NOT_PLAIN,
    NULLS,
    Cell,
    Row,
    bitmap_of,
    complex_bytes,
    droppable_at_s,
    encode_stamped,
    merge,
    newer_cell,
    newer_marker,
    plain_form,
)
from smackbox.cassandra.state.schema import DroppedColumn
from smackbox.cassandra.wire.byte_strings import wire_bytes

TABLE = table_of(("k", "partition_key", "int"), ("v", "regular", "blob"), ("w", "regular", "blob"))
COUNTERS = table_of(("k", "partition_key", "int"), ("n", "regular", "counter"))
SETS = table_of(("k", "partition_key", "int"), ("s", "regular", "set<text>"))
NOW_S = 1_000


def written(
    timestamp: int, cells: dict[int, bytes | None], flags: int = MARKER, times: bytes = b""
) -> tuple[bytes, bytes]:
    body = bytes([flags | 0]) + bitmap_of(cells) + times + b"".join(wire_bytes(cells[n]) for n in sorted(cells))
    return suffix(timestamp, 0), body


def nulls(timestamp: int, *numbers: int) -> tuple[bytes, bytes]:
    return written(timestamp, dict.fromkeys(numbers), NULLS, struct.pack(">I", NOW_S))


def deletion(timestamp: int) -> tuple[bytes, bytes]:
    return written(timestamp, {}, DELETION, struct.pack(">I", NOW_S))


cells = st.one_of(
    st.tuples(st.integers(0, 3), st.just(0), st.just(0), st.binary(max_size=2)),
    st.tuples(st.integers(0, 3), st.integers(1, 3), st.integers(900, 903), st.binary(max_size=2)),
    st.tuples(st.integers(0, 3), st.just(0), st.integers(900, 903), st.none()),
)


@given(cells, cells, cells)
def test_the_newer_of_cells_does_not_depend_on_their_order(a: Cell, b: Cell, c: Cell) -> None:
    assert newer_cell(a, b) == newer_cell(b, a)
    assert newer_cell(newer_cell(a, b), c) == newer_cell(a, newer_cell(b, c))


@pytest.mark.parametrize(
    ("winner", "loser"),
    [
        ((2, 0, 0, b"a"), (1, 0, 900, None)),  # the later one, whatever it is
        ((1, 0, 900, None), (1, 5, 950, b"z")),  # at one time a deletion,
        ((1, 5, 950, b"a"), (1, 0, 0, b"z")),  # then what expires,
        ((1, 5, 951, b"a"), (1, 5, 950, b"z")),  # the later of these,
        ((1, 4, 950, b"a"), (1, 5, 950, b"z")),  # or the one that was written later;
        ((1, 0, 0, b"b"), (1, 0, 0, b"a")),  # then the larger value
    ],
)
def test_which_of_two_cells_is_seen(winner: Cell, loser: Cell) -> None:
    assert newer_cell(winner, loser) == newer_cell(loser, winner) == winner


def test_which_of_two_markers_is_seen() -> None:
    assert newer_marker((1, 0, 0), (2, 5, 950)) == (2, 5, 950)
    assert newer_marker((1, 0, 0), (1, 5, 950)) == (1, 5, 950)
    assert newer_marker((1, 5, 951), (1, 5, 950)) == (1, 5, 951)


writes = st.one_of(
    st.builds(written, st.integers(1, 4), st.dictionaries(st.integers(0, 1), st.binary(max_size=2))),
    st.builds(lambda timestamp, number: nulls(timestamp, number), st.integers(1, 4), st.integers(0, 1)),
    st.builds(deletion, st.integers(1, 4)),
)


def seen(row: Row) -> object:
    return row.marker, row.deletion, row.cells, row.complex_deletions


@given(st.lists(writes, max_size=4))
def test_a_row_is_the_same_in_whatever_order_its_fragments_are_merged(fragments: list[tuple[bytes, bytes]]) -> None:
    rows = [seen(merge(TABLE, order)) for order in itertools.permutations(fragments)]
    assert all(row == rows[0] for row in rows)


@given(st.lists(writes, min_size=1, max_size=5), st.integers(0, 5))
def test_a_merged_fragment_stands_for_those_that_it_is_made_of(fragments: list[tuple[bytes, bytes]], cut: int) -> None:
    merged = encode_stamped(merge(TABLE, fragments[:cut]), static=False)
    assert seen(merge(TABLE, [(suffix(9, 0), merged), *fragments[cut:]])) == seen(merge(TABLE, fragments))


def test_a_row_lives_by_its_marker_or_a_value() -> None:
    assert merge(TABLE, [written(1, {})]).is_live(NOW_S)
    assert not merge(TABLE, [written(1, {}), deletion(1)]).is_live(NOW_S)
    assert merge(TABLE, [written(2, {0: b"x"}, 0), deletion(1)]).is_live(NOW_S)
    assert not merge(TABLE, [written(1, {0: b"x"}, 0), nulls(2, 0)]).is_live(NOW_S)
    expiring = written(1, {0: b"x"}, EXPIRING, struct.pack(">II", 10, NOW_S))
    assert merge(TABLE, [expiring]).is_live(NOW_S - 1)
    assert not merge(TABLE, [expiring]).is_live(NOW_S)


def test_increments_add_up_and_wrap_as_javas_long() -> None:
    def plus(timestamp: int, number: int) -> tuple[bytes, bytes]:
        return written(timestamp, {0: number.to_bytes(8, "big", signed=True)}, 0)

    row = merge(COUNTERS, [plus(1, 5), plus(3, -7)])
    assert row.cells[0] == (3, 0, 0, (-2).to_bytes(8, "big", signed=True))
    assert merge(COUNTERS, [plus(1, 5), nulls(2, 0), plus(3, 4)]).value(0, NOW_S) == (4).to_bytes(8, "big")
    assert merge(COUNTERS, [plus(1, 2**63 - 1), plus(2, 1)]).value(0, NOW_S) == (2**63).to_bytes(8, "big")


def test_a_collection_that_is_set_anew_hides_what_it_was_and_not_what_comes_with_it() -> None:
    def part(timestamp: int, element: bytes, *, replace: bool) -> tuple[bytes, bytes]:
        value = complex_bytes([(element, b"")], replace=replace)
        return written(timestamp, {0: value}, COMPLEX | (NULLS if replace else 0), struct.pack(">I", NOW_S) * replace)

    added, replaced = part(5, b"a", replace=False), part(5, b"b", replace=True)
    assert sorted(merge(SETS, [added, replaced]).parts(0, NOW_S)) == [(b"a", b""), (b"b", b"")]
    assert merge(SETS, [part(4, b"a", replace=False), replaced]).parts(0, NOW_S) == [(b"b", b"")]


def test_of_a_column_that_came_back_what_is_newer_than_its_drop_lives() -> None:
    dropped = DroppedColumn("v", "regular", "blob", 5, 0)
    table = table_of(("k", "partition_key", "int"), ("v", "regular", "blob"), dropped=(dropped,))
    assert merge(table, [written(5, {0: b"old"})]).value(0, NOW_S) is None
    assert merge(table, [written(6, {0: b"new"})]).value(0, NOW_S) == b"new"
    assert plain_form(table) == (0, MARKER)


def test_what_was_deleted_is_dropped_after_its_grace_and_not_before() -> None:
    row = merge(TABLE, [nulls(1, 0), deletion(2)])
    row.purge(NOW_S + 100, NOW_S - 1)
    assert not row.is_empty()
    row.purge(NOW_S + 100, NOW_S)
    assert row.is_empty()


def test_when_a_fragment_can_be_dropped() -> None:
    assert droppable_at_s(deletion(1)[1], 50) == NOW_S + 50
    expiring = written(1, {0: b"x"}, EXPIRING, struct.pack(">II", 10, NOW_S))[1]
    assert droppable_at_s(expiring, 50) == NOW_S - 10 + 50
    assert droppable_at_s(expiring, 5) == NOW_S


@given(st.sets(st.integers(0, 300)))
def test_the_bitmap_of_a_fragment_has_its_columns(numbers: set[int]) -> None:
    bitmap = bitmap_of(numbers)
    assert bitmap[0] == len(bitmap) - 1
    bits = int.from_bytes(bitmap[1:], "little")
    assert {number for number in range(301) if bits >> number & 1} == numbers


CLUSTERED = table_of(
    ("k", "partition_key", "int"), ("a", "clustering", "blob"), ("b", "clustering", "blob"), ("v", "regular", "blob"),
    ("w", "regular", "blob"), ("s", "regular", "set<text>"),
)  # fmt: skip


@given(st.binary(max_size=3), st.binary(max_size=3), st.binary(max_size=3), st.binary(max_size=3))
def test_a_fragment_has_its_clustering_columns_before_its_cells(a: bytes, b: bytes, v: bytes, w: bytes) -> None:
    values = wire_bytes(a) + wire_bytes(b) + wire_bytes(v) + wire_bytes(w)
    plain = suffix(5, 0), bytes([MARKER]) + bitmap_of([0, 1]) + values
    expiring = suffix(5, 0), bytes([MARKER | EXPIRING]) + bitmap_of([0, 1]) + struct.pack(">II", 10, NOW_S) + values
    for fragment, ttl, time in ((plain, 0, 0), (expiring, 10, NOW_S)):
        row = merge(CLUSTERED, [fragment])
        assert (row.clustering, row.marker) == ((a, b), (5, ttl, time))
        assert row.cells == {0: (5, ttl, time, v), 1: (5, ttl, time, w)}
        again = merge(CLUSTERED, [(suffix(9, 0), encode_stamped(row, static=False))])
        assert (again.clustering, again.cells, again.marker) == (row.clustering, row.cells, row.marker)


def test_a_cell_that_expires_is_read_until_then() -> None:
    row = merge(TABLE, [written(1, {0: b"x"}, EXPIRING, struct.pack(">II", 10, NOW_S))])
    assert [row.value(0, now) for now in (NOW_S - 1, NOW_S)] == [b"x", None]
    assert row.value(1, 0) is None
    marked = merge(TABLE, [written(1, {}, MARKER | EXPIRING, struct.pack(">II", 10, NOW_S))])
    assert [marked.has_marker(now) for now in (NOW_S - 1, NOW_S)] == [True, False]
    parts = complex_bytes([(b"p", b"")], replace=False)
    elements = merge(SETS, [written(1, {0: parts}, COMPLEX | EXPIRING, struct.pack(">II", 10, NOW_S))])
    assert [elements.parts(0, now) for now in (NOW_S - 1, NOW_S)] == [[(b"p", b"")], []]
    assert elements.parts(1, 0) == []


def test_what_a_later_deletion_covers_is_forgotten() -> None:
    row = merge(TABLE, [written(5, {0: b"x"}), written(6, {1: b"y"}), deletion(3)])
    row.drop_covered(2)
    assert (row.deletion, set(row.cells)) == ((3, NOW_S), {0, 1})
    row.drop_covered(3)
    assert row.deletion == (Row().deletion)
    row.drop_covered(5)
    assert (set(row.cells), row.marker, row.deletion) == ({1}, (6, 0, 0), Row().deletion)


def test_the_weight_of_a_row_and_when_the_first_of_it_can_be_dropped() -> None:
    assert Row().droppable_at_s(50) == 2**63
    row = merge(TABLE, [written(5, {0: b"x"}), deletion(3)])
    assert (row.weight(), row.droppable_at_s(50)) == (3, NOW_S + 50)
    replaced = merge(SETS, [written(5, {0: complex_bytes([], replace=True)}, COMPLEX | NULLS, struct.pack(">I", 700))])
    assert (replaced.weight(), replaced.droppable_at_s(50)) == (0, 750)
    replaced.cells[0, b"p"] = (9, 0, 0, b"")
    assert replaced.droppable_at_s(50) == 2**63, "as long as there is something that it may hide"
    expiring = merge(TABLE, [written(1, {0: b"x"}, MARKER | EXPIRING, struct.pack(">II", 10, NOW_S))])
    assert [expiring.droppable_at_s(grace) for grace in (5, 50)] == [NOW_S, NOW_S + 40]
    expiring.purge(NOW_S, NOW_S - 11)
    assert not expiring.is_empty()
    expiring.purge(NOW_S - 1, NOW_S)
    assert not expiring.is_empty()
    expiring.purge(NOW_S, NOW_S - 10)
    assert expiring.is_empty()


def test_a_table_that_lost_a_column_shows_marked_rows_as_they_are() -> None:
    gone = DroppedColumn("gone", "regular", "blob", 5, 9)
    table = table_of(("k", "partition_key", "int"), ("v", "regular", "blob"), dropped=(gone,))
    assert plain_form(TABLE) == (NOT_PLAIN, 0)
    assert plain_form(table) == (NOT_PLAIN | MARKER, MARKER)
