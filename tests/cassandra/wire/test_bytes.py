"""`[bytes]` of the protocol, the timestamp behind a request's values, and the digits of long numbers."""

from __future__ import annotations

import struct
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smackbox.cassandra.wire.byte_strings import read_bytes_list, wire_bytes
from smackbox.cassandra.wire.digits import DIGITS_LIMIT, digits_of, number_of, whole_of
from smackbox.cassandra.wire.errors import Invalid, ProtocolViolation
from smackbox.cassandra.wire.requests import timestamp_after_values

VALUES, PAGE_SIZE, PAGING_STATE, SERIAL, TIMESTAMP, KEYSPACE = 0x01, 0x04, 0x08, 0x10, 0x20, 0x80


@given(st.lists(st.none() | st.binary(max_size=20)), st.binary(max_size=5))
def test_byte_strings_come_back(values: list[bytes | None], before: bytes) -> None:
    body = before + b"".join(map(wire_bytes, values))
    assert read_bytes_list(body, len(before), len(values)) == (values, len(body))


@pytest.mark.parametrize(
    ("flags", "options"),
    [
        (TIMESTAMP, struct.pack(">q", 77)),
        (TIMESTAMP | PAGE_SIZE, struct.pack(">iq", 100, 77)),
        (TIMESTAMP | PAGE_SIZE | SERIAL, struct.pack(">iHq", 100, 8, 77)),
        (TIMESTAMP | KEYSPACE, struct.pack(">qH2s", 77, 2, b"ks")),
        (TIMESTAMP | PAGING_STATE | KEYSPACE, struct.pack(">i1sqH2s", 1, b"p", 77, 2, b"ks")),
    ],
)
def test_the_timestamp_is_found_behind_whatever_options(flags: int, options: bytes) -> None:
    assert timestamp_after_values(b"values" + options, 6, flags | VALUES, 5) == 77


def test_a_request_without_a_timestamp_has_none() -> None:
    assert timestamp_after_values(b"", 0, VALUES, 5) is None
    assert timestamp_after_values(struct.pack(">i", 100), 0, VALUES | PAGE_SIZE, 4) is None
    assert timestamp_after_values(struct.pack(">H2s", 2, b"ks"), 0, VALUES | KEYSPACE, 5) is None


def test_options_that_are_cut_short_are_refused() -> None:
    with pytest.raises(ProtocolViolation):
        timestamp_after_values(b"\x00\x00", 0, TIMESTAMP, 5)


@given(st.integers())
def test_a_number_comes_back_from_its_digits(number: int) -> None:
    assert number_of(digits_of(number)) == number


def test_a_long_number_has_so_many_digits_and_no_more() -> None:
    longest = "9" * DIGITS_LIMIT
    assert digits_of(number_of(longest)) == longest
    assert number_of("-" + longest[1:]) == -number_of(longest[1:])
    for wrong in (
        lambda: number_of(longest + "9"),
        lambda: digits_of(1 << 10**6),
        lambda: whole_of(Decimal("1E+20001")),
    ):
        with pytest.raises(Invalid, match="is not converted"):
            wrong()
