"""A proxy before an S3 server that does to requests what networks and overloaded stores do."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

ERROR = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
CHUNK_BYTES = 65_536

Fault = str
"""`error`: 500 at once; `torn`: the request is cut in its middle; `lost`: it is done, the answer is cut; `stall`: no
answer ever; `cut`: the answer ends in its middle."""


class FaultyProxy:
    """Listens from its making to `close`. `fault` is asked for each request: method and path to a fault or None."""

    def __init__(self, target: tuple[str, int], fault: Callable[[str, str], Fault | None]) -> None:
        self._target = target
        self.fault = fault
        self.requests: list[tuple[str, str, Fault | None]] = []
        self._stopping = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    @property
    def url(self) -> str:
        host, port = self._listener.getsockname()
        return f"http://{host}:{port}"

    def close(self) -> None:
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._serve, args=(client,), daemon=True))
            self._threads[-1].start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            client.settimeout(30)
            head = b""
            while b"\r\n\r\n" not in head:
                received = client.recv(CHUNK_BYTES)
                if not received:
                    return
                head += received
            head, _, body = head.partition(b"\r\n\r\n")
            lines = head.split(b"\r\n")
            method, path, _ = lines[0].decode().split(" ")
            length = next((int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length")), 0)
            fault = self.fault(method, path)
            self.requests.append((method, path, fault))
            if fault == "torn":
                return
            while len(body) < length:
                body += client.recv(CHUNK_BYTES)
            if fault == "error":
                client.sendall(ERROR)
                return
            if fault == "stall":
                self._stopping.wait()
                return
            kept = [line for line in lines if not line.lower().startswith((b"connection", b"expect"))]
            with socket.create_connection(self._target, 30) as server:
                server.sendall(b"\r\n".join([*kept, b"Connection: close"]) + b"\r\n\r\n" + body)
                answer = b""
                while received := server.recv(CHUNK_BYTES):
                    answer += received
            if fault == "lost":
                return
            client.sendall(answer if fault != "cut" else answer[: answer.index(b"\r\n\r\n") + 5])
