"""WebSocket as flows of messages: `handle_websocket` on the server's side, `single_websocket_request` on a client's.

    greeter = Flow.of(str).map(lambda name: f"Hello {name}!")
    route = path("greeter")(handle_websocket(greeter))

A message is a `str` (text) or `bytes` (binary), whole; or in parts (`websocket_messages.py`). A close in order (1000,
1001, or without a code) completes the flow's input, any other end of the connection fails it with `WebSocketError`. A
flow that completes closes the connection with 1000, one that fails with 1011. A peer sends no faster than the flow
pulls, and the flow is pulled no faster than the peer reads. A server that stops closes with 1001.

With `WebSocketSettings(deflate=Deflate())` messages are compressed where the other side agrees (permessage-deflate).
Pekko HTTP has no such extension: with its servers and clients messages go as they are.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import h11
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, Request
from wsproto.utilities import RemoteProtocolError
from yarl import URL

from smackbox.akka.http.rejections import (
    ExpectedWebSocketRequestRejection,
    UnsupportedWebSocketSubprotocolRejection,
)
from smackbox.akka.http.route import BAD_IN_HEADER, Rejected, RequestContext, Result, Route, UpgradeResponse
from smackbox.akka.http.websocket_messages import (
    ArrivingParts,
    BinaryMessage,
    MessageError,
    PeerClosedConnectionError,
    Sendable,
    TextMessage,
    send_message,
)
from smackbox.akka.stream.blueprint import Keep
from smackbox.akka.stream.sink import Sink
from smackbox.akka.stream.source import Source
from smackbox.base.errors import RequestError
from smackbox.net.http import HttpRequest
from smackbox.net.http_exchange import Successor
from smackbox.net.websocket import INTERNAL_ERROR, NORMAL, Message, WebSocket, WebSocketError, WebSocketSettings

if TYPE_CHECKING:
    from smackbox.akka.actor.system import ActorSystem
    from smackbox.akka.stream.flow import Flow

OUT_BUFFER = 4
"""Messages of a flow that wait for a peer that does not read."""
CONNECT_TIMEOUT_S = 10.0
BEGIN_TIMEOUT_S = 5.0
"""For a flow to begin to read a message in parts (`subscription-timeout` of Pekko's streams)."""
DEFAULTS = WebSocketSettings()

log = logging.getLogger("smackbox.akka")


def handle_websocket(
    flow: Flow[Any, Sendable, Any], protocol: str | None = None, settings: WebSocketSettings = DEFAULTS
) -> Route:
    """Answer a WebSocket request, and let `flow` talk with the client.

    With `protocol`, only clients that offer this subprotocol. Rejects (400) what is no WebSocket request.
    """

    async def run(context: RequestContext) -> Result:
        core = WSConnection(ConnectionType.SERVER)
        try:
            handshake = _handshake(core, context)
        except RequestError as error:
            return Rejected((ExpectedWebSocketRequestRejection(str(error)),))
        if protocol is not None and protocol not in handshake.subprotocols:
            return Rejected((UnsupportedWebSocketSubprotocolRejection(protocol),))
        socket = WebSocket(core, settings)
        socket.on_begun = lambda: _join(socket, flow, context.system)

        def accept(headers: list[tuple[bytes, bytes]]) -> tuple[bytes, Successor]:
            accepted = AcceptConnection(subprotocol=protocol, extensions=socket.extensions, extra_headers=headers)
            return core.send(accepted), socket

        return UpgradeResponse(accept)

    return Route(run)


@dataclass(frozen=True, slots=True)
class WebSocketRequest:
    """`url` is `ws://…` or `wss://…`; `subprotocols` are offered to the server."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    subprotocols: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WebSocketUpgrade:
    """A connection that is open: the subprotocol that the server chose, and what the flow materialized."""

    subprotocol: str | None
    value: Any
    ended: asyncio.Future[None]
    """Done when the connection is gone."""


async def websocket_request(
    system: ActorSystem,
    request: WebSocketRequest,
    flow: Flow[Any, Sendable, Any],
    settings: WebSocketSettings = DEFAULTS,
    tls: ssl.SSLContext | None = None,
) -> WebSocketUpgrade:
    """Connect, and let `flow` talk with the server.

    Raises `UpgradeRejectedError` where the server answers otherwise, `ConnectionError` or `TimeoutError` where it does
    not, and `ValueError` for a URL of another kind or a header that is none.
    """
    url = URL(request.url)
    if url.scheme not in {"ws", "wss"} or url.host is None:
        raise ValueError(f"{request.url!r} is not the URL of a WebSocket: ws://host:port/path, or wss://")
    for name, value in request.headers.items():
        if not name or ":" in name or BAD_IN_HEADER.search(name + value):
            raise ValueError(f"the header {name!r}: {value!r} has a line break, or no name")
    host = url.raw_authority.rpartition("@")[2]
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers.items()]
    handshake = Request(
        host=host, target=url.raw_path_qs, subprotocols=list(request.subprotocols), extra_headers=headers
    )
    secure = (tls or ssl.create_default_context()) if url.scheme == "wss" else None
    core = WSConnection(ConnectionType.CLIENT)
    async with asyncio.timeout(CONNECT_TIMEOUT_S):
        transport, socket = await asyncio.get_running_loop().create_connection(
            lambda: WebSocket(core, settings, handshake), url.host, url.port or 80, ssl=secure
        )
        try:
            subprotocol = await socket.opened
        except BaseException:
            transport.abort()
            raise
    return WebSocketUpgrade(subprotocol, _join(socket, flow, system), socket.ended)


def _handshake(core: WSConnection, context: RequestContext) -> Request:
    """What the client asks for. Raises `RequestError` where it asks for no WebSocket, or not rightly."""
    request: HttpRequest = context.request
    if not context.control.upgradable:
        raise RequestError("GET with Connection: Upgrade and Upgrade: websocket")
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers.items()]
    try:
        core.initiate_upgrade_connection(headers, request.target)
        (event,) = core.events()
    except (RemoteProtocolError, h11.ProtocolError) as error:
        raise RequestError(str(error)) from error
    except UnicodeError as error:
        raise RequestError("a host or a target beyond ASCII") from error
    assert isinstance(event, Request)
    return event


def _join(socket: WebSocket, flow: Flow[Any, Sendable, Any], system: ActorSystem) -> Any:
    """Run `flow` between what the socket receives and what it sends; what the flow materializes."""
    received: Any = _received_in_parts if socket.receives_parts else _received
    source: Source[Any, None] = Source.from_async_iterator(lambda: received(socket))
    value, out = source.via_mat(flow, Keep.right).to_mat(Sink.queue(OUT_BUFFER), Keep.both).run(system)
    socket.ended.add_done_callback(lambda _: out.cancel())
    system.keep(asyncio.ensure_future(_send_all(socket, out, system)))
    return value


async def _received(socket: WebSocket) -> AsyncIterator[Message]:
    try:
        while (message := await socket.receive()) is not None:
            yield message
    except WebSocketError as error:
        raise PeerClosedConnectionError(error.code, error.reason) from error


async def _received_in_parts(socket: WebSocket) -> AsyncIterator[TextMessage | BinaryMessage]:
    try:
        while (part := await socket.receive_part()) is not None:
            data, is_last = part
            content: Any = data if is_last else ArrivingParts(socket, data)
            yield TextMessage(content) if isinstance(data, str) else BinaryMessage(content)
            if not is_last:
                await content.ended(BEGIN_TIMEOUT_S)
    except WebSocketError as error:
        raise PeerClosedConnectionError(error.code, error.reason) from error


async def _send_all(socket: WebSocket, out: Any, system: ActorSystem) -> None:
    try:
        async for message in out:
            await send_message(socket, message, system)
        socket.close(NORMAL)
    except WebSocketError:
        return  # the input has failed, or is complete, and the flow knows
    except MessageError as error:
        log.warning("a WebSocket is closed: %s", error)
        socket.close(error.code, str(error))
    except Exception:
        log.exception("the flow of a WebSocket failed")
        socket.close(INTERNAL_ERROR)
    finally:
        await out.aclose()
