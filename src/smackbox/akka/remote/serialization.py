"""From messages to bytes and back, by serializer id and manifest as Pekko has them. Nothing that comes in is ever run.

    id   values
    4    bytes                        16   Identify, ActorIdentity, ActorRef, PoisonPill, Kill, None, Done
    18   int of 64 bits (written), 19 of 32 bits (read)
    20   str                          35   bool
    30   references to streams, and what their two sides tell each other (`stream_refs.py`)
    31   msgspec structs as Jackson's JSON, by a table of manifests; bodies may be gzip
    33   the same as Jackson's CBOR (RFC 8949), for those that are registered so

A message class is known by its manifest, its class name in the JVM: `serialization.register("lab.Hello", Hello)`.
Fields that are actor references are their paths as texts, as Jackson's module for Pekko writes them.
"""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from collections.abc import Callable
from typing import Any, get_origin

import msgspec

from smackbox.akka.actor.messages import ActorIdentity, Identify, Kill, PoisonPill
from smackbox.akka.actor.ref import ActorRef
from smackbox.akka.remote.containers import (
    MISC_SERIALIZER,
    IdentifyData,
    IdentityData,
    Payload,
    RefData,
    SomeData,
)
from smackbox.akka.stream.stream_ref_messages import SinkRef, SourceRef
from smackbox.base.errors import RequestError
from smackbox.base.protobuf.message import decode, encode

BYTES, LONG, INT, STRING, JACKSON_JSON, JACKSON_CBOR, BOOLEAN = 4, 18, 19, 20, 31, 33, 35
UNPACKED_LIMIT = 16 * 1024 * 1024
GZIP_MAGIC = b"\x1f\x8b"

Serialized = tuple[int, str, bytes]
"""Serializer id, manifest, bytes."""

Writer = Callable[["Serialization", Any], Serialized]
Reader = Callable[["Serialization", bytes], Any]

_LONG = struct.Struct("<q")
_INT = struct.Struct("<i")


class SerializationError(RequestError):
    """A message that cannot be written, or bytes of a serializer or manifest that is not known here."""


