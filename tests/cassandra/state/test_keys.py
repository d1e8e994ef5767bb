"""Keys of the store: their order is that of the answers, and they are taken apart as they were put together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cassandra.state.tables import table_of

from smackbox.cassandra.state.keys import (
    MAX_TIMESTAMP,
    MAX_TOKEN,
    MIN_TIMESTAMP,
    MIN_TOKEN,
    PARTITION_DELETION,
    PARTITION_KEY_LIMIT,
    RANGE_TOMBSTONE,
    ROW,
    SECTION_ROW,
    SECTION_STATIC,
    STATIC_ROW,
    SUFFIX_LENGTH,
    clustering_key,
    compose_partition_key,
    partition_of,
    partition_prefix,
    split_partition_key,
    successor,
    suffix,
    timestamp_of,
    token_prefix,
    written_clustering_key,
)
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.murmur3 import token_of
from smackbox.cassandra.wire.types import INT, TEXT

TABLE = table_of(("k", "partition_key", "blob"), ("a", "clustering", "int"), ("b", "clustering desc", "text"))


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=5))
def test_the_components_of_a_partition_key_come_back(components: list[bytes]) -> None:
    assert split_partition_key(compose_partition_key(components), len(components)) == components


def test_a_partition_key_of_several_components_is_cassandras() -> None:
    assert compose_partition_key([b"ab", b""]) == b"\x00\x02ab\x00\x00\x00\x00"


def test_a_partition_key_has_64_kib_less_one_at_most() -> None:
    assert partition_prefix(TABLE, bytes(PARTITION_KEY_LIMIT))
    with pytest.raises(Invalid, match="Key length of 65536 is longer than maximum of 65535"):
        partition_prefix(TABLE, bytes(PARTITION_KEY_LIMIT + 1))
    with pytest.raises(Invalid, match="Key length of 65536"):
        compose_partition_key([bytes(PARTITION_KEY_LIMIT), b"a"])
    with pytest.raises(Invalid, match="Key length of 65536"):
        written_clustering_key(TABLE, [b"\x00\x00\x00\x01", bytes(PARTITION_KEY_LIMIT - 3)])


@given(st.binary(max_size=30), st.binary(max_size=30))
def test_partitions_are_in_the_order_of_their_tokens(left: bytes, right: bytes) -> None:
    before = partition_prefix(TABLE, left) < partition_prefix(TABLE, right)
    if token_of(left) != token_of(right):
        assert before == (token_of(left) < token_of(right))
    assert token_prefix(TABLE, token_of(left)) <= partition_prefix(TABLE, left)


def test_tokens_are_ordered_by_their_sign() -> None:
    prefixes = [token_prefix(TABLE, token) for token in (MIN_TOKEN, -1, 0, 1, MAX_TOKEN)]
    assert prefixes == sorted(prefixes)


rows = st.tuples(st.integers(-(2**31), 2**31 - 1), st.text(max_size=10))


@given(rows, rows)
def test_rows_are_in_clustering_order_each_column_in_its_own(left: tuple[int, str], right: tuple[int, str]) -> None:
    keys = [clustering_key(TABLE, [INT.encode(a), TEXT.encode(b)]) for a, b in (left, right)]
    by_b = (right[1].encode(), left[1].encode())
    assert (keys[0] < keys[1]) == ((left[0], by_b[0]) < (right[0], by_b[1]))


@given(st.integers(MIN_TIMESTAMP + 1, MAX_TIMESTAMP), st.integers(MIN_TIMESTAMP + 1, MAX_TIMESTAMP), st.binary())
def test_of_a_row_the_latest_write_comes_first(left: int, right: int, partition_key: bytes) -> None:
    prefix = partition_prefix(TABLE, partition_key)
    keys = [prefix + ROW + suffix(timestamp, 1) for timestamp in (left, right)]
    assert [timestamp_of(key) for key in keys] == [left, right]
    assert (keys[0] < keys[1]) == (left > right)
    assert partition_of(keys[0]) == prefix


@given(st.binary(min_size=1, max_size=5), st.binary(max_size=5))
def test_the_successor_is_after_all_that_begins_so(prefix: bytes, rest: bytes) -> None:
    after = successor(prefix)
    if prefix.strip(b"\xff"):
        assert prefix + rest < after
        assert after[:-1] == prefix[: len(after) - 1]
    else:
        assert prefix < after


def test_the_bytes_of_a_key_on_disk() -> None:
    """What stores hold must be read by every later version."""
    prefix = partition_prefix(TABLE, b"ab")
    token = (token_of(b"ab") + 2**63).to_bytes(8, "big")
    assert prefix == b"\x00\x00\x00\x07" + token + b"\x00\x02ab"
    assert token_prefix(TABLE, MIN_TOKEN) == b"\x00\x00\x00\x07" + bytes(8)
    assert suffix(MAX_TIMESTAMP, 1) == bytes(8) + b"\x00\x00\x00\x01"
    assert suffix(MAX_TIMESTAMP - 258, 2**32 + 5) == b"\x00\x00\x00\x00\x00\x00\x01\x02" + b"\x00\x00\x00\x05"
    assert (PARTITION_DELETION, RANGE_TOMBSTONE, STATIC_ROW, ROW) == (b"\x01", b"\x02", b"\x03", b"\x04")
    assert (STATIC_ROW[0], ROW[0], 12) == (SECTION_STATIC, SECTION_ROW, SUFFIX_LENGTH)
    assert (MIN_TOKEN, MAX_TOKEN, MIN_TIMESTAMP, MAX_TIMESTAMP) == (-(2**63), 2**63 - 1, -(2**63), 2**63 - 1)


def test_the_first_columns_of_a_clustering_key_begin_the_whole_key() -> None:
    whole = clustering_key(TABLE, [INT.encode(1), TEXT.encode("x")])
    first = clustering_key(TABLE, [INT.encode(1)])
    assert whole.startswith(first)
    assert first != b""
    exact = PARTITION_KEY_LIMIT - 4
    assert written_clustering_key(TABLE, [INT.encode(1), bytes(exact)])


def test_successors() -> None:
    assert [successor(prefix) for prefix in (b"a", b"a\xff", b"\xff", b"\xff\xff", b"\x00")] == [
        b"b", b"b", b"\xff\xff", b"\xff\xff\xff", b"\x01",
    ]  # fmt: skip


@pytest.mark.parametrize("length", [0, 255, 256, 512, PARTITION_KEY_LIMIT])
def test_a_key_of_a_partition_says_where_its_partition_ends(length: int) -> None:
    prefix = partition_prefix(TABLE, bytes(length))
    assert partition_of(prefix + ROW + suffix(5, 1)) == prefix
