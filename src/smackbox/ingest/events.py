"""Decodes the events in a request body: one JSON object, an array, or JSON lines; each is checked against its msgspec
type.

An accepted event keeps its original bytes (except white space around it), so that numbers and unknown fields pass
through unchanged; for a topic in Avro, `encode` writes it. A rejected one keeps them too, for the dead-letter topic.

Shapes: an `application/x-ndjson` body is JSON lines. Any other body is an array if it starts with `[`, one event if it
is one JSON value, and JSON lines if its first line is a complete JSON value and more lines follow. Concatenated JSON
objects, with or without white space between them, are a stream of events, as sent by log shippers (`json_stream`); the
policy for JSON lines applies. A byte order mark before the body is skipped (RFC 8259, 8.1).

A lone surrogate in a string (`"\\ud83d"`) becomes U+FFFD if the setting is `replace`: only those six bytes are changed.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from smackbox.base.errors import LimitError
from smackbox.base.event_bounds import OutOfBoundsError, event_check
from smackbox.base.event_keys import key_bytes
from smackbox.base.surrogates import replace_lone_surrogates

Shape = Literal["one", "array", "ndjson", "stream"]

_BAD = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_AT = " - at `"
_WHITE_SPACE = b" \t\r\n"
_WHITE_SPACE_TEXT = _WHITE_SPACE.decode()
_scan = json.JSONDecoder().raw_decode
_decode_any = msgspec.json.Decoder(msgspec.Raw).decode
_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode


class Refusal(msgspec.Struct, frozen=True):
    """Why the event at `index` of a body is rejected: its place in the event as a JSON path, and a sentence."""

    index: int
    path: str
    reason: str


class Body:
    """The content of a body: `accepted` as (value, key) pairs, `refused` as (refusal, original) pairs."""

    __slots__ = ("accepted", "refused", "shape")

    def __init__(self, shape: Shape) -> None:
        self.shape: Shape = shape
        self.accepted: list[tuple[bytes, bytes | None]] = []
        self.refused: list[tuple[Refusal, bytes]] = []


class EventDecoder:
    """Decodes the bodies of one route. Raises `LimitError` beyond `events_limit`."""

    def __init__(
        self,
        event_type: type[msgspec.Struct],
        key: str | None,
        events_limit: int,
        *,
        replace_surrogates: bool = True,
        encode: Callable[[Any], bytes] | None = None,
    ) -> None:
        self._decode = msgspec.json.Decoder(event_type).decode
        self._check = event_check(event_type)
        self._key = key
        self._events_limit = events_limit
        self._encode = encode
        # encoded values cannot be found in the body again; no other encoding has lone surrogates
        self._replace_surrogates = replace_surrogates or encode is not None

    def decode(self, body: bytes, *, ndjson: bool) -> Body:
        """The events of a body: one JSON value, an array of them, or with `ndjson` one per line."""
        value = body.removeprefix(codecs.BOM_UTF8).strip(_WHITE_SPACE)
        if not value.isascii():
            try:
                value.decode()
            except UnicodeDecodeError as error:
                return _refused_whole(body, f"not UTF-8: {error.reason} (byte {error.start})")
        decoded = self._decode_body(value, ndjson)
        if decoded.refused and (replaced := replace_lone_surrogates(value)) is not value:
            if self._replace_surrogates:
                return self._decode_body(replaced, ndjson)
            return _refuse_surrogates(value, replaced, self._decode_body(replaced, ndjson))
        return decoded

    def _decode_body(self, value: bytes, ndjson: bool) -> Body:
        if ndjson:
            return self._decode_lines(value)
        if value.startswith(b"["):
            return self._decode_array(value)
        decoded = Body("one")
        self._decode_one(value, 0, decoded)
        if not decoded.refused:
            return decoded
        if _is_lines(value):
            return self._decode_lines(value)
        values = _stream_values(value, self._events_limit)
        return decoded if values is None else self._decode_values("stream", values)

    def _decode_one(self, value: bytes, index: int, into: Body) -> None:
        try:
            event = self._decode(value)
            if self._check is not None:
                self._check(event)
            written = value if self._encode is None else self._encode(event)
        except Exception as error:  # noqa: BLE001 - the event type's own __post_init__ may raise anything
            into.refused.append((_refusal(index, error), value))
            return
        into.accepted.append((written, None if self._key is None else key_bytes(getattr(event, self._key))))

    def _decode_array(self, body: bytes) -> Body:
        try:
            values = _decode_array(body)
        except _BAD as error:
            return _refused_whole(body, _refusal(0, error).reason)
        return self._decode_values("array", [bytes(value) for value in values])

    def _decode_lines(self, body: bytes) -> Body:
        self._check_count(body.count(b"\n"))
        return self._decode_values("ndjson", [line for part in body.split(b"\n") if (line := part.strip(_WHITE_SPACE))])

    def _decode_values(self, shape: Shape, values: list[bytes]) -> Body:
        self._check_count(len(values))
        decoded = Body(shape)
        for index, value in enumerate(values):
            self._decode_one(value, index, decoded)
        return decoded

    def _check_count(self, count: int) -> None:
        if count > self._events_limit:
            raise LimitError(f"more than {self._events_limit} events in one request")


def _refuse_surrogates(original: bytes, replaced: bytes, body: Body) -> Body:
    """`body`, decoded from `replaced`, without the events that contain a lone surrogate; all with their
    original bytes.
    """
    decoded = Body(body.shape)
    refused = {refusal.index: (refusal, value) for refusal, value in body.refused}
    accepted = iter(body.accepted)
    end = 0
    for index in range(len(body.accepted) + len(refused)):
        if index in refused:
            refusal, value = refused[index]
            key = None
        else:
            refusal = None
            value, key = next(accepted)
        start = replaced.index(value, end)  # only separators are between two values, and byte positions are unchanged
        end = start + len(value)
        sent = original[start:end]
        if refusal is None and sent != value:
            refusal = Refusal(index, "$", r"a string holds a lone surrogate (\\ud83d without its other half)")
        if refusal is None:
            decoded.accepted.append((sent, key))
        else:
            decoded.refused.append((refusal, sent))
    return decoded


def _stream_values(body: bytes, limit: int) -> list[bytes] | None:
    """The JSON objects of a body with several concatenated ones; None for any other body.

    Trailing invalid JSON becomes the last one. Raises `LimitError` beyond `limit`.
    """
    text = body.decode()
    if not text.startswith("{"):
        return None
    values: list[bytes] = []
    start = 0
    while start < len(text):
        try:
            _, end = _scan(text, start)
        except (ValueError, RecursionError):
            end = len(text)
        if not values and not text[end:].lstrip(_WHITE_SPACE_TEXT).startswith("{"):
            return None
        values.append(text[start:end].encode())
        if len(values) > limit:
            raise LimitError(f"more than {limit} events in one request")
        start = end
        while start < len(text) and text[start] in _WHITE_SPACE_TEXT:
            start += 1
    return values


def _is_lines(body: bytes) -> bool:
    """Whether the first line is a complete JSON value and another line follows."""
    line, newline, rest = body.partition(b"\n")
    if not newline or not rest.strip(_WHITE_SPACE):
        return False
    try:
        _decode_any(line)
    except _BAD:
        return False
    return True


def _refused_whole(body: bytes, reason: str) -> Body:
    decoded = Body("one")
    decoded.refused.append((Refusal(0, "$", reason), body))
    return decoded


def _refusal(index: int, error: Exception) -> Refusal:
    if isinstance(error, RecursionError):
        return Refusal(index, "$", "nested too deeply")
    if isinstance(error, OutOfBoundsError):
        return Refusal(index, error.path, error.reason)
    reason, at, path = (str(error) or type(error).__name__).partition(_AT)
    return Refusal(index, path.rstrip("`") if at else "$", reason)
