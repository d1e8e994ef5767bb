"""The subscribers of /v2/events, and the events for each of them."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from smackbox.base.clock import Clock
from smackbox.marathon.state.timestamps import timestamp
from smackbox.net.http import HttpRequest, HttpStream

Json = dict[str, Any]

EVENT_STREAM = "text/event-stream"
STREAM_BUFFER_LIMIT = 4 * 1024 * 1024
LISTENERS_LIMIT = 200
HEARTBEAT_S = 15.0
_PLAN_GROUPS = ("original", "target")


class EventBus:
    """Streams of server-sent events. A client that does not read is disconnected."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._listeners: dict[HttpStream, tuple[frozenset[str], bool, str]] = {}
        self._heartbeat: asyncio.TimerHandle | None = None

    def subscribe(self, request: HttpRequest, types: frozenset[str], light: bool) -> HttpStream:
        """A stream of events of these types (none: all); `light` omits details. 503 beyond the limit."""
        if len(self._listeners) >= LISTENERS_LIMIT:
            stream = HttpStream(503, EVENT_STREAM)
            stream.close()
            return stream
        stream = HttpStream(200, EVENT_STREAM, {"Cache-Control": "no-cache"}, STREAM_BUFFER_LIMIT)
        address = request.peer.rpartition(":")[0]
        self._listeners[stream] = (types, light, address)
        stream.on_closed = lambda: self._left(stream)
        self._about("event_stream_attached", address)
        if self._heartbeat is None:
            self._beat()
        return stream

    def publish(self, event: Json) -> None:
        """Send an event to the subscribers of its type."""
        encoded: bytes | None = None
        brief: bytes | None = None
        for stream, (types, light, _) in list(self._listeners.items()):
            if types and event["eventType"] not in types:
                continue
            if light and "plan" in event:
                brief = brief or _encoded({**event, "plan": _light(event["plan"])})
                stream.send(brief)
            else:
                encoded = encoded or _encoded(event)
                stream.send(encoded)

    def close(self) -> None:
        """End all streams."""
        if self._heartbeat is not None:
            self._heartbeat.cancel()
            self._heartbeat = None
        for stream in list(self._listeners):
            stream.close()

    def _left(self, stream: HttpStream) -> None:
        _, _, address = self._listeners.pop(stream)
        self._about("event_stream_detached", address)

    def _about(self, event_type: str, address: str) -> None:
        now = timestamp(self._clock.wall_ms())
        self.publish({"remoteAddress": address, "eventType": event_type, "timestamp": now})

    def _beat(self) -> None:
        """Send an empty line regularly, so that both sides notice when the other is gone."""
        for stream in list(self._listeners):
            stream.send(b"\r\n")
        self._heartbeat = asyncio.get_running_loop().call_later(HEARTBEAT_S, self._beat)


def _light(plan: Json) -> Json:
    return {name: value for name, value in plan.items() if name not in _PLAN_GROUPS}


def _encoded(event: Json) -> bytes:
    return b"event: %b\r\ndata: %b\r\n\r\n" % (event["eventType"].encode(), msgspec.json.encode(event))
