"""Serializer 36 of Pekko: what controllers tell each other over a network, and the events of a durable queue.

    a SequencedMessage   b Ack   c Request   d Resend   e RegisterConsumer
    f MessageSent        g MessageConfirmed   h QueueState   i a clean-up, which is read and changes nothing

Source: `ReliableDelivery.proto` and `ReliableDeliverySerializer` of Pekko's cluster-typed.
`register(remoting.serialization)` lets them cross Artery, `register(persistence.serialization)` lets a durable queue be
stored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Protocol

import msgspec

from smackbox.akka.persistence.delivery.durable_queue import CleanedUp, MessageConfirmed, MessageSent, QueueState
from smackbox.akka.persistence.delivery.messages import Ack, RegisterConsumer, Request, Resend, SequencedMessage
from smackbox.akka.remote.containers import Payload
from smackbox.akka.remote.serialization import Reader, Serialization, Serialized, Writer
from smackbox.base.protobuf.message import Proto, decode, encode

SERIALIZER = 36


class _Sequenced(msgspec.Struct, frozen=True):
    producer_id: Annotated[str, Proto(1)]
    seq_nr: Annotated[int, Proto(2, "int64")]
    first: Annotated[bool, Proto(3)]
    ack: Annotated[bool, Proto(4)]
    producer_controller: Annotated[str, Proto(5)]
    message: Annotated[Payload, Proto(6)]


class _Register(msgspec.Struct, frozen=True):
    consumer_controller: Annotated[str, Proto(1)]


class _Request(msgspec.Struct, frozen=True):
    confirmed_seq_nr: Annotated[int, Proto(1, "int64")]
    up_to_seq_nr: Annotated[int, Proto(2, "int64")]
    support_resend: Annotated[bool, Proto(3)]
    via_timeout: Annotated[bool, Proto(4)]


class _Number(msgspec.Struct, frozen=True):
    """Of `Resend` and `Ack`."""

    seq_nr: Annotated[int, Proto(1, "int64")]


class _Confirmed(msgspec.Struct, frozen=True):
    seq_nr: Annotated[int, Proto(1, "int64")]
    qualifier: Annotated[str, Proto(2)]
    timestamp_ms: Annotated[int, Proto(3, "int64")]


class _Sent(msgspec.Struct, frozen=True):
    seq_nr: Annotated[int, Proto(1, "int64")]
    qualifier: Annotated[str, Proto(2)]
    ack: Annotated[bool, Proto(3)]
    timestamp_ms: Annotated[int, Proto(4, "int64")]
    message: Annotated[Payload, Proto(5)]


class _State(msgspec.Struct, frozen=True):
    current_seq_nr: Annotated[int, Proto(1, "int64")]
    confirmed_seq_nr: Annotated[int, Proto(2, "int64")]
    confirmed: Annotated[list[_Confirmed], Proto(3)] = []
    unconfirmed: Annotated[list[_Sent], Proto(4)] = []


class _Extensible(Protocol):
    def add(self, writers: dict[type, Writer], readers: dict[tuple[int, str | None], Reader]) -> None: ...


def register(serialization: _Extensible) -> None:
    """Of a remoting, of a persistence, or of both."""
    serialization.add(WRITERS, READERS)


def _write_sequenced(own: Serialization, value: SequencedMessage) -> Serialized:
    path = own.path_of(value.producer_controller)
    payload = own.payload(value.message)
    return SERIALIZER, "a", encode(_Sequenced(value.producer_id, value.seq_nr, value.first, value.ack, path, payload))


def _read_sequenced(own: Serialization, data: bytes) -> SequencedMessage:
    found = decode(_Sequenced, data)
    sender = own.resolve(found.producer_controller)
    message = own.unpack(found.message)
    return SequencedMessage(found.producer_id, found.seq_nr, message, found.first, found.ack, sender)


def _write_request(_: Serialization, value: Request) -> Serialized:
    return SERIALIZER, "c", encode(_Request(value.confirmed_seq_nr, value.up_to_seq_nr, True, value.via_timeout))


def _read_request(_: Serialization, data: bytes) -> Request:
    found = decode(_Request, data)
    return Request(found.confirmed_seq_nr, found.up_to_seq_nr, found.via_timeout)


def _sent(own: Serialization, value: MessageSent) -> _Sent:
    return _Sent(value.seq_nr, value.qualifier, value.ack, value.timestamp_ms, own.payload(value.message))


def _message_sent(own: Serialization, found: _Sent) -> MessageSent:
    return MessageSent(found.seq_nr, own.unpack(found.message), found.ack, found.qualifier, found.timestamp_ms)


def _confirmed(value: MessageConfirmed) -> _Confirmed:
    return _Confirmed(value.seq_nr, value.qualifier, value.timestamp_ms)


def _message_confirmed(found: _Confirmed) -> MessageConfirmed:
    return MessageConfirmed(found.seq_nr, found.qualifier, found.timestamp_ms)


def _write_state(own: Serialization, value: QueueState) -> Serialized:
    confirmed = [_confirmed(delivered) for delivered in value.confirmed]
    unconfirmed = [_sent(own, message) for message in value.unconfirmed]
    state = _State(value.current_seq_nr, value.confirmed_seq_nr, confirmed, unconfirmed)
    return SERIALIZER, "h", encode(state)


def _read_state(own: Serialization, data: bytes) -> QueueState:
    found = decode(_State, data)
    confirmed = tuple(_message_confirmed(delivered) for delivered in found.confirmed)
    unconfirmed = tuple(_message_sent(own, message) for message in found.unconfirmed)
    return QueueState(found.current_seq_nr, found.confirmed_seq_nr, unconfirmed, confirmed)


WRITERS: dict[type, Callable[[Serialization, Any], Serialized]] = {
    SequencedMessage: _write_sequenced,
    Ack: lambda _, value: (SERIALIZER, "b", encode(_Number(value.confirmed_seq_nr))),
    Request: _write_request,
    Resend: lambda _, value: (SERIALIZER, "d", encode(_Number(value.from_seq_nr))),
    RegisterConsumer: lambda own, value: (
        SERIALIZER,
        "e",
        encode(_Register(own.path_of(value.consumer_controller))),
    ),
    MessageSent: lambda own, value: (SERIALIZER, "f", encode(_sent(own, value))),
    MessageConfirmed: lambda _, value: (SERIALIZER, "g", encode(_confirmed(value))),
    QueueState: _write_state,
}

READERS: dict[tuple[int, str | None], Callable[[Serialization, bytes], Any]] = {
    (SERIALIZER, "a"): _read_sequenced,
    (SERIALIZER, "b"): lambda _, data: Ack(decode(_Number, data).seq_nr),
    (SERIALIZER, "c"): _read_request,
    (SERIALIZER, "d"): lambda _, data: Resend(decode(_Number, data).seq_nr),
    (SERIALIZER, "e"): lambda own, data: RegisterConsumer(own.resolve(decode(_Register, data).consumer_controller)),
    (SERIALIZER, "f"): lambda own, data: _message_sent(own, decode(_Sent, data)),
    (SERIALIZER, "g"): lambda _, data: _message_confirmed(decode(_Confirmed, data)),
    (SERIALIZER, "h"): _read_state,
    (SERIALIZER, "i"): lambda _own, _data: CleanedUp(),
}
