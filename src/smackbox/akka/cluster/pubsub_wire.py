"""Pub-sub on the wire: serializer 9, by manifest.

    A Status (gzip)   B Delta (gzip)   C Send   D SendToAll   E Publish   F SendToOneSubscriber

Source: `DistributedPubSubMessages.proto` and `DistributedPubSubMessageSerializer` of Pekko 1.4.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from smackbox.akka.actor.path import Address
from smackbox.akka.cluster.pubsub_registry import Bucket, Held
from smackbox.akka.remote.containers import Payload
from smackbox.akka.remote.serialization import gunzip
from smackbox.base.protobuf.message import Proto, decode, encode

if TYPE_CHECKING:
    from smackbox.akka.remote.serialization import Serialization, Serialized

PUBSUB_SERIALIZER = 9


@dataclass(frozen=True, slots=True)
class Status:
    """The versions of a mediator's buckets; `is_reply` ends the exchange."""

    versions: Mapping[Address, int]
    is_reply: bool


@dataclass(frozen=True, slots=True)
class Delta:
    """What the other mediator does not have."""

    buckets: tuple[Bucket, ...]


@dataclass(frozen=True, slots=True)
class Send:
    """To one of those that are registered under a path; with `local_affinity` to the one of this node, if any."""

    path: str
    message: Any
    local_affinity: bool = False


@dataclass(frozen=True, slots=True)
class SendToAll:
    """To all that are registered under a path, one a node."""

    path: str
    message: Any
    all_but_self: bool = False


@dataclass(frozen=True, slots=True)
class Publish:
    """To all subscribers of a topic; with `one_per_group` to one of each group, and to nobody without a group."""

    topic: str
    message: Any
    one_per_group: bool = False


@dataclass(frozen=True, slots=True)
class SendToOneSubscriber:
    """To a group's actor, which has subscribers on its node."""

    message: Any


class _Address(msgspec.Struct, frozen=True):
    system: Annotated[str, Proto(1)]
    host: Annotated[str, Proto(2)]
    port: Annotated[int, Proto(3, "uint32")]
    protocol: Annotated[str, Proto(4)] = "pekko"


class _Version(msgspec.Struct, frozen=True):
    address: Annotated[_Address, Proto(1)]
    version: Annotated[int, Proto(2, "int64")]


class _Status(msgspec.Struct, frozen=True):
    versions: Annotated[list[_Version], Proto(1)] = []
    is_reply: Annotated[bool, Proto(2)] = False


class _Entry(msgspec.Struct, frozen=True):
    path: Annotated[str, Proto(1)]
    version: Annotated[int, Proto(2, "int64")]
    ref: Annotated[str | None, Proto(3)] = None


class _Bucket(msgspec.Struct, frozen=True):
    owner: Annotated[_Address, Proto(1)]
    version: Annotated[int, Proto(2, "int64")]
    content: Annotated[list[_Entry], Proto(3)] = []


class _Delta(msgspec.Struct, frozen=True):
    buckets: Annotated[list[_Bucket], Proto(1)] = []


class _Send(msgspec.Struct, frozen=True):
    path: Annotated[str, Proto(1)]
    flag: Annotated[bool, Proto(2)]
    payload: Annotated[Payload, Proto(3)]


class _Publish(msgspec.Struct, frozen=True):
    topic: Annotated[str, Proto(1)]
    payload: Annotated[Payload, Proto(3)]


class _ToOne(msgspec.Struct, frozen=True):
    payload: Annotated[Payload, Proto(1)]


def _address(address: Address) -> _Address:
    assert address.host is not None and address.port is not None
    return _Address(address.system, address.host, address.port, address.protocol)


def _from_address(data: _Address) -> Address:
    return Address(data.protocol, data.system, data.host, data.port)


def _pack(message: msgspec.Struct) -> bytes:
    return gzip.compress(encode(message), mtime=0)


def _write_status(_: Serialization, status: Status) -> bytes:
    versions = [_Version(_address(address), version) for address, version in status.versions.items()]
    return _pack(_Status(versions, status.is_reply))


def _read_status(_: Serialization, data: bytes) -> Status:
    status = decode(_Status, gunzip(data))
    return Status({_from_address(version.address): version.version for version in status.versions}, status.is_reply)


def _write_delta(own: Serialization, delta: Delta) -> bytes:
    return _pack(_Delta([_bucket(own, bucket) for bucket in delta.buckets]))


def _bucket(own: Serialization, bucket: Bucket) -> _Bucket:
    content = [
        _Entry(path, held.version, None if held.ref is None else own.path_of(held.ref))
        for path, held in sorted(bucket.content.items())
    ]
    return _Bucket(_address(bucket.owner), bucket.version, content)


def _read_delta(own: Serialization, data: bytes) -> Delta:
    return Delta(tuple(_from_bucket(own, bucket) for bucket in decode(_Delta, gunzip(data)).buckets))


def _from_bucket(own: Serialization, data: _Bucket) -> Bucket:
    content = {
        entry.path: Held(entry.version, None if entry.ref is None else own.resolve(entry.ref)) for entry in data.content
    }
    return Bucket(_from_address(data.owner), data.version, content)


def _read_send(own: Serialization, data: bytes) -> Send:
    send = decode(_Send, data)
    return Send(send.path, own.unpack(send.payload), send.flag)


def _read_send_to_all(own: Serialization, data: bytes) -> SendToAll:
    send = decode(_Send, data)
    return SendToAll(send.path, own.unpack(send.payload), send.flag)


def _read_publish(own: Serialization, data: bytes) -> Publish:
    publish = decode(_Publish, data)
    return Publish(publish.topic, own.unpack(publish.payload))


Write = Callable[["Serialization", Any], bytes]
Read = Callable[["Serialization", bytes], Any]

_TABLE: list[tuple[str, type, Write, Read]] = [
    ("A", Status, _write_status, _read_status),
    ("B", Delta, _write_delta, _read_delta),
    ("C", Send, lambda own, m: encode(_Send(m.path, m.local_affinity, own.payload(m.message))), _read_send),
    ("D", SendToAll, lambda own, m: encode(_Send(m.path, m.all_but_self, own.payload(m.message))), _read_send_to_all),
    ("E", Publish, lambda own, m: encode(_Publish(m.topic, own.payload(m.message))), _read_publish),
    (
        "F",
        SendToOneSubscriber,
        lambda own, m: encode(_ToOne(own.payload(m.message))),
        lambda own, data: SendToOneSubscriber(own.unpack(decode(_ToOne, data).payload)),
    ),
]


def _writer(manifest: str, write: Write) -> Callable[[Serialization, Any], Serialized]:
    return lambda own, message: (PUBSUB_SERIALIZER, manifest, write(own, message))


WRITERS: dict[type, Callable[[Serialization, Any], Serialized]] = {
    kind: _writer(manifest, write) for manifest, kind, write, _ in _TABLE
}
READERS: dict[tuple[int, str | None], Read] = {(PUBSUB_SERIALIZER, manifest): read for manifest, _, _, read in _TABLE}