class Done:
    """Pekko's `Done`: something is finished."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "DONE"


DONE = Done()


class Serialization:
    """Of one actor system. `resolve` makes a reference of a path, `path_of` the path by which others reach one."""

    def __init__(self, resolve: Callable[[str], ActorRef[Any]], path_of: Callable[[ActorRef[Any]], str]) -> None:
        self._resolve = resolve
        self._path_of = path_of
        self._types: dict[str, type[msgspec.Struct]] = {}
        self._manifests: dict[type, str] = {}
        self._as_cbor: set[type] = set()
        self._json = msgspec.json.Encoder(enc_hook=self._to_json)
        self._writers = _WRITERS
        self._readers = _READERS
        self._by_manifest: dict[int, Callable[[Serialization, str, bytes], Any]] = {}

    def register(self, manifest: str, message_type: type[msgspec.Struct], *, cbor: bool = False) -> None:
        """Let messages of this type cross the wire under `manifest`, written as JSON or CBOR; both are read.

        Raises `ValueError` for a manifest that is taken.
        """
        if self._types.get(manifest, message_type) is not message_type:
            raise ValueError(f"the manifest {manifest!r} belongs to {self._types[manifest].__name__} already")
        self._types[manifest] = message_type
        self._manifests[message_type] = manifest
        if cbor:
            self._as_cbor.add(message_type)

    def add(self, writers: dict[type, Writer], readers: dict[tuple[int, str | None], Reader]) -> None:
        """Serializers of a part of the room that is loaded only where it is used."""
        self._writers = self._writers | writers
        self._readers = self._readers | readers

    def add_manifests(self, serializer: int, read: Callable[[Serialization, str, bytes], Any]) -> None:
        """A serializer whose manifests are part of its values."""
        self._by_manifest[serializer] = read

    def write(self, message: Any) -> Serialized:
        """Raises `SerializationError` for a message without a serializer."""
        writer = self._writers.get(type(message))
        if writer is not None:
            return writer(self, message)
        if isinstance(message, ActorRef):
            return MISC_SERIALIZER, "G", encode(RefData(self._path_of(message)))
        manifest = self._manifests.get(type(message))
        if manifest is None:
            raise SerializationError(
                f"{type(message).__name__} has no serializer: register it as a msgspec struct under a manifest, or "
                "send str, bytes, int, bool or an actor reference"
            )
        if type(message) in self._as_cbor:
            from smackbox.akka.remote.cbor import write_cbor

            return JACKSON_CBOR, manifest, write_cbor(message, self._to_json)
        return JACKSON_JSON, manifest, self._json.encode(message)

    def read(self, serializer: int, manifest: str, data: bytes) -> Any:
        """Raises `SerializationError`."""
        try:
            if serializer in {JACKSON_JSON, JACKSON_CBOR}:
                return self._read_jackson(manifest, data, is_cbor=serializer == JACKSON_CBOR)
            reader = self._readers.get((serializer, manifest)) or self._readers.get((serializer, None))
            if reader is not None:
                return reader(self, data)
            by_manifest = self._by_manifest.get(serializer)
            if by_manifest is not None:
                return by_manifest(self, manifest, data)
        except (ValueError, struct.error, zlib.error, OSError, EOFError) as error:
            raise SerializationError(f"serializer {serializer}, manifest {manifest!r}: {error}") from error
        raise SerializationError(f"serializer {serializer} with the manifest {manifest!r} is not known here")

    # -- parts

    def payload(self, message: Any) -> Payload:
        serializer, manifest, data = self.write(message)
        return Payload(data, serializer, manifest.encode() or None)

    def unpack(self, payload: Payload) -> Any:
        return self.read(payload.serializer, (payload.manifest or b"").decode(), payload.message)

    def _read_jackson(self, manifest: str, data: bytes, *, is_cbor: bool) -> Any:
        message_type = self._types.get(manifest.partition("#")[0])
        if message_type is None:
            raise SerializationError(f"no message type is registered for the manifest {manifest!r}")
        if data.startswith(GZIP_MAGIC):
            data = gunzip(data)
        if is_cbor:
            from smackbox.akka.remote.cbor import read_cbor

            return read_cbor(data, message_type, self._from_json)
        return msgspec.json.decode(data, type=message_type, dec_hook=self._from_json)

    def _to_json(self, value: Any) -> Any:
        if isinstance(value, ActorRef):
            return self._path_of(value)
        if isinstance(value, SourceRef | SinkRef):
            return self._path_of(value.ref)
        raise NotImplementedError(f"a field of type {type(value).__name__} has no JSON form")

    def _from_json(self, kind: Any, value: Any) -> Any:
        if (get_origin(kind) or kind) is ActorRef and isinstance(value, str):
            return self._resolve(value)
        if (get_origin(kind) or kind) in {SourceRef, SinkRef} and isinstance(value, str):
            return (get_origin(kind) or kind)(self._resolve(value))
        raise NotImplementedError(f"a field of type {kind} has no JSON form")

    def path_of(self, ref: ActorRef[Any]) -> str:
        return self._path_of(ref)

    def resolve(self, path: str) -> ActorRef[Any]:
        return self._resolve(path)

    def _write_identity(self, message: ActorIdentity) -> Serialized:
        ref = None if message.ref is None else RefData(self._path_of(message.ref))
        return MISC_SERIALIZER, "B", encode(IdentityData(self.payload(message.correlation_id), ref))

    def _read_identity(self, data: bytes) -> ActorIdentity:
        identity = decode(IdentityData, data)
        ref = None if identity.ref is None else self._resolve(identity.ref.path)
        return ActorIdentity(self.unpack(identity.correlation_id), ref)


def gunzip(data: bytes) -> bytes:
    """Raises `SerializationError` for more than `UNPACKED_LIMIT` bytes; `OSError`, `EOFError`, `zlib.error` else."""
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
        unpacked = file.read(UNPACKED_LIMIT + 1)
    if len(unpacked) > UNPACKED_LIMIT:
        raise SerializationError(f"a message of more than {UNPACKED_LIMIT} bytes when it is unpacked")
    return unpacked


def _write_int(_: Serialization, value: int) -> Serialized:
    try:
        return LONG, "", _LONG.pack(value)
    except struct.error as error:
        raise SerializationError(f"an integer of more than 64 bits: {value}") from error


_WRITERS: dict[type, Callable[[Serialization, Any], Serialized]] = {
    str: lambda _, value: (STRING, "", value.encode()),
    bytes: lambda _, value: (BYTES, "", value),
    bool: lambda _, value: (BOOLEAN, "", b"\x01" if value else b"\x00"),
    int: _write_int,
    type(None): lambda _, _value: (MISC_SERIALIZER, "C", b""),
    Identify: lambda own, value: (MISC_SERIALIZER, "A", encode(IdentifyData(own.payload(value.message_id)))),
    ActorIdentity: lambda own, value: own._write_identity(value),
    PoisonPill: lambda _, _value: (MISC_SERIALIZER, "P", b""),
    Kill: lambda _, _value: (MISC_SERIALIZER, "K", b""),
    Done: lambda _, _value: (MISC_SERIALIZER, "DONE", b""),
}

_READERS: dict[tuple[int, str | None], Callable[[Serialization, bytes], Any]] = {
    (STRING, None): lambda _, data: data.decode(),
    (BYTES, None): lambda _, data: data,
    (BOOLEAN, None): lambda _, data: data != b"\x00",
    (LONG, None): lambda _, data: _LONG.unpack(data)[0],
    (INT, None): lambda _, data: _INT.unpack(data)[0],
    (MISC_SERIALIZER, "A"): lambda own, data: Identify(own.unpack(decode(IdentifyData, data).message_id)),
    (MISC_SERIALIZER, "B"): lambda own, data: own._read_identity(data),
    (MISC_SERIALIZER, "C"): lambda own, data: own.unpack(decode(SomeData, data).value) if data else None,
    (MISC_SERIALIZER, "G"): lambda own, data: own._resolve(decode(RefData, data).path),
    (MISC_SERIALIZER, "P"): lambda _, _data: PoisonPill(),
    (MISC_SERIALIZER, "K"): lambda _, _data: Kill(),
    (MISC_SERIALIZER, "DONE"): lambda _, _data: DONE,
}
