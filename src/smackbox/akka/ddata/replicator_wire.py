"""Messages between replicators as bytes: serializer 12, by manifest.

    H DataEnvelope   I Write   J WriteAck   K Read   L ReadResult   M Status   N Gossip (gzip)   O WriteNack
    Q DeltaPropagation   R DeltaNack

Source: `ReplicatorMessages.proto` and `ReplicatorMessageSerializer` of Pekko 1.4.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from smackbox.akka.actor.path import Address
from smackbox.akka.cluster.member import UniqueAddress
from smackbox.akka.ddata.data import Data
from smackbox.akka.ddata.data_wire import AddressData, DataWire, NodeData, VersionVectorData, java_gzip, node_data
from smackbox.akka.ddata.envelope import DataEnvelope, Initialized, Performed, Pruning
from smackbox.akka.ddata.messages import (
    DeltaNack,
    Deltas,
    Gossip,
    RangedDelta,
    Read,
    ReadResult,
    Status,
    Write,
    WriteAck,
    WriteNack,
)
from smackbox.akka.ddata.version_vector import EMPTY
from smackbox.akka.remote.containers import Payload
from smackbox.akka.remote.serialization import gunzip
from smackbox.base.protobuf.message import Proto, decode, encode
from smackbox.base.protobuf.wire import WireError

if TYPE_CHECKING:
    from smackbox.akka.remote.serialization import Serialization, Serialized

REPLICATOR_SERIALIZER = 12
FAR_FUTURE_MS = 2**63 - 1
NOBODY = NodeData(AddressData("c", 7355), 1, 0)
"""The owner of what was pruned, which is not needed any more; the field is required, and digests are of it."""


class _PruningEntry(msgspec.Struct, frozen=True):
    removed: Annotated[NodeData, Proto(1)]
    owner: Annotated[NodeData, Proto(2)]
    performed: Annotated[bool, Proto(3)]
    seen: Annotated[list[AddressData], Proto(4)] = []
    obsolete_ms: Annotated[int | None, Proto(5, "sint64")] = None


class _Envelope(msgspec.Struct, frozen=True):
    data: Annotated[Payload, Proto(1)]
    pruning: Annotated[list[_PruningEntry], Proto(2)] = []
    deltas: Annotated[VersionVectorData | None, Proto(3)] = None


class _Write(msgspec.Struct, frozen=True):
    key: Annotated[str, Proto(1)]
    envelope: Annotated[_Envelope, Proto(2)]
    from_: Annotated[NodeData | None, Proto(3)] = None


class _Read(msgspec.Struct, frozen=True):
    key: Annotated[str, Proto(1)]
    from_: Annotated[NodeData | None, Proto(2)] = None


class _ReadResult(msgspec.Struct, frozen=True):
    envelope: Annotated[_Envelope | None, Proto(1)] = None


class _Digest(msgspec.Struct, frozen=True):
    key: Annotated[str, Proto(1)]
    digest: Annotated[bytes, Proto(2)]


class _Status(msgspec.Struct, frozen=True):
    chunk: Annotated[int, Proto(1, "uint32")]
    chunks: Annotated[int, Proto(2, "uint32")]
    entries: Annotated[list[_Digest], Proto(3)] = []
    to_uid: Annotated[int | None, Proto(4, "sfixed64")] = None
    from_uid: Annotated[int | None, Proto(5, "sfixed64")] = None


class _Entry(msgspec.Struct, frozen=True):
    key: Annotated[str, Proto(1)]
    envelope: Annotated[_Envelope, Proto(2)]


class _Gossip(msgspec.Struct, frozen=True):
    send_back: Annotated[bool, Proto(1)]
    entries: Annotated[list[_Entry], Proto(2)] = []
    to_uid: Annotated[int | None, Proto(3, "sfixed64")] = None
    from_uid: Annotated[int | None, Proto(4, "sfixed64")] = None


class _DeltaEntry(msgspec.Struct, frozen=True):
    key: Annotated[str, Proto(1)]
    envelope: Annotated[_Envelope, Proto(2)]
    first: Annotated[int, Proto(3, "int64")]
    last: Annotated[int | None, Proto(4, "int64")] = None


class _Deltas(msgspec.Struct, frozen=True):
    from_: Annotated[NodeData, Proto(1)]
    entries: Annotated[list[_DeltaEntry], Proto(2)] = []
    reply: Annotated[bool | None, Proto(3)] = None


class ReplicatorWire:
    """Of one actor system."""

    def __init__(self, serialization: Serialization, system: str) -> None:
        self._data = DataWire(serialization, system)
        self._serialization = serialization

    def install(self) -> None:
        """Let this serialization read and write what replicators tell each other, and replicated data."""
        self._data.install()
        writers: dict[type, Callable[[Serialization, Any], Serialized]] = {}
        readers: dict[tuple[int, str | None], Callable[[Serialization, bytes], Any]] = {}
        for manifest, kind, write, read in self._table():
            writers[kind] = _writer(manifest, write)
            readers[REPLICATOR_SERIALIZER, manifest] = _reader(read)
        self._serialization.add(writers, readers)

    def write_envelope(self, envelope: DataEnvelope) -> bytes:
        """The bytes of an envelope, which digests are of."""
        return encode(self._envelope(envelope))

    def write_durable(self, envelope: DataEnvelope) -> bytes:
        """What a store keeps: the data, and which removed nodes it has forgotten."""
        performed = {node: state for node, state in envelope.pruning.items() if isinstance(state, Performed)}
        return self.write_envelope(DataEnvelope(envelope.data, performed))

    def read_durable(self, data: bytes) -> DataEnvelope:
        """Raises `WireError`, `SerializationError`."""
        return self._read_envelope(decode(_Envelope, data))

    # -- parts

    def _envelope(self, envelope: DataEnvelope) -> _Envelope:
        pruning = [_pruning(removed, state) for removed, state in envelope.pruning.items()]
        deltas = self._data.vector_data(envelope.deltas) if envelope.deltas.versions else None
        return _Envelope(self._serialization.payload(envelope.data), pruning, deltas)

    def _read_envelope(self, data: _Envelope) -> DataEnvelope:
        value = self._serialization.unpack(data.data)
        if not isinstance(value, Data):
            raise WireError(f"a {type(value).__name__} is no replicated data")
        pruning = {self._data.node(entry.removed): self._read_pruning(entry) for entry in data.pruning}
        return DataEnvelope(value, pruning, EMPTY if data.deltas is None else self._data.vector(data.deltas))

    def _read_pruning(self, data: _PruningEntry) -> Pruning:
        if data.performed:
            return Performed(FAR_FUTURE_MS if data.obsolete_ms is None else data.obsolete_ms)
        return Initialized(self._data.node(data.owner), frozenset(map(self._data.address, data.seen)))

    def _optional_node(self, data: NodeData | None) -> UniqueAddress | None:
        return None if data is None else self._data.node(data)

    # -- messages

    def _write_write(self, message: Write) -> bytes:
        from_ = None if message.from_ is None else node_data(message.from_)
        return encode(_Write(message.key, self._envelope(message.envelope), from_))

    def _read_write(self, data: bytes) -> Write:
        write = decode(_Write, data)
        return Write(write.key, self._read_envelope(write.envelope), self._optional_node(write.from_))

    def _write_read(self, message: Read) -> bytes:
        return encode(_Read(message.key, None if message.from_ is None else node_data(message.from_)))

    def _read_read(self, data: bytes) -> Read:
        read = decode(_Read, data)
        return Read(read.key, self._optional_node(read.from_))

    def _write_result(self, message: ReadResult) -> bytes:
        return encode(_ReadResult(None if message.envelope is None else self._envelope(message.envelope)))

    def _read_result(self, data: bytes) -> ReadResult:
        result = decode(_ReadResult, data)
        return ReadResult(None if result.envelope is None else self._read_envelope(result.envelope))

    def _write_status(self, message: Status) -> bytes:
        entries = [_Digest(key, digest) for key, digest in message.digests.items()]
        return encode(_Status(message.chunk, message.chunks, entries, message.to_uid, message.from_uid))

    def _read_status(self, data: bytes) -> Status:
        status = decode(_Status, data)
        if status.chunks < 1 or status.chunk >= status.chunks:
            raise WireError(f"share {status.chunk} of {status.chunks}")
        digests = {entry.key: entry.digest for entry in status.entries}
        return Status(digests, status.chunk, status.chunks, status.to_uid, status.from_uid)

    def _write_gossip(self, message: Gossip) -> bytes:
        entries = [_Entry(key, self._envelope(envelope)) for key, envelope in message.data.items()]
        return java_gzip(encode(_Gossip(message.send_back, entries, message.to_uid, message.from_uid)))

    def _read_gossip(self, data: bytes) -> Gossip:
        gossip = decode(_Gossip, gunzip(data))
        entries = {entry.key: self._read_envelope(entry.envelope) for entry in gossip.entries}
        return Gossip(entries, gossip.send_back, gossip.to_uid, gossip.from_uid)

    def _write_deltas(self, message: Deltas) -> bytes:
        entries = [
            _DeltaEntry(
                key, self._envelope(delta.envelope), delta.first, None if delta.last == delta.first else delta.last
            )
            for key, delta in message.deltas.items()
        ]
        return encode(_Deltas(node_data(message.from_), entries, True if message.reply else None))

    def _read_deltas(self, data: bytes) -> Deltas:
        deltas = decode(_Deltas, data)
        entries = {
            entry.key: RangedDelta(
                self._read_envelope(entry.envelope), entry.first, entry.first if entry.last is None else entry.last
            )
            for entry in deltas.entries
        }
        return Deltas(self._data.node(deltas.from_), bool(deltas.reply), entries)

    def _table(self) -> list[tuple[str, type, Callable[[Any], bytes], Callable[[bytes], Any]]]:
        return [
            ("H", DataEnvelope, self.write_envelope, lambda data: self._read_envelope(decode(_Envelope, data))),
            ("I", Write, self._write_write, self._read_write),
            ("J", WriteAck, _nothing, lambda _: WriteAck()),
            ("K", Read, self._write_read, self._read_read),
            ("L", ReadResult, self._write_result, self._read_result),
            ("M", Status, self._write_status, self._read_status),
            ("N", Gossip, self._write_gossip, self._read_gossip),
            ("O", WriteNack, _nothing, lambda _: WriteNack()),
            ("Q", Deltas, self._write_deltas, self._read_deltas),
            ("R", DeltaNack, _nothing, lambda _: DeltaNack()),
        ]


def _pruning(removed: UniqueAddress, state: Pruning) -> _PruningEntry:
    if isinstance(state, Performed):
        return _PruningEntry(node_data(removed), NOBODY, True, [], state.obsolete_ms)
    seen = sorted(state.seen, key=_address_order)
    return _PruningEntry(node_data(removed), node_data(state.owner), False, [_address(address) for address in seen])


def _address_order(address: Address) -> tuple[str, int]:
    return address.host or "", address.port or 0


def _address(address: Address) -> AddressData:
    assert address.host is not None and address.port is not None
    return AddressData(address.host, address.port)


def _nothing(_: Any) -> bytes:
    return b""


def _writer(manifest: str, write: Callable[[Any], bytes]) -> Callable[[Serialization, Any], Serialized]:
    return lambda _, message: (REPLICATOR_SERIALIZER, manifest, write(message))


def _reader(read: Callable[[bytes], Any]) -> Callable[[Serialization, bytes], Any]:
    return lambda _, data: read(data)
