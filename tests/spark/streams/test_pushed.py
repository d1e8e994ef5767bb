"""Sources that a peer pushes: what comes, also after the connection was cut, and what is sent again when it was not
acknowledged.
"""

from __future__ import annotations

import json
import os
import resource
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
import websockets.sync.server

from smackbox.net.listener import free_port
from smackbox.spark.streaming.errors import StreamError
from smackbox.spark.streaming.inputs import pushed
from smackbox.spark.streaming.inputs.input import Bounds
from smackbox.spark.streaming.inputs.mqtt import MqttInput
from smackbox.spark.streaming.inputs.pushed import PushedInput
from smackbox.spark.streaming.inputs.websocket import WebSocketInput

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
LIMIT_S = 30.0


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pushed, "RECONNECT_S", 0.05)


def opened(source: PushedInput, saved: Any = None) -> PushedInput:
    source.open(saved, lambda items: [False] * len(items))
    return source


def taken(source: PushedInput, count: int, *, commit: bool = True) -> list[Any]:
    """The next `count` events, in as many batches as they come in."""
    found: list[Any] = []
    deadline = time.monotonic() + LIMIT_S
    while len(found) < count:
        assert time.monotonic() < deadline, found
        batch = source.take(Bounds(time.monotonic() + 0.1, count - len(found), 1 << 20), lambda: False)
        if batch is not None:
            found += [json.loads(record.value()) for record in batch.records]
            if commit:
                source.done(batch.plan)
    return found


