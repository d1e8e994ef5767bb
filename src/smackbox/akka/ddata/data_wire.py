"""Replicated data as bytes: serializer 11, by manifest.

    A deleted   B GSet   C ORSet (gzip)   Ca Cr Cf Cg its deltas   D Flag   E LWWRegister   F GCounter   G PNCounter
    H ORMap (gzip)   Ha Hr Hk Hu Hg its deltas   I LWWMap (gzip)   J PNCounterMap (gzip)   K ORMultiMap (gzip)
    L VersionVector   b c d e f g h i j k keys

Replicas compare digests of these bytes, so the order of all in them is fixed, and so is gzip's header (as Java 17
writes it). Elements and keys are strings, numbers, references, or anything that has a serializer.
Source: `ReplicatedDataMessages.proto`, `ReplicatedDataSerializer` and `SerializationSupport` of Pekko 1.4.
"""

from __future__ import annotations

import enum
import struct
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec

from smackbox.akka.actor.path import PROTOCOL, Address
from smackbox.akka.actor.ref import ActorRef
from smackbox.akka.cluster.member import UniqueAddress
from smackbox.akka.ddata import ormap
from smackbox.akka.ddata.counter import GCounter, PNCounter
from smackbox.akka.ddata.data import DELETED, Data, Deleted, Int32, Key
from smackbox.akka.ddata.gset import GSet
from smackbox.akka.ddata.ormap import LWWMap, ORMap, ORMultiMap, PNCounterMap
from smackbox.akka.ddata.orset import AddDelta, DeltaGroup, FullDelta, ORSet, ORSetDelta, RemoveDelta
from smackbox.akka.ddata.register import Flag, LWWRegister
from smackbox.akka.ddata.version_vector import VersionVector
from smackbox.akka.remote.containers import Payload
from smackbox.akka.remote.serialization import gunzip
from smackbox.base.protobuf.message import Proto, decode, encode
from smackbox.base.protobuf.wire import WireError

if TYPE_CHECKING:
    from smackbox.akka.remote.serialization import Serialization, Serialized

DATA_SERIALIZER = 11
JAVA_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"

S = TypeVar("S", bound=msgspec.Struct)


class AddressData(msgspec.Struct, frozen=True):
    """An address without its protocol and system, which are the reader's own."""

    host: Annotated[str, Proto(1)]
    port: Annotated[int, Proto(2, "uint32")]


class NodeData(msgspec.Struct, frozen=True):
    """The uid in two halves."""

    address: Annotated[AddressData, Proto(1)]
    low: Annotated[int, Proto(2, "sfixed32")]
    high: Annotated[int | None, Proto(3, "sfixed32")] = None


class _Version(msgspec.Struct, frozen=True):
    node: Annotated[NodeData, Proto(1)]
    version: Annotated[int, Proto(2, "int64")]


class VersionVectorData(msgspec.Struct, frozen=True):
    """A version vector, sorted by node."""

    entries: Annotated[list[_Version], Proto(1)] = []


class _GSet(msgspec.Struct, frozen=True):
    strings: Annotated[list[str], Proto(1)] = []
    ints: Annotated[list[int], Proto(2, "sint32", packed=True)] = []
    longs: Annotated[list[int], Proto(3, "sint64", packed=True)] = []
    others: Annotated[list[Payload], Proto(4)] = []
    refs: Annotated[list[str], Proto(5)] = []


class _ORSet(msgspec.Struct, frozen=True):
    seen: Annotated[VersionVectorData, Proto(1)]
    dots: Annotated[list[VersionVectorData], Proto(2)] = []
    strings: Annotated[list[str], Proto(3)] = []
    ints: Annotated[list[int], Proto(4, "sint32", packed=True)] = []
    longs: Annotated[list[int], Proto(5, "sint64", packed=True)] = []
    others: Annotated[list[Payload], Proto(6)] = []
    refs: Annotated[list[str], Proto(7)] = []


