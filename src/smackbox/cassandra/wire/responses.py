"""The bodies of responses. Spec: native_protocol_v4.spec and v5.spec, section 4.2."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from smackbox.cassandra.wire.errors import CqlError, OperationFailure
from smackbox.cassandra.wire.types import CqlType

VOID = b"\x00\x00\x00\x01"
_INT = struct.Struct(">i")
_GLOBAL_SPEC = 0x01
_HAS_MORE_PAGES = 0x02
_NO_METADATA = 0x04
_METADATA_CHANGED = 0x08
_CUSTOM_OPTION = 0


class Spec(Protocol):
    """A column in metadata."""

    @property
    def keyspace(self) -> str:
        """The keyspace of the column."""
        ...

    @property
    def table(self) -> str:
        """The table of the column."""
        ...

    @property
    def name(self) -> str:
        """The name of the column or marker."""
        ...

    @property
    def kind(self) -> CqlType:
        """The type of its values."""
        ...


def string(text: str) -> bytes:
    """`[string]`."""
    encoded = text.encode()
    return len(encoded).to_bytes(2, "big") + encoded


def string_list(texts: Iterable[str]) -> bytes:
    """`[string list]`."""
    items = [string(text) for text in texts]
    return len(items).to_bytes(2, "big") + b"".join(items)


def string_multimap(values: Mapping[str, Sequence[str]]) -> bytes:
    """`[string multimap]`."""
    return len(values).to_bytes(2, "big") + b"".join(string(key) + string_list(items) for key, items in values.items())


def bytes_value(value: bytes | None) -> bytes:
    """`[bytes]`; a null is None."""
    return b"\xff\xff\xff\xff" if value is None else _INT.pack(len(value)) + value


def error_body(error: CqlError, version: int = 4) -> bytes:
    """The body of ERROR."""
    text = string(str(error)[:32_000])
    if isinstance(error, OperationFailure):
        return _INT.pack(error.code if version >= 4 else error.code_of_v3) + text + error.extra_of(version)
    return _INT.pack(error.code) + text + error.extra()


def set_keyspace_body(keyspace: str) -> bytes:
    """The body of RESULT for USE."""
    return _INT.pack(3) + string(keyspace)


def schema_change_body(change: str, target: str, keyspace: str, name: str) -> bytes:
    """The part that RESULT and EVENT share."""
    body = string(change) + string(target) + string(keyspace)
    return body if target == "KEYSPACE" else body + string(name)


def metadata(
    columns: Sequence[Spec], version: int, *, paging_state: bytes | None = None, result_id: bytes | None = None
) -> bytes:
    """Result metadata; `result_id` is given when it differs from what the client has."""
    flags = 0
    extra = b""
    if paging_state is not None:
        flags |= _HAS_MORE_PAGES
        extra += bytes_value(paging_state)
    if result_id is not None:
        flags |= _METADATA_CHANGED
        extra += len(result_id).to_bytes(2, "big") + result_id
    table, specs = _specs(columns, version)
    return _INT.pack(flags | (_GLOBAL_SPEC if columns else 0)) + _INT.pack(len(columns)) + extra + table + specs


def no_metadata(count: int, paging_state: bytes | None) -> bytes:
    """Replaces metadata that the client already has. Cassandra sets the global table flag here too."""
    flags = _NO_METADATA | _GLOBAL_SPEC
    if paging_state is None:
        return _INT.pack(flags) + _INT.pack(count)
    return _INT.pack(flags | _HAS_MORE_PAGES) + _INT.pack(count) + bytes_value(paging_state)


def _specs(columns: Sequence[Spec], version: int) -> tuple[bytes, bytes]:
    if not columns:
        return b"", b""
    table = string(columns[0].keyspace) + string(columns[0].table)
    return table, b"".join(string(column.name) + option(column.kind, version) for column in columns)


def option(kind: CqlType, version: int) -> bytes:
    """The `[option]` of a type; v3 lacks the types added in v4, and v4 lacks duration."""
    if (version < 4 and 0x11 <= kind.option <= 0x14) or (version < 5 and kind.option == 0x15):
        return struct.pack(">H", _CUSTOM_OPTION) + string(kind.java)
    return kind.option_bytes()


def rows_body(head: bytes, count: int, body: bytes) -> bytes:
    """The body of RESULT for rows."""
    return b"\x00\x00\x00\x02" + head + _INT.pack(count) + body


def prepared_body(
    statement_id: bytes,
    result_id: bytes,
    binds: Sequence[Spec],
    partition_key_binds: Sequence[int],
    columns: Sequence[Spec],
    version: int,
) -> bytes:
    """The body of RESULT for PREPARE."""
    body = b"\x00\x00\x00\x04" + len(statement_id).to_bytes(2, "big") + statement_id
    if version >= 5:
        body += len(result_id).to_bytes(2, "big") + result_id
    one_table = len({(bind.keyspace, bind.table) for bind in binds}) == 1
    body += _INT.pack(_GLOBAL_SPEC if one_table else 0) + _INT.pack(len(binds))
    if version >= 4:
        body += _INT.pack(len(partition_key_binds))
        body += b"".join(index.to_bytes(2, "big") for index in partition_key_binds)
    if one_table:
        table, specs = _specs(binds, version)
        body += table + specs
    else:
        for bind in binds:
            body += string(bind.keyspace) + string(bind.table) + string(bind.name) + option(bind.kind, version)
    if columns:
        return body + metadata(columns, version)
    return body + _INT.pack(_NO_METADATA) + _INT.pack(0)


def address(host: str, port: int) -> bytes:
    """`[inet]`."""
    packed = ipaddress.ip_address(host).packed
    return bytes((len(packed),)) + packed + _INT.pack(port)
