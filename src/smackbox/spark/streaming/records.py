"""Records as events: decoded by the event type, one of each identity, what cannot be read set apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import msgspec

_BAD = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class BadRecord(msgspec.Struct, frozen=True):
    """A record that is no event of the stream, and why."""

    message: Any
    reason: str


class RecordDecoder:
    """Decodes the values of Kafka messages into events of `event_type`.

    `required` are fields that must not be None (the table's primary key).
    """

    def __init__(self, event_type: type[msgspec.Struct], required: Sequence[str] = ()) -> None:
        self._decode = msgspec.json.Decoder(event_type).decode
        self._required = tuple(required)

    def decode(self, messages: Sequence[Any]) -> tuple[list[Any], list[BadRecord]]:
        events: list[Any] = []
        bad: list[BadRecord] = []
        decode = self._decode
        required = self._required
        add = events.append
        for message in messages:
            try:
                event = decode(message.value() or b"")
            except _BAD as error:
                bad.append(BadRecord(message, str(error)))
                continue
            for name in required:
                if getattr(event, name) is None:
                    bad.append(BadRecord(message, f"{name} is null and a part of the primary key"))
                    break
            else:
                add(event)
        return events, bad


def identity_bytes(value: Any) -> bytes:
    """An event's identity as bytes: equal for equal values."""
    if type(value) is UUID:
        return value.int.to_bytes(16, "big")
    if type(value) is str:
        return value.encode()
    return msgspec.msgpack.encode(value)


def drop_repeated(
    events: list[Any], field: str, seen: Callable[[list[bytes]], list[bool]]
) -> tuple[list[Any], list[bytes]]:
    """The first event of each identity that `seen` does not know, and those identities."""
    first: dict[bytes, Any] = {}
    for event in events:
        first.setdefault(identity_bytes(getattr(event, field)), event)
    identities = list(first)
    known = seen(identities)
    if True not in known:
        return list(first.values()), identities
    fresh = [identity for identity, old in zip(identities, known, strict=True) if not old]
    return [first[identity] for identity in fresh], fresh
