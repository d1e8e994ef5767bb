"""The masking functions of dynamic data masking, applied to values."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from smackbox.cassandra.values.literals import literal_value
from smackbox.cassandra.wire.cql import ast
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.types import (
    INT,
    NUMBERS,
    TEXT,
    CqlType,
    ListType,
    MapType,
    SetType,
    TupleType,
    UserType,
    VectorType,
)

PADDING = "*"
HASH_ALGORITHM = "SHA-256"
_ALGORITHMS = {
    "MD5": "md5", "SHA": "sha1", "SHA-1": "sha1", "SHA-224": "sha224", "SHA-256": "sha256", "SHA-384": "sha384",
    "SHA-512": "sha512", "SHA3-224": "sha3_224", "SHA3-256": "sha3_256", "SHA3-384": "sha3_384",
    "SHA3-512": "sha3_512",
}  # fmt: skip
_DEFAULT_TEXTS = {
    "ascii": "****", "text": "****", "boolean": "false", "date": "1970-01-01", "inet": "0.0.0.0",  # noqa: S104
    "time": "00:00:00", "timestamp": "1970-01-01 00:00:00.000Z", "uuid": "00000000-0000-0000-0000-000000000000",
}  # fmt: skip
_FIRST_TIMEUUID = bytes.fromhex("138140001dd211b28080808080808080")
Values = Sequence[bytes | None]
Mask = Callable[[Values], bytes | None]


def argument_kinds(name: str, kind: CqlType) -> list[CqlType]:
    """The types of the arguments after the first."""
    if name == "mask_replace":
        return [kind]
    return [TEXT] if name == "mask_hash" else [INT, INT, TEXT]


def mask_function(name: str, kind: CqlType) -> Mask:
    """A masking function with its other arguments bound, for values of that type. Raises `Invalid`."""
    if name == "mask_null":
        return lambda _: None
    if name == "mask_default":
        default = default_of(kind)
        return lambda _: default
    if name == "mask_replace":
        return lambda values: values[1]
    if name == "mask_hash":
        return _hashed
    return lambda values: _covered(values, name)


def _hashed(values: Values) -> bytes | None:
    algorithm = HASH_ALGORITHM
    if len(values) > 1 and values[1] is not None:
        algorithm = values[1].decode()
    hash_name = _ALGORITHMS.get(algorithm.upper())
    if hash_name is None:
        raise Invalid(f"Hash algorithm not found: {algorithm}")
    return None if values[0] is None else hashlib.new(hash_name, values[0], usedforsecurity=False).digest()


def _covered(values: Values, name: str) -> bytes | None:
    padding = PADDING
    if len(values) > 3 and values[3] is not None:
        padding = values[3].decode()
        length = len(padding.encode("utf-16-le")) // 2
        if length != 1:
            raise Invalid(
                f"The padding argument for function system.{name} should be single-character, but '{padding}' has "
                f"{length} characters."
            )
    if values[0] is None:
        return None
    text = values[0].decode()
    begin, end = (max(0, INT.decode(value)) if value else 0 for value in values[1:3])
    stop = max(len(text) - end, 0)
    if begin >= stop:
        return (text if name == "mask_inner" else padding * len(text)).encode()
    if name == "mask_inner":
        shown = text[:begin] + padding * (stop - begin) + text[stop:]
    else:
        shown = padding * begin + text[begin:stop] + padding * (len(text) - stop)
    return shown.encode()


def default_of(kind: CqlType) -> bytes | None:
    """The masked default value of each type."""
    if isinstance(kind, ListType | SetType | MapType):
        return bytes(4)
    if isinstance(kind, VectorType):
        return kind.join([default_of(kind.element) or b""] * kind.dimension)
    if isinstance(kind, UserType | TupleType):
        return kind.join([default_of(part) for part in kind.parts])
    text = _DEFAULT_TEXTS.get(kind.cql)
    if text is not None:
        sort = "boolean" if kind.cql == "boolean" else "uuid" if kind.cql == "uuid" else "string"
        return literal_value(ast.Literal(sort, text), kind, "")
    if kind.cql == "timeuuid":
        return _FIRST_TIMEUUID
    if kind.cql == "duration":
        return bytes(3)
    if kind in NUMBERS or kind.cql == "counter":
        return bytes(8) if kind.cql == "counter" else literal_value(ast.Literal("integer", "0"), kind, "")
    return b""
