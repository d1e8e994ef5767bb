"""WebSocket's permessage-deflate (RFC 7692): the payload of a message is a DEFLATE stream without its last four bytes.

Negotiated in the handshake: a client offers, a server agrees, each with the parameters of `Deflate`. A message is
inflated to at most `limit` bytes, whatever its length on the wire; beyond it the connection ends with 1009.

An extension of wsproto's. Its own `PerMessageDeflate` inflates without a limit, and takes a ping within a message for
the message's end.

Simplified: a window of 8 bits, which zlib cannot compress with, is agreed to, and messages then go out uncompressed,
as the RFC lets each message be.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

from wsproto.events import RejectConnection
from wsproto.extensions import Extension
from wsproto.frame_protocol import CloseReason, Opcode, RsvBits
from wsproto.utilities import RemoteProtocolError

NAME = "permessage-deflate"
TAIL = b"\x00\x00\xff\xff"
"""The end of a flush, which is not sent (7.2.1)."""
BYTES_OF_A_CHARACTER = 4
"""At most, in UTF-8: the limit of a text counts characters."""

_PLAIN = RsvBits(False, False, False)
_PACKED = RsvBits(True, False, False)
_FLAGS = ("server_no_context_takeover", "client_no_context_takeover")
_WINDOWS = ("server_max_window_bits", "client_max_window_bits")


@dataclass(frozen=True, slots=True)
class Deflate:
    """What a side asks for, and what it agrees to at most (RFC 7692, 7.1).

    `…_no_context_takeover`: that side forgets after each message what it has compressed, which saves its window's
    memory between messages. `…_max_window_bits`: 9 to 15, the binary logarithm of that side's window in bytes. The
    defaults (12 bits, memory level 5) take some 64 KiB a connection, zlib's own some 300.

    Raises `ValueError` for other numbers.
    """

    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    server_max_window_bits: int = 12
    client_max_window_bits: int = 12
    level: int = 6
    """0 to 9: zlib's effort."""
    memory_level: int = 5
    """1 to 9: memory of the compressor beside its window."""

    def __post_init__(self) -> None:
        limits = {**dict.fromkeys(_WINDOWS, (9, 15)), "level": (0, 9), "memory_level": (1, 9)}
        for name, (least, most) in limits.items():
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"{name} is {least} to {most}, not {getattr(self, name)}")


