"""From CQL literals to values: which literals a type accepts, and the text forms of dates and times."""

from __future__ import annotations

import ipaddress
import math
import re
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from uuid import UUID

from smackbox.cassandra.values.custom_literals import parse_custom
from smackbox.cassandra.values.durations import parse_duration
from smackbox.cassandra.wire.cql.ast import Literal
from smackbox.cassandra.wire.custom_types import CompositeType, CustomType, DynamicCompositeType
from smackbox.cassandra.wire.digits import number_of
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.types import (
    ASCII,
    BIGINT,
    BLOB,
    BOOLEAN,
    DECIMAL,
    DOUBLE,
    DURATION,
    INT,
    TEXT,
    TIMEUUID,
    UUID_TYPE,
    VARINT,
    CqlType,
    ListType,
    MapType,
    SetType,
    TupleType,
    UserType,
)

DATE_EPOCH = 2**31
NANOSECONDS_A_DAY = 86_400 * 10**9
# the longest 64-bit number with leading zeros
NUMBER_DIGITS = 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBERS = frozenset({"bigint", "counter", "decimal", "double", "float", "int", "smallint", "tinyint", "varint"})
_ACCEPTED: dict[str, frozenset[str]] = {
    "string": frozenset({"ascii", "text", "inet", "timestamp", "date", "time"}),
    "integer": _NUMBERS | {"date", "time", "timestamp", "duration"},
    "float": frozenset({"decimal", "double", "float"}),
    "boolean": frozenset({"boolean"}),
    "uuid": frozenset({"uuid", "timeuuid"}),
    "hex": frozenset({"blob", "tinyint"}),
    "duration": frozenset({"duration"}),
}
_TIMESTAMP = re.compile(
    r"(-?\d{4})-(\d{1,2})-(\d{1,2})"
    r"(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?)?"
    r"\s*(Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?"
)
_TIME = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d{1,9}))?")


def accepts(literal: Literal, kind: CqlType) -> bool:
    """Whether a literal of this kind can be a value of the type."""
    if literal.kind == "null" or _is_tuple(kind) or isinstance(kind, CustomType):
        return True
    return kind.cql in _ACCEPTED[literal.kind]


def literal_type(literal: Literal) -> CqlType | None:
    """The type that Cassandra prefers for a literal (`Constants.Type.getPreferedTypeFor`); None for null."""
    if literal.kind == "string":
        return ASCII if literal.text.isascii() else TEXT
    if literal.kind == "integer":
        number = number_of(literal.text)
        return INT if -(2**31) <= number < 2**31 else BIGINT if -(2**63) <= number < 2**63 else VARINT
    if literal.kind == "float":
        nearest = float(literal.text)
        is_double = not math.isfinite(nearest) or Decimal(literal.text) == Decimal(repr(nearest))
        return DOUBLE if is_double else DECIMAL
    if literal.kind == "uuid":
        return TIMEUUID if UUID(literal.text).version == 1 else UUID_TYPE
    return {"boolean": BOOLEAN, "hex": BLOB, "duration": DURATION}.get(literal.kind)


def literal_value(literal: Literal, kind: CqlType, receiver: str) -> bytes | None:
    """The literal in wire form. Raises `Invalid` with the name of `receiver` when the type does not accept it."""
    if literal.kind == "null":
        return None
    if not accepts(literal, kind):
        name = {"string": "STRING", "integer": "INTEGER", "float": "FLOAT", "hex": "HEX"}.get(
            literal.kind, literal.kind.upper()
        )
        raise Invalid(f'Invalid {name} constant ({shown(literal)}) for "{receiver}" of type {kind.cql}')
    if isinstance(kind, TupleType):
        if literal.kind != "hex":
            return parse_tuple(literal.text, kind)
        value = _from_hex(literal.text[2:])
        kind.validate(value)
        return value
    if isinstance(kind, CustomType):
        if literal.kind == "hex":
            value = _from_hex(literal.text[2:])
            if not isinstance(kind, CompositeType | DynamicCompositeType):
                kind.validate(value)
            return value
        return parse_custom(literal.text, kind, parse_text)
    return parse_text(literal.text, kind, literal.kind)


def shown(literal: Literal) -> str:
    """A literal as errors show it."""
    if literal.kind == "string":
        return literal.text
    return literal.text.upper() if literal.kind == "float" and literal.text in {"nan", "infinity"} else literal.text


def parse_tuple(text: str, kind: TupleType) -> bytes:
    """`1:x` in wire form: parts between colons, `@` for null, and a backslash before either one in text.

    Raises `Invalid` when there are too many parts, or one is not of its type.
    """
    parts = re.split(r"(?<!\\):", text) if text else []
    if len(parts) > len(kind.parts):
        raise Invalid(
            f"Invalid tuple literal: too many elements. Type {kind.cql} expects {len(kind.parts)} but got {len(parts)}"
        )
    return kind.join([_tuple_part(part, of) for part, of in zip(parts, kind.parts, strict=False)])


def _tuple_part(text: str, kind: CqlType) -> bytes | None:
    if text == "@":
        return None
    text = text.replace("\\:", ":").replace("\\@", "@")
    if isinstance(kind, TupleType):
        return parse_tuple(text, kind)
    if isinstance(kind, ListType | SetType | MapType) or kind.cql == "blob":
        value = _from_hex(text)
        kind.validate(value)
        return value
    if not text:
        return b""
    return parse_text(text, kind)


