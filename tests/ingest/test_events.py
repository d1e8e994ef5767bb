"""Events out of bodies: shapes, original bytes, keys, and the errors of the bad ones."""

from __future__ import annotations

import enum
import json
from datetime import UTC, date, datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smackbox.base.errors import LimitError
from smackbox.ingest.events import EventDecoder, Refusal, key_bytes


class Event(msgspec.Struct):
    id: int
    type: Literal["view", "click"] = "view"
    tags: list[int] = []


class Number(msgspec.Struct):
    n: int


EVENTS_LIMIT = 100


def decode(body: bytes, *, ndjson: bool = False, key: str | None = "id") -> Any:
    return EventDecoder(Event, key, EVENTS_LIMIT).decode(body, ndjson=ndjson)


def test_one_event_keeps_its_original_bytes() -> None:
    body = b' {"id" : 1, "unknown": 1.50 }\n'
    decoded = decode(body)
    assert decoded.accepted == [(body.strip(), b"1")]
    assert decoded.shape == "one"


def test_an_array_gives_each_event_its_own_bytes() -> None:
    decoded = decode(b'[{"id":1},  {"id": 2 }\n]')
    assert decoded.accepted == [(b'{"id":1}', b"1"), (b'{"id": 2 }', b"2")]
    assert decoded.shape == "array"


@pytest.mark.parametrize("ndjson", [True, False])
def test_lines_are_found_by_their_shape_and_by_their_type(ndjson: bool) -> None:
    decoded = decode(b'{"id":1}\r\n\n{"id":2}\n', ndjson=ndjson)
    assert decoded.accepted == [(b'{"id":1}', b"1"), (b'{"id":2}', b"2")]
    assert decoded.shape == "ndjson"


def test_lines_are_found_though_the_first_event_is_bad() -> None:
    decoded = decode(b'{"id":"x"}\n{"id":2}')
    assert decoded.accepted == [(b'{"id":2}', b"2")]
    assert decoded.refused == [(Refusal(0, "$.id", "Expected `int`, got `str`"), b'{"id":"x"}')]


def test_a_bad_event_over_several_lines_is_one_event() -> None:
    decoded = decode(b'{\n"id":\n"x"}')
    assert [refusal.index for refusal, _ in decoded.refused] == [0]
    assert decoded.shape == "one"


@pytest.mark.parametrize(
    ("body", "path", "reason"),
    [
        (b"", "$", "Input data was truncated"),
        (b"{", "$", "Input data was truncated"),
        (b'{"id":1', "$", "Input data was truncated"),
        (b'{"id":tru}', "$", "JSON is malformed: invalid character (byte 10)"),
        (b'{"id":1} x', "$", "JSON is malformed: trailing characters (byte 10)"),
        (b"null", "$", "Expected `object`, got `null`"),
        (b"{}", "$", "Object missing required field `id`"),
        (b'{"id":1,"type":"buy"}', "$.type", "Invalid enum value 'buy'"),
        (b'{"id":1,"tags":[1,"x"]}', "$.tags[1]", "Expected `int`, got `str`"),
        (b'{"id":1,"note":"\xff"}', "$", "not UTF-8: invalid start byte (byte 16)"),
        (b'{"id":1,"deep":' + b"[" * 100_000, "$", "nested too deeply"),
        (b"[" * 100_000, "$", "nested too deeply"),
        (b'[{"id":1}', "$", "Input data was truncated"),
    ],
)
def test_a_refusal_names_the_place_and_the_reason(body: bytes, path: str, reason: str) -> None:
    decoded = decode(body)
    assert decoded.refused == [(Refusal(0, path, reason), body)]
    assert decoded.accepted == []


def test_a_refusal_has_the_index_of_its_event() -> None:
    decoded = decode(b'[{"id":1},{"id":"x"},{"id":3},4]')
    assert [(refusal.index, original) for refusal, original in decoded.refused] == [(1, b'{"id":"x"}'), (3, b"4")]


@pytest.mark.parametrize("ndjson", [True, False])
def test_more_events_than_the_limit_are_an_error(ndjson: bool) -> None:
    events = [b'{"id":1}'] * (EVENTS_LIMIT + 2)
    body = b"\n".join(events) if ndjson else b"[" + b",".join(events) + b"]"
    with pytest.raises(LimitError, match="more than 100 events"):
        decode(body, ndjson=ndjson)
    assert len(decode(b"\n".join(events[:EVENTS_LIMIT]), ndjson=True).accepted) == EVENTS_LIMIT


