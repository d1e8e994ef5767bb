"""CQL's types: wire form, validation and order.

A value is kept in its wire form (`bytes`) wherever possible; `decode` and `encode` convert to Python and back for
functions, JSON and literals. Python forms: `str`, `int`, `float`, `bool`, `bytes`, `Decimal`, `UUID`, `ip_address`; a
timestamp is milliseconds since 1970, a date days since 1970 plus 2**31, a time nanoseconds since midnight, a duration a
`(months, days, nanoseconds)` triple; a list or set is a list, a map a list of pairs, a tuple or user type a list with
None for null.

`order_key` encodes a value as bytes whose unsigned order is the type's order. No key is a prefix of another, so that
the keys of several components can be concatenated. A first byte of 1 means that a value follows; the empty value, which
sorts first, is the single byte 0.
"""

from __future__ import annotations

import ipaddress
import math
import struct
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from smackbox.cassandra.wire.digits import digits_of, number_of
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.vint import read_unsigned, read_vint, write_unsigned, write_vint

MARSHAL = "org.apache.cassandra.db.marshal."
_INT = struct.Struct(">i")
_LONG = struct.Struct(">q")
_DOUBLE = struct.Struct(">d")
_FLOAT = struct.Struct(">f")
_INVERT = bytes(255 - byte for byte in range(256))
_EMPTY_KEY = b"\x00"
_UUID_PARTS = struct.Struct(">IHHQ")
_TIMEUUID_KEY = struct.Struct(">BHHIQ")
_SIGNS = 0x8080808080808080

RESERVED = frozenset(
    [
        "add",
        "allow",
        "alter",
        "and",
        "apply",
        "asc",
        "authorize",
        "batch",
        "begin",
        "by",
        "columnfamily",
        "create",
        "default",
        "delete",
        "desc",
        "describe",
        "drop",
        "entries",
        "execute",
        "from",
        "full",
        "grant",
        "if",
        "in",
        "index",
        "infinity",
        "insert",
        "into",
        "is",
        "keyspace",
        "limit",
        "materialized",
        "mbean",
        "mbeans",
        "modify",
        "nan",
        "norecursive",
        "not",
        "null",
        "of",
        "on",
        "or",
        "order",
        "primary",
        "rename",
        "replace",
        "revoke",
        "schema",
        "select",
        "set",
        "table",
        "to",
        "token",
        "truncate",
        "unlogged",
        "unset",
        "update",
        "use",
        "using",
        "view",
        "where",
        "with",
    ]
)


class CqlType:
    """A data type. Types are compared by `cql`, their name in CQL."""

    cql: str
    option: int = 0x0000
    java: str
    fixed_length: int | None = None
    multi_cell: bool = False
    empty_allowed: bool = True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CqlType) and self.cql == other.cql

    def __hash__(self) -> int:
        return hash(self.cql)

    def __repr__(self) -> str:
        return self.cql

    def option_bytes(self) -> bytes:
        """The protocol's `[option]` of this type."""
        if self.option:
            return struct.pack(">H", self.option)
        name = self.java.encode()
        return struct.pack(">HH", 0, len(name)) + name

    def validate(self, value: bytes) -> None:
        """Raises `Invalid` when `value` is not a value of this type."""
        raise NotImplementedError

    def normalised(self, value: bytes) -> bytes:
        """A valid value in stored form: sets and maps are sorted, also inside other collections, but not inside
        tuples.
        """
        return value

    def validate_normal(self, value: bytes) -> None:
        """Raises `Invalid` when `value` is not of this type, or not in its stored form."""
        self.validate(value)
        if self.normalised(value) != value:
            raise Invalid(f"a value of type {self.cql} is not in order")

    def decode(self, value: bytes) -> Any:
        """The Python form of a value, for JSON and arithmetic. Raises `Invalid`."""
        raise NotImplementedError

    def encode(self, value: Any) -> bytes:
        """The wire form of a Python value. Raises `Invalid` if the type cannot hold it."""
        raise NotImplementedError

    def order_key(self, value: bytes) -> bytes:
        """Bytes that sort like the values, for keys of the store."""
        raise NotImplementedError

    def frozen(self) -> CqlType:
        """The frozen type, whose value is written whole."""
        return self

    def unfrozen_name(self) -> str:
        """The name without its own `frozen<>`."""
        return self.cql

    def java_inside(self) -> str:
        """The Java name inside a frozen type, where Cassandra omits FrozenType."""
        return self.java

    def references(self, type_name: str) -> bool:
        """Whether the user type `type_name` is part of this type."""
        del type_name
        return False


