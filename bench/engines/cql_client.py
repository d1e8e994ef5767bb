"""A CQL client for benchmarks: pre-encoded frames on one socket, so that the client is not the limit."""

from __future__ import annotations

import socket
import struct
import time

HEADER = struct.Struct(">BBhBi")
WINDOW = 128


def long_string(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack(">i", len(encoded)) + encoded


def values(items: list[bytes]) -> bytes:
    return struct.pack(">H", len(items)) + b"".join(struct.pack(">i", len(item)) + item for item in items)


class RawClient:
    """Protocol v4 with `WINDOW` requests in flight."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._socket = socket.create_connection(address, 60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""
        self.call(1, b"\x00\x01\x00\x0bCQL_VERSION\x00\x053.0.0")

    def close(self) -> None:
        self._socket.close()

    def call(self, opcode: int, body: bytes) -> bytes:
        """One request and its answer's body. Raises `RuntimeError` for an ERROR."""
        self._socket.sendall(HEADER.pack(4, 0, 0, opcode, len(body)) + body)
        head = self._read(9)
        answer = self._read(HEADER.unpack(head)[4])
        if head[4] == 0:
            raise RuntimeError(answer[6:].decode(errors="replace"))
        return answer

    def query(self, text: str) -> bytes:
        return self.call(7, long_string(text) + b"\x00\x01\x00")

    def prepare(self, text: str) -> bytes:
        answer = self.call(9, long_string(text))
        return answer[6 : 6 + struct.unpack_from(">H", answer, 4)[0]]

    def run(self, frames: list[bytearray]) -> float:
        """Requests a second, with `WINDOW` of them in flight. Raises `RuntimeError` when one fails."""
        free = list(range(WINDOW))
        sent = done = 0
        total = len(frames)
        buffer = bytearray()
        started = time.perf_counter()
        while done < total:
            out = []
            while free and sent < total:
                frame = frames[sent]
                struct.pack_into(">h", frame, 2, free.pop())
                out.append(frame)
                sent += 1
            if out:
                self._socket.sendall(b"".join(out))
            buffer += self._socket.recv(1 << 18)
            place = 0
            while len(buffer) - place >= 9:
                _, _, stream, opcode, length = HEADER.unpack_from(buffer, place)
                if len(buffer) - place < 9 + length:
                    break
                if opcode == 0:
                    raise RuntimeError(bytes(buffer[place + 15 : place + 9 + length]).decode(errors="replace"))
                place += 9 + length
                done += 1
                free.append(stream)
            del buffer[:place]
        return total / (time.perf_counter() - started)

    def one_at_a_time(self, frames: list[bytearray]) -> list[float]:
        """Seconds that each took."""
        times = []
        for frame in frames:
            started = time.perf_counter()
            self._socket.sendall(frame)
            self._read(HEADER.unpack(self._read(9))[4])
            times.append(time.perf_counter() - started)
        return times

    def scan(self, text: str, page: int) -> float:
        """Rows a second of a whole result, page after page."""
        statement = self.prepare(text)
        rows = 0
        state = b""
        started = time.perf_counter()
        while True:
            flags = 0x06 | (0x08 if state else 0)
            body = struct.pack(">H", len(statement)) + statement + struct.pack(">HBi", 1, flags, page)
            answer = self.call(10, body + (struct.pack(">i", len(state)) + state if state else b""))
            flags, _ = struct.unpack_from(">ii", answer, 4)
            place = 12
            if flags & 0x02:
                (size,) = struct.unpack_from(">i", answer, place)
                state = answer[place + 4 : place + 4 + size]
                place += 4 + size
            rows += struct.unpack_from(">i", answer, place)[0]
            if not flags & 0x02:
                return rows / (time.perf_counter() - started)

    def _read(self, size: int) -> bytes:
        while len(self._buffer) < size:
            received = self._socket.recv(1 << 18)
            if not received:
                raise ConnectionError("the server closed the connection")
            self._buffer += received
        found, self._buffer = self._buffer[:size], self._buffer[size:]
        return found


def execute_frame(statement: bytes, items: list[bytes]) -> bytearray:
    body = struct.pack(">H", len(statement)) + statement + b"\x00\x01\x01" + values(items)
    return bytearray(HEADER.pack(4, 0, 0, 10, len(body)) + body)


def batch_frame(statement: bytes, rows: list[list[bytes]]) -> bytearray:
    """An unlogged batch of one prepared statement."""
    head = b"\x01" + struct.pack(">H", len(statement)) + statement
    body = struct.pack(">BH", 1, len(rows)) + b"".join(head + values(row) for row in rows) + b"\x00\x01\x00"
    return bytearray(HEADER.pack(4, 0, 0, 13, len(body)) + body)