class Pushing:
    """A WebSocket server that sends what it is given, and notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.messages: list[str | bytes] = []
        self.connections = 0
        self._server = websockets.sync.server.serve(self._serve, "127.0.0.1", 0)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}/feed"

    def _serve(self, connection: Any) -> None:
        self.connections += 1
        assert connection.request.headers["X-Token"] == "secret"
        self.told.append(connection.recv())
        for message in self.messages:
            connection.send(message)
        if self.connections == 1:
            connection.close(1012)
        else:
            for _ in connection:
                pass

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()


def test_messages_of_a_websocket_come_also_after_it_was_closed() -> None:
    server = Pushing()
    server.messages = ['{"id": 1}', b'{"id": 2}']
    source = opened(WebSocketInput("feed", server.url, {"X-Token": "secret"}, subscribe="all"))
    try:
        assert taken(source, 4) == [{"id": 1}, {"id": 2}] * 2
        assert server.told == ["all", "all"]
    finally:
        source.close()
        server.close()


def test_what_is_planned_comes_back_from_its_plan() -> None:
    server = Pushing()
    server.messages = ['{"id": "é"}', b"\xff\x00"]
    source = opened(WebSocketInput("feed", server.url, {"X-Token": "secret"}, "x"))
    try:
        batch = None
        while batch is None or len(batch.records) < 2:
            batch = source.take(Bounds(time.monotonic() + LIMIT_S, 2, 1 << 20), lambda: False)
    finally:
        source.close()
        server.close()
    plan = json.loads(msgspec.json.encode(batch.plan))
    again = WebSocketInput("feed", server.url, {}).again(plan, lambda: False)
    assert [record.value() for record in again] == ['{"id": "é"}'.encode(), b"\xff\x00"]
    assert [record.offset() for record in again] == [0, 1]


def test_a_server_that_is_not_there_is_no_error_and_closing_does_not_wait(caplog: pytest.LogCaptureFixture) -> None:
    source = opened(WebSocketInput("feed", f"ws://127.0.0.1:{free_port('127.0.0.1')}", {}))
    assert source.take(Bounds(time.monotonic() + 0.3, 1, 1 << 20), lambda: False) is None
    source.close()
    assert len([record for record in caplog.records if "is tried again" in record.getMessage()]) == 1


def test_a_sender_waits_when_nothing_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pushed, "WAITING_LIMIT", 3)
    server = Pushing()
    server.connections = 1
    server.messages = [json.dumps({"id": number}) for number in range(50)]
    source = opened(WebSocketInput("feed", server.url, {"X-Token": "secret"}, "x"))
    try:
        deadline = time.monotonic() + LIMIT_S
        while source.lag() != 3:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert [event["id"] for event in taken(source, 50)] == list(range(50))
    finally:
        source.close()
        server.close()


class MqttBroker:
    """As much of MQTT 3.1.1 as a subscriber with QoS 1 needs: one session that is kept, with what it has not
    acknowledged.
    """

    def __init__(self) -> None:
        self.unacknowledged: dict[int, bytes] = {}
        self.filters: list[str] = []
        self.connections = 0
        self._next = 1
        self._peer: socket.socket | None = None
        self._lock = threading.Lock()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def publish(self, *numbers: int) -> None:
        for number in numbers:
            with self._lock:
                self.unacknowledged[self._next] = json.dumps({"id": number}).encode()
                self._send(self._next)
                self._next += 1

    def cut(self) -> None:
        """Close the connection without a word."""
        peer = self._peer
        assert peer is not None
        peer.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()

    def _send(self, message: int, flags: int = 0x32) -> None:
        if self._peer is not None and self.filters:
            topic, payload = b"plants/a/t", self.unacknowledged[message]
            body = struct.pack(">H", len(topic)) + topic + struct.pack(">H", message) + payload
            self._peer.sendall(bytes([flags, len(body)]) + body)

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._server.accept()
            except OSError:
                return
            with peer, peer.makefile("rb") as file:
                try:
                    self._serve(peer, file)
                except OSError:
                    pass
                with self._lock:
                    self._peer = None

    def _serve(self, peer: socket.socket, file: Any) -> None:
        while head := file.read(2):
            assert head[1] < 128, "short packets alone"
            body = file.read(head[1])
            match head[0] >> 4:
                case 1:
                    assert body[7] & 2 == 0, "a session that is kept"
                    self.connections += 1
                    peer.sendall(bytes([0x20, 2, bool(self.filters), 0]))
                case 8:
                    self.filters.append(body[4:-1].decode())
                    peer.sendall(bytes([0x90, 3]) + body[:2] + b"\x01")
                    with self._lock:
                        self._peer = peer
                        for message in self.unacknowledged:
                            self._send(message, 0x3A)
                case 4:
                    with self._lock:
                        self.unacknowledged.pop(int.from_bytes(body, "big"), None)
                case 12:
                    peer.sendall(b"\xd0\x00")
                case 14:
                    return


@pytest.fixture
def broker() -> Iterator[MqttBroker]:
    started = MqttBroker()
    yield started
    started.close()


def source_of(broker: MqttBroker) -> MqttInput:
    return MqttInput("plants", "127.0.0.1", broker.port, "plants/+/t", "smack-test")


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_messages_of_mqtt_come_once_when_they_are_acknowledged(broker: MqttBroker) -> None:
    source = opened(source_of(broker))
    broker.publish(1, 2)
    assert taken(source, 2) == [{"id": 1}, {"id": 2}]
    until(lambda: not broker.unacknowledged)
    assert broker.filters == ["plants/+/t"]
    source.close()
    broker.publish(4)
    source = opened(source_of(broker), {"lines": 2})
    assert taken(source, 1) == [{"id": 4}], "what came while nobody was there, and nothing twice"
    source.close()


def test_what_was_not_acknowledged_comes_again(broker: MqttBroker) -> None:
    source = opened(source_of(broker))
    broker.publish(1, 2)
    assert taken(source, 2, commit=False) == [{"id": 1}, {"id": 2}]
    source.close()
    again = opened(source_of(broker))
    assert taken(again, 2) == [{"id": 1}, {"id": 2}]
    until(lambda: not broker.unacknowledged)
    again.close()


def test_a_batch_of_a_connection_that_was_cut_acknowledges_nothing_of_the_next(broker: MqttBroker) -> None:
    source = opened(source_of(broker))
    broker.publish(1, 2, 3)
    until(lambda: source.lag() == 3)
    batch = source.take(Bounds(time.monotonic() + LIMIT_S, 2, 1 << 20), lambda: False)
    assert batch is not None and len(batch.records) == 2
    broker.cut()
    until(lambda: broker.connections == 2 and source.lag() == 3)
    source.done(batch.plan)
    assert len(broker.unacknowledged) == 3, "they come again, and `unique=` counts them once"
    assert [event["id"] for event in taken(source, 3)] == [1, 2, 3]
    until(lambda: not broker.unacknowledged)
    source.close()


def test_a_process_with_many_files_open_reads_mqtt(broker: MqttBroker) -> None:
    """Descriptors above 1023 are none for `select`, which the client's own loop uses."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    files = []
    try:
        while not files or files[-1] < 1_100:
            files.append(os.open(os.devnull, os.O_RDONLY))
        source = opened(source_of(broker))
        broker.publish(1)
        assert taken(source, 1) == [{"id": 1}]
        source.close()
    finally:
        for file in files:
            os.close(file)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_closing_while_the_websocket_connects_does_not_wait_for_a_message() -> None:
    connected, go_on = threading.Event(), threading.Event()

    def hold(_connection: Any, _request: Any) -> None:
        connected.set()
        go_on.wait(LIMIT_S)

    def silent(connection: Any) -> None:
        for _ in connection:
            pass

    server = websockets.sync.server.serve(silent, "127.0.0.1", 0, process_request=hold)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    source = opened(WebSocketInput("feed", f"ws://127.0.0.1:{server.socket.getsockname()[1]}", {}))
    closing = threading.Thread(target=source.close, daemon=True)
    try:
        assert connected.wait(LIMIT_S)
        closing.start()
        assert source._stopping.wait(LIMIT_S)
        go_on.set()
        closing.join(LIMIT_S)
        assert not closing.is_alive()
    finally:
        go_on.set()
        server.shutdown()
        serving.join()


def test_a_source_that_cannot_be_read_ends_the_stream() -> None:
    source = opened(WebSocketInput("feed", f"ws://{'a' * 70}.example/", {}))
    try:
        with pytest.raises(StreamError, match="source feed"):
            taken(source, 1)
    finally:
        source.close()


def test_a_websockets_password_and_query_are_neither_logged_nor_in_its_records(
    caplog: pytest.LogCaptureFixture,
) -> None:
    host = f"127.0.0.1:{free_port('127.0.0.1')}"
    source = opened(WebSocketInput("feed", f"ws://user:hidden@{host}/feed?token=hidden", {}))
    try:
        source.take(Bounds(time.monotonic() + 0.3, 1, 1 << 20), lambda: False)
    finally:
        source.close()
    assert f"ws://{host}/feed" in caplog.text
    (record,) = source.again({"first": 0, "lines": ["{}"]}, lambda: False)
    assert "hidden" not in caplog.text
    assert "hidden" not in str(record.partition())
