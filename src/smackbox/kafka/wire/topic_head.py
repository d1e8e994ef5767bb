"""The start of a topic in a Produce or Fetch answer, up to its partitions. Both are on the hot path, and hand-
written.
"""

from __future__ import annotations

import struct

from smackbox.kafka.wire.schema import write_varint

_INT16 = struct.Struct(">h")
_INT32 = struct.Struct(">i")


def write_count(out: bytearray, count: int, *, flexible: bool) -> None:
    """The length of an array."""
    if flexible:
        write_varint(out, count + 1)
    else:
        out += _INT32.pack(count)


def write_topic_head(out: bytearray, name: bytes, partitions: int, *, flexible: bool, is_id: bool) -> None:
    """The topic's name, or with `is_id` its 16-byte id, and the number of partitions that follow."""
    if not is_id:
        if flexible:
            write_varint(out, len(name) + 1)
        else:
            out += _INT16.pack(len(name))
    out += name
    write_count(out, partitions, flexible=flexible)
