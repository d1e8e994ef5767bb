"""RecordIO, the format of Mesos' streams: each record is its length in decimal, a newline, and its bytes."""

from __future__ import annotations

from smackbox.base.errors import ProtocolError

RECORD_LIMIT = 64 * 1024 * 1024
_LENGTH_DIGITS_LIMIT = 20


def encode(record: bytes) -> bytes:
    """The record after its length in decimal and a line feed."""
    return b"%d\n%b" % (len(record), record)


class RecordDecoder:
    """Splits a stream into records, however it is delivered."""

    def __init__(self, record_limit: int = RECORD_LIMIT) -> None:
        self._buffer = bytearray()
        self._record_limit = record_limit

    def feed(self, data: bytes) -> list[bytes]:
        """The records that `data` completes. Raises `ProtocolError` if a length is missing or invalid."""
        buffer = self._buffer
        buffer += data
        records = []
        position = 0
        while True:
            newline = buffer.find(b"\n", position, position + _LENGTH_DIGITS_LIMIT + 1)
            if newline < 0:
                if len(buffer) - position > _LENGTH_DIGITS_LIMIT:
                    raise ProtocolError("a record without a length")
                break
            digits = bytes(buffer[position:newline])
            if not digits.isdigit():
                raise ProtocolError(f"a record of length {digits!r}")
            length = int(digits)
            if length > self._record_limit:
                raise ProtocolError(f"a record of {length} bytes (limit {self._record_limit})")
            end = newline + 1 + length
            if len(buffer) < end:
                break
            records.append(bytes(buffer[newline + 1 : end]))
            position = end
        del buffer[:position]
        return records