class PerMessageDeflate(Extension):
    """Of one connection. `limit` is for a message: bytes of a binary one, characters of a text; None is no limit."""

    name = NAME

    def __init__(self, wanted: Deflate, limit: int | None) -> None:
        self._wanted = wanted
        self._limit = limit
        self._enabled = False
        self._bits = {name: getattr(wanted, name) for name in _WINDOWS}
        self._forgets = {name: getattr(wanted, name) for name in _FLAGS}
        self._inflater: Any = None
        self._deflater: Any = None
        self._left: int | None = None
        self._is_packed = False  # the message that is being received
        self._in_control = False
        self._has_ended = False  # a block of the message was marked as the last one
        self._packs = False  # the message that is being sent

    # -- the handshake

    def enabled(self) -> bool:
        """Whether both sides agreed."""
        return self._enabled

    def offer(self) -> str:
        """A client's parameters. `client_max_window_bits` lets the server choose fewer bits."""
        wanted = self._wanted
        parts = [name for name in _FLAGS if self._forgets[name]]
        if wanted.server_max_window_bits < 15:
            parts.append(f"server_max_window_bits={wanted.server_max_window_bits}")
        return "; ".join([*parts, "client_max_window_bits"])

    def accept(self, offer: str) -> str | None:
        """A server's answer to an offer; None declines it, and the first one that is not declined holds."""
        if self._enabled:
            return None
        try:
            offered = _parameters(offer, is_offer=True)
        except ValueError:
            return None
        for name in _FLAGS:
            self._forgets[name] = self._forgets[name] or name in offered
        self._bits["server_max_window_bits"] = min(
            self._wanted.server_max_window_bits, offered.get("server_max_window_bits") or 15
        )
        # only a client that names the parameter can be asked for a smaller window
        can_shrink = "client_max_window_bits" in offered
        asked = min(self._wanted.client_max_window_bits, offered.get("client_max_window_bits") or 15)
        self._bits["client_max_window_bits"] = asked if can_shrink else 15
        self._enabled = True
        parts = [name for name in _FLAGS if self._forgets[name]]
        return "; ".join([*parts, *(f"{name}={bits}" for name, bits in self._bits.items() if bits < 15)])

    def finalize(self, offer: str) -> None:
        """A server's answer, at the client. Raises `RemoteProtocolError` for one that was not offered (7.1)."""
        try:
            agreed = _parameters(offer, is_offer=False)
            if self._enabled:
                raise ValueError("agreed to twice")
            if self._wanted.server_no_context_takeover and "server_no_context_takeover" not in agreed:
                raise ValueError("without server_no_context_takeover")
            bits = agreed.get("server_max_window_bits") or 15
            if bits > self._wanted.server_max_window_bits:
                raise ValueError(f"server_max_window_bits of {bits}")
        except ValueError as error:
            reason = f"{NAME} was agreed to as it was not offered: {error}"
            raise RemoteProtocolError(reason, event_hint=RejectConnection()) from error
        for name in _FLAGS:
            self._forgets[name] = self._forgets[name] or name in agreed
        self._bits["server_max_window_bits"] = bits
        self._bits["client_max_window_bits"] = min(
            self._wanted.client_max_window_bits, agreed.get("client_max_window_bits") or 15
        )
        self._enabled = True

    # -- what has arrived

    def frame_inbound_header(
        self, proto: Any, opcode: Opcode, rsv: RsvBits, payload_length: int
    ) -> CloseReason | RsvBits:
        """RSV1 marks the first frame of a compressed message, and no other one (6)."""
        self._in_control = opcode.iscontrol()
        if self._in_control or opcode is Opcode.CONTINUATION:
            return _PLAIN
        self._is_packed = rsv.rsv1
        self._has_ended = False
        characters = 1 if opcode is Opcode.BINARY else BYTES_OF_A_CHARACTER
        self._left = None if self._limit is None else self._limit * characters
        return _PACKED

    def frame_inbound_payload_data(self, proto: Any, data: bytes) -> bytes | CloseReason:
        """Inflate a part of a frame."""
        if self._in_control or not self._is_packed:
            return data
        return self._inflate(data, self._window("server" if proto.client else "client"))

    def frame_inbound_complete(self, proto: Any, fin: bool) -> bytes | CloseReason | None:
        """Inflate what the end of a message brings to light."""
        if self._in_control or not fin or not self._is_packed:
            return None
        peer = "server" if proto.client else "client"
        rest = self._inflate(TAIL, self._window(peer))
        if self._has_ended or self._forgets[f"{peer}_no_context_takeover"]:
            self._inflater = None
        return rest

    def _inflate(self, data: bytes, bits: int) -> bytes | CloseReason:
        inflated = b""
        while data:
            if self._inflater is None:
                self._inflater = zlib.decompressobj(-bits)
            room = 0 if self._left is None else self._left - len(inflated) + 1
            try:
                inflated += self._inflater.decompress(data, room)
            except zlib.error:
                return CloseReason.INVALID_FRAME_PAYLOAD_DATA
            if self._left is not None and len(inflated) > self._left:
                return CloseReason.MESSAGE_TOO_BIG
            if not self._inflater.eof:
                break
            if self._has_ended:
                return CloseReason.INVALID_FRAME_PAYLOAD_DATA
            # a sender without sync flush ends the stream, and appends an empty block of the next one (7.2.3.4)
            self._has_ended = True
            data, self._inflater = self._inflater.unused_data, None
        if self._left is not None:
            self._left -= len(inflated)
        return inflated

    # -- what is sent

    def frame_outbound(self, proto: Any, opcode: Opcode, rsv: RsvBits, data: bytes, fin: bool) -> tuple[RsvBits, bytes]:
        """Compress a frame. Each is flushed, so that the parts of a message do not wait for its end."""
        if opcode.iscontrol():
            return rsv, data
        own = "client" if proto.client else "server"
        if opcode is not Opcode.CONTINUATION:
            bits = self._window(own)
            self._packs = bits > 8
            rsv = _PACKED if self._packs else rsv
            if self._packs and self._deflater is None:
                wanted = self._wanted
                self._deflater = zlib.compressobj(wanted.level, zlib.DEFLATED, -bits, wanted.memory_level)
        if not self._packs:
            return rsv, data
        packed = self._deflater.compress(data) + self._deflater.flush(zlib.Z_SYNC_FLUSH)
        if fin:
            packed = packed[: -len(TAIL)]  # of nothing, an empty block (7.2.3.6)
            if self._forgets[f"{own}_no_context_takeover"]:
                self._deflater = None
        return rsv, packed

    def _window(self, side: str) -> int:
        return int(self._bits[f"{side}_max_window_bits"])


def _parameters(text: str, *, is_offer: bool) -> dict[str, int | None]:
    """The parameters behind the extension's name. Raises `ValueError` for others, and for one that comes twice."""
    found: dict[str, int | None] = {}
    for part in text.split(";")[1:]:
        name, is_set, value = (piece.strip() for piece in part.partition("="))
        value = value.removeprefix('"').removesuffix('"')
        if name in found:
            raise ValueError(f"{name} twice")
        if (name in _FLAGS and not is_set) or (name == "client_max_window_bits" and not is_set and is_offer):
            found[name] = None
        elif name in _WINDOWS and value in _BITS:
            found[name] = int(value)
        else:
            raise ValueError(part.strip())
    return found


_BITS = frozenset(str(bits) for bits in range(8, 16))
