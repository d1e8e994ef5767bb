"""The ring of a keyspace as partitions: whole, without overlap, each on replicas of its own."""

from __future__ import annotations

import itertools
import random

import pytest

from smackbox.spark.rdd.cassandra_splits import RING, TOKEN_MAX, TOKEN_MIN, splits


@pytest.mark.parametrize("count", [1, 3, 8, 100])
@pytest.mark.parametrize("nodes", [1, 2, 3, 5])
@pytest.mark.parametrize("virtual", [1, 16])
def test_the_ring_is_covered_once_and_each_range_is_on_its_replicas(count: int, nodes: int, virtual: int) -> None:
    chance = random.Random(count * 100 + nodes * 10 + virtual)
    owners = {chance.randrange(TOKEN_MIN, TOKEN_MAX): f"10.0.0.{number % nodes}" for number in range(nodes * virtual)}
    found = splits(list(owners), lambda token: [owners[token]], count)
    ranges = sorted(each for split in found for each in split.ranges)
    assert ranges[0][0] == TOKEN_MIN and ranges[-1][1] == TOKEN_MAX
    assert all(left[1] == right[0] for left, right in itertools.pairwise(ranges))
    tokens = sorted(owners)
    for split in found:
        for after, up_to in split.ranges:
            owner = owners[next((token for token in tokens if token >= up_to), tokens[0])]
            assert split.hosts == (owner,)
            assert not any(after < token < up_to and owners[token] != owner for token in tokens)
    if nodes * virtual <= count:
        assert len(found) >= count * 0.5
        assert max(sum(end - start for start, end in split.ranges) for split in found) < 2 * RING / count


def test_without_tokens_the_parts_are_equal_and_anywhere() -> None:
    found = splits([], lambda _: [], 4)
    assert [split.hosts for split in found] == [()] * 4
    assert [split.ranges[0][0] for split in found] == [TOKEN_MIN + RING * number // 4 for number in range(4)]


def test_one_node_has_all_parts() -> None:
    found = splits([7], lambda _: ["10.0.0.1"], 3)
    assert [split.hosts for split in found] == [("10.0.0.1",)] * 3
