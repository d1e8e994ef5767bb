"""One client's connection: it passes frames to handlers and sends answers in the order of their requests.

All frames of one read are handled in one pass and answered with one write. A parked answer holds back those after it,
as in Kafka, which serves one request of a connection at a time.
"""

from __future__ import annotations

import logging
import socket
import struct
from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Any, ClassVar

from smackbox.base.errors import ProtocolError, StorageError
from smackbox.kafka.handlers.apis import (
    API_VERSIONS_KEY,
    APIS,
    FETCH_KEY,
    PRODUCE_KEY,
    SASL_AUTHENTICATE_KEY,
    SASL_HANDSHAKE_KEY,
    Api,
)
from smackbox.kafka.handlers.call import Answer, Call, Parked
from smackbox.kafka.handlers.refusal import refusal
from smackbox.kafka.handlers.sasl import SaslFailure, SaslSession
from smackbox.kafka.server.connections import Connections
from smackbox.kafka.server.listeners import Listener, certificate_principal
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.metrics import RequestCount
from smackbox.kafka.state.security import ANONYMOUS
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire import fetch, produce
from smackbox.kafka.wire.header import FIXED, LENGTH, RequestHeader, read_header, skip_header_tags
from smackbox.kafka.wire.schema import Message
from smackbox.net import connection
from smackbox.net.connection import FrameConnection

API_KEY = struct.Struct(">h")
BEFORE_AUTHENTICATION = frozenset({API_VERSIONS_KEY, SASL_HANDSHAKE_KEY, SASL_AUTHENTICATE_KEY})
FRAME_LENGTH_BYTES = 4
TLS_CLIENT_HELLO = 0x16

IN_FLIGHT = connection.FREE
"""Reason to stop reading: too many requests are in flight."""

log = logging.getLogger(__name__)


