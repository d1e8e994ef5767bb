"""A raw Kafka client for tests: one socket, one request at a time or pipelined, in any version."""

from __future__ import annotations

import socket
import struct
from types import TracebackType
from typing import Any, Self, TypeVar

from smackbox.kafka.handlers.apis import API_VERSIONS_KEY, APIS
from smackbox.kafka.wire.record_batch import Record, build
from smackbox.kafka.wire.schema import Message, read, write

R = TypeVar("R", bound=Message)
TIMEOUT_S = 20.0


class RawClient:
    """`client.ask(MetadataRequest(...), 9)` -> the MetadataResponse."""

    def __init__(self, bootstrap: str) -> None:
        host, _, port = bootstrap.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=TIMEOUT_S)
        self._correlation_id = 0
        self._buffer = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def frame(self, key: int, version: int, body: bytes | bytearray) -> bytes:
        """A whole request around its body."""
        self._correlation_id += 1
        header = bytearray(struct.pack(">hhih", key, version, self._correlation_id, 4) + b"test")
        if version >= APIS[key].flexible:
            header.append(0)
        return struct.pack(">i", len(header) + len(body)) + bytes(header) + bytes(body)

    def request(self, message: Message, version: int) -> bytes:
        key = next(api.key for api in APIS.values() if api.name + "Request" == type(message).__name__)
        body = bytearray()
        write(message, version, body)
        return self.frame(key, version, body)

    def receive(self) -> tuple[int, bytes]:
        """Correlation id of the next answer, and what is behind it."""
        data = self._exactly(4)
        data = self._exactly(struct.unpack(">i", data)[0])
        return struct.unpack(">i", data[:4])[0], data[4:]

    def ask(self, message: Message, version: int) -> Any:
        self.socket.sendall(self.request(message, version))
        return self.answer(message, version)

    def answer(self, message: Message, version: int) -> Any:
        """The next answer, as that of `message`."""
        api = next(api for api in APIS.values() if api.name + "Request" == type(message).__name__)
        correlation_id, body = self.receive()
        assert correlation_id == self._correlation_id
        offset = 1 if version >= api.flexible and api.key != API_VERSIONS_KEY else 0
        response, end = read(api.response_type, version, body, offset)
        assert end == len(body), "the answer has trailing bytes"
        return response

    def is_closed_by_peer(self) -> bool:
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def _exactly(self, count: int) -> bytes:
        while len(self._buffer) < count:
            received = self.socket.recv(1 << 20)
            if not received:
                raise ConnectionError("the server closed the connection")
            self._buffer += received
        data, self._buffer = self._buffer[:count], self._buffer[count:]
        return data

    # --- produce and fetch, version 3 and 4

    def produce_frame(
        self,
        topic: str,
        batch: bytes | bytearray,
        partition: int = 0,
        acks: int = -1,
        transactional_id: str | None = None,
    ) -> bytes:
        name = topic.encode()
        body = struct.pack(">h", -1)
        if transactional_id is not None:
            body = struct.pack(">h", len(transactional_id)) + transactional_id.encode()
        body += struct.pack(">hii", acks, 10_000, 1) + struct.pack(">h", len(name)) + name
        body += struct.pack(">iii", 1, partition, len(batch)) + bytes(batch)
        return self.frame(0, 3, body)

    def produce(self, topic: str, batch: bytes | bytearray, partition: int = 0) -> tuple[int, int]:
        """Error code and base offset."""
        self.socket.sendall(self.produce_frame(topic, batch, partition))
        return self.produced(topic)

    def produced(self, topic: str) -> tuple[int, int]:
        _, body = self.receive()
        _, code, offset = struct.unpack_from(">ihq", body, 4 + 2 + len(topic.encode()) + 4)
        return code, offset

    def fetch(
        self,
        topic: str,
        offset: int,
        partition: int = 0,
        *,
        wait_ms: int = 0,
        max_bytes: int = 1 << 20,
        committed: bool = False,
    ) -> tuple[int, bytes]:
        """Error code and record bytes."""
        name = topic.encode()
        body = struct.pack(">iiiib", -1, wait_ms, 1, max_bytes, committed) + struct.pack(">ih", 1, len(name)) + name
        body += struct.pack(">iiqi", 1, partition, offset, max_bytes)
        self.socket.sendall(self.frame(1, 4, body))
        _, answer = self.receive()
        at = 4 + 4 + 2 + len(name) + 4
        _, code, _, _, aborted = struct.unpack_from(">ihqqi", answer, at)
        at += 26 + 16 * max(aborted, 0)
        (size,) = struct.unpack_from(">i", answer, at)
        return code, answer[at + 4 : at + 4 + size]


def batch(*values: bytes, timestamp: int = 1_700_000_000_000, **attributes: Any) -> bytearray:
    """A record batch of these values."""
    return build([Record(i, timestamp + i, b"k", value) for i, value in enumerate(values)], **attributes)