class _Scalar(CqlType):
    def __init__(self, cql: str, option: int, java: str) -> None:
        self.cql = cql
        self.option = option
        self.java = MARSHAL + java


class _Text(_Scalar):
    def validate(self, value: bytes) -> None:
        try:
            value.decode()
        except UnicodeDecodeError:
            raise Invalid("String didn't validate.") from None

    def decode(self, value: bytes) -> str:
        return value.decode()

    def encode(self, value: str) -> bytes:
        return value.encode()

    def order_key(self, value: bytes) -> bytes:
        return b"\x01" + value.replace(b"\x00", b"\x00\xff") + b"\x00\x00"


class _Ascii(_Text):
    def validate(self, value: bytes) -> None:
        if not value.isascii():
            bad = next(byte for byte in value if byte > 127)
            raise Invalid(f"Invalid byte for ascii: {bad - 256}")


class _Blob(_Scalar):
    def validate(self, value: bytes) -> None:
        pass

    def decode(self, value: bytes) -> bytes:
        return value

    def encode(self, value: bytes) -> bytes:
        return value

    def order_key(self, value: bytes) -> bytes:
        return b"\x01" + value.replace(b"\x00", b"\x00\xff") + b"\x00\x00"


class _Integer(_Scalar):
    """A signed integer of a fixed number of bytes."""

    def __init__(self, cql: str, option: int, java: str, length: int, complaint: str, *, empty: bool = True) -> None:
        super().__init__(cql, option, java)
        self.fixed_length = length
        self.empty_allowed = empty
        self._complaint = complaint
        self.minimum = -(1 << (8 * length - 1))
        self.maximum = (1 << (8 * length - 1)) - 1

    def validate(self, value: bytes) -> None:
        if len(value) != self.fixed_length and not (self.empty_allowed and not value):
            raise Invalid(self._complaint % len(value))

    def decode(self, value: bytes) -> Any:
        return int.from_bytes(value, "big", signed=True) if value else None

    def encode(self, value: Any) -> bytes:
        assert self.fixed_length is not None
        return int(value).to_bytes(self.fixed_length, "big", signed=True)

    def order_key(self, value: bytes) -> bytes:
        return b"\x01%c%b" % (value[0] ^ 0x80, value[1:]) if value else _EMPTY_KEY


class _Date(_Integer):
    """Unsigned days with 1970-01-01 in the middle."""

    def decode(self, value: bytes) -> Any:
        return int.from_bytes(value, "big") if value else None

    def encode(self, value: Any) -> bytes:
        return int(value).to_bytes(4, "big")

    def order_key(self, value: bytes) -> bytes:
        return b"\x01" + value if value else _EMPTY_KEY


class _Time(_Integer):
    def order_key(self, value: bytes) -> bytes:
        return b"\x01" + value if value else _EMPTY_KEY


class _Boolean(_Scalar):
    fixed_length = 1

    def validate(self, value: bytes) -> None:
        if len(value) > 1:
            raise Invalid(f"Expected 1 or 0 byte value ({len(value)})")

    def decode(self, value: bytes) -> Any:
        return value != b"\x00" if value else None

    def encode(self, value: bool) -> bytes:
        return b"\x01" if value else b"\x00"

    def order_key(self, value: bytes) -> bytes:
        return b"\x01" + (b"\x01" if value != b"\x00" else b"\x00") if value else _EMPTY_KEY


