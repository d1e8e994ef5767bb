"""Control records: the broker writes them to a partition to end a producer's transaction.

Key: version i16 = 0, type i16 (0 abort, 1 commit). Value: version i16 = 0, coordinator epoch i32. The batch holds this
one record, carries the producer's id and epoch, no sequence, and the transactional and control attributes.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from smackbox.base.errors import ProtocolError
from smackbox.kafka.wire.record_batch import CONTROL, TRANSACTIONAL, Record, build

_KEY = struct.Struct(">hh")
_VALUE = struct.Struct(">hi")
_ABORT, _COMMIT = 0, 1


class Marker(NamedTuple):
    """How a transaction ended."""

    commit: bool
    coordinator_epoch: int


def build_marker(producer_id: int, epoch: int, marker: Marker, now_ms: int) -> bytearray:
    """The batch of one marker, at offset 0."""
    key = _KEY.pack(0, _COMMIT if marker.commit else _ABORT)
    record = Record(0, now_ms, key, _VALUE.pack(0, marker.coordinator_epoch))
    return build([record], producer_id=producer_id, producer_epoch=epoch, attributes=TRANSACTIONAL | CONTROL)


def parse(record: Record) -> Marker:
    """The marker in a control record. Raises `ProtocolError`."""
    try:
        _, kind = _KEY.unpack_from(record.key or b"")
        _, coordinator_epoch = _VALUE.unpack_from(record.value or b"")
    except struct.error as error:
        raise ProtocolError(f"not a control record: {error}") from error
    return Marker(kind == _COMMIT, coordinator_epoch)
