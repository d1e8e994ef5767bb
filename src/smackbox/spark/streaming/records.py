"""Records as events: decoded by the event type, one of each identity, what cannot be read set apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from smackbox.base.event_bounds import event_check, events_check
from smackbox.base.surrogates import replace_lone_surrogates


class BadRecord(msgspec.Struct, frozen=True):
    """A record that is no event of the stream, and why."""

    message: Any
    reason: str


class Decoded(msgspec.Struct):
    """What the records of a batch hold: `events`, each out of the message at its place in `messages`, and the rest."""

    events: list[Any]
    messages: list[Any]
    bad: list[BadRecord]

    def bad_records(self, unfit: Sequence[tuple[Any, str]]) -> list[BadRecord]:
        """The records of events that turned out to be unfit, given as (event, reason)."""
        if not unfit:
            return []
        messages = {id(event): message for event, message in zip(self.events, self.messages, strict=True)}
        return [BadRecord(messages[id(event)], reason) for event, reason in unfit if id(event) in messages]


class RecordDecoder:
    """Decodes the values of Kafka messages into events of `event_type`.

    `required` are fields that must not be None (the table's primary key). Not `strict`: numbers may come as text.
    `read` decodes values that are not JSON.
    """

    def __init__(
        self,
        event_type: type[msgspec.Struct],
        required: Sequence[str] = (),
        *,
        strict: bool = True,
        read: Callable[[bytes], Any] | None = None,
    ) -> None:
        decoder = msgspec.json.Decoder(event_type, strict=strict)
        self._read = read
        self._decode = decoder.decode
        self._decode_lines = decoder.decode_lines
        self._check = event_check(event_type)
        self._check_all = events_check(event_type)
        self._required = tuple(required)

    def decode(self, messages: Sequence[Any]) -> Decoded:
        """The events, and the records that are none."""
        events = self._decode_all(messages) if self._read is None else None
        if events is not None:
            return Decoded(events, list(messages), [])
        return self._decode_each(messages)

    def _decode_all(self, messages: Sequence[Any]) -> list[Any] | None:
        """All of them at once, several times as fast; None unless each of them is an event, beyond doubt."""
        try:
            values = [message.value() for message in messages]
            lines = b"\n".join(values)
            # a value between braces has whole objects: then as many events as values are one of each
            inner = len(values) - 1
            if lines.count(b"\n") != inner or lines.count(b"}\n{") != inner or b"\\u" in lines:
                return None
            if not (lines.startswith(b"{") and lines.endswith(b"}")):
                return None
            events = self._decode_lines(lines)
        except Exception:  # noqa: BLE001 - the event type's own __post_init__ may raise anything
            return None
        if len(events) != len(values) or not (self._check_all is None or self._check_all(events)):
            return None
        if any(getattr(event, name) is None for name in self._required for event in events):
            return None
        return events

    def _decode_each(self, messages: Sequence[Any]) -> Decoded:
        decoded = Decoded([], [], [])
        decode, check, required, read = self._decode, self._check, self._required, self._read
        add, keep = decoded.events.append, decoded.messages.append
        for message in messages:
            try:
                value = message.value() or b""
                event = decode(replace_lone_surrogates(value)) if read is None else read(value)
                if check is not None:
                    check(event)
                for name in required:
                    if getattr(event, name) is None:
                        raise ValueError(f"{name} is null and a part of the primary key")
            except Exception as error:
                if read is not None and isinstance(error, OSError):
                    raise  # a registry that does not answer says nothing about the record: the batch is run again
                decoded.bad.append(BadRecord(message, str(error) or type(error).__name__))
            else:
                add(event)
                keep(message)
        return decoded


def identity_bytes(value: Any) -> bytes:
    """An event's identity as bytes: equal for equal values."""
    if type(value) is UUID:
        return value.int.to_bytes(16, "big")
    if type(value) is str:
        return value.encode()
    return msgspec.msgpack.encode(value)


def drop_repeated(
    events: Mapping[str, list[Any]], field: str, seen: Callable[[list[bytes]], list[bool]]
) -> tuple[dict[str, list[Any]], list[bytes]]:
    """By source, the first event of each identity that `seen` does not know, and those identities."""
    first: dict[bytes, tuple[str, Any]] = {}
    for source, arrived in events.items():
        for event in arrived:
            first.setdefault(identity_bytes(getattr(event, field)), (source, event))
    identities = list(first)
    known = seen(identities)
    fresh = [identity for identity, old in zip(identities, known, strict=True) if not old]
    kept: dict[str, list[Any]] = {source: [] for source in events}
    for identity in fresh:
        source, event = first[identity]
        kept[source].append(event)
    return kept, fresh
