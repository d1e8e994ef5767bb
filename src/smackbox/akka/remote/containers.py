"""Messages that carry others: selections (serializer 6), system messages (22), and Pekko's own small ones (16).

Source: `ContainerFormats.proto`, `SystemMessageFormats.proto` and their serializers in Pekko.
"""

from __future__ import annotations

import enum
from typing import Annotated

import msgspec

from smackbox.base.protobuf.message import Proto

SELECTION_SERIALIZER = 6
MISC_SERIALIZER = 16
SYSTEM_SERIALIZER = 22


class RefData(msgspec.Struct, frozen=True):
    path: Annotated[str, Proto(1)]


class Payload(msgspec.Struct, frozen=True):
    message: Annotated[bytes, Proto(1)]
    serializer: Annotated[int, Proto(2, "int32")]
    manifest: Annotated[bytes | None, Proto(4)] = None


class SomeData(msgspec.Struct, frozen=True):
    """Scala's `Some`; `None` is no bytes."""

    value: Annotated[Payload, Proto(1)]


class PatternType(enum.IntEnum):
    PARENT = 0
    CHILD_NAME = 1
    CHILD_PATTERN = 2


class SelectionStep(msgspec.Struct, frozen=True):
    type: Annotated[PatternType, Proto(1)]
    matcher: Annotated[str | None, Proto(2)] = None


class SelectionEnvelope(msgspec.Struct, frozen=True):
    message: Annotated[bytes, Proto(1)]
    serializer: Annotated[int, Proto(2, "int32")]
    pattern: Annotated[list[SelectionStep], Proto(3)] = []
    manifest: Annotated[bytes | None, Proto(4)] = None
    wildcard_fan_out: Annotated[bool | None, Proto(5)] = None


class IdentifyData(msgspec.Struct, frozen=True):
    message_id: Annotated[Payload, Proto(1)]


class IdentityData(msgspec.Struct, frozen=True):
    correlation_id: Annotated[Payload, Proto(1)]
    ref: Annotated[RefData | None, Proto(2)] = None


class SystemMessageType(enum.IntEnum):
    CREATE = 0
    RECREATE = 1
    SUSPEND = 2
    RESUME = 3
    TERMINATE = 4
    SUPERVISE = 5
    WATCH = 6
    UNWATCH = 7
    FAILED = 8
    DEATHWATCH_NOTIFICATION = 9


class WatchData(msgspec.Struct, frozen=True):
    watchee: Annotated[RefData, Proto(1)]
    watcher: Annotated[RefData, Proto(2)]


class DeathWatchNotificationData(msgspec.Struct, frozen=True):
    actor: Annotated[RefData, Proto(1)]
    existence_confirmed: Annotated[bool, Proto(2)]
    address_terminated: Annotated[bool, Proto(3)]


class SystemMessage(msgspec.Struct, frozen=True):
    type: Annotated[SystemMessageType, Proto(1)]
    watch: Annotated[WatchData | None, Proto(2)] = None
    death: Annotated[DeathWatchNotificationData | None, Proto(7)] = None
