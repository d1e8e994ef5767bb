"""Committed offsets: those of transactions wait for their end; the bytes of their records."""

from __future__ import annotations

import struct

import pytest

from smackbox.kafka.state.group_offsets import CommittedOffset, GroupOffsets, offset_record

WHERE, OTHER = ("t", 0), ("t", 1)
ONE, TWO = CommittedOffset(1, -1, "", 5), CommittedOffset(2, 0, "m", 6)


@pytest.mark.parametrize("commit", [True, False])
def test_offsets_of_a_transaction(commit: bool) -> None:
    offsets = GroupOffsets({WHERE: ONE}, {7: {WHERE: TWO, OTHER: TWO}, 8: {OTHER: ONE}})
    offsets.end_transaction(9, commit=True)
    offsets.end_transaction(7, commit=commit)
    assert offsets.committed == ({WHERE: TWO, OTHER: TWO} if commit else {WHERE: ONE})
    assert [offsets.is_pending(where) for where in (WHERE, OTHER)] == [False, True]
    assert offsets.pending == {8: {OTHER: ONE}}


def test_whether_there_is_something() -> None:
    assert not GroupOffsets()
    assert GroupOffsets({WHERE: ONE})
    assert GroupOffsets(pending={7: {}})


def test_the_bytes_of_a_record() -> None:
    """`OffsetCommitKey` 1, `OffsetCommitValue` 3; null is a tombstone."""
    key = struct.pack(">hh1sh1si", 1, 1, b"g", 1, b"t", 3)
    assert offset_record("g", ("t", 3), None) == (key, None)
    assert offset_record("g", ("t", 3), TWO) == (key, struct.pack(">hqih1sq", 3, 2, 0, 1, b"m", 6))
