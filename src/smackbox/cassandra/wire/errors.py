"""The protocol's errors: one class for each code, with the extra fields of its ERROR body.

Spec: native_protocol_v5.spec, section 9. The body is `[int code][string message]` followed by these fields.
"""

from __future__ import annotations

import struct
from typing import ClassVar

from smackbox.base.errors import RequestError


class CqlError(RequestError):
    """The base class; `str(error)` is the message sent."""

    code: ClassVar[int] = 0x0000

    def extra(self) -> bytes:
        """The fields after the message."""
        return b""


class ServerFault(CqlError):  # noqa: N818 - the protocol's own name
    """An unexpected error in the server."""

    code = 0x0000


class ProtocolViolation(CqlError):  # noqa: N818 - the protocol's own name
    """A frame that violates the protocol."""

    code = 0x000A


class BadCredentials(CqlError):  # noqa: N818 - the protocol's own name
    """The user or the password is wrong."""

    code = 0x0100


class Unavailable(CqlError):  # noqa: N818 - the protocol's own name
    """Fewer live replicas than the level requires: the level, the number required, the number live."""

    code = 0x1000

    def __init__(self, message: str, consistency: int, required: int, alive: int) -> None:
        super().__init__(message)
        self.consistency = consistency
        self.required = required
        self.alive = alive

    def extra(self) -> bytes:
        return struct.pack(">Hii", self.consistency, self.required, self.alive)


class Overloaded(CqlError):  # noqa: N818 - the protocol's own name
    """The server cannot accept more at the moment."""

    code = 0x1001


class OperationFailure(CqlError):  # noqa: N818 - the protocol's own name
    """One replica, this node, failed: the level, and the code's other fields. Before protocol v4 a timeout."""

    code_of_v3: ClassVar[int]

    def __init__(self, reason: str, consistency: int) -> None:
        super().__init__(f"Operation failed - received 0 responses and 1 failures: {reason}")
        self.consistency = consistency

    def tail(self) -> bytes:
        """The fields after the failures."""
        raise NotImplementedError

    def extra_of(self, version: int) -> bytes:
        """The fields after the message in that version."""
        failures = b"" if version < 4 else struct.pack(">i", 1)
        if version >= 5:  # the failed node's address, and an unknown reason
            failures += b"\x04\x7f\x00\x00\x01\x00\x00"
        return struct.pack(">Hii", self.consistency, 0, 1) + failures + self.tail()


class ReadFailure(OperationFailure):
    """A replica failed in a read."""

    code = 0x1300
    code_of_v3 = 0x1200

    def tail(self) -> bytes:
        return b"\x00"


class WriteFailure(OperationFailure):
    """A replica failed in a write."""

    code = 0x1500
    code_of_v3 = 0x1100

    def tail(self) -> bytes:
        return _string("SIMPLE")


class FunctionFailure(CqlError):  # noqa: N818 - the protocol's own name
    """A function failed: keyspace, name, argument types."""

    code = 0x1400

    def __init__(self, message: str, keyspace: str, name: str, argument_types: tuple[str, ...]) -> None:
        super().__init__(message)
        self.keyspace = keyspace
        self.name = name
        self.argument_types = argument_types

    def extra(self) -> bytes:
        body = _string(self.keyspace) + _string(self.name) + struct.pack(">H", len(self.argument_types))
        return body + b"".join(map(_string, self.argument_types))


class SyntaxFault(CqlError):  # noqa: N818 - the protocol's own name
    """The text is not valid CQL."""

    code = 0x2000


class Unauthorized(CqlError):  # noqa: N818 - the protocol's own name
    """The user lacks a permission."""

    code = 0x2100


class Invalid(CqlError):  # noqa: N818 - the protocol's own name
    """Valid CQL, but not a statement that can be executed."""

    code = 0x2200


class ConfigFault(CqlError):  # noqa: N818 - the protocol's own name
    """An invalid option of a keyspace or a table."""

    code = 0x2300


class AlreadyExists(CqlError):  # noqa: N818 - the protocol's own name
    """The keyspace exists already, or the table if `table` is not empty."""

    code = 0x2400

    def __init__(self, keyspace: str, table: str = "") -> None:
        self.keyspace = keyspace
        self.table = table
        message = f"Cannot add already existing table {table!r} to keyspace {keyspace!r}" if table else ""
        super().__init__((message or f"Cannot add existing keyspace {keyspace!r}").replace("'", '"'))

    def extra(self) -> bytes:
        return _string(self.keyspace) + _string(self.table)


class Unprepared(CqlError):  # noqa: N818 - the protocol's own name
    """The statement id is unknown; the client must prepare again."""

    code = 0x2500

    def __init__(self, statement_id: bytes) -> None:
        self.statement_id = statement_id
        super().__init__(
            f"Prepared query with ID {statement_id.hex()} not found (either the query was not prepared on this host "
            "(maybe the host has been restarted?) or you have prepared too many queries and it has been evicted from "
            "the internal cache)"
        )

    def extra(self) -> bytes:
        return struct.pack(">H", len(self.statement_id)) + self.statement_id


def _string(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack(">H", len(encoded)) + encoded