class _SetOperation(enum.IntEnum):
    ADD = 0
    REMOVE = 1
    FULL = 2


class _SetEntry(msgspec.Struct, frozen=True):
    operation: Annotated[_SetOperation, Proto(1)]
    underlying: Annotated[_ORSet, Proto(2)]


class _SetDeltaGroup(msgspec.Struct, frozen=True):
    entries: Annotated[list[_SetEntry], Proto(1)] = []


class _Flag(msgspec.Struct, frozen=True):
    enabled: Annotated[bool, Proto(1)]


class _Register(msgspec.Struct, frozen=True):
    timestamp: Annotated[int, Proto(1, "sint64")]
    node: Annotated[NodeData, Proto(2)]
    state: Annotated[Payload, Proto(3)]


class _Count(msgspec.Struct, frozen=True):
    """`value` is a big-endian number in two's complement."""

    node: Annotated[NodeData, Proto(1)]
    value: Annotated[bytes, Proto(2)]


class _GCounter(msgspec.Struct, frozen=True):
    entries: Annotated[list[_Count], Proto(1)] = []


class _PNCounter(msgspec.Struct, frozen=True):
    increments: Annotated[_GCounter, Proto(1)]
    decrements: Annotated[_GCounter, Proto(2)]


class _MapEntry(msgspec.Struct, frozen=True):
    string: Annotated[str | None, Proto(1)] = None
    value: Annotated[Payload | None, Proto(2)] = None
    int_: Annotated[int | None, Proto(3, "sint32")] = None
    long: Annotated[int | None, Proto(4, "sint64")] = None
    other: Annotated[Payload | None, Proto(5)] = None


class _RegisterEntry(_MapEntry, frozen=True):
    value: Annotated[_Register | None, Proto(2)] = None  # type: ignore[assignment]


class _CounterEntry(_MapEntry, frozen=True):
    value: Annotated[_PNCounter | None, Proto(2)] = None  # type: ignore[assignment]


class _SetValueEntry(_MapEntry, frozen=True):
    value: Annotated[_ORSet | None, Proto(2)] = None  # type: ignore[assignment]


class _ORMap(msgspec.Struct, frozen=True):
    keys: Annotated[_ORSet, Proto(1)]
    entries: Annotated[list[_MapEntry], Proto(2)] = []


class _LWWMap(msgspec.Struct, frozen=True):
    keys: Annotated[_ORSet, Proto(1)]
    entries: Annotated[list[_RegisterEntry], Proto(2)] = []


class _PNCounterMap(msgspec.Struct, frozen=True):
    keys: Annotated[_ORSet, Proto(1)]
    entries: Annotated[list[_CounterEntry], Proto(2)] = []


class _ORMultiMap(msgspec.Struct, frozen=True):
    keys: Annotated[_ORSet, Proto(1)]
    entries: Annotated[list[_SetValueEntry], Proto(2)] = []
    value_deltas: Annotated[bool | None, Proto(3)] = None


class _MapOperation(enum.IntEnum):
    PUT = 0
    REMOVE = 1
    REMOVE_KEY = 2
    UPDATE = 3


class _MapDeltaEntry(msgspec.Struct, frozen=True):
    operation: Annotated[_MapOperation, Proto(1)]
    underlying: Annotated[_ORSet, Proto(2)]
    tag: Annotated[int, Proto(3, "sint32")]
    entries: Annotated[list[_MapEntry], Proto(4)] = []


class _MapDeltaGroup(msgspec.Struct, frozen=True):
    entries: Annotated[list[_MapDeltaEntry], Proto(1)] = []


def java_gzip(data: bytes) -> bytes:
    """As Java 17's `GZIPOutputStream` packs it, byte for byte."""
    deflate = zlib.compressobj(-1, zlib.DEFLATED, -15, 8)
    body = deflate.compress(data) + deflate.flush()
    return JAVA_GZIP_HEADER + body + struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)


# -- parts


