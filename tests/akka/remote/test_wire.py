"""Artery's bytes: frames whole, in pieces and broken; serializers; the failure detector."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smackbox.akka.actor.messages import Identify, Kill, PoisonPill
from smackbox.akka.remote import frames
from smackbox.akka.remote.compression import CompressionError, OutboundTables
from smackbox.akka.remote.failure_detector import PhiAccrualDetector
from smackbox.akka.remote.frames import Envelope, decode, encode, read_preamble
from smackbox.akka.remote.serialization import Serialization, SerializationError
from smackbox.akka.remote.transport import Inbound
from smackbox.base.errors import ProtocolError
from smackbox.net.read_buffer import ReadBuffer
from tests.net.fake_transport import FakeTransport, feed

texts = st.text(max_size=30)
envelopes = st.builds(
    Envelope,
    uid=st.integers(0, 2**64 - 1),
    serializer=st.integers(-(2**31), 2**31 - 1),
    sender=texts,
    recipient=texts,
    manifest=texts,
    payload=st.binary(max_size=60),
)


def test_the_literal_bytes_of_an_envelope() -> None:
    envelope = Envelope(0x0102030405060708, 20, "s", "rr", "", b"hi")
    assert encode(envelope) == (
        b"\x27\0\0\0"  # the length of what follows
        b"\0\0\0\0"  # version, flags, tables
        b"\x08\x07\x06\x05\x04\x03\x02\x01"
        b"\x14\0\0\0"
        b"\x1c\0\0\0\x1f\0\0\0\x23\0\0\0"  # the offsets of the literals
        b"\x01\0s\x02\0rr\0\0hi"
    )


def inbound(received: list[tuple[int, Envelope]]) -> Inbound:
    connection = Inbound(lambda stream, envelope: received.append((stream, envelope)), {}, set(), ReadBuffer())
    connection.connection_made(FakeTransport())
    return connection


@given(st.lists(envelopes, max_size=4), st.integers(1, 7))
def test_frames_are_read_whole_and_in_pieces(sent: list[Envelope], piece: int) -> None:
    data = b"AKKA\x02" + b"".join(map(encode, sent))
    whole: list[tuple[int, Envelope]] = []
    pieces: list[tuple[int, Envelope]] = []
    feed(inbound(whole), data)
    connection = inbound(pieces)
    for start in range(0, len(data), piece):
        feed(connection, data[start : start + piece])
    assert whole == pieces == [(2, envelope) for envelope in sent]


@given(st.binary(max_size=80))
def test_any_bytes_are_an_envelope_or_an_error(data: bytes) -> None:
    try:
        decode(data)
    except (ProtocolError, CompressionError):
        return


@given(envelopes)
def test_an_envelope_cut_anywhere_is_an_error_or_has_a_shorter_payload(envelope: Envelope) -> None:
    data = encode(envelope)[4:]
    for end in range(len(data)):
        try:
            found = decode(data[:end])
        except ProtocolError:
            continue
        assert envelope.payload.startswith(found.payload)


@pytest.mark.parametrize("data", [b"HTTP/", b"AKKA\x09", b"GET / HTTP/1.1", b"AKKA\x01\xff\xff\xff\x7f"])
def test_what_opens_no_stream_and_a_frame_over_the_limit_end_the_connection(data: bytes) -> None:
    connection = inbound([])
    feed(connection, data)
    assert connection.transport.is_closing()


def test_both_magics_are_known() -> None:
    for magic, protocol in ((b"AKKA", 1), (b"PEKK", 2)):
        assert read_preamble(magic + b"\x01") == (protocol, 1)


def no_reference(*_: Any) -> Any:
    raise AssertionError("no reference is in these messages")


class Event(msgspec.Struct):
    name: str


def test_serializers_and_manifests_are_pekkos() -> None:
    own = Serialization(no_reference, no_reference)
    own.register("lab.Event", Event)
    cases: list[tuple[Any, tuple[int, str, bytes]]] = [
        ("é", (20, "", b"\xc3\xa9")),
        (b"\x00\x01", (4, "", b"\x00\x01")),
        (-2, (18, "", b"\xfe" + b"\xff" * 7)),
        (True, (35, "", b"\x01")),
        (None, (16, "C", b"")),
        (PoisonPill(), (16, "P", b"")),
        (Kill(), (16, "K", b"")),
        (Event("x"), (31, "lab.Event", b'{"name":"x"}')),
        (Identify("a"), (16, "A", b"\n\x05\n\x01a\x10\x14")),
    ]
    for message, written in cases:
        assert own.write(message) == written
        assert own.read(*written) == message
    assert own.read(19, "", b"\x05\0\0\0") == 5


def test_json_may_be_packed() -> None:
    import gzip

    own = Serialization(no_reference, no_reference)
    own.register("lab.Event", Event)
    assert own.read(31, "lab.Event", gzip.compress(b'{"name":"x"}')) == Event("x")
    with pytest.raises(SerializationError, match="when it is unpacked"):
        own.read(31, "lab.Event", gzip.compress(b" " * (17 * 1024 * 1024)))


@pytest.mark.parametrize(
    ("serializer", "manifest", "data"),
    [
        (1, "", b"\xac\xed\x00\x05"),
        (31, "java.lang.Runtime", b"{}"),
        (31, "lab.Event", b"{"),
        (31, "lab.Event", b"\x1f\x8bbroken"),
        (20, "", b"\xff"),
        (18, "", b"short"),
        (16, "A", b"\x08"),
        (16, "CF", b"{}"),
        (9999, "x", b""),
    ],
)
def test_what_is_not_known_or_broken_is_an_error_and_nothing_is_run(
    serializer: int, manifest: str, data: bytes
) -> None:
    own = Serialization(no_reference, no_reference)
    own.register("lab.Event", Event)
    with pytest.raises(SerializationError):
        own.read(serializer, manifest, data)


def test_a_manifest_belongs_to_one_type() -> None:
    own = Serialization(no_reference, no_reference)
    own.register("lab.Event", Event)
    own.register("lab.Event", Event)
    with pytest.raises(ValueError, match="belongs to Event"):
        own.register("lab.Event", Identify)  # type: ignore[arg-type]


def test_regular_heartbeats_keep_phi_low_and_silence_raises_it() -> None:
    detector = PhiAccrualDetector()
    assert detector.phi(100.0) == 0.0
    for second in range(20):
        detector.heartbeat(float(second))
    assert detector.phi(19.5) < 0.1
    assert detector.is_available(22.0), "a pause that is acceptable"
    assert not detector.is_available(30.0)
    phis = [detector.phi(19.0 + step / 10) for step in range(100)]
    assert phis == sorted(phis)
    detector.heartbeat(30.0)
    assert detector.is_available(30.5)


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=50), st.floats(0, 1_000))
def test_phi_is_a_number_whatever_came(gaps: list[float], later: float) -> None:
    detector = PhiAccrualDetector()
    now = 0.0
    for gap in gaps:
        now += gap
        detector.heartbeat(now)
    assert detector.phi(now + later) >= 0.0


@given(st.lists(envelopes, min_size=1, max_size=3), st.integers(0, 200), st.integers(0, 255), st.integers(0, 8))
def test_headers_that_are_known_are_read_as_unknown_ones(
    known: list[Envelope], place: int, byte: int, more: int
) -> None:
    """Whatever came before: a byte that is changed is seen, and so is a literal that reaches into the payload."""

    def result(data: bytes) -> Envelope | str:
        try:
            return decode(data)
        except (ProtocolError, CompressionError) as error:
            return str(error)

    whole = [encode(envelope)[4:] for envelope in known]
    changed = bytearray(whole[0])
    changed[place % len(changed)] = byte
    frames._read_heads.clear()
    expected = []
    for data in (bytes(changed), bytes(changed) + b"x" * more, *whole):
        expected.append(result(data))
        frames._read_heads.clear()
    for data in whole:
        decode(data)
    assert [result(data) for data in (bytes(changed), bytes(changed) + b"x" * more, *whole)] == expected


def test_the_headers_that_are_kept_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "KEPT_HEADS", 3)
    tables = OutboundTables()
    for number in range(20):
        decode(encode(Envelope(1, 20, f"s{number}", "r" * (600 if number % 2 else 1), "", b""), tables)[4:])
        assert len(tables.heads) <= 3 and len(frames._read_heads) <= 3
    assert all(len(head) <= frames.KEPT_HEAD_BYTES for head in (*tables.heads.values(), *frames._read_heads))


def test_a_table_that_changes_is_used_at_once() -> None:
    tables = OutboundTables()
    envelope = Envelope(1, 20, "", "r", "", b"")
    plain = encode(envelope, tables)
    tables.refs, tables.refs_version = {"r": 3}, 1
    tables.heads.clear()
    assert encode(envelope, tables) != plain
