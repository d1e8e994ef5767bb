"""A probe of a CQL server over its own socket: OPTIONS, STARTUP, and the authenticated role."""

from __future__ import annotations

import asyncio
import ssl

from smackbox.base.errors import ProtocolError
from smackbox.cassandra.wire import frames, responses

_QUESTION = b"SELECT release_version FROM system.local"
_VERSION = 4


async def probe(host: str, port: int, tls: ssl.SSLContext | None = None, *, only_handshake: bool = False) -> None:
    """Raises `ProtocolError` when the peer is not a working CQL server.

    Set `only_handshake` if clients must present a certificate: this client has none, so its requests would fail.
    """
    reader, writer = await asyncio.open_connection(host, port, ssl=tls)
    try:
        if only_handshake:
            return
        startup = (1).to_bytes(2, "big") + responses.string("CQL_VERSION") + responses.string("3.0.0")
        query = len(_QUESTION).to_bytes(4, "big") + _QUESTION + b"\x00\x01\x00"
        for opcode, body, expected in (
            (frames.OPTIONS, b"", {frames.SUPPORTED}),
            (frames.STARTUP, startup, {frames.READY, frames.AUTHENTICATE}),
            (frames.QUERY, query, {frames.RESULT}),
        ):
            writer.write(frames.HEADER.pack(_VERSION, 0, 0, opcode, len(body)) + body)
            head = await reader.readexactly(frames.HEADER_LENGTH)
            _, _, _, answered, length = frames.HEADER.unpack(head)
            await reader.readexactly(length)
            if answered not in expected:
                raise ProtocolError(f"{host}:{port} answered opcode {answered} to opcode {opcode}")
            if answered == frames.AUTHENTICATE:
                return
    finally:
        # nobody waits for the TLS close_notify
        writer.transport.abort() if tls is not None else writer.close()