class Color(enum.Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("schlüssel", "schlüssel".encode()),
        (UUID("6F9619FF-8B86-D011-B42D-00CF4FC964FF"), b"6f9619ff-8b86-d011-b42d-00cf4fc964ff"),
        (42, b"42"),
        (True, b"true"),
        (1.5, b"1.5"),
        (Color.RED, b"red"),
        (date(2015, 10, 1), b"2015-10-01"),
        (datetime(2015, 10, 1, 12, tzinfo=UTC), b"2015-10-01T12:00:00Z"),
        (None, None),
    ],
)
def test_the_key_is_the_field_as_text(value: Any, text: bytes | None) -> None:
    assert key_bytes(value) == text


def test_without_a_key_field_records_have_no_key() -> None:
    assert decode(b'{"id":1}', key=None).accepted == [(b'{"id":1}', None)]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.lists(json_values, min_size=1, max_size=10), st.booleans())
def test_every_event_is_either_accepted_or_refused_with_its_bytes(events: list[Any], ndjson: bool) -> None:
    texts = [json.dumps(event).encode() for event in events]
    decoded = decode(b"\n".join(texts) if ndjson else b"[" + b",".join(texts) + b"]", ndjson=ndjson)
    assert len(decoded.accepted) + len(decoded.refused) == len(events)
    refused = {refusal.index: original for refusal, original in decoded.refused}
    accepted = iter(value for value, _ in decoded.accepted)
    assert [refused[index] if index in refused else next(accepted) for index in range(len(events))] == texts


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_decoded_or_refused(body: bytes, ndjson: bool) -> None:
    decoded = decode(body, ndjson=ndjson)
    assert decoded.accepted or decoded.refused or body.strip() in {b"", b"[]"} or ndjson


@pytest.mark.parametrize(
    "body", [b'{"n":1}{"n":2}', b'{"n":1} {"n":2}\n', b'{\n "n": 1\n}\n{\n "n": 2\n}', b'{"n":1}\t{"n":2}']
)
def test_objects_one_after_another_are_a_stream(body: bytes) -> None:
    decoded = EventDecoder(Number, "n", 10).decode(body, ndjson=False)
    assert [key for _, key in decoded.accepted] == [b"1", b"2"]
    assert not decoded.refused


def test_a_stream_that_breaks_off_keeps_what_came_before() -> None:
    decoded = EventDecoder(Number, None, 10).decode(b'{"n":1}{"n":"x"}{"n":3}{"n":', ndjson=False)
    assert decoded.shape == "stream"
    assert [value for value, _ in decoded.accepted] == [b'{"n":1}', b'{"n":3}']
    assert [(refusal.index, value) for refusal, value in decoded.refused] == [(1, b'{"n":"x"}'), (3, b'{"n":')]


def test_a_stream_has_the_limit_of_events() -> None:
    with pytest.raises(LimitError):
        EventDecoder(Number, None, 3).decode(b'{"n":1}' * 4, ndjson=False)


def test_an_event_with_garbage_after_it_is_refused_whole() -> None:
    decoded = EventDecoder(Number, None, 3).decode(b'{"n":1}x', ndjson=False)
    assert (decoded.shape, len(decoded.refused)) == ("one", 1)


@pytest.mark.parametrize("ndjson", [False, True])
def test_a_byte_order_mark_is_skipped(ndjson: bool) -> None:
    decoded = EventDecoder(Number, None, 3).decode(b'\xef\xbb\xbf{"n":1}', ndjson=ndjson)
    assert decoded.accepted == [(b'{"n":1}', None)]


LONE = rb'{"n":1,"text":"cut \ud83d","pair":"\ud83d\ude00","back":"\\ud83d"}'


@pytest.mark.parametrize("body", [LONE, b"[" + LONE + b"]", LONE + b"\n" + LONE])
def test_a_lone_surrogate_is_replaced_and_nothing_else(body: bytes) -> None:
    decoded = EventDecoder(Number, None, 3).decode(body, ndjson=False)
    assert {value for value, _ in decoded.accepted} == {LONE.replace(rb"cut \ud83d", rb"cut \ufffd")}
    assert not decoded.refused


def test_a_lone_surrogate_refuses_its_own_event_only_and_says_so() -> None:
    good, bad = rb'{"n":1,"smile":"\ud83d\ude00"}', rb'{"n":"x"}'
    decoder = EventDecoder(Number, "n", 10, replace_surrogates=False)
    decoded = decoder.decode(b"[%s, %s ,%s,%s]" % (good, LONE, bad, good), ndjson=False)
    assert decoded.accepted == [(good, b"1"), (good, b"1")]
    assert [(refusal.index, value) for refusal, value in decoded.refused] == [(1, LONE), (2, bad)]
    assert "lone surrogate" in decoded.refused[0][0].reason
