"""One request in progress: who sent it, its version, and how to answer it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from smackbox.kafka.handlers.sasl import SaslSession
from smackbox.kafka.wire.schema import Message

Answer = Message | bytearray | list[bytes | bytearray]


class Connection(Protocol):
    """What handlers may know of the connection that a request came in on."""

    peer_host: str
    advertised: tuple[str, int]
    client_software: tuple[str, str]
    principal: str
    sasl: SaslSession | None
    on_close: dict[object, Callable[[], None]]


class Call:
    """`respond` must be called once with the answer: by the server with what the handler returned, or later by the code
    that parked it. An answer of None (Produce with acks=0) sends nothing.
    """

    __slots__ = ("_send", "api_key", "client_id", "connection", "correlation_id", "done", "started", "version")

    def __init__(
        self,
        api_key: int,
        version: int,
        correlation_id: int,
        client_id: str | None,
        connection: Connection,
        send: Callable[[Call, Answer | None], None],
    ) -> None:
        self.api_key = api_key
        self.version = version
        self.correlation_id = correlation_id
        self.client_id = client_id
        self.connection = connection
        self.done = False
        self.started = 0.0
        self._send = send

    def respond(self, answer: Answer | None) -> None:
        """Send the answer, once; None if the client wants none (acks=0)."""
        assert not self.done, "a call is answered once"
        self.done = True
        self._send(self, answer)


class Parked:
    """What a handler returns when it will answer later."""


PARKED = Parked()
Handler = Callable[[Any, Call, Any], Answer | Parked | None]
