"""Frames of the native protocol, v3 to v5 and the beta of v6, to and from a stream of bytes.

    [version: 1][flags: 1][stream: 2][opcode: 1][length: 4][body]

From v5 on, after STARTUP, frames travel inside segments (`segments`). Spec: native_protocol_v4.spec, v5.spec section 2.
"""

from __future__ import annotations

import struct
from typing import Final

HEADER: Final = struct.Struct(">BBhBi")
HEADER_LENGTH: Final = HEADER.size
RESPONSE: Final = 0x80
SUPPORTED_VERSIONS: Final = (3, 4, 5)
BETA_VERSION: Final = 6

FLAG_COMPRESSED: Final = 0x01
FLAG_TRACING: Final = 0x02
FLAG_CUSTOM_PAYLOAD: Final = 0x04
FLAG_WARNING: Final = 0x08
FLAG_BETA: Final = 0x10

ERROR: Final = 0x00
STARTUP: Final = 0x01
READY: Final = 0x02
AUTHENTICATE: Final = 0x03
OPTIONS: Final = 0x05
SUPPORTED: Final = 0x06
QUERY: Final = 0x07
RESULT: Final = 0x08
PREPARE: Final = 0x09
EXECUTE: Final = 0x0A
REGISTER: Final = 0x0B
EVENT: Final = 0x0C
BATCH: Final = 0x0D
AUTH_RESPONSE: Final = 0x0F
AUTH_SUCCESS: Final = 0x10

EVENT_STREAM: Final = -1


def is_served(version: int, flags: int) -> bool:
    """Whether requests of that version are answered; the beta version only if the client sets the flag in each
    frame.
    """
    return version in SUPPORTED_VERSIONS or (version == BETA_VERSION and bool(flags & FLAG_BETA))


def frame(version: int, stream: int, opcode: int, body: bytes, flags: int = 0) -> bytes:
    """A response frame; the beta version sets the beta flag."""
    if version == BETA_VERSION:
        flags |= FLAG_BETA
    return HEADER.pack(version | RESPONSE, flags, stream, opcode, len(body)) + body
