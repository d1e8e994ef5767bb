"""The messages of Artery's own, serializer 17: handshakes, acknowledged system messages, compression, heartbeats.

Source: `ArteryControlFormats.proto` and `ArteryMessageSerializer` of Pekko.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from smackbox.akka.actor.path import Address
from smackbox.base.protobuf.message import Proto

SERIALIZER = 17

QUARANTINED = "a"
TERMINATING, TERMINATING_ACK = "b", "c"
HANDSHAKE_REQUEST, HANDSHAKE_RESPONSE = "d", "e"
ACTOR_REF_TABLE, ACTOR_REF_TABLE_ACK = "f", "g"
MANIFEST_TABLE, MANIFEST_TABLE_ACK = "h", "i"
SYSTEM_MESSAGE, SYSTEM_MESSAGE_ACK, SYSTEM_MESSAGE_NACK = "j", "k", "l"
HEARTBEAT, HEARTBEAT_RESPONSE = "m", "n"


class WireAddress(msgspec.Struct, frozen=True):
    protocol: Annotated[str, Proto(1)]
    system: Annotated[str, Proto(2)]
    host: Annotated[str, Proto(3)]
    port: Annotated[int, Proto(4, "uint32")]

    @classmethod
    def of(cls, address: Address) -> WireAddress:
        assert address.host is not None and address.port is not None
        return cls(address.protocol, address.system, address.host, address.port)

    @property
    def address(self) -> Address:
        return Address(self.protocol, self.system, self.host, self.port)


class UniqueAddress(msgspec.Struct, frozen=True):
    """One incarnation of an actor system."""

    address: Annotated[WireAddress, Proto(1)]
    uid: Annotated[int, Proto(2, "uint64")]


class Quarantined(msgspec.Struct, frozen=True):
    from_: Annotated[UniqueAddress, Proto(1)]
    to: Annotated[UniqueAddress, Proto(2)]


class MessageWithAddress(msgspec.Struct, frozen=True):
    """A handshake's response, and the news that a system terminates."""

    address: Annotated[UniqueAddress, Proto(1)]


class HandshakeRequest(msgspec.Struct, frozen=True):
    from_: Annotated[UniqueAddress, Proto(1)]
    to: Annotated[WireAddress, Proto(2)]


class SystemMessageEnvelope(msgspec.Struct, frozen=True, kw_only=True):
    message: Annotated[bytes, Proto(1)]
    serializer: Annotated[int, Proto(2, "int32")]
    manifest: Annotated[bytes | None, Proto(3)] = None
    sequence: Annotated[int, Proto(4, "uint64")]
    reply_to: Annotated[UniqueAddress, Proto(5)]


class SystemMessageAck(msgspec.Struct, frozen=True):
    """Acknowledges all up to `sequence`; in a Nack it is the last one received in order."""

    sequence: Annotated[int, Proto(1, "uint64")]
    from_: Annotated[UniqueAddress, Proto(2)]


class HeartbeatResponse(msgspec.Struct, frozen=True):
    uid: Annotated[int, Proto(1, "uint64")]
