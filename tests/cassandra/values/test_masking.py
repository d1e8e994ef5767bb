"""Masks of values: how much of a text they cover, and the value that says nothing of each type."""

from __future__ import annotations

import hashlib

import pytest

from smackbox.cassandra.state.type_names import parse_type
from smackbox.cassandra.values.cql_text import as_literal
from smackbox.cassandra.values.masking import default_of, mask_function
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.types import INT, TEXT


@pytest.mark.parametrize(
    ("name", "begin", "end", "shown"),
    [
        ("mask_inner", 1, 2, "1*****78"),
        ("mask_outer", 1, None, "*2345678"),
        ("mask_outer", 1, 2, "*23456**"),
        ("mask_inner", 5, 5, "12345678"),
        ("mask_outer", 5, 5, "********"),
        ("mask_inner", -3, 0, "********"),
    ],
)
def test_how_much_of_a_text_is_covered(name: str, begin: int, end: int | None, shown: str) -> None:
    bounds = [None if bound is None else INT.encode(bound) for bound in (begin, end)]
    assert mask_function(name, TEXT)([b"12345678", *bounds]) == shown.encode()
    assert mask_function(name, TEXT)([None, *bounds]) is None


def test_the_padding_is_one_character_of_javas() -> None:
    bounds = [INT.encode(1), INT.encode(1)]
    assert mask_function("mask_inner", TEXT)([b"abc", *bounds, "é".encode()]) == "aéc".encode()
    for padding in ("", "ab", "😀"):
        with pytest.raises(Invalid, match="should be single-character"):
            mask_function("mask_inner", TEXT)([b"abc", *bounds, padding.encode()])


def test_a_hash_is_sha_256_unless_another_is_named() -> None:
    hashed = mask_function("mask_hash", TEXT)
    assert hashed([b"abc"]) == hashlib.sha256(b"abc").digest()
    assert hashed([b"abc", b"sha-512"]) == hashlib.sha512(b"abc").digest()
    assert hashed([None]) is None
    with pytest.raises(Invalid, match="Hash algorithm not found: crc"):
        hashed([b"abc", b"crc"])


@pytest.mark.parametrize(
    ("kind", "literal"),
    [
        ("int", "0"), ("text", "'****'"), ("boolean", "false"), ("date", "'1970-01-01'"), ("double", "0.0"),
        ("frozen<list<int>>", "[]"), ("uuid", "00000000-0000-0000-0000-000000000000"),
        ("tuple<int, text>", "(0, '****')"),
        ("vector<int, 2>", "[0, 0]"), ("inet", "'0.0.0.0'"),
    ],
)  # fmt: skip
def test_the_value_that_says_nothing(kind: str, literal: str) -> None:
    parsed = parse_type(kind, {}, "ks")
    value = default_of(parsed)
    assert value is not None
    assert as_literal(parsed, value) == literal
