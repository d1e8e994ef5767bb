"""Shards in their order, over splits, merges and stops; aggregated records."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smackbox.base.errors import SettingError
from smackbox.kinesis.aggregated import MAGIC, UserRecord, aggregate, user_records
from smackbox.kinesis.shards import Shard, Shards


def test_children_follow_their_parents() -> None:
    shards = Shards("TRIM_HORIZON")
    shards.listed([Shard("0"), Shard("1"), Shard("2", ("0",)), Shard("3", ("0",)), Shard("4", ("1", "2"))])
    assert shards.readable() == ["0", "1"]
    shards.ended("0")
    assert shards.readable() == ["1", "2", "3"]
    shards.ended("1")
    assert shards.readable() == ["2", "3"]  # 4 waits for its other parent
    shards.ended("2")
    assert shards.readable() == ["3", "4"]


def test_a_parent_that_is_gone_is_not_waited_for() -> None:
    shards = Shards("TRIM_HORIZON")
    shards.listed([Shard("2", ("0",))])
    assert shards.readable() == ["2"]


def test_where_a_shard_is_read_from() -> None:
    shards = Shards("latest", now_ms=1_500)
    shards.listed([Shard("0"), Shard("1", ("0",))])
    assert shards.position("0") == {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": 1.5}
    assert shards.position("1") == shards.position("0")  # its first record is later
    shards.read("0", "77")
    assert shards.position("0") == {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": "77"}
    assert Shards("trim_horizon").position("0") == {"ShardIteratorType": "TRIM_HORIZON"}
    assert Shards(2_000).position("0") == {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": 2.0}
    with pytest.raises(SettingError, match="not 'NOW'"):
        Shards("NOW")


def test_a_checkpoint_goes_on_after_a_reshard_while_stopped() -> None:
    shards = Shards("latest", now_ms=9_000)
    shards.listed([Shard("0"), Shard("1")])
    shards.read("0", "5")
    kept = json.loads(json.dumps(shards.state()))
    # 0 was split, and read to its end is what is left to do; nothing was read of 1 before
    again = Shards.restored(kept)
    again.listed([Shard("0"), Shard("1"), Shard("2", ("0",)), Shard("3", ("0",))])
    assert again.readable() == ["0", "1"]
    assert again.position("0")["StartingSequenceNumber"] == "5"
    assert again.position("1") == {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": 9.0}
    again.ended("0")
    once_more = Shards.restored(json.loads(json.dumps(again.state())))
    once_more.listed([Shard("0"), Shard("1"), Shard("2", ("0",)), Shard("3", ("0",))])
    assert once_more.readable() == ["1", "2", "3"]


@given(st.integers(0, 2**32), st.integers(1, 30))
def test_every_shard_is_read_once_and_after_its_parents(seed: int, steps: int) -> None:
    """Splits, merges, ends and restarts by chance."""
    chance = random.Random(seed)
    there = {"0": Shard("0"), "1": Shard("1")}
    open_shards = ["0", "1"]
    shards = Shards("TRIM_HORIZON")
    read: list[str] = []
    for number in range(steps):
        act = chance.choice(["split", "merge", "read", "read", "restart"])
        if act == "split":
            parent = open_shards.pop(chance.randrange(len(open_shards)))
            for half in "ab":
                child = f"{number}{half}"
                there[child] = Shard(child, (parent,))
                open_shards.append(child)
        elif act == "merge" and len(open_shards) > 1:
            pair = tuple(open_shards.pop() for _ in range(2))
            child = f"{number}m"
            there[child] = Shard(child, pair)
            open_shards.append(child)
        elif act == "restart":
            shards = Shards.restored(json.loads(json.dumps(shards.state())))
        shards.listed(there.values())
        if act == "read":
            ready = [shard for shard in shards.readable() if shard not in open_shards]
            if ready:
                shard = chance.choice(ready)
                assert set(there[shard].parents) <= set(read)
                assert shard not in read
                read.append(shard)
                shards.read(shard, str(number))
                shards.ended(shard)
    while ready := [shard for shard in shards.readable() if shard not in open_shards]:
        for shard in ready:
            assert set(there[shard].parents) <= set(read)
            read.append(shard)
            shards.ended(shard)
    assert sorted(read) == sorted(there.keys() - set(open_shards))
    assert sorted(shards.readable()) == sorted(open_shards)


@given(st.lists(st.tuples(st.text(max_size=5), st.binary(max_size=20)), max_size=8))
def test_aggregated_records_come_apart(records: list[tuple[str, bytes]]) -> None:
    sent = [UserRecord(*record) for record in records]
    assert user_records("outer", aggregate(sent)) == sent


@given(st.binary(max_size=60))
def test_any_bytes_behind_the_magic_are_a_record(data: bytes) -> None:
    assert user_records("k", MAGIC + data) == [UserRecord("k", MAGIC + data)]


def test_the_bytes_of_an_aggregated_record() -> None:
    """As the format's description has them: keys, then records of an index and data."""
    data = aggregate([UserRecord("a", b"x"), UserRecord("b", b"y"), UserRecord("a", b"z")])
    message = bytes.fromhex("0a0161 0a0162 1a050800 1a0178 1a050801 1a0179 1a050800 1a017a")
    assert data[:4] == b"\xf3\x89\x9a\xc2"
    assert data[4:-16] == message
    broken = bytearray(data)
    broken[-1] ^= 1
    assert user_records("k", bytes(broken)) == [UserRecord("k", bytes(broken))]