class _Floating(_Scalar):
    def __init__(self, cql: str, option: int, java: str, form: struct.Struct) -> None:
        super().__init__(cql, option, java)
        self._form = form
        self.fixed_length = form.size

    def validate(self, value: bytes) -> None:
        if value and len(value) != self.fixed_length:
            raise Invalid(f"Expected {self.fixed_length} or 0 byte value for a {self.cql} ({len(value)})")

    def decode(self, value: bytes) -> Any:
        return self._form.unpack(value)[0] if value else None

    def encode(self, value: float) -> bytes:
        try:
            return self._form.pack(value)
        except OverflowError:
            return self._form.pack(math.copysign(math.inf, value))

    def order_key(self, value: bytes) -> bytes:
        if not value:
            return _EMPTY_KEY
        number = self._form.unpack(value)[0]
        if math.isnan(number):
            value = self._form.pack(math.nan)
        if value[0] & 0x80:
            return b"\x01" + value.translate(_INVERT)
        return b"\x01%c%b" % (value[0] ^ 0x80, value[1:])


class _Uuid(_Scalar):
    fixed_length = 16

    def validate(self, value: bytes) -> None:
        if value and len(value) != 16:
            raise Invalid(f"UUID should be 16 or 0 bytes ({len(value)})")

    def decode(self, value: bytes) -> Any:
        return UUID(bytes=value) if value else None

    def encode(self, value: UUID) -> bytes:
        return value.bytes

    def order_key(self, value: bytes) -> bytes:
        if not value:
            return _EMPTY_KEY
        version = value[6] >> 4
        if version == 1:
            return b"\x01\x01%b%b%b%b" % (value[6:8], value[4:6], value[:4], value[8:])
        return b"\x01%c%b" % (version, value)


class _TimeUuid(_Uuid):
    def validate(self, value: bytes) -> None:
        super().validate(value)
        if value and value[6] >> 4 != 1:
            raise Invalid("Invalid version for TimeUUID type.")

    def order_key(self, value: bytes) -> bytes:
        if not value:
            return _EMPTY_KEY
        low, middle, high, rest = _UUID_PARTS.unpack(value)
        return _TIMEUUID_KEY.pack(1, high, middle, low, rest ^ _SIGNS)


