"""Stream references on the wire: serializer 30, by manifest.

    A SequencedOnNext   B CumulativeDemand   C RemoteStreamFailure   D RemoteStreamCompleted
    E SourceRef         F SinkRef            G OnSubscribeHandshake  H Ack (no bytes)

Source: `StreamRefMessages.proto` and `StreamRefSerializer` of Pekko 1.x.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from smackbox.akka.remote.containers import RefData
from smackbox.akka.stream.stream_ref_messages import (
    CumulativeDemand,
    OnSubscribeHandshake,
    RemoteStreamCompleted,
    RemoteStreamFailure,
    SequencedOnNext,
    SinkRef,
    SourceRef,
    StreamRefAck,
)
from smackbox.base.protobuf.message import Proto, decode, encode

if TYPE_CHECKING:
    from smackbox.akka.remote.serialization import Serialization, Serialized

STREAM_REF_SERIALIZER = 30


class _Element(msgspec.Struct, frozen=True):
    message: Annotated[bytes, Proto(1)]
    serializer: Annotated[int, Proto(2, "int32")]
    manifest: Annotated[bytes | None, Proto(3)] = None


class _Sequenced(msgspec.Struct, frozen=True):
    sequence: Annotated[int, Proto(1, "int64")]
    payload: Annotated[_Element, Proto(2)]


class _Number(msgspec.Struct, frozen=True):
    sequence: Annotated[int, Proto(1, "int64")]


class _Cause(msgspec.Struct, frozen=True):
    cause: Annotated[bytes | None, Proto(1)] = None


class _Ref(msgspec.Struct, frozen=True):
    ref: Annotated[RefData, Proto(1)]


def _write_element(own: Serialization, message: SequencedOnNext) -> Serialized:
    serializer, manifest, data = own.write(message.payload)
    element = _Element(data, serializer, manifest.encode() or None)
    return STREAM_REF_SERIALIZER, "A", encode(_Sequenced(message.sequence, element))


def _read_element(own: Serialization, data: bytes) -> SequencedOnNext:
    message = decode(_Sequenced, data)
    element = message.payload
    return SequencedOnNext(
        message.sequence, own.read(element.serializer, (element.manifest or b"").decode(), element.message)
    )


def _ref(own: Serialization, manifest: str, ref: Any) -> Serialized:
    return STREAM_REF_SERIALIZER, manifest, encode(_Ref(RefData(own.path_of(ref))))


def _resolved(own: Serialization, data: bytes) -> Any:
    return own.resolve(decode(_Ref, data).ref.path)


WRITERS: dict[type, Callable[[Serialization, Any], Serialized]] = {
    SequencedOnNext: _write_element,
    CumulativeDemand: lambda _, value: (STREAM_REF_SERIALIZER, "B", encode(_Number(value.sequence))),
    RemoteStreamFailure: lambda _, value: (STREAM_REF_SERIALIZER, "C", encode(_Cause(value.cause.encode()))),
    RemoteStreamCompleted: lambda _, value: (STREAM_REF_SERIALIZER, "D", encode(_Number(value.sequence))),
    SourceRef: lambda own, value: _ref(own, "E", value.ref),
    SinkRef: lambda own, value: _ref(own, "F", value.ref),
    OnSubscribeHandshake: lambda own, value: _ref(own, "G", value.target_ref),
    StreamRefAck: lambda _, _value: (STREAM_REF_SERIALIZER, "H", b""),
}

READERS: dict[tuple[int, str | None], Callable[[Serialization, bytes], Any]] = {
    (STREAM_REF_SERIALIZER, "A"): _read_element,
    (STREAM_REF_SERIALIZER, "B"): lambda _, data: CumulativeDemand(decode(_Number, data).sequence),
    (STREAM_REF_SERIALIZER, "C"): lambda _, data: RemoteStreamFailure((decode(_Cause, data).cause or b"").decode()),
    (STREAM_REF_SERIALIZER, "D"): lambda _, data: RemoteStreamCompleted(decode(_Number, data).sequence),
    (STREAM_REF_SERIALIZER, "E"): lambda own, data: SourceRef(_resolved(own, data)),
    (STREAM_REF_SERIALIZER, "F"): lambda own, data: SinkRef(_resolved(own, data)),
    (STREAM_REF_SERIALIZER, "G"): lambda own, data: OnSubscribeHandshake(_resolved(own, data)),
    (STREAM_REF_SERIALIZER, "H"): lambda _, _data: StreamRefAck(),
}
