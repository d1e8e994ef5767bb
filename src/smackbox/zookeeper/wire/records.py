"""The records inside packets: headers, the connect handshake, Stat, ACL, events.

Every packet is a length as int and that many bytes. The first packet of a connection is a ConnectRequest; each later
request is RequestHeader + its record; each reply is ReplyHeader + its record, or ReplyHeader alone when `err` is not 0.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from smackbox.base.errors import ProtocolError
from smackbox.zookeeper.wire.codes import SYNC_CONNECTED, Code, EventType, Xid
from smackbox.zookeeper.wire.jute import Reader, Writer

_REPLY = struct.Struct(">iiqi")
_STAT = struct.Struct(">qqqqiiiqiiq")
ACL_LIMIT = 1_000


class Acl(NamedTuple):
    """One entry of an access control list."""

    permissions: int
    scheme: str
    id: str


class Stat(NamedTuple):
    """A node's metadata, in wire order; times in milliseconds."""

    czxid: int
    mzxid: int
    ctime: int
    mtime: int
    version: int
    cversion: int
    aversion: int
    ephemeral_owner: int
    data_length: int
    children: int
    pzxid: int


class ConnectRequest(NamedTuple):
    """The first packet. `read_only` is missing in clients before 3.4."""

    last_zxid_seen: int
    timeout_ms: int
    session_id: int
    password: bytes
    read_only: bool


def read_connect(packet: bytes) -> ConnectRequest:
    """Decode a ConnectRequest. Raises `ProtocolError` for a protocol version other than 0."""
    reader = Reader(packet)
    version = reader.int32()
    if version != 0:
        raise ProtocolError(f"protocol version {version}")
    last_zxid_seen, timeout_ms, session_id = reader.int64(), reader.int32(), reader.int64()
    password = reader.buffer() or b""
    return ConnectRequest(last_zxid_seen, timeout_ms, session_id, password, bool(reader.left) and reader.boolean())


def connect_response(timeout_ms: int, session_id: int, password: bytes) -> bytes:
    """The answer to a ConnectRequest; a timeout of 0 means that the session has expired."""
    return packet(Writer().int32(0).int32(timeout_ms).int64(session_id).buffer(password).boolean(False).done())


def reply(xid: int, zxid: int, code: Code, record: bytes = b"") -> bytes:
    """A whole reply packet: its length, header and record."""
    return _REPLY.pack(16 + len(record), xid, zxid, code) + record


def event(kind: EventType, path: str) -> bytes:
    """A notification. Its zxid is -1, as from every server before 3.9."""
    record = Writer().int32(kind).int32(SYNC_CONNECTED).string(path).done()
    return reply(Xid.NOTIFICATION, -1, Code.OK, record)


def packet(record: bytes) -> bytes:
    """A record after its length."""
    return struct.pack(">i", len(record)) + record


def stat_bytes(stat: Stat) -> bytes:
    """A stat of 68 bytes."""
    return _STAT.pack(*stat)


def read_acl(reader: Reader) -> tuple[Acl, ...]:
    """An ACL of at most `ACL_LIMIT` entries. Raises `ProtocolError`."""
    count = reader.count()
    if count > ACL_LIMIT:
        raise ProtocolError(f"an ACL of {count} entries (at most {ACL_LIMIT})")
    return tuple(Acl(reader.int32(), reader.string(), reader.string()) for _ in range(count))


def write_acl(writer: Writer, acl: tuple[Acl, ...]) -> Writer:
    """An ACL after its count."""
    writer.int32(len(acl))
    for entry in acl:
        writer.int32(entry.permissions).string(entry.scheme).string(entry.id)
    return writer