class _Varint(_Scalar):
    def validate(self, value: bytes) -> None:
        pass

    def decode(self, value: bytes) -> Any:
        return int.from_bytes(value, "big", signed=True) if value else None

    def encode(self, value: int) -> bytes:
        return value.to_bytes(((value if value >= 0 else ~value).bit_length() + 8) // 8, "big", signed=True)

    def order_key(self, value: bytes) -> bytes:
        if not value:
            return _EMPTY_KEY
        number = int.from_bytes(value, "big", signed=True)
        digits = abs(number).to_bytes((abs(number).bit_length() + 7) // 8, "big")
        body = len(digits).to_bytes(4, "big") + digits
        return b"\x01\x02" + body if number >= 0 else b"\x01\x01" + body.translate(_INVERT)


class NoNumber(ArithmeticError):  # noqa: N818 - an ArithmeticError
    """NaN or an infinity, for a type that has neither."""


class _Decimal(_Scalar):
    """`[int scale][varint unscaled]`; order is by value, so 1.0 equals 1.00."""

    def validate(self, value: bytes) -> None:
        if value and len(value) < 4:
            raise Invalid(f"Expected 0 or at least 4 bytes ({len(value)})")

    def decode(self, value: bytes) -> Any:
        if not value:
            return None
        scale = _INT.unpack_from(value)[0]
        number = int.from_bytes(value[4:], "big", signed=True)
        return Decimal((int(number < 0), tuple(map(int, digits_of(abs(number)))), -scale))

    def encode(self, value: Decimal) -> bytes:
        sign, digits, exponent = value.as_tuple()
        if not isinstance(exponent, int):
            raise NoNumber(f"{value} is no decimal")
        number = number_of("".join(map(str, digits)) or "0")
        return _INT.pack(-exponent) + VARINT.encode(-number if sign else number)

    def order_key(self, value: bytes) -> bytes:
        if not value:
            return _EMPTY_KEY
        number = int.from_bytes(value[4:], "big", signed=True)
        if not number:
            return b"\x01\x02"
        digits = digits_of(abs(number))
        magnitude = len(digits) - int(_INT.unpack_from(value)[0])
        body = (magnitude + 2**32).to_bytes(8, "big") + digits.rstrip("0").encode() + b"\x00"
        return b"\x01\x03" + body if number > 0 else b"\x01\x01" + body.translate(_INVERT)


class _Inet(_Scalar):
    def validate(self, value: bytes) -> None:
        if len(value) not in {0, 4, 16}:
            raise Invalid(f"Expected 4 or 16 byte inetaddress; got {len(value)}")

    def decode(self, value: bytes) -> Any:
        return ipaddress.ip_address(value) if value else None

    def encode(self, value: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bytes:
        return value.packed

    def order_key(self, value: bytes) -> bytes:
        return b"\x01" + value.replace(b"\x00", b"\x00\xff") + b"\x00\x00"


class _Duration(_Scalar):
    """Three signed vints: months, days, nanoseconds, all of one sign."""

    empty_allowed = False

    def validate(self, value: bytes) -> None:
        if len(value) < 3:
            raise Invalid(f"Expected at least 3 bytes for a duration ({len(value)})")
        months, days, nanoseconds = self.decode(value)
        if not -(2**31) <= months < 2**31:
            raise Invalid("Invalid duration: the number of months must be a 32 bits integer")
        if not -(2**31) <= days < 2**31:
            raise Invalid("Invalid duration: the number of days must be a 32 bits integer")
        if not ((months >= 0 and days >= 0 and nanoseconds >= 0) or (months <= 0 and days <= 0 and nanoseconds <= 0)):
            raise Invalid(
                "The duration months, days and nanoseconds must be all of the same sign "
                f"({months}, {days}, {nanoseconds})"
            )

    def decode(self, value: bytes) -> tuple[int, int, int]:
        offset = 0
        parts = []
        for _ in range(3):
            number, offset = read_vint(value, offset)
            parts.append(number)
        return parts[0], parts[1], parts[2]

    def encode(self, value: tuple[int, int, int]) -> bytes:
        return b"".join(map(write_vint, value))

    def order_key(self, value: bytes) -> bytes:
        return b"\x01" + value.replace(b"\x00", b"\x00\xff") + b"\x00\x00"


ASCII = _Ascii("ascii", 0x01, "AsciiType")
BIGINT = _Integer("bigint", 0x02, "LongType", 8, "Expected 8 or 0 byte long (%d)")
BLOB = _Blob("blob", 0x03, "BytesType")
BOOLEAN = _Boolean("boolean", 0x04, "BooleanType")
COUNTER = _Integer("counter", 0x05, "CounterColumnType", 8, "Expected 8 or 0 byte long (%d)")
DECIMAL = _Decimal("decimal", 0x06, "DecimalType")
DOUBLE = _Floating("double", 0x07, "DoubleType", _DOUBLE)
FLOAT = _Floating("float", 0x08, "FloatType", _FLOAT)
INT = _Integer("int", 0x09, "Int32Type", 4, "Expected 4 or 0 byte int (%d)")
TIMESTAMP = _Integer("timestamp", 0x0B, "TimestampType", 8, "Expected 8 or 0 byte long for date (%d)")
UUID_TYPE = _Uuid("uuid", 0x0C, "UUIDType")
TEXT = _Text("text", 0x0D, "UTF8Type")
VARINT = _Varint("varint", 0x0E, "IntegerType")
TIMEUUID = _TimeUuid("timeuuid", 0x0F, "TimeUUIDType")
INET = _Inet("inet", 0x10, "InetAddressType")
DATE = _Date("date", 0x11, "SimpleDateType", 4, "Expected 4 byte long for date (%d)", empty=False)
TIME = _Time("time", 0x12, "TimeType", 8, "Expected 8 byte long for time (%d)", empty=False)
SMALLINT = _Integer("smallint", 0x13, "ShortType", 2, "Expected 2 bytes for a smallint (%d)", empty=False)
TINYINT = _Integer("tinyint", 0x14, "ByteType", 1, "Expected 1 byte for a tinyint (%d)", empty=False)
DURATION = _Duration("duration", 0x15, "DurationType")

NATIVE: dict[str, CqlType] = {
    kind.cql: kind
    for kind in (
        ASCII, BIGINT, BLOB, BOOLEAN, COUNTER, DECIMAL, DOUBLE, FLOAT, INT, TIMESTAMP, UUID_TYPE, TEXT, VARINT,
        TIMEUUID,         INET, DATE, TIME, SMALLINT, TINYINT, DURATION,
    )
}  # fmt: skip
NATIVE["varchar"] = TEXT

# these have a fixed length, but like Cassandra a vector writes the length before each of them
_VARIABLE_IN_VECTOR = frozenset({SMALLINT, TINYINT, DATE, TIME, COUNTER})

INTEGERS = frozenset({TINYINT, SMALLINT, INT, BIGINT, VARINT, COUNTER})
NUMBERS = INTEGERS | {FLOAT, DOUBLE, DECIMAL}


class CollectionType(CqlType):
    """list, set and map: `[int count]` and that many `[bytes]`, with a map's keys and values alternating."""

    keyword: ClassVar[str]
    java_name: ClassVar[str]
    null_refusal = "Null value read when not allowed"

    def __init__(self, parts: tuple[CqlType, ...], *, multi_cell: bool) -> None:
        self.parts = parts
        self.multi_cell = multi_cell
        inner = f"{self.keyword}<{', '.join(part.cql for part in parts)}>"
        self._bare = inner
        self.cql = inner if multi_cell else f"frozen<{inner}>"
        inside = f"{MARSHAL}{self.java_name}({','.join(part.java_inside() for part in parts)})"
        self._java_inside = inside
        if multi_cell:
            self.java = f"{MARSHAL}{self.java_name}({','.join(part.java for part in parts)})"
        else:
            self.java = f"{MARSHAL}FrozenType({inside})"

    def option_bytes(self) -> bytes:
        return struct.pack(">H", self.option) + b"".join(part.option_bytes() for part in self.parts)

    def frozen(self) -> CqlType:
        return type(self)(self.parts, multi_cell=False)

    def unfrozen_name(self) -> str:
        return self._bare

    def java_inside(self) -> str:
        return self._java_inside

    def references(self, type_name: str) -> bool:
        return any(part.references(type_name) for part in self.parts)

    def elements(self, value: bytes) -> list[bytes]:
        """The parts in wire form, with a map's keys and values alternating. Raises `Invalid` for a malformed value."""
        elements = []
        for element in self.elements_or_null(value):
            if element is None:
                raise Invalid(self.null_refusal)
            elements.append(element)
        return elements

    def elements_or_null(self, value: bytes) -> list[bytes | None]:
        """The same, with the nulls that a frozen list may contain. Raises `Invalid` for a malformed value."""
        try:
            (count,) = _INT.unpack_from(value)
            if count < 0:
                raise Invalid(f"The data cannot be deserialized as a {self.keyword}")
            offset = 4
            elements: list[bytes | None] = []
            for _ in range(count * len(self.parts)):
                (length,) = _INT.unpack_from(value, offset)
                offset += 4
                if length < 0:
                    elements.append(None)
                    continue
                if offset + length > len(value):
                    raise Invalid(f"Not enough bytes to read a {self.keyword}")
                elements.append(value[offset : offset + length])
                offset += length
        except struct.error:
            raise Invalid(f"Not enough bytes to read a {self.keyword}") from None
        if offset != len(value):
            raise Invalid(f"Unexpected extraneous bytes after {self.keyword} value")
        return elements

    def join(self, elements: Sequence[bytes]) -> bytes:
        """The wire form of parts as returned by `elements`."""
        body = bytearray(_INT.pack(len(elements) // len(self.parts)))
        for element in elements:
            body += _INT.pack(len(element))
            body += element
        return bytes(body)

    def validate(self, value: bytes) -> None:
        for index, element in enumerate(self.elements(value)):
            self.parts[index % len(self.parts)].validate(element)

    def order_key(self, value: bytes) -> bytes:
        if not value:
            return _EMPTY_KEY
        parts = self.parts
        keys = [
            b"\x01" + parts[index % len(parts)].order_key(element) for index, element in enumerate(self.elements(value))
        ]
        return b"\x01" + b"".join(keys) + b"\x00"


class ListType(CollectionType):
    """A list. A frozen list may contain nulls if a client binds one that does."""

    option = 0x20
    keyword = "list"
    java_name = "ListType"
    null_refusal = "null is not supported inside collections"

    def __init__(self, element: CqlType, *, multi_cell: bool) -> None:
        super().__init__((element,), multi_cell=multi_cell)
        self.element = element

    def frozen(self) -> CqlType:
        return ListType(self.element, multi_cell=False)

    def normalised(self, value: bytes) -> bytes:
        if not isinstance(self.element, CollectionType):
            return value
        elements = self.elements_or_null(value)
        return self.join([None if element is None else self.element.normalised(element) for element in elements])

    def join(self, elements: Sequence[bytes | None]) -> bytes:
        """The wire form of parts as returned by `elements_or_null`."""
        body = bytearray(_INT.pack(len(elements)))
        for element in elements:
            body += b"\xff\xff\xff\xff" if element is None else _INT.pack(len(element)) + element
        return bytes(body)

    def validate(self, value: bytes) -> None:
        elements = self.elements(value) if self.multi_cell else self.elements_or_null(value)
        for element in elements:
            if element is not None:
                self.element.validate(element)

    def order_key(self, value: bytes) -> bytes:
        if not value:
            return _EMPTY_KEY
        order = self.element.order_key
        keys = [b"\x01" + (b"\x00" if element is None else order(element)) for element in self.elements_or_null(value)]
        return b"\x01" + b"".join(keys) + b"\x00"

    def decode(self, value: bytes) -> list[Any]:
        return [None if element is None else self.element.decode(element) for element in self.elements_or_null(value)]

    def encode(self, value: Sequence[Any]) -> bytes:
        return self.join([self.element.encode(element) for element in value])


class SetType(CollectionType):
    """`set<…>`: its elements are kept sorted."""

    option = 0x22
    keyword = "set"
    java_name = "SetType"

    def __init__(self, element: CqlType, *, multi_cell: bool) -> None:
        super().__init__((element,), multi_cell=multi_cell)
        self.element = element

    def frozen(self) -> CqlType:
        return SetType(self.element, multi_cell=False)

    def normalised(self, value: bytes) -> bytes:
        return self.sorted_join([self.element.normalised(element) for element in self.elements(value)])

    def decode(self, value: bytes) -> list[Any]:
        return [self.element.decode(element) for element in self.elements(value)]

    def encode(self, value: Sequence[Any]) -> bytes:
        return self.sorted_join([self.element.encode(element) for element in value])

    def sorted_join(self, elements: Sequence[bytes]) -> bytes:
        """The wire form of these elements, sorted and without duplicates."""
        unique = {self.element.order_key(element): element for element in elements}
        return self.join([unique[key] for key in sorted(unique)])


class MapType(CollectionType):
    """`map<…>`: its entries are kept sorted by their keys."""

    option = 0x21
    keyword = "map"
    java_name = "MapType"

    def __init__(self, key: CqlType, value: CqlType, *, multi_cell: bool) -> None:
        super().__init__((key, value), multi_cell=multi_cell)
        self.key = key
        self.value = value

    def frozen(self) -> CqlType:
        return MapType(self.key, self.value, multi_cell=False)

    def normalised(self, value: bytes) -> bytes:
        pairs = self.pairs(value)
        return self.sorted_join([(self.key.normalised(key), self.value.normalised(item)) for key, item in pairs])

    def pairs(self, value: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The entries, as bytes."""
        elements = self.elements(value)
        return zip(elements[::2], elements[1::2], strict=True)

    def decode(self, value: bytes) -> list[tuple[Any, Any]]:
        return [(self.key.decode(key), self.value.decode(item)) for key, item in self.pairs(value)]

    def encode(self, value: Sequence[tuple[Any, Any]]) -> bytes:
        return self.sorted_join([(self.key.encode(key), self.value.encode(item)) for key, item in value])

    def sorted_join(self, pairs: Sequence[tuple[bytes, bytes]]) -> bytes:
        """The wire form of these pairs, sorted by key; the last of equal keys wins."""
        unique = {self.key.order_key(key): (key, item) for key, item in pairs}
        return self.join([part for key in sorted(unique) for part in unique[key]])


class TupleType(CqlType):
    """`[bytes]` for each field; trailing fields may be missing, a null field has length -1."""

    option = 0x31

    def __init__(self, parts: tuple[CqlType, ...]) -> None:
        self.parts = parts
        self.cql = f"frozen<tuple<{', '.join(part.cql for part in parts)}>>"
        self.java = f"{MARSHAL}TupleType({','.join(part.java_inside() for part in parts)})"

    def unfrozen_name(self) -> str:
        return self.cql[len("frozen<") : -1]

    def option_bytes(self) -> bytes:
        return struct.pack(">HH", self.option, len(self.parts)) + b"".join(part.option_bytes() for part in self.parts)

    def references(self, type_name: str) -> bool:
        return any(part.references(type_name) for part in self.parts)

    def fields(self, value: bytes) -> list[bytes | None]:
        """The fields in wire form, as many as are present. Raises `Invalid` for a malformed value."""
        fields: list[bytes | None] = []
        offset = 0
        while offset < len(value):
            if len(fields) == len(self.parts):
                raise Invalid(
                    f"Invalid remaining data after end of {'UDT' if isinstance(self, UserType) else 'tuple'} value"
                )
            if offset + 4 > len(value):
                raise Invalid(f"Not enough bytes to read size of {len(fields)}th component")
            (length,) = _INT.unpack_from(value, offset)
            offset += 4
            if length < 0:
                fields.append(None)
                continue
            if offset + length > len(value):
                raise Invalid(f"Not enough bytes to read {len(fields)}th component")
            fields.append(value[offset : offset + length])
            offset += length
        return fields

    def join(self, fields: Sequence[bytes | None]) -> bytes:
        """Fields as one value; None is null."""
        body = bytearray()
        for field in fields:
            if field is None:
                body += b"\xff\xff\xff\xff"
            else:
                body += _INT.pack(len(field))
                body += field
        return bytes(body)

    def validate(self, value: bytes) -> None:
        for part, field in zip(self.parts, self.fields(value), strict=False):
            if field is not None:
                part.validate(field)

    def decode(self, value: bytes) -> list[Any]:
        fields = self.fields(value)
        fields += [None] * (len(self.parts) - len(fields))
        return [None if field is None else part.decode(field) for part, field in zip(self.parts, fields, strict=True)]

    def encode(self, value: Sequence[Any]) -> bytes:
        return self.join(
            [None if field is None else part.encode(field) for part, field in zip(self.parts, value, strict=False)]
        )

    def order_key(self, value: bytes) -> bytes:
        if not value:
            return _EMPTY_KEY
        keys = []
        fields = self.fields(value)
        fields += [None] * (len(self.parts) - len(fields))
        for part, field in zip(self.parts, fields, strict=True):
            keys.append(b"\x00" if field is None else b"\x01" + part.order_key(field))
        return b"\x01" + b"".join(keys)


class UserType(TupleType):
    """A type made by CREATE TYPE. If it is not frozen, each field is a separate cell."""

    option = 0x30

    def __init__(
        self, keyspace: str, name: str, field_names: tuple[str, ...], parts: tuple[CqlType, ...], *, multi_cell: bool
    ) -> None:
        super().__init__(parts)
        self.keyspace = keyspace
        self.name = name
        self.field_names = field_names
        self.multi_cell = multi_cell
        self.cql = quoted(name) if multi_cell else f"frozen<{quoted(name)}>"
        inside = self._java_of([part.java_inside() for part in parts])
        self._java_inside = inside
        self.java = self._java_of([part.java for part in parts]) if multi_cell else f"{MARSHAL}FrozenType({inside})"

    def _java_of(self, parts: Sequence[str]) -> str:
        fields = ",".join(f"{field.encode().hex()}:{part}" for field, part in zip(self.field_names, parts, strict=True))
        return f"{MARSHAL}UserType({self.keyspace},{self.name.encode().hex()},{fields})"

    def java_inside(self) -> str:
        return self._java_inside

    def unfrozen_name(self) -> str:
        return quoted(self.name)

    def frozen(self) -> CqlType:
        return UserType(self.keyspace, self.name, self.field_names, self.parts, multi_cell=False)

    def references(self, type_name: str) -> bool:
        return self.name == type_name or super().references(type_name)

    def option_bytes(self) -> bytes:
        body = struct.pack(">H", self.option) + _string(self.keyspace) + _string(self.name)
        body += struct.pack(">H", len(self.parts))
        for name, part in zip(self.field_names, self.parts, strict=True):
            body += _string(name) + part.option_bytes()
        return body


class VectorType(CqlType):
    """A fixed number of elements: concatenated if they have a fixed length, otherwise each after its length as
    a vint.
    """

    keyword = "vector"

    def __init__(self, element: CqlType, dimension: int) -> None:
        self.element = element
        self.dimension = dimension
        self.cql = f"vector<{element.cql}, {dimension}>"
        self.java = f"{MARSHAL}VectorType({element.java} , {dimension})"
        self._java_inside = f"{MARSHAL}VectorType({element.java_inside()} , {dimension})"
        length = element.fixed_length if element not in _VARIABLE_IN_VECTOR else None
        self.element_length = length
        self.fixed_length = length * dimension if length is not None else None

    def java_inside(self) -> str:
        return self._java_inside

    def elements(self, value: bytes) -> list[bytes]:
        """The elements in wire form. Raises `Invalid` for a malformed value."""
        step = self.element_length
        if step is not None:
            if len(value) != step * self.dimension:
                short = len(value) < step * self.dimension
                raise Invalid(
                    f"Not enough bytes to read a vector<{self.element.cql}, {self.dimension}>"
                    if short
                    else f"Unexpected {len(value) - step * self.dimension} extraneous bytes after {self.cql} value"
                )
            return [value[offset : offset + step] for offset in range(0, len(value), step)]
        elements = []
        offset = 0
        for _ in range(self.dimension):
            if offset >= len(value):
                raise Invalid(f"Not enough bytes to read a {self.cql}")
            length, offset = read_unsigned(value, offset)
            if offset + length > len(value):
                raise Invalid(f"Not enough bytes to read a {self.cql}")
            elements.append(value[offset : offset + length])
            offset += length
        if offset != len(value):
            raise Invalid(f"Unexpected {len(value) - offset} extraneous bytes after {self.cql} value")
        return elements

    def join(self, elements: Sequence[bytes]) -> bytes:
        """Elements as one value."""
        if self.element_length is not None:
            return b"".join(elements)
        return b"".join(write_unsigned(len(element)) + element for element in elements)

    def validate(self, value: bytes) -> None:
        for element in self.elements(value):
            self.element.validate(element)

    def decode(self, value: bytes) -> list[Any]:
        return [self.element.decode(element) for element in self.elements(value)]

    def encode(self, value: Sequence[Any]) -> bytes:
        return self.join([self.element.encode(element) for element in value])

    def order_key(self, value: bytes) -> bytes:
        if not value:
            return _EMPTY_KEY
        return b"\x01" + b"".join(self.element.order_key(element) for element in self.elements(value))

    def references(self, type_name: str) -> bool:
        return self.element.references(type_name)


def quoted(name: str) -> str:
    """An identifier in CQL: quoted unless it is plain lower case."""
    plain = name[:1].isalpha() and name.isascii() and name.replace("_", "a").isalnum() and name == name.lower()
    if plain and name not in RESERVED:
        return name
    return '"' + name.replace('"', '""') + '"'


def invert(key: bytes) -> bytes:
    """The order key of a column whose clustering order is descending."""
    return key.translate(_INVERT)


def _string(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack(">H", len(encoded)) + encoded