class KafkaConnection(FrameConnection):
    """The protocol object of one socket."""

    HEAD_BYTES: ClassVar[int] = FRAME_LENGTH_BYTES
    WRITE_HIGH_WATER_BYTES: ClassVar[int] = 8 * 1024 * 1024

    def __init__(self, connections: Connections, listener: Listener) -> None:
        super().__init__(connections.read_buffer)
        self._connections = connections
        self._listener = listener
        self._broker = connections.broker
        self._outbox: list[bytes | bytearray] = []
        self._pending: deque[_Slot] = deque()
        self.peer_host = ""
        self.peer = ""
        self.advertised: tuple[str, int] = ("", 0)
        self.client_software = ("", "")
        self.principal = ANONYMOUS
        self.sasl = SaslSession(connections.new_nonce()) if listener.sasl else None
        self.on_close: dict[object, Callable[[], None]] = {}

    def opened(self) -> None:
        transport = self.transport
        peer = transport.get_extra_info("peername") or ("", 0)
        local = transport.get_extra_info("sockname") or ("", 0)
        self.peer_host, self.peer = peer[0], f"{peer[0]}:{peer[1]}"
        self.advertised = self._connections.advertised or (local[0], local[1])
        plain: socket.socket | None = transport.get_extra_info("socket")
        if plain is not None:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._listener.tls:
            self.principal = certificate_principal(transport.get_extra_info("peercert")) or ANONYMOUS
        if not self._connections.admit(self):
            log.warning("%s: refused, max_connections is reached", self.peer)
            self.abort()

    def closed(self) -> None:
        self._connections.dismiss(self)
        callbacks, self.on_close = list(self.on_close.values()), {}
        for callback in callbacks:
            callback()
        self._pending.clear()
        self._outbox.clear()

    def broken(self, error: ProtocolError | StorageError) -> None:
        self._broker.metrics.protocol_errors += 1
        log.warning("%s: %s; closed", self.peer, error)
        self.abort()

    # --- frames

    def frame_bytes(self, data: memoryview, position: int) -> int:
        return FRAME_LENGTH_BYTES + self._frame_length(data, position)

    def handle(self, frame: memoryview) -> None:
        self._handle(frame[FRAME_LENGTH_BYTES:])

    def end_pass(self) -> None:
        self._flush()
        self._broker.wake_fetches()
        self._flush()  # the partitions that fetches of this connection waited for
        self._regulate()

    def _frame_length(self, data: memoryview, position: int) -> int:
        length: int = LENGTH.unpack_from(data, position)[0]
        shortest = 0 if self._takes_bare_tokens() else FIXED.size
        if not shortest <= length <= self._broker.settings.socket_request_max_bytes:
            if data[position] == TLS_CLIENT_HELLO:
                raise ProtocolError("this looks like TLS, which this listener does not support")
            raise ProtocolError(
                f"a request of {length} bytes; socket_request_max_bytes allows "
                f"{self._broker.settings.socket_request_max_bytes}"
            )
        return length

    # --- requests

    def _handle(self, frame: memoryview) -> None:
        broker = self._broker
        broker.metrics.bytes_in += len(frame) + FRAME_LENGTH_BYTES
        if self.sasl is not None and not self.sasl.done:
            if self._takes_bare_tokens():
                self._take_bare_token(self.sasl, bytes(frame))
                return
            if API_KEY.unpack_from(frame)[0] not in BEFORE_AUTHENTICATION:
                raise ProtocolError("a request before authentication by SASL")
        header, offset = read_header(frame)
        api = APIS.get(header.api_key)
        if api is None or not api.min_version <= header.version <= api.max_version:
            self._refuse(header, api)
            return
        version = header.version
        flexible = version >= api.flexible
        if flexible:
            offset = skip_header_tags(frame, offset)
        call = Call(header.api_key, version, header.correlation_id, header.client_id, self, self._send)
        call.started = perf_counter()
        slot = _Slot(call)
        self._pending.append(slot)
        request = self._read_request(api, frame, offset, version)
        try:
            answer = api.handler(broker, call, request)
        except KafkaError as error:
            answer = self._refusal(api, call, request, error)
        except StorageError as error:
            log.error("%s: %s v%d: %s", self.peer, api.name, version, error)
            answer = self._refusal(api, call, request, KafkaError(errors.KAFKA_STORAGE_ERROR, str(error)))
        except ProtocolError:
            raise
        except Exception:
            log.exception("%s: %s v%d failed", self.peer, api.name, version)
            self._count(call, failed=True)
            failure = KafkaError(errors.UNKNOWN_SERVER_ERROR, "the broker failed; its log says why")
            answer = self._refusal(api, call, request, failure)
        if not isinstance(answer, Parked):
            call.respond(answer)
        elif len(self._pending) > broker.settings.max_inflight_requests:
            self.stop(IN_FLIGHT)

    @staticmethod
    def _refusal(api: Api, call: Call, request: Any, error: KafkaError) -> Answer | None:
        """The full answer to a request that failed as a whole; if it has no error field, the connection is closed."""
        try:
            return refusal(api, call, request, error)
        except KafkaError as unanswerable:
            raise ProtocolError(f"{api.name} has no answer for error {error.code}: {error.message}") from unanswerable

    def _read_request(self, api: Api, frame: memoryview, offset: int, version: int) -> Any:
        if api.key == PRODUCE_KEY:
            return produce.read_request(frame, offset, version)
        if api.key == FETCH_KEY:
            return fetch.read_request(frame, offset, version)
        try:
            request, _ = api.reader(version)(frame, offset)
        except (struct.error, IndexError, UnicodeDecodeError, ValueError) as error:
            raise ProtocolError(f"not a {api.name} request of version {version}: {error}") from error
        return request

    def _refuse(self, header: RequestHeader, api: Api | None) -> None:
        """ApiVersions of an unknown version is rejected in version 0; any other request closes the connection, as in
        Kafka.
        """
        if header.api_key != API_VERSIONS_KEY or api is None:
            raise ProtocolError(f"api key {header.api_key} version {header.version} is not served")
        from smackbox.kafka.handlers.api_versions import served
        from smackbox.kafka.wire.messages.api_versions import ApiVersionsResponse

        call = Call(API_VERSIONS_KEY, 0, header.correlation_id, header.client_id, self, self._send)
        self._pending.append(_Slot(call))
        call.respond(ApiVersionsResponse(error_code=errors.UNSUPPORTED_VERSION, api_keys=served()))

    def _takes_bare_tokens(self) -> bool:
        """After SaslHandshake version 0 the exchange continues in frames of raw bytes."""
        sasl = self.sasl
        return sasl is not None and sasl.bare and not sasl.done and not sasl.failed

    def _take_bare_token(self, sasl: SaslSession, token: bytes) -> None:
        try:
            answer = sasl.step(self._broker.security, token)
        except SaslFailure as failure:
            raise ProtocolError(str(failure)) from failure
        self._outbox += [LENGTH.pack(len(answer)), answer]
        if sasl.done:
            self.principal = sasl.principal

    # --- answers

    def _send(self, call: Call, answer: Answer | None) -> None:
        pending = self._pending
        if not pending:
            return  # the connection is gone
        pieces = () if answer is None else self._frame(call, answer)
        self._count(call)
        first = pending[0]
        if first.call is not call:
            for slot in pending:
                if slot.call is call:
                    slot.pieces = pieces
                    return
            return
        pending.popleft()
        self._outbox.extend(pieces)
        while pending and pending[0].pieces is not None:
            self._outbox.extend(pending.popleft().pieces or ())
        if not self.in_pass:
            self._flush()
            self._regulate()

    def _frame(self, call: Call, answer: Answer) -> list[bytes | bytearray]:
        api = APIS[call.api_key]
        out = bytearray(8)
        if call.version >= api.flexible and call.api_key != API_VERSIONS_KEY:
            out.append(0)
        if isinstance(answer, Message):
            api.writer(call.version)(out, answer)
            pieces: list[bytes | bytearray] = [out]
        elif isinstance(answer, list):
            pieces = [out, *answer]
        else:
            out += answer
            pieces = [out]
        size = sum(map(len, pieces))
        _FRAME_HEAD.pack_into(out, 0, size - FRAME_LENGTH_BYTES, call.correlation_id)
        self._broker.metrics.bytes_out += size
        return pieces

    def _count(self, call: Call, *, failed: bool = False) -> None:
        by_api = self._broker.metrics.by_api
        count = by_api.get(call.api_key)
        if count is None:
            count = by_api[call.api_key] = RequestCount()
        if failed:
            count.errors += 1
            return
        count.requests += 1
        count.seconds += perf_counter() - call.started

    def _flush(self) -> None:
        outbox = self._outbox
        if not outbox:
            return
        if len(outbox) == 1:
            self.transport.write(outbox[0])
        else:
            self.transport.writelines(outbox)
        self._outbox = []
        if self.sasl is not None and self.sasl.failed:
            self.close()  # once the client has received its answer

    def _regulate(self) -> None:
        if self.stops and len(self._pending) <= self._broker.settings.max_inflight_requests:
            self.go(IN_FLIGHT)


class _Slot:
    """A request whose answer is due; `pieces` is the framed answer when it is available."""

    __slots__ = ("call", "pieces")

    def __init__(self, call: Call) -> None:
        self.call = call
        self.pieces: Any = None


_FRAME_HEAD = struct.Struct(">ii")