def node_data(node: UniqueAddress) -> NodeData:
    """A node as the wire has it."""
    assert node.address.host is not None and node.address.port is not None
    low, high = struct.unpack("<ii", struct.pack("<q", node.uid))
    return NodeData(AddressData(node.address.host, node.address.port), low, high)


class DataWire:
    """Replicated data of one actor system, whose name all addresses get."""

    def __init__(self, serialization: Serialization, system: str) -> None:
        self.serialization = serialization
        self._system = system

    def address(self, data: AddressData) -> Address:
        """An address of this system's name."""
        return Address(PROTOCOL, self._system, data.host, data.port)

    def node(self, data: NodeData) -> UniqueAddress:
        """A node of this system's name."""
        uid = data.low if data.high is None else data.high << 32 | data.low & 0xFFFFFFFF
        return UniqueAddress(self.address(data.address), uid)

    def vector_data(self, vector: VersionVector) -> VersionVectorData:
        """A version vector as the wire has it."""
        return VersionVectorData([_Version(node_data(node), version) for node, version in vector.sorted])

    def vector(self, data: VersionVectorData) -> VersionVector:
        """A version vector from the wire."""
        return VersionVector({self.node(entry.node): entry.version for entry in data.entries})

    # -- sets

    def _elements(self, elements: Iterable[Any]) -> tuple[dict[str, list[Any]], list[Any]]:
        """By the fields of the wire, and in their order all together."""
        strings, ints, longs = [], [], []
        others: list[tuple[Payload, Any]] = []
        refs: list[tuple[str, Any]] = []
        for element in elements:
            if type(element) is str:
                strings.append(element)
            elif type(element) is int:
                longs.append(element)
            elif type(element) is Int32:
                ints.append(element)
            elif isinstance(element, ActorRef):
                refs.append((self.serialization.path_of(element), element))
            else:
                others.append((self.serialization.payload(element), element))
        strings.sort(key=lambda text: text.encode("utf-16-be"))
        others.sort(key=lambda one: _payload_order(one[0]))
        refs.sort(key=lambda one: one[0])
        ints, longs = sorted(ints), sorted(longs)
        fields: dict[str, list[Any]] = {
            "strings": strings,
            "ints": ints,
            "longs": longs,
            "others": [payload for payload, _ in others],
            "refs": [path for path, _ in refs],
        }
        order = [*strings, *ints, *longs, *(one for _, one in others), *(one for _, one in refs)]
        return fields, order

    def _read_elements(self, data: _GSet | _ORSet) -> list[Any]:
        return [
            *data.strings,
            *map(Int32, data.ints),
            *data.longs,
            *map(self.serialization.unpack, data.others),
            *map(self.serialization.resolve, data.refs),
        ]

    def _gset(self, gset: GSet) -> _GSet:
        return _GSet(**self._elements(gset.elements)[0])

    def _read_gset(self, data: _GSet) -> GSet:
        return GSet(frozenset(self._read_elements(data)))

    def _orset(self, orset: ORSet) -> _ORSet:
        fields, order = self._elements(orset.dots)
        dots = [self.vector_data(orset.dots[element]) for element in order]
        return _ORSet(seen=self.vector_data(orset.seen), dots=dots, **fields)

    def _read_orset(self, data: _ORSet) -> ORSet:
        elements = self._read_elements(data)
        if len(elements) != len(data.dots):
            raise WireError(f"a set of {len(elements)} elements with {len(data.dots)} dots")
        return ORSet(dict(zip(elements, map(self.vector, data.dots), strict=True)), self.vector(data.seen))

    def _set_delta_group(self, delta: ORSetDelta) -> _SetDeltaGroup:
        return _SetDeltaGroup([self._set_entry(operation) for operation in delta.operations])

    def _set_entry(self, operation: ORSetDelta) -> _SetEntry:
        for kind, delta_type in _SET_OPERATIONS.items():
            if isinstance(operation, delta_type):
                return _SetEntry(kind, self._orset(operation.underlying))
        raise TypeError(f"{operation!r} is no single operation on a set")

    def _read_set_delta_group(self, data: _SetDeltaGroup) -> DeltaGroup:
        return DeltaGroup(
            tuple(_SET_OPERATIONS[entry.operation](self._read_orset(entry.underlying)) for entry in data.entries)
        )

    # -- registers and counters

    def _register(self, register: LWWRegister) -> _Register:
        return _Register(register.timestamp, node_data(register.node), self.serialization.payload(register.value))

    def _read_register(self, data: _Register) -> LWWRegister:
        return LWWRegister(self.node(data.node), self.serialization.unpack(data.state), data.timestamp)

    def _counter(self, counter: GCounter) -> _GCounter:
        counts = sorted(counter.counts.items(), key=lambda item: item[0].order)
        return _GCounter([_Count(node_data(node), _big(count)) for node, count in counts])

    def _read_counter(self, data: _GCounter) -> GCounter:
        return GCounter({self.node(e.node): int.from_bytes(e.value, "big", signed=True) for e in data.entries})

    def _pn_counter(self, counter: PNCounter) -> _PNCounter:
        return _PNCounter(self._counter(counter.increments), self._counter(counter.decrements))

    def _read_pn_counter(self, data: _PNCounter) -> PNCounter:
        return PNCounter(self._read_counter(data.increments), self._read_counter(data.decrements))

    # -- maps

    def _key_fields(self, key: Any) -> dict[str, Any]:
        if type(key) is str:
            return {"string": key}
        if type(key) is Int32:
            return {"int_": int(key)}
        if type(key) is int:
            return {"long": key}
        return {"other": self.serialization.payload(key)}

    def _read_key(self, data: _MapEntry) -> Any:
        if data.string is not None:
            return data.string
        if data.int_ is not None:
            return Int32(data.int_)
        if data.long is not None:
            return data.long
        if data.other is not None:
            return self.serialization.unpack(data.other)
        raise WireError("an entry of a map without a key")

    def _entries(
        self, entry_type: Callable[..., Any], values: Mapping[Any, Any], write: Callable[[Any], Any]
    ) -> list[Any]:
        found = [entry_type(value=write(value), **self._key_fields(key)) for key, value in values.items()]
        return sorted(found, key=_entry_order)

    def _read_entries(self, entries: Iterable[Any], read: Callable[[Any], Data]) -> dict[Any, Data]:
        found = {}
        for entry in entries:
            if entry.value is None:
                raise WireError("an entry of a map without a value")
            found[self._read_key(entry)] = read(entry.value)
        return found

    def _unpack_data(self, payload: Payload) -> Data:
        value = self.serialization.unpack(payload)
        if not isinstance(value, Data):
            raise WireError(f"a {type(value).__name__} is no replicated data")
        return value

    def write_map(self, value: ORMap) -> bytes:
        entries = self._entries(_MapEntry, value.values, self.serialization.payload)
        return java_gzip(encode(_ORMap(self._orset(value.keys), entries)))

    def read_map(self, data: bytes) -> ORMap:
        found = decode(_ORMap, gunzip(data))
        return ORMap(self._read_orset(found.keys), self._read_entries(found.entries, self._unpack_data))

    def write_lww_map(self, value: LWWMap) -> bytes:
        entries = self._entries(_RegisterEntry, value.underlying.values, self._register)
        return java_gzip(encode(_LWWMap(self._orset(value.underlying.keys), entries)))

    def read_lww_map(self, data: bytes) -> LWWMap:
        found = decode(_LWWMap, gunzip(data))
        values = self._read_entries(found.entries, self._read_register)
        return LWWMap(ORMap(self._read_orset(found.keys), values, ormap.LWW))

    def write_counter_map(self, value: PNCounterMap) -> bytes:
        entries = self._entries(_CounterEntry, value.underlying.values, self._pn_counter)
        return java_gzip(encode(_PNCounterMap(self._orset(value.underlying.keys), entries)))

    def read_counter_map(self, data: bytes) -> PNCounterMap:
        found = decode(_PNCounterMap, gunzip(data))
        values = self._read_entries(found.entries, self._read_pn_counter)
        return PNCounterMap(ORMap(self._read_orset(found.keys), values, ormap.PN_COUNTERS))

    def write_multi_map(self, value: ORMultiMap) -> bytes:
        entries = self._entries(_SetValueEntry, value.underlying.values, self._orset)
        deltas = True if value.value_deltas else None
        return java_gzip(encode(_ORMultiMap(self._orset(value.underlying.keys), entries, deltas)))

    def read_multi_map(self, data: bytes) -> ORMultiMap:
        found = decode(_ORMultiMap, gunzip(data))
        values = self._read_entries(found.entries, self._read_orset)
        deltas = bool(found.value_deltas)
        tag = ormap.MULTI_WITH_DELTAS if deltas else ormap.MULTI
        return ORMultiMap(ORMap(self._read_orset(found.keys), values, tag), deltas)

    def write_map_delta(self, delta: ormap.ORMapDelta) -> bytes:
        return encode(_MapDeltaGroup([self._map_entry(operation) for operation in delta.operations]))

    def _map_entry(self, delta: ormap.KeyDelta) -> _MapDeltaEntry:
        (operation,) = delta.underlying.operations
        underlying = self._set_entry(operation).underlying
        if isinstance(delta, ormap.PutDelta):
            entries = [_MapEntry(value=self.serialization.payload(delta.value), **self._key_fields(delta.key))]
            return _MapDeltaEntry(_MapOperation.PUT, underlying, delta.tag, entries)
        if isinstance(delta, ormap.UpdateDelta):
            entries = self._entries(_MapEntry, delta.values, self.serialization.payload)
            return _MapDeltaEntry(_MapOperation.UPDATE, underlying, delta.tag, entries)
        if isinstance(delta, ormap.TombstoneDelta):
            entries = [_MapEntry(**self._key_fields(delta.key))]
            return _MapDeltaEntry(_MapOperation.REMOVE_KEY, underlying, delta.tag, entries)
        return _MapDeltaEntry(_MapOperation.REMOVE, underlying, delta.tag)

    def read_map_delta(self, data: bytes) -> ormap.ORMapDelta:
        operations = tuple(self._read_map_entry(entry) for entry in decode(_MapDeltaGroup, data).entries)
        if not operations:
            raise WireError("a delta of a map without an operation")
        return operations[0] if len(operations) == 1 else ormap.MapDeltaGroup(operations[0].tag, operations)

    def _read_map_entry(self, data: _MapDeltaEntry) -> ormap.KeyDelta:
        if data.tag not in ormap.ZEROS:
            raise WireError(f"{data.tag} is no kind of map")
        underlying = self._read_orset(data.underlying)
        if data.operation is _MapOperation.REMOVE:
            return ormap.RemoveKeyDelta(data.tag, RemoveDelta(underlying))
        if not data.entries:
            raise WireError("a change of a map without a key")
        if data.operation is _MapOperation.REMOVE_KEY:
            return ormap.TombstoneDelta(data.tag, RemoveDelta(underlying), self._read_key(data.entries[0]))
        values = self._read_entries(data.entries, self._unpack_data)
        if data.operation is _MapOperation.UPDATE:
            return ormap.UpdateDelta(data.tag, AddDelta(underlying), values)
        ((key, value),) = values.items()
        return ormap.PutDelta(data.tag, AddDelta(underlying), key, value)

    # -- tables

    def install(self) -> None:
        """Let this serialization read and write replicated data."""
        writers: dict[type, Callable[[Serialization, Any], Serialized]] = {}
        readers: dict[tuple[int, str | None], Callable[[Serialization, bytes], Any]] = {}
        for manifest, kind, write, read in self._table():
            if write is not None:
                writers[kind] = _writer(manifest, write)
            readers[DATA_SERIALIZER, manifest] = _reader(read)
        for manifest in "bcdefghijk":
            readers[DATA_SERIALIZER, manifest] = lambda _, data: Key(data.decode())
        self.serialization.add(writers, readers)

    def _table(self) -> list[tuple[str, type, Callable[[Any], bytes] | None, Callable[[bytes], Any]]]:
        def pair(
            manifest: str, kind: type, struct_type: type[S], write: Callable[[Any], S], read: Callable[[S], Any]
        ) -> tuple[str, type, Callable[[Any], bytes], Callable[[bytes], Any]]:
            return manifest, kind, lambda value: encode(write(value)), lambda data: read(decode(struct_type, data))

        def set_delta(manifest: str, kind: Any) -> tuple[str, type, Callable[[Any], bytes], Callable[[bytes], Any]]:
            return pair(
                manifest, kind, _ORSet, lambda d: self._orset(d.underlying), lambda d: kind(self._read_orset(d))
            )

        return [
            ("A", Deleted, lambda _: b"", lambda _: DELETED),
            pair("B", GSet, _GSet, self._gset, self._read_gset),
            (
                "C",
                ORSet,
                lambda value: java_gzip(encode(self._orset(value))),
                lambda data: self._read_orset(decode(_ORSet, gunzip(data))),
            ),
            set_delta("Ca", AddDelta),
            set_delta("Cr", RemoveDelta),
            set_delta("Cf", FullDelta),
            pair("Cg", DeltaGroup, _SetDeltaGroup, self._set_delta_group, self._read_set_delta_group),
            pair("D", Flag, _Flag, lambda flag: _Flag(flag.enabled), lambda data: Flag(data.enabled)),
            pair("E", LWWRegister, _Register, self._register, self._read_register),
            pair("F", GCounter, _GCounter, self._counter, self._read_counter),
            pair("G", PNCounter, _PNCounter, self._pn_counter, self._read_pn_counter),
            ("H", ORMap, self.write_map, self.read_map),
            ("Ha", ormap.PutDelta, self.write_map_delta, self.read_map_delta),
            ("Hr", ormap.RemoveKeyDelta, self.write_map_delta, self.read_map_delta),
            ("Hk", ormap.TombstoneDelta, self.write_map_delta, self.read_map_delta),
            ("Hu", ormap.UpdateDelta, self.write_map_delta, self.read_map_delta),
            ("Hg", ormap.MapDeltaGroup, self.write_map_delta, self.read_map_delta),
            ("I", LWWMap, self.write_lww_map, self.read_lww_map),
            ("J", PNCounterMap, self.write_counter_map, self.read_counter_map),
            ("K", ORMultiMap, self.write_multi_map, self.read_multi_map),
            pair("L", VersionVector, VersionVectorData, self.vector_data, self.vector),
        ]


_SET_OPERATIONS: dict[_SetOperation, Any] = {
    _SetOperation.ADD: AddDelta,
    _SetOperation.REMOVE: RemoveDelta,
    _SetOperation.FULL: FullDelta,
}


def _writer(manifest: str, write: Callable[[Any], bytes]) -> Callable[[Serialization, Any], Serialized]:
    return lambda _, value: (DATA_SERIALIZER, manifest, write(value))


def _reader(read: Callable[[bytes], Any]) -> Callable[[Serialization, bytes], Any]:
    return lambda _, data: read(data)


def _payload_order(payload: Payload) -> tuple[int, list[int]]:
    """The shorter first, then byte by byte as Java's signed ones."""
    return len(payload.message), [byte - 256 if byte > 127 else byte for byte in payload.message]


def _entry_order(entry: _MapEntry) -> tuple[int, Any]:
    if entry.string is not None:
        return 0, entry.string.encode("utf-16-be")
    if entry.int_ is not None:
        return 1, entry.int_
    if entry.long is not None:
        return 2, entry.long
    assert entry.other is not None
    return 3, _payload_order(entry.other)


def _big(number: int) -> bytes:
    """As Java's `BigInteger.toByteArray`: as short as the sign allows."""
    return number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True)
