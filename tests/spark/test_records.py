"""Records decoded all at once are the same events as records decoded one by one."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smackbox.base.event_bounds import event_check, events_check
from smackbox.spark.streaming.records import RecordDecoder


class Event(msgspec.Struct, frozen=True):
    id: int
    at: datetime | None = None
    text: str = ""


class Message:
    def __init__(self, value: bytes | None) -> None:
        self._value = value

    def value(self) -> bytes | None:
        return self._value


EVENTS = st.builds(
    lambda number, text: msgspec.json.encode(Event(number, None, text)), st.integers(-(2**70), 2**70), st.text()
)
VALUES = st.one_of(
    EVENTS,
    st.sampled_from(
        [
            *(b"", b" ", b"\n", b"null", b"{}", b"[]", None, b'{"id": 1}\n', b'{\n"id": 1}', b'{"id": 1}{"id": 2}'),
            *(b'{"id": 1}\n{"id": 2}', b'{"id": 1, "text": "\\ud83d"}', b'{"id": 1, "text": "\\\\ud83d"}', b"\xff"),
            b'{"id": 1, "at": "0001-01-01T00:00:00+01:00"}',
        ]
    ),
)


@given(st.lists(VALUES, max_size=8))
def test_all_at_once_is_one_by_one(values: list[bytes | None]) -> None:
    decoder = RecordDecoder(Event)
    messages: list[Any] = [Message(value) for value in values]
    decoded, each = decoder.decode(messages), decoder._decode_each(messages)
    assert decoded.events == each.events
    assert decoded.messages == each.messages
    assert [record.reason for record in decoded.bad] == [record.reason for record in each.bad]


@given(st.lists(EVENTS, min_size=1, max_size=8))
def test_a_key_that_is_none_is_found(values: list[bytes]) -> None:
    decoded = RecordDecoder(Event, required=["at"]).decode([Message(value) for value in values])
    assert decoded.events == []
    assert len(decoded.bad) == len(values)


MOMENTS = st.one_of(st.none(), st.datetimes(), st.datetimes(timezones=st.just(UTC)))


@given(st.lists(st.builds(Event, st.integers(-(2**64), 2**64), MOMENTS), max_size=6))
def test_what_is_said_of_many_events_holds_for_each(events: list[Event]) -> None:
    check, check_all = event_check(Event), events_check(Event)
    assert check is not None
    assert check_all is not None
    if check_all(events):
        for event in events:
            check(event)


def test_many_events_that_fit_are_known_to() -> None:
    class Timed(msgspec.Struct, frozen=True):
        id: int
        at: datetime

    check_all = events_check(Timed)
    assert check_all is not None
    assert check_all([Timed(2**63 - 1, datetime(2026, 1, 1, tzinfo=UTC))] * 3)
    assert not check_all([Timed(2**63, datetime(2026, 1, 1, tzinfo=UTC))])


@pytest.mark.parametrize(
    "values",
    [
        [b'{"id": 1}{"id": 2}', b" "],
        [b'{"id":', b"1}", b'{"id": 2}{"id": 3}'],
        [b"\t", b'{"id": 1}\r{"id": 2}', b'{"id": 3}'],
    ],
)
def test_broken_records_do_not_make_up_for_one_another(values: list[bytes]) -> None:
    decoded = RecordDecoder(Number).decode([Message(value) for value in values])
    assert [event.id for event in decoded.events] == ([3] if len(values) == 3 and b"\t" in values else [])
    assert [bad.message.value() for bad in decoded.bad] == values[: len(values) - len(decoded.events)]


class Number(msgspec.Struct):
    id: int


class Address(msgspec.Struct):
    ip: str

    def __post_init__(self) -> None:
        socket.inet_aton(self.ip)


def test_an_event_types_own_os_error_is_a_bad_record_and_a_registrys_is_not() -> None:
    decoded = RecordDecoder(Address).decode([Message(b'{"ip": "10.0.0.1"}'), Message(b'{"ip": "x"}')])
    assert [event.ip for event in decoded.events] == ["10.0.0.1"]
    assert "illegal IP address" in decoded.bad[0].reason

    def away(_value: bytes) -> Any:
        raise ConnectionRefusedError

    with pytest.raises(ConnectionRefusedError):
        RecordDecoder(Event, read=away).decode([Message(b"x")])
