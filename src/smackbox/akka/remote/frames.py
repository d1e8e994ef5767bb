"""Artery's frames over TCP, as Pekko 1.x and 2.x write them.

A connection opens with a magic (`AKKA` in 1.x, `PEKK` in 2.x) and the number of its stream: 1 control, 2 ordinary,
3 large messages. Then come frames: their length (4 bytes), and an envelope. All numbers are little-endian.

    0      version (0)
    1      flags (1: a metadata container of 4 bytes length follows the header)
    2, 3   versions of the compression tables of actor references and of manifests
    4      uid of the sending actor system (8 bytes)
    12     id of the serializer (4 bytes)
    16     sender, 20 recipient, 24 manifest: a tag each (4 bytes)
    28     literals, one for each tag that is an offset: length (2 bytes) and text; then the payload

A tag whose highest byte is 255 is an index into a compression table instead (`compression.py`).
Source: `EnvelopeBufferPool` and `TcpFraming` of Pekko's remoting.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

import msgspec

from smackbox.akka.remote.compression import CompressionError, InboundTables, OutboundTables
from smackbox.base.errors import ProtocolError

CONTROL, ORDINARY, LARGE = 1, 2, 3
STREAMS = frozenset({CONTROL, ORDINARY, LARGE})
MAGICS = {b"AKKA": 1, b"PEKK": 2}
PREAMBLE_SIZE = 5

_HEADER = struct.Struct("<BBBBqiIII")
_LENGTH = struct.Struct("<H")
_FRAME = struct.Struct("<I")
FRAME_HEAD_BYTES = _FRAME.size
_METADATA = 1
_COMPRESSED = 0xFF000000
_NUMBER = 0xFFFF
_NO_TABLES = OutboundTables()
TEXT_LIMIT = 0xFFFF
KEPT_HEADS, KEPT_HEAD_BYTES = 4096, 512
"""Headers with their literals that are not written or read again, for the same few actors exchange most messages."""

_read_heads: dict[bytes, tuple[int, int, str, str, str]] = {}


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """One message on the wire. `sender` is empty where there is none."""

    uid: int
    serializer: int
    sender: str
    recipient: str
    manifest: str
    payload: bytes


def encode(envelope: Envelope, tables: OutboundTables = _NO_TABLES) -> bytes:
    """A whole frame. Raises `ValueError` for a path or manifest that is too long."""
    key = (envelope.recipient, envelope.sender, envelope.manifest, envelope.serializer, envelope.uid)
    head = tables.heads.get(key)
    if head is None:
        head = _head(envelope, tables)
        if len(head) <= KEPT_HEAD_BYTES:
            if len(tables.heads) >= KEPT_HEADS:
                tables.heads.clear()
            tables.heads[key] = head
    return b"%s%s%s" % (_FRAME.pack(len(head) + len(envelope.payload)), head, envelope.payload)


def _head(envelope: Envelope, tables: OutboundTables) -> bytes:
    position = _HEADER.size
    tags = []
    literals = bytearray()
    refs = tables.refs
    for table, literal in ((refs, envelope.sender), (refs, envelope.recipient), (tables.manifests, envelope.manifest)):
        number = table.get(literal)
        if number is not None:
            tags.append(_COMPRESSED | number)
            continue
        text = literal.encode()
        if len(text) > TEXT_LIMIT:
            raise ValueError(f"a path or manifest of {len(text)} bytes; at most {TEXT_LIMIT} fit into an envelope")
        tags.append(position + len(literals))
        literals += _LENGTH.pack(len(text)) + text
    versions = (tables.refs_version, tables.manifests_version)
    return _HEADER.pack(0, 0, *versions, _signed(envelope.uid), envelope.serializer, *tags) + literals


def decode(data: bytes, tables: Mapping[int, InboundTables] | None = None) -> Envelope:
    """The envelope of a frame without its length; `tables` are by the sender's uid.

    Raises `ProtocolError`, and `CompressionError` for a message that is to be dropped.
    """
    size = len(data)
    if size < _HEADER.size:
        raise ProtocolError(f"an Artery envelope of {size} bytes")
    (last,) = _FRAME.unpack_from(data, _HEADER.size - _FRAME.size)  # where the last literal begins, if it is one
    if last + _LENGTH.size <= size:
        end = last + _LENGTH.size + _LENGTH.unpack_from(data, last)[0]
        head = _read_heads.get(data[:end]) if end <= KEPT_HEAD_BYTES else None
        if head is not None:
            return Envelope(*head, data[end:])
    version, flags, refs_version, manifests_version, uid, serializer, *tags = _HEADER.unpack_from(data)
    if version != 0:
        raise ProtocolError(f"Artery version {version}")
    position = _HEADER.size
    if flags & _METADATA:
        if position + 4 > len(data):
            raise ProtocolError("an Artery envelope ends in its metadata")
        position += 4 + _FRAME.unpack_from(data, position)[0]
    uid &= 0xFFFFFFFFFFFFFFFF
    texts = []
    for place, tag in enumerate(tags):
        if tag & _COMPRESSED:
            known = None if tables is None else tables.get(uid)
            if known is None:
                raise CompressionError("a compressed tag of a system to which no table was advertised")
            is_manifest = place == 2
            table, table_version = (known.manifests, manifests_version) if is_manifest else (known.refs, refs_version)
            text = table.text(table_version, tag & _NUMBER)
        else:
            text, position = _literal(data, position)
        texts.append(text)
    sender, recipient, manifest = texts
    if position <= KEPT_HEAD_BYTES and not any(tag & _COMPRESSED for tag in tags):
        if len(_read_heads) >= KEPT_HEADS:
            _read_heads.clear()
        _read_heads[data[:position]] = uid, serializer, sender, recipient, manifest
    return Envelope(uid, serializer, sender, recipient, manifest, data[position:])


def _literal(data: bytes, position: int) -> tuple[str, int]:
    begin = position + _LENGTH.size
    if begin > len(data):
        raise ProtocolError("an Artery envelope ends in a literal")
    end = begin + _LENGTH.unpack_from(data, position)[0]
    if end > len(data):
        raise ProtocolError("an Artery envelope ends in a literal")
    try:
        return data[begin:end].decode(), end
    except UnicodeDecodeError as error:
        raise ProtocolError("a literal that is not UTF-8") from error


def _signed(uid: int) -> int:
    return uid - (1 << 64) if uid >> 63 else uid


def read_preamble(preamble: bytes) -> tuple[int, int]:
    """The protocol's version and the stream that a connection opens with. Raises `ProtocolError`."""
    protocol = MAGICS.get(preamble[:4])
    if protocol is None or preamble[4] not in STREAMS:
        raise ProtocolError(f"{preamble!r} opens no Artery stream")
    return protocol, preamble[4]


def frame_bytes(data: bytes | memoryview, position: int, limit: int) -> int:
    """The size of the frame that begins at `position`, with its length. Raises `ProtocolError` beyond `limit`."""
    (size,) = _FRAME.unpack_from(data, position)
    if size > limit:
        raise ProtocolError(f"an Artery frame of {size} bytes; at most {limit} are taken")
    return FRAME_HEAD_BYTES + int(size)