def _from_hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise Invalid(f"cannot parse '{text}' as hex bytes") from error


def _is_tuple(kind: CqlType) -> bool:
    return isinstance(kind, TupleType) and not isinstance(kind, UserType)


def parse_text(text: str, kind: CqlType, literal_kind: str = "string") -> bytes:
    """A value from its text form. Raises `Invalid` for a malformed one."""
    name = kind.cql
    if not text and name in {"inet", "timestamp"}:
        return b""
    try:
        if name in {"text", "ascii"}:
            value = text.encode()
            if name == "ascii" and not value.isascii():
                raise Invalid(
                    "Invalid ASCII character in string literal: "
                    "java.nio.charset.UnmappableCharacterException: Input length = 1"
                )
            return value
        if literal_kind == "hex" and name == "tinyint":
            value = bytes.fromhex(text[2:])
            if value:
                kind.validate(value)
            return value
        if name in {"bigint", "counter", "int", "smallint", "tinyint", "varint"}:
            return kind.encode(number_of(text))
        if name in {"double", "float"}:
            return kind.encode(float(text))
        if name == "decimal":
            return _decimal(text, kind)
        if name == "boolean":
            return kind.encode(text.lower() == "true")
        if name in {"uuid", "timeuuid"}:
            value = UUID(text).bytes
            if name == "timeuuid" and value[6] >> 4 != 1:
                raise Invalid("TimeUUID supports only version 1 UUIDs")
            return value
        if name == "blob":
            if len(text) % 2:
                raise Invalid(f"cannot parse '{text[2:]}' as hex bytes")
            return bytes.fromhex(text[2:])
        if name == "inet":
            address = ipaddress.ip_address(text)
            mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
            return (mapped or address).packed
    except (ValueError, OverflowError, InvalidOperation) as error:
        raise Invalid(_complaint(text, name)) from error
    if name == "timestamp":
        return kind.encode(parse_timestamp(text))
    if name == "date":
        return kind.encode(parse_date(text))
    if name == "time":
        return kind.encode(parse_time(text))
    if name == "duration":
        return kind.encode(parse_duration(text))
    raise Invalid(f"{name} has no text form")


_JAVA_NAMES = {"bigint": "long", "counter": "long", "tinyint": "byte", "smallint": "short", "inet": "inet address"}


def _complaint(text: str, name: str) -> str:
    return f"Unable to make {_JAVA_NAMES.get(name, name)} from '{text}'"


def _decimal(text: str, kind: CqlType) -> bytes:
    number = Decimal(text)
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int):
        raise Invalid(f"Unable to make BigDecimal from '{text}'")
    return kind.encode(number)


def parse_timestamp(text: str) -> int:
    """Milliseconds since 1970, from a date, a date and time, or milliseconds as text."""
    if re.fullmatch(r"-?\d+", text):
        return _bounded(text, -(2**63), 2**63 - 1, "long (for date)")
    match = _TIMESTAMP.fullmatch(text.strip())
    if match is None:
        raise Invalid(f"Unable to parse a date/time from '{text}'")
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    try:
        moment = datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=_zone(zone)
        )
    except ValueError:
        raise Invalid(f"Unable to parse a date/time from '{text}'") from None
    milliseconds = (moment - _EPOCH) // timedelta(milliseconds=1)
    return milliseconds + int((fraction or "0").ljust(3, "0")[:3])


def _zone(text: str | None) -> timezone:
    if text is None or text in {"Z", "UTC", "GMT"}:
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if text[0] == "-" else offset)


def _bounded(text: str, low: int, high: int, sort: str) -> int:
    """A number of a few digits. Raises `Invalid`."""
    if len(text) <= NUMBER_DIGITS and low <= int(text) <= high:
        return int(text)
    raise Invalid(f"Unable to make {sort} from: '{text}'")


def parse_date(text: str) -> int:
    """Days since 1970 plus 2**31, from `yyyy-mm-dd` or that number as text."""
    if re.fullmatch(r"-?\d+", text):
        return _bounded(text, 0, 2**32 - 1, "unsigned int (for date)")
    match = re.fullmatch(r"(\d{4})-(\d{1,2})-(\d{1,2})", text)
    try:
        if match is None:
            raise ValueError(text)
        return (date(*map(int, match.groups())) - date(1970, 1, 1)).days + DATE_EPOCH
    except ValueError:
        raise Invalid(f"Unable to coerce '{text}' to a formatted date (long)") from None


def parse_time(text: str) -> int:
    """Nanoseconds since midnight, from `hh:mm:ss[.fffffffff]` or that number as text."""
    if re.fullmatch(r"-?\d+", text):
        return _bounded(text, 0, NANOSECONDS_A_DAY - 1, "long (for time)")
    match = _TIME.fullmatch(text)
    if match is None:
        raise Invalid(f"(TimeType) Unable to coerce '{text}' to a formatted time (long)")
    hour, minute, second = (int(part) for part in match.groups()[:3])
    if hour > 23 or minute > 59 or second > 59:
        raise Invalid(f"(TimeType) Unable to coerce '{text}' to a formatted time (long)")
    fraction = int((match.group(4) or "0").ljust(9, "0"))
    return ((hour * 60 + minute) * 60 + second) * 10**9 + fraction
