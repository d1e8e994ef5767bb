"""Messages of MQTT topics, an event each, by the client of `paho-mqtt`: QoS 1, in a session that the broker keeps.

A message is acknowledged when its batch is about to be committed, so the broker sends again what a killed process had
not processed, and what it had processed in its last batch: with `unique=` each event counts once. A broker has so many
messages under way at once (`max_inflight_messages` of Mosquitto, 20): a batch has at most these.
"""

from __future__ import annotations

import logging
import select
import ssl
import time
from collections import deque
from typing import Any

from smackbox.base.errors import StartError
from smackbox.spark.streaming.inputs.input import Bounds, Done, Stopped, Taken
from smackbox.spark.streaming.inputs.pushed import PushedInput

KEEPALIVE_S = 30
POLL_S = 0.1
LEAVE_LIMIT_S = 2.0

log = logging.getLogger(__name__)


class MqttInput(PushedInput):
    """One session, by `client_id`, on a filter of topics. Raises `StartError` without `paho-mqtt`."""

    def __init__(
        self,
        name: str,
        host: str,
        port: int,
        topic: str,
        client_id: str,
        *,
        username: str | None = None,
        password: str | None = None,
        tls: bool = False,
    ) -> None:
        super().__init__(name, f"{host}:{port}")
        try:
            import paho.mqtt.client as mqtt
            from paho.mqtt.enums import CallbackAPIVersion
        except ImportError as error:
            raise StartError("an MQTT source needs paho-mqtt: pip install 'smackbox[mqtt]'") from error
        self._address = (host, port)
        self._topic = topic
        self._received: deque[tuple[int, int, int]] = deque()
        """Connection, message and QoS of the events that wait or are in a batch, in their order."""
        self._connections = 0
        self._taken = 0
        self._failure = ""
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=False, protocol=mqtt.MQTTv311,
            manual_ack=True,
        )  # fmt: skip
        if username is not None:
            self._client.username_pw_set(username, password)
        if tls:
            self._client.tls_set_context(ssl.create_default_context())
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message

    def take(self, bounds: Bounds, stopped: Stopped) -> Taken | None:
        taken = super().take(bounds, stopped)
        self._taken = 0 if taken is None else len(taken.records)
        return taken

    def again(self, plan: Any, stopped: Stopped) -> list[Any]:
        self._taken = 0  # the broker sends those of an earlier process again
        return super().again(plan, stopped)

    def done(self, plan: Any) -> Done:
        for _ in range(self._taken):
            connection, message, qos = self._received.popleft()
            if connection == self._connections:  # else it has come again already
                self._client.ack(message, qos)
        self._taken = 0
        return super().done(plan)

    def _read(self) -> None:
        try:
            self._forget_unacknowledged()
            self._client.connect(*self._address, keepalive=KEEPALIVE_S)
            self._failure = ""
            while not self._stopping.is_set():
                if not self._step():
                    return
            self._leave()
        except OSError as error:
            if str(error) != self._failure:
                log.warning("MQTT at %s is tried again: %s", self._part, error)
            self._failure = str(error)

    def _step(self) -> bool:
        """Read and write what is due; whether the connection is there.

        The client's own `loop` selects, which takes no descriptor above 1023; a process with a store has more.
        """
        client = self._client
        connection = client.socket()
        if connection is None:
            return False
        poll = select.poll()
        poll.register(connection, select.POLLIN | (select.POLLOUT if client.want_write() else 0))
        for _, event in poll.poll(POLL_S * 1000):
            if event & ~select.POLLOUT and client.loop_read() != 0:
                return False
            if event & select.POLLOUT and client.loop_write() != 0:
                return False
        return bool(client.loop_misc() == 0)

    def _forget_unacknowledged(self) -> None:
        """What waits comes again in the next connection."""
        with self._changed:
            self._connections += 1
            for _ in range(len(self._waiting)):
                self._received.pop()
            self._waiting.clear()

    def _on_connect(self, client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            log.warning("MQTT at %s refuses: %s", self._part, reason)
            return
        client.subscribe(self._topic, qos=1)

    def _on_message(self, _client: Any, _data: Any, message: Any) -> None:
        self._received.append((self._connections, message.mid, message.qos))
        self._push(message.payload)

    def close(self) -> None:
        super().close()
        self._client.on_connect = self._client.on_message = None  # no circle keeps the client's sockets open

    def _leave(self) -> None:
        """Send what is still to be sent, and say goodbye."""
        self._client.disconnect()
        deadline = time.monotonic() + LEAVE_LIMIT_S
        while self._step() and time.monotonic() < deadline:
            pass

    def _disconnect(self) -> None:
        """`_read` looks every `POLL_S` whether it is to end."""
