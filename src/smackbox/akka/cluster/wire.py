"""Cluster messages as bytes: serializer 5, by manifest.

    IJ InitJoin   IJA InitJoinAck   IJN InitJoinNack   J Join   W Welcome (gzip)   GE GossipEnvelope (its gossip gzip)
    GS GossipStatus   HB Heartbeat   HBR HeartbeatRsp   EC ExitingConfirmed   L Leave   D Down

In a gossip, members and clocks name addresses, roles, versions and hashes by their place in lists.
Source: `ClusterMessages.proto` and `ClusterMessageSerializer` of Pekko 1.x.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec

from smackbox.akka.actor.path import Address
from smackbox.akka.cluster.gossip import Gossip
from smackbox.akka.cluster.member import DATA_CENTER_ROLE, Member, MemberStatus, UniqueAddress, by_address
from smackbox.akka.cluster.messages import (
    ConfigCheck,
    Down,
    ExitingConfirmed,
    GossipEnvelope,
    GossipStatus,
    Heartbeat,
    HeartbeatResponse,
    InitJoin,
    InitJoinAck,
    InitJoinNack,
    Join,
    Leave,
    Welcome,
)
from smackbox.akka.cluster.reachability import Reachability, ReachabilityStatus, Record
from smackbox.akka.cluster.vector_clock import VectorClock
from smackbox.akka.remote.serialization import gunzip
from smackbox.base.protobuf.message import Proto, decode, encode
from smackbox.base.protobuf.wire import WireError

if TYPE_CHECKING:
    from smackbox.akka.remote.serialization import Serialization, Serialized

CLUSTER_SERIALIZER = 5
_LOW32 = 0xFFFFFFFF

T = TypeVar("T")


class _Address(msgspec.Struct, frozen=True):
    system: Annotated[str, Proto(1)]
    host: Annotated[str, Proto(2)]
    port: Annotated[int, Proto(3, "uint32")]
    protocol: Annotated[str, Proto(4)] = "pekko"


class _UniqueAddress(msgspec.Struct, frozen=True):
    """The uid in two halves."""

    address: Annotated[_Address, Proto(1)]
    low: Annotated[int, Proto(2, "uint32")]
    high: Annotated[int, Proto(3, "uint32")] = 0


class _InitJoin(msgspec.Struct, frozen=True):
    config: Annotated[str | None, Proto(1)] = None


class _ConfigCheck(msgspec.Struct, frozen=True):
    type: Annotated[ConfigCheck, Proto(1)]
    config: Annotated[str | None, Proto(2)] = None


class _InitJoinAck(msgspec.Struct, frozen=True):
    address: Annotated[_Address, Proto(1)]
    check: Annotated[_ConfigCheck, Proto(2)]


class _Join(msgspec.Struct, frozen=True):
    node: Annotated[_UniqueAddress, Proto(1)]
    roles: Annotated[list[str], Proto(2)] = []
    app_version: Annotated[str, Proto(3)] = "0.0.0"


class _Heartbeat(msgspec.Struct, frozen=True):
    from_: Annotated[_Address, Proto(1)]
    sequence: Annotated[int, Proto(2, "int64")] = -1
    created_ns: Annotated[int, Proto(3, "sint64")] = -1


class _HeartbeatResponse(msgspec.Struct, frozen=True):
    from_: Annotated[_UniqueAddress, Proto(1)]
    sequence: Annotated[int, Proto(2, "int64")] = -1
    created_ns: Annotated[int, Proto(3, "int64")] = -1


class _Version(msgspec.Struct, frozen=True):
    hash: Annotated[int, Proto(1, "int32")]
    time: Annotated[int, Proto(2, "int64")]


class _VectorClock(msgspec.Struct, frozen=True):
    time: Annotated[int, Proto(1, "int64")] = 0
    versions: Annotated[list[_Version], Proto(2)] = []


class _Member(msgspec.Struct, frozen=True):
    address: Annotated[int, Proto(1, "int32")]
    up_number: Annotated[int, Proto(2, "int32")]
    status: Annotated[MemberStatus, Proto(3)]
    roles: Annotated[list[int], Proto(4, "int32", packed=True)] = []
    app_version: Annotated[int, Proto(5, "int32")] = 0


class _Subject(msgspec.Struct, frozen=True):
    address: Annotated[int, Proto(1, "int32")]
    status: Annotated[ReachabilityStatus, Proto(3)]
    version: Annotated[int, Proto(4, "int64")]


class _Observer(msgspec.Struct, frozen=True, kw_only=True):
    address: Annotated[int, Proto(1, "int32")]
    subjects: Annotated[list[_Subject], Proto(2)] = []
    version: Annotated[int, Proto(4, "int64")]


class _Overview(msgspec.Struct, frozen=True):
    seen: Annotated[list[int], Proto(1, "int32")] = []
    observers: Annotated[list[_Observer], Proto(2)] = []


class _Tombstone(msgspec.Struct, frozen=True):
    address: Annotated[int, Proto(1, "int32")]
    time_ms: Annotated[int, Proto(2, "int64")]


class _Gossip(msgspec.Struct, frozen=True, kw_only=True):
    addresses: Annotated[list[_UniqueAddress], Proto(1)] = []
    roles: Annotated[list[str], Proto(2)] = []
    hashes: Annotated[list[str], Proto(3)] = []
    members: Annotated[list[_Member], Proto(4)] = []
    overview: Annotated[_Overview, Proto(5)]
    version: Annotated[_VectorClock, Proto(6)]
    tombstones: Annotated[list[_Tombstone], Proto(7)] = []
    app_versions: Annotated[list[str], Proto(8)] = []


class _Welcome(msgspec.Struct, frozen=True):
    from_: Annotated[_UniqueAddress, Proto(1)]
    gossip: Annotated[_Gossip, Proto(2)]


class _GossipEnvelope(msgspec.Struct, frozen=True):
    from_: Annotated[_UniqueAddress, Proto(1)]
    to: Annotated[_UniqueAddress, Proto(2)]
    gossip: Annotated[bytes, Proto(3)]


class _GossipStatus(msgspec.Struct, frozen=True):
    from_: Annotated[_UniqueAddress, Proto(1)]
    hashes: Annotated[list[str], Proto(2)]
    version: Annotated[_VectorClock, Proto(3)]
    seen_digest: Annotated[bytes, Proto(4)] = b""


# -- addresses


def _address(address: Address) -> _Address:
    assert address.host is not None and address.port is not None
    return _Address(address.system, address.host, address.port, address.protocol)


def _from_address(data: _Address) -> Address:
    return Address(data.protocol, data.system, data.host, data.port)


def _node(node: UniqueAddress) -> _UniqueAddress:
    return _UniqueAddress(_address(node.address), node.uid & _LOW32, (node.uid >> 32) & _LOW32)


def _from_node(data: _UniqueAddress) -> UniqueAddress:
    uid = (data.high << 32) | data.low
    return UniqueAddress(_from_address(data.address), uid - (1 << 64) if uid >> 63 else uid)


# -- gossip


def _clock(clock: VectorClock) -> tuple[list[str], _VectorClock]:
    hashes = sorted(clock.versions)
    return hashes, _VectorClock(0, [_Version(place, clock.versions[name]) for place, name in enumerate(hashes)])


def _from_clock(hashes: Sequence[str], data: _VectorClock) -> VectorClock:
    return VectorClock({_at(hashes, version.hash): version.time for version in data.versions})


def _at(values: Sequence[T], place: int) -> T:
    if not 0 <= place < len(values):
        raise WireError(f"a gossip names place {place} of {len(values)}")
    return values[place]


def _gossip(gossip: Gossip) -> _Gossip:
    members = by_address(gossip.members.values())
    nodes = [member.node for member in members] + [node for node in gossip.tombstones if node not in gossip.members]
    place = {node: index for index, node in enumerate(nodes)}
    roles = sorted({role for member in members for role in member.roles})
    versions = sorted({member.app_version for member in members})
    hashes, clock = _clock(gossip.version)
    observers = [
        _Observer(
            address=place[observer],
            subjects=[
                _Subject(place[subject], record.status, record.version)
                for subject, record in gossip.reachability.rows.get(observer, {}).items()
            ],
            version=version,
        )
        for observer, version in gossip.reachability.versions.items()
    ]
    return _Gossip(
        addresses=[_node(node) for node in nodes],
        roles=roles,
        hashes=hashes,
        members=[
            _Member(
                place[member.node],
                member.up_number,
                member.status,
                sorted(roles.index(role) for role in member.roles),
                versions.index(member.app_version),
            )
            for member in members
        ],
        overview=_Overview(sorted(place[node] for node in gossip.seen), observers),
        version=clock,
        tombstones=[_Tombstone(place[node], time_ms) for node, time_ms in gossip.tombstones.items()],
        app_versions=versions,
    )


def _from_gossip(data: _Gossip) -> Gossip:
    nodes = [_from_node(node) for node in data.addresses]
    rows, versions = {}, {}
    for observer in data.overview.observers:
        node = _at(nodes, observer.address)
        versions[node] = observer.version
        if observer.subjects:
            rows[node] = {
                _at(nodes, subject.address): Record(subject.status, subject.version) for subject in observer.subjects
            }
    members = [_from_member(member, nodes, data) for member in data.members]
    return Gossip(
        {member.node: member for member in members},
        frozenset(_at(nodes, place) for place in data.overview.seen),
        Reachability(rows, versions),
        _from_clock(data.hashes, data.version),
        {_at(nodes, tombstone.address): tombstone.time_ms for tombstone in data.tombstones},
    )


def _from_member(data: _Member, nodes: Sequence[UniqueAddress], gossip: _Gossip) -> Member:
    version = _at(gossip.app_versions, data.app_version) if gossip.app_versions else "0.0.0"
    roles = _with_data_center(_at(gossip.roles, place) for place in data.roles)
    return Member(_at(nodes, data.address), data.status, data.up_number, roles, version)


def _with_data_center(roles: Any) -> frozenset[str]:
    known = frozenset(roles)
    return known if any(role.startswith("dc-") for role in known) else known | {DATA_CENTER_ROLE}


# -- messages


def _pack(message: msgspec.Struct) -> bytes:
    return gzip.compress(encode(message), mtime=0)


def _write_status(status: GossipStatus) -> bytes:
    hashes, clock = _clock(status.version)
    return encode(_GossipStatus(_node(status.from_), hashes, clock, status.seen_digest))


def _read_status(data: bytes) -> GossipStatus:
    status = decode(_GossipStatus, data)
    return GossipStatus(_from_node(status.from_), _from_clock(status.hashes, status.version), status.seen_digest)


def _read_init_join_ack(data: bytes) -> InitJoinAck:
    ack = decode(_InitJoinAck, data)
    return InitJoinAck(_from_address(ack.address), ack.check.type, ack.check.config)


def _read_join(data: bytes) -> Join:
    join = decode(_Join, data)
    return Join(_from_node(join.node), _with_data_center(join.roles), join.app_version)


def _read_welcome(data: bytes) -> Welcome:
    welcome = decode(_Welcome, gunzip(data))
    return Welcome(_from_node(welcome.from_), _from_gossip(welcome.gossip))


def _read_envelope(data: bytes) -> GossipEnvelope:
    envelope = decode(_GossipEnvelope, data)
    gossip = _from_gossip(decode(_Gossip, gunzip(envelope.gossip)))
    return GossipEnvelope(_from_node(envelope.from_), _from_node(envelope.to), gossip)


def _read_heartbeat(data: bytes) -> Heartbeat:
    beat = decode(_Heartbeat, data)
    return Heartbeat(_from_address(beat.from_), beat.sequence, beat.created_ns)


def _read_response(data: bytes) -> HeartbeatResponse:
    response = decode(_HeartbeatResponse, data)
    return HeartbeatResponse(_from_node(response.from_), response.sequence, response.created_ns)


_TABLE: list[tuple[str, type, Callable[[Any], bytes], Callable[[bytes], Any]]] = [
    (
        "IJ",
        InitJoin,
        lambda message: encode(_InitJoin(message.config)),
        lambda data: InitJoin(decode(_InitJoin, data).config or ""),
    ),
    (
        "IJA",
        InitJoinAck,
        lambda message: encode(_InitJoinAck(_address(message.address), _ConfigCheck(message.check, message.config))),
        _read_init_join_ack,
    ),
    (
        "IJN",
        InitJoinNack,
        lambda message: encode(_address(message.address)),
        lambda data: InitJoinNack(_from_address(decode(_Address, data))),
    ),
    (
        "J",
        Join,
        lambda message: encode(_Join(_node(message.node), sorted(message.roles), message.app_version)),
        _read_join,
    ),
    ("W", Welcome, lambda message: _pack(_Welcome(_node(message.from_), _gossip(message.gossip))), _read_welcome),
    (
        "GE",
        GossipEnvelope,
        lambda message: encode(
            _GossipEnvelope(_node(message.from_), _node(message.to), _pack(_gossip(message.gossip)))
        ),
        _read_envelope,
    ),
    ("GS", GossipStatus, _write_status, _read_status),
    (
        "HB",
        Heartbeat,
        lambda message: encode(_Heartbeat(_address(message.from_), message.sequence, message.created_ns)),
        _read_heartbeat,
    ),
    (
        "HBR",
        HeartbeatResponse,
        lambda message: encode(_HeartbeatResponse(_node(message.from_), message.sequence, message.created_ns)),
        _read_response,
    ),
    (
        "EC",
        ExitingConfirmed,
        lambda message: encode(_node(message.node)),
        lambda data: ExitingConfirmed(_from_node(decode(_UniqueAddress, data))),
    ),
    (
        "L",
        Leave,
        lambda message: encode(_address(message.address)),
        lambda data: Leave(_from_address(decode(_Address, data))),
    ),
    (
        "D",
        Down,
        lambda message: encode(_address(message.address)),
        lambda data: Down(_from_address(decode(_Address, data))),
    ),
]


def _writer(manifest: str, to_bytes: Callable[[Any], bytes]) -> Callable[[Serialization, Any], Serialized]:
    return lambda _, message: (CLUSTER_SERIALIZER, manifest, to_bytes(message))


def _reader(from_bytes: Callable[[bytes], Any]) -> Callable[[Serialization, bytes], Any]:
    return lambda _, data: from_bytes(data)


WRITERS: dict[type, Callable[[Serialization, Any], Serialized]] = {
    kind: _writer(manifest, to_bytes) for manifest, kind, to_bytes, _ in _TABLE
}
READERS: dict[tuple[int, str | None], Callable[[Serialization, bytes], Any]] = {
    (CLUSTER_SERIALIZER, manifest): _reader(from_bytes) for manifest, _, _, from_bytes in _TABLE
}
