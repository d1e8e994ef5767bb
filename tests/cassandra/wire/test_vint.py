"""Cassandra's variable-length integers (`VIntCoding`, native_protocol_v5.spec: [vint], [unsigned vint])."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.vint import read_unsigned, read_vint, write_unsigned, write_vint


@pytest.mark.parametrize(
    ("number", "encoded"),
    [
        (0, "00"),
        (1, "01"),
        (127, "7f"),
        (128, "8080"),
        (2**14 - 1, "bfff"),
        (2**14, "c04000"),
        (2**21, "e0200000"),
        (2**49 - 1, "fdffffffffffff"),
        (2**49, "fe02000000000000"),
        (2**56 - 1, "feffffffffffffff"),
        (2**56, "ff0100000000000000"),
        (2**64 - 1, "ffffffffffffffffff"),
    ],
)
def test_the_bytes_of_unsigned_numbers(number: int, encoded: str) -> None:
    data = bytes.fromhex(encoded)
    assert write_unsigned(number) == data
    assert read_unsigned(b"x" + data + b"y", 1) == (number, 1 + len(data))
    for cut in range(len(data)):
        with pytest.raises(Invalid, match="Not enough bytes"):
            read_unsigned(data[:cut], 0)


@pytest.mark.parametrize(
    ("number", "encoded"),
    [(0, "00"), (-1, "01"), (1, "02"), (-64, "7f"), (64, "8080"), (-(2**63), "ff" * 9), (2**63 - 1, "ff" * 8 + "fe")],
)
def test_the_bytes_of_signed_numbers(number: int, encoded: str) -> None:
    assert write_vint(number).hex() == encoded
    assert read_vint(bytes.fromhex(encoded), 0) == (number, len(encoded) // 2)


@given(st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_numbers_in_a_row_come_back(numbers: list[int]) -> None:
    data, offset, found = b"".join(map(write_vint, numbers)), 0, []
    for _ in numbers:
        number, offset = read_vint(data, offset)
        found.append(number)
    assert (found, offset) == (numbers, len(data))
