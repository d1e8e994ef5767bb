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
    PARTITION_KEY_LIMIT,
    ROW,
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
