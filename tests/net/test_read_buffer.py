"""Buffers of large frames: the one that is kept, and that no two hold it at once."""

from __future__ import annotations

from smackbox.net.read_buffer import SPARE_LIMIT_BYTES, ReadBuffer


def test_a_buffer_that_was_given_back_is_taken_again() -> None:
    buffers = ReadBuffer(64)
    first = buffers.take(1000)
    buffers.give_back(first)
    second = buffers.take(900)
    assert (len(second), second.obj is first.obj) == (900, True)
    buffers.give_back(second)
    assert len(buffers.take(1000)) == 1000, "it kept its size"


def test_a_buffer_that_is_in_use_is_of_its_taker_alone() -> None:
    buffers = ReadBuffer(64)
    buffers.give_back(buffers.take(1000))
    first, second = buffers.take(1000), buffers.take(1000)
    first[:] = b"a" * 1000
    second[:] = b"b" * 1000
    assert first == b"a" * 1000


def test_one_that_is_too_small_stays_for_the_next() -> None:
    buffers = ReadBuffer(64)
    small = buffers.take(10)
    buffers.give_back(small)
    assert len(buffers.take(11)) == 11
    assert buffers.take(10).obj is small.obj


def test_the_larger_of_two_is_kept() -> None:
    buffers = ReadBuffer(64)
    small, large = buffers.take(10), buffers.take(20)
    for buffer in (small, large):
        buffers.give_back(buffer)
    assert buffers.take(5).obj is large.obj
    buffers.give_back(large)
    buffers.give_back(small)
    assert buffers.take(5).obj is large.obj


def test_no_buffer_over_the_limit_is_kept() -> None:
    buffers = ReadBuffer(64)
    kept, dropped = buffers.take(SPARE_LIMIT_BYTES), buffers.take(SPARE_LIMIT_BYTES + 1)
    buffers.give_back(dropped)
    assert buffers.take(10).obj is not dropped.obj
    buffers.give_back(kept)
    assert buffers.take(10).obj is kept.obj
