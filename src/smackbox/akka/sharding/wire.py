"""Sharding on the wire: serializer 13, and 25 for `ShardingEnvelope`, by manifest.

    AA CoordinatorState (gzip)   BA Register   BB RegisterProxy   BC RegisterAck   BD GetShardHome   BE ShardHome
    BF HostShard   BG ShardStarted   BH BeginHandOff   BI BeginHandOffAck   BJ HandOff   BK ShardStopped
    BL GracefulShutdownReq   BM RegionStopped   BN ShardHomes   DC GetShardRegionStats   DD ShardRegionStats
    DE GetClusterShardingStats   DF ClusterShardingStats   DG GetCurrentRegions   DH CurrentRegions
    EA StartEntity   EB StartEntityAck   FC GetShardRegionState   FE CurrentShardRegionState

Source: `ClusterShardingMessages.proto`, `ClusterShardingMessageSerializer` and `ShardingSerializer` of Pekko.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from smackbox.akka.actor.path import Address
from smackbox.akka.ddata.data_wire import java_gzip
from smackbox.akka.remote.containers import Payload
from smackbox.akka.remote.serialization import gunzip
from smackbox.akka.sharding import messages as m
from smackbox.base.protobuf.message import Proto, decode, encode
from smackbox.base.protobuf.wire import WireError

if TYPE_CHECKING:
    from smackbox.akka.remote.serialization import Serialization, Serialized

SHARDING_SERIALIZER = 13
ENVELOPE_SERIALIZER = 25


class _ShardEntry(msgspec.Struct, frozen=True):
    shard: Annotated[str, Proto(1)]
    region: Annotated[str, Proto(2)]


class _State(msgspec.Struct, frozen=True):
    shards: Annotated[list[_ShardEntry], Proto(1)] = []
    regions: Annotated[list[str], Proto(2)] = []
    proxies: Annotated[list[str], Proto(3)] = []
    unallocated: Annotated[list[str], Proto(4)] = []


class _Text(msgspec.Struct, frozen=True):
    """A reference, a shard's or an entity's id."""

    value: Annotated[str, Proto(1)]


class _HomesEntry(msgspec.Struct, frozen=True):
    region: Annotated[str, Proto(1)]
    shards: Annotated[list[str], Proto(2)] = []


class _Homes(msgspec.Struct, frozen=True):
    homes: Annotated[list[_HomesEntry], Proto(1)] = []


class _Address(msgspec.Struct, frozen=True):
    protocol: Annotated[str, Proto(1)]
    system: Annotated[str, Proto(2)]
    host: Annotated[str, Proto(3)]
    port: Annotated[int, Proto(4, "uint32")]


class _Regions(msgspec.Struct, frozen=True):
    regions: Annotated[list[_Address], Proto(1)] = []


class _Pair(msgspec.Struct, frozen=True):
    first: Annotated[str, Proto(1)]
    second: Annotated[str, Proto(2)]


class _ShardState(msgspec.Struct, frozen=True):
    shard: Annotated[str, Proto(1)]
    entities: Annotated[list[str], Proto(2)] = []


class _RegionState(msgspec.Struct, frozen=True):
    shards: Annotated[list[_ShardState], Proto(1)] = []
    failed: Annotated[list[str], Proto(2)] = []


class _Count(msgspec.Struct, frozen=True):
    shard: Annotated[str, Proto(1)] = ""
    entities: Annotated[int, Proto(2, "int32")] = 0


class _RegionStats(msgspec.Struct, frozen=True):
    stats: Annotated[list[_Count], Proto(1)] = []
    failed: Annotated[list[str], Proto(2)] = []


class _AskStats(msgspec.Struct, frozen=True):
    timeout_ns: Annotated[int, Proto(1, "int64")]


class _StatsEntry(msgspec.Struct, frozen=True):
    address: Annotated[_Address, Proto(1)]
    stats: Annotated[_RegionStats, Proto(2)]


class _ClusterStats(msgspec.Struct, frozen=True):
    regions: Annotated[list[_StatsEntry], Proto(1)] = []


class _Envelope(msgspec.Struct, frozen=True):
    entity_id: Annotated[str, Proto(1)]
    message: Annotated[Payload, Proto(2)]


def _write_state(own: Serialization, state: m.CoordinatorState) -> bytes:
    shards = [_ShardEntry(shard, own.path_of(region)) for shard, region in state.shards.items()]
    regions = [own.path_of(region) for region in state.regions]
    return java_gzip(encode(_State(shards, regions, [own.path_of(proxy) for proxy in state.proxies])))


def _read_state(own: Serialization, data: bytes) -> m.CoordinatorState:
    state = decode(_State, gunzip(data))
    regions: dict[Any, tuple[str, ...]] = {own.resolve(path): () for path in state.regions}
    shards = {}
    for entry in state.shards:
        region = own.resolve(entry.region)
        if region not in regions:
            raise WireError(f"the shard {entry.shard} is in a region that is not registered")
        shards[entry.shard] = region
        regions[region] = (*regions[region], entry.shard)
    return m.CoordinatorState(shards, regions, frozenset(own.resolve(path) for path in state.proxies))


def _write_homes(own: Serialization, homes: m.ShardHomes) -> bytes:
    return encode(_Homes([_HomesEntry(own.path_of(region), list(shards)) for region, shards in homes.homes.items()]))


def _read_homes(own: Serialization, data: bytes) -> m.ShardHomes:
    entries = decode(_Homes, data).homes
    return m.ShardHomes({own.resolve(entry.region): tuple(entry.shards) for entry in entries})


def _address(address: Address) -> _Address:
    assert address.host is not None and address.port is not None
    return _Address(address.protocol, address.system, address.host, address.port)


def _write_regions(_: Serialization, regions: m.CurrentRegions) -> bytes:
    return encode(_Regions([_address(address) for address in sorted(regions.regions, key=str)]))


def _read_regions(_: Serialization, data: bytes) -> m.CurrentRegions:
    found = decode(_Regions, data).regions
    return m.CurrentRegions(
        frozenset(Address(address.protocol, address.system, address.host, address.port) for address in found)
    )


def _write_region_state(_: Serialization, state: m.CurrentShardRegionState) -> bytes:
    shards = [_ShardState(shard, sorted(entities)) for shard, entities in state.shards.items()]
    return encode(_RegionState(shards, sorted(state.failed)))


def _read_region_state(_: Serialization, data: bytes) -> m.CurrentShardRegionState:
    state = decode(_RegionState, data)
    shards = {shard.shard: frozenset(shard.entities) for shard in state.shards}
    return m.CurrentShardRegionState(shards, frozenset(state.failed))


def _region_stats(stats: m.ShardRegionStats) -> _RegionStats:
    return _RegionStats([_Count(shard, count) for shard, count in stats.stats.items()], sorted(stats.failed))


def _of_region_stats(stats: _RegionStats) -> m.ShardRegionStats:
    return m.ShardRegionStats({count.shard: count.entities for count in stats.stats}, frozenset(stats.failed))


def _write_cluster_stats(_: Serialization, stats: m.ClusterShardingStats) -> bytes:
    regions = stats.regions.items()
    return encode(_ClusterStats([_StatsEntry(_address(address), _region_stats(one)) for address, one in regions]))


def _read_cluster_stats(_: Serialization, data: bytes) -> m.ClusterShardingStats:
    found = {}
    for entry in decode(_ClusterStats, data).regions:
        at = entry.address
        found[Address(at.protocol, at.system, at.host, at.port)] = _of_region_stats(entry.stats)
    return m.ClusterShardingStats(found)


def _read_home(own: Serialization, data: bytes) -> m.ShardHome:
    pair = decode(_Pair, data)
    return m.ShardHome(pair.first, own.resolve(pair.second))


def _read_ack(_: Serialization, data: bytes) -> m.StartEntityAck:
    pair = decode(_Pair, data)
    return m.StartEntityAck(pair.first, pair.second)


def _read_envelope(own: Serialization, data: bytes) -> m.ShardingEnvelope:
    envelope = decode(_Envelope, data)
    return m.ShardingEnvelope(envelope.entity_id, own.unpack(envelope.message))


Write = Callable[["Serialization", Any], bytes]
Read = Callable[["Serialization", bytes], Any]


def _ref(kind: Callable[[Any], Any], name: str) -> tuple[Write, Read]:
    return (
        lambda own, message: encode(_Text(own.path_of(getattr(message, name)))),
        lambda own, data: kind(own.resolve(decode(_Text, data).value)),
    )


def _text(kind: Callable[[str], Any], name: str) -> tuple[Write, Read]:
    return (
        lambda _, message: encode(_Text(getattr(message, name))),
        lambda _, data: kind(decode(_Text, data).value),
    )


def _empty(kind: Callable[[], Any]) -> tuple[Write, Read]:
    return lambda _, _message: b"", lambda _, _data: kind()


_TABLE: list[tuple[str, type, tuple[Write, Read]]] = [
    ("AA", m.CoordinatorState, (_write_state, _read_state)),
    ("BA", m.Register, _ref(m.Register, "region")),
    ("BB", m.RegisterProxy, _ref(m.RegisterProxy, "region")),
    ("BC", m.RegisterAck, _ref(m.RegisterAck, "coordinator")),
    ("BD", m.GetShardHome, _text(m.GetShardHome, "shard")),
    ("BE", m.ShardHome, (lambda own, home: encode(_Pair(home.shard, own.path_of(home.region))), _read_home)),
    ("BF", m.HostShard, _text(m.HostShard, "shard")),
    ("BG", m.ShardStarted, _text(m.ShardStarted, "shard")),
    ("BH", m.BeginHandOff, _text(m.BeginHandOff, "shard")),
    ("BI", m.BeginHandOffAck, _text(m.BeginHandOffAck, "shard")),
    ("BJ", m.HandOff, _text(m.HandOff, "shard")),
    ("BK", m.ShardStopped, _text(m.ShardStopped, "shard")),
    ("BL", m.GracefulShutdownReq, _ref(m.GracefulShutdownReq, "region")),
    ("BM", m.RegionStopped, _ref(m.RegionStopped, "region")),
    ("BN", m.ShardHomes, (_write_homes, _read_homes)),
    ("DC", m.GetShardRegionStats, _empty(m.GetShardRegionStats)),
    (
        "DD",
        m.ShardRegionStats,
        (
            lambda _, stats: encode(_region_stats(stats)),
            lambda _, data: _of_region_stats(decode(_RegionStats, data)),
        ),
    ),
    (
        "DE",
        m.GetClusterShardingStats,
        (
            lambda _, ask: encode(_AskStats(round(ask.timeout_s * 1e9))),
            lambda _, data: m.GetClusterShardingStats(decode(_AskStats, data).timeout_ns / 1e9),
        ),
    ),
    ("DF", m.ClusterShardingStats, (_write_cluster_stats, _read_cluster_stats)),
    ("DG", m.GetCurrentRegions, _empty(m.GetCurrentRegions)),
    ("DH", m.CurrentRegions, (_write_regions, _read_regions)),
    ("EA", m.StartEntity, _text(m.StartEntity, "entity_id")),
    ("EB", m.StartEntityAck, (lambda _, ack: encode(_Pair(ack.entity_id, ack.shard)), _read_ack)),
    ("FC", m.GetShardRegionState, _empty(m.GetShardRegionState)),
    ("FE", m.CurrentShardRegionState, (_write_region_state, _read_region_state)),
]


def _writer(manifest: str, write: Write) -> Callable[[Serialization, Any], Serialized]:
    return lambda own, message: (SHARDING_SERIALIZER, manifest, write(own, message))


WRITERS: dict[type, Callable[[Serialization, Any], Serialized]] = {
    **{kind: _writer(manifest, write) for manifest, kind, (write, _) in _TABLE},
    m.ShardingEnvelope: lambda own, envelope: (
        ENVELOPE_SERIALIZER,
        "a",
        encode(_Envelope(envelope.entity_id, own.payload(envelope.message))),
    ),
}
READERS: dict[tuple[int, str | None], Read] = {
    **{(SHARDING_SERIALIZER, manifest): read for manifest, _, (_, read) in _TABLE},
    (ENVELOPE_SERIALIZER, "a"): _read_envelope,
}
