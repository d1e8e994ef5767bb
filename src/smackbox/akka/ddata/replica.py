"""A replica as a plain synchronous state machine: the data of one node, and how all come to the same data.

    update     here at once; its delta goes to the others at the next delta ticks, to those that must confirm at once
    gossip     each `gossip_s` to one node: digests of the data; what differs is sent in full, one way or both
    pruning    what removed nodes did is taken over by the leader (`envelope.py`), for which all must be reachable

Source: `Replicator` of Pekko 1.4 and `pekko.cluster.distributed-data` of its `reference.conf`.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from smackbox.akka.cluster.member import Member, MemberStatus, UniqueAddress
from smackbox.akka.cluster.messages import DomainEvent, MemberEvent, MemberRemoved, ReachableMember, UnreachableMember
from smackbox.akka.cluster.names import java_hash
from smackbox.akka.ddata.data import DELETED, NO_DELTA, Data, Delta
from smackbox.akka.ddata.delta_propagation import MAX_SIZE, TICKS_A_GOSSIP, DeltaPropagation
from smackbox.akka.ddata.envelope import DELETED_ENVELOPE, DataEnvelope, Initialized, Performed
from smackbox.akka.ddata.messages import (
    DeltaNack,
    Deltas,
    Gossip,
    RangedDelta,
    Read,
    ReadResult,
    ReplicatorMessage,
    Status,
    Write,
    WriteAck,
    WriteNack,
)
from smackbox.akka.ddata.version_vector import VersionVector

DELETED_DIGEST = b""
NOT_FOUND_DIGEST = b"\xff"
CHUNKS_A_GOSSIP = 10
FRAME_BYTES = 256 * 1024 - 128
"""A gossip message is at most about so long."""
ENTRY_BYTES = 200

log = logging.getLogger("smackbox.akka.ddata")

Reply = Callable[[ReplicatorMessage], None]


@dataclass(frozen=True, slots=True)
class ReplicatorSettings:
    """`role` None is all members. `prefer_oldest` reads from and writes to the oldest nodes first.

    `durable_keys` (`name`, or `prefix*`) are kept in `durable_file`, and loaded at the start.
    """

    role: str | None = None
    gossip_s: float = 2.0
    notify_s: float = 0.5
    max_keys: int = 500
    max_delta_size: int = MAX_SIZE
    prefer_oldest: bool = False
    pruning_s: float = 120.0
    max_dissemination_s: float = 300.0
    marker_s: float = 6 * 3_600.0
    durable_marker_s: float = 10 * 24 * 3_600.0
    durable_keys: tuple[str, ...] = ()
    durable_file: Path | None = None

    def is_durable(self, key: str) -> bool:
        """Whether a key is kept in the file."""
        return self.durable_file is not None and any(
            key.startswith(name[:-1]) if name.endswith("*") else key == name for name in self.durable_keys
        )

    @property
    def delta_s(self) -> float:
        """How often deltas go out: five times a gossip, at most five times a second."""
        return max(0.2, self.gossip_s / TICKS_A_GOSSIP)


class Replica:
    """`send` gives a message to the replica of a node; `write_envelope` the bytes that digests are of; `store` keeps an
    envelope of a durable key.
    """

    def __init__(
        self,
        own: UniqueAddress,
        settings: ReplicatorSettings,
        *,
        send: Callable[[UniqueAddress, ReplicatorMessage], None],
        write_envelope: Callable[[DataEnvelope], bytes],
        chance: Callable[[], float],
        wall_ms: Callable[[], int],
        store: Callable[[str, DataEnvelope], None] | None = None,
    ) -> None:
        self.own = own
        self.changed: set[str] = set()
        """Keys that changed since subscribers were notified."""
        self._settings = settings
        self._send = send
        self._write_envelope = write_envelope
        self._chance = chance
        self._wall_ms = wall_ms
        self._store = store
        self._data: dict[str, DataEnvelope] = {}
        self._digests: dict[str, tuple[bytes, int]] = {}
        self._deltas = DeltaPropagation(settings.max_delta_size)
        self._members: dict[UniqueAddress, Member] = {}
        self._unreachable: set[UniqueAddress] = set()
        self._removed: dict[UniqueAddress, float] = {}
        self._reachable_s = 0.0
        self._chunk = 0

    # -- the cluster

    def begin(self, members: Iterable[Member], unreachable: Iterable[UniqueAddress]) -> None:
        """The members at the start; later ones come as events."""
        for member in members:
            if self._matches(member):
                self._members[member.node] = member
        self._unreachable |= set(unreachable)

    def cluster_event(self, event: DomainEvent) -> None:
        """A change of who is a member or reachable."""
        match event:
            case MemberRemoved(member):
                if self._members.pop(member.node, None) is not None:
                    self._removed[member.node] = self._reachable_s
                    self._unreachable.discard(member.node)
                    self._deltas.forget(member.node)
            case MemberEvent(member) if self._matches(member):
                self._members[member.node] = member
            case UnreachableMember(member):
                self._unreachable.add(member.node)
            case ReachableMember(member):
                self._unreachable.discard(member.node)
            case _:
                pass

    def _matches(self, member: Member) -> bool:
        return self._settings.role is None or self._settings.role in member.roles

    @property
    def nodes(self) -> list[UniqueAddress]:
        """All others that were Up, by address."""
        return [node for node in self._others() if self._members[node].up_number != _NEVER_UP]

    @property
    def _gossip_nodes(self) -> list[UniqueAddress]:
        return [n for n in self._others() if self._members[n].status is not MemberStatus.JOINING]

    def _others(self) -> list[UniqueAddress]:
        return sorted((node for node in self._members if node != self.own), key=lambda node: node.order)

    def ordered_nodes(self, *, exclude_exiting: bool, keep_order: bool) -> tuple[list[UniqueAddress], int]:
        """Nodes to read from or write to, the best first, and how many there are."""
        nodes = self.nodes
        if exclude_exiting:
            nodes = [node for node in nodes if self._members[node].status is not MemberStatus.EXITING]
        if self._settings.prefer_oldest:
            nodes.sort(key=lambda node: self._members[node].age)
        elif not keep_order:
            nodes.sort(key=lambda _: self._chance())
        near = [node for node in nodes if node not in self._unreachable]
        return near + [node for node in nodes if node in self._unreachable], len(nodes)

    @property
    def _leads(self) -> bool:
        """As Pekko's: the first member by status and address, and Up."""
        first = min(self._members.values(), key=lambda member: member.leader_order, default=None)
        return first is not None and first.node == self.own and first.status is MemberStatus.UP

    # -- data

    def get(self, key: str) -> DataEnvelope | None:
        """What this replica has; None for nothing."""
        return self._data.get(key)

    @property
    def keys(self) -> list[str]:
        """Of data that is not deleted."""
        return [key for key, envelope in self._data.items() if envelope.data is not DELETED]

    def update(self, key: str, initial: Data, change: Callable[[Data], Data]) -> tuple[DataEnvelope, Delta | None]:
        """The envelope, and the delta of this change where there is one. Raises what `change` raises.

        For a key that was deleted nothing is changed.
        """
        old = self._data.get(key)
        if old is not None and old.data is DELETED:
            return old, None
        data = change(initial if old is None else old.data)
        whole = data.reset_delta()
        envelope = DataEnvelope(whole) if old is None else old.with_data(whole)
        delta: Delta | None = None
        if data.has_deltas:
            found = data.delta
            delta = found if isinstance(found, Delta) else NO_DELTA
            self._deltas.update(key, delta)
        return self._set(key, envelope), None if delta is NO_DELTA else delta

    def ranged(self, key: str, envelope: DataEnvelope, delta: Delta) -> RangedDelta:
        """The last change of a key as a delta with its number."""
        number = self._deltas.number(key)
        return RangedDelta(replace(envelope, data=delta), number, number)

    def delete(self, key: str) -> None:
        """Delete a key here, for good."""
        self._set(key, DELETED_ENVELOPE)

    def write(self, key: str, envelope: DataEnvelope) -> bool:
        """Merge what another replica has. False for data of another kind."""
        old = self._data.get(key)
        try:
            if old is None:
                merged = envelope.from_delta
            elif old.data is DELETED:
                return True
            else:
                merged = old.merge(envelope, self._wall_ms())
        except TypeError as error:
            log.warning("what another node has as %s does not merge with what is here: %s", key, error)
            return False
        self._set(key, merged.add_seen(self.own.address))
        return True

    def _set(self, key: str, envelope: DataEnvelope) -> DataEnvelope:
        number = 0 if envelope.data is DELETED else self._deltas.number(key)
        if number and envelope.deltas.at(self.own) != number:
            envelope = replace(envelope, deltas=envelope.deltas.merge(VersionVector({self.own: number})))
        old = self._data.get(key)
        if old is not None and old == envelope:
            return old
        if old is None or old.data != envelope.data:
            self.changed.add(key)
        self._data[key] = envelope
        self._digests.pop(key, None)
        if self._store is not None and self._settings.is_durable(key):
            self._store(key, envelope)
        if envelope.data is DELETED:
            self._deltas.delete(key)
        return envelope

    def digest(self, key: str) -> bytes:
        """SHA-1 of the data of a key, without its delta versions."""
        return self._digest_and_size(key)[0]

    def _digest_and_size(self, key: str) -> tuple[bytes, int]:
        envelope = self._data.get(key)
        if envelope is None:
            return NOT_FOUND_DIGEST, 0
        if envelope.data is DELETED:
            return DELETED_DIGEST, 0
        found = self._digests.get(key)
        if found is None:
            body = self._write_envelope(replace(envelope, deltas=VersionVector()))
            found = self._digests[key] = hashlib.sha1(body, usedforsecurity=False).digest(), len(body)
        return found

    # -- messages

    def receive(self, message: ReplicatorMessage, reply: Reply) -> None:
        """A message of another replica; `reply` answers it."""
        match message:
            case Status(_, _, _, to_uid) | Gossip(_, _, to_uid) if to_uid is not None and to_uid != self.own.uid:
                log.info("a message of distributed data for an earlier incarnation of this node is ignored")
            case Status():
                self._receive_status(message, reply)
            case Gossip():
                self._receive_gossip(message, reply)
            case Read(_, from_) | Write(_, _, from_) if from_ is not None and not self._knows(from_):
                log.info("a message of distributed data of %s, which is no member, is ignored", from_)
            case Read(key):
                reply(ReadResult(self._data.get(key)))
            case Write(key, envelope):
                reply(WriteAck() if self.write(key, envelope) else WriteNack())
            case Deltas(from_) if self._knows(from_):
                self._receive_deltas(message, reply)

    def _knows(self, node: UniqueAddress) -> bool:
        return node == self.own or node in self._members

    def _receive_deltas(self, message: Deltas, reply: Reply) -> None:
        from_ = message.from_
        if from_ in self._removed or any(from_ in self._pruning(key) for key in message.deltas):
            return
        for key, delta in message.deltas.items():
            answer: ReplicatorMessage = WriteAck()
            data = delta.envelope.data
            if data.ordered_deltas:
                old = self._data.get(key)
                number = 0 if old is None else old.deltas.at(from_)
                if number < delta.last and delta.first > number + 1:
                    answer = DeltaNack()
                elif number < delta.last:
                    envelope = replace(delta.envelope, deltas=VersionVector({from_: delta.last}))
                    answer = WriteAck() if self.write(key, envelope) else WriteNack()
            elif not self.write(key, delta.envelope):
                answer = WriteNack()
            if message.reply:
                reply(answer)

    def _pruning(self, key: str) -> Iterable[UniqueAddress]:
        envelope = self._data.get(key)
        return () if envelope is None else envelope.pruning

    def _receive_status(self, status: Status, reply: Reply) -> None:
        differing = [key for key, digest in status.digests.items() if key in self._data and self.digest(key) != digest]
        mine = [key for key in self._data if _chunk_of(key, status.chunks) == status.chunk]
        missing_there = [key for key in mine if key not in status.digests]
        keys = (differing + missing_there)[: self._settings.max_keys]
        for gossip in self._gossips(keys, bool(differing), status.from_uid):
            reply(gossip)
        missing = [key for key in status.digests if key not in self._data]
        if missing:
            digests = dict.fromkeys(missing, NOT_FOUND_DIGEST)
            reply(Status(digests, status.chunk, status.chunks, status.from_uid, self.own.uid))

    def _receive_gossip(self, gossip: Gossip, reply: Reply) -> None:
        back = []
        for key, envelope in gossip.data.items():
            had = key in self._data
            self.write(key, envelope)
            if key in self._data and (had or self._data[key].pruning):
                back.append(key)
        if gossip.send_back:
            for answer in self._gossips(back, False, gossip.from_uid):
                reply(answer)

    def _gossips(self, keys: list[str], send_back: bool, to_uid: int | None) -> list[Gossip]:
        """As few messages as the limit of a frame allows."""
        found: list[Gossip] = []
        entries: dict[str, DataEnvelope] = {}
        size = 0
        for key in keys:
            more = len(key) + self._digest_and_size(key)[1] + ENTRY_BYTES
            if entries and size + more > FRAME_BYTES:
                found.append(Gossip(entries, send_back, to_uid, self.own.uid))
                entries, size = {}, 0
            entries[key] = self._data[key]
            size += more
        if entries:
            found.append(Gossip(entries, send_back, to_uid, self.own.uid))
        return found

    # -- ticks

    def gossip_tick(self) -> None:
        """Each `gossip_s`."""
        nodes = self._gossip_nodes
        if not self._unreachable:
            self._reachable_s += self._settings.gossip_s
        if not nodes:
            return
        node = nodes[min(int(self._chance() * len(nodes)), len(nodes) - 1)]
        chunks = 1 if len(self._data) <= self._settings.max_keys else len(self._data) // self._settings.max_keys
        for _ in range(min(chunks, CHUNKS_A_GOSSIP)):
            self._chunk = (self._chunk + 1) % chunks
            keys = [key for key in self._data if _chunk_of(key, chunks) == self._chunk]
            digests = {key: self.digest(key) for key in keys}
            self._send(node, Status(digests, self._chunk, chunks, node.uid, self.own.uid))

    def delta_tick(self) -> None:
        """Each `delta_s`."""
        nodes = [node for node in self._gossip_nodes if node not in self._unreachable]
        for node, deltas in self._deltas.collect(nodes).items():
            ranged = {
                key: RangedDelta(replace(self._data[key], data=delta), first, last)
                for key, (delta, first, last) in deltas.items()
                if delta is not NO_DELTA and key in self._data
            }
            if ranged:
                self._send(node, Deltas(self.own, False, ranged))
        if self._deltas.count % TICKS_A_GOSSIP == 0:
            self._deltas.clean_up(nodes)

    def pruning_tick(self) -> None:
        """Each `pruning_s`."""
        if self._unreachable:
            return
        if self._leads:
            self._collect_removed()
            self._initialize_pruning()
        self._perform_pruning()

    def _collect_removed(self) -> None:
        for envelope in self._data.values():
            for node in envelope.data.modified_by:
                if not self._knows(node):
                    self._removed.setdefault(node, self._reachable_s)

    def _initialize_pruning(self) -> None:
        limit_s = self._settings.max_dissemination_s
        due = [node for node, at_s in self._removed.items() if self._reachable_s - at_s > limit_s]
        for key, envelope in list(self._data.items()):
            changed = envelope
            for node in due:
                state = changed.pruning.get(node)
                other = isinstance(state, Initialized) and state.owner != self.own
                if changed.data.needs_pruning(node) and (state is None or other):
                    changed = changed.initialize_pruning(node, self.own)
            if changed is not envelope:
                self._set(key, changed)

    def _perform_pruning(self) -> None:
        addresses = {node.address for node in self._gossip_nodes}
        now_ms = self._wall_ms()
        for key, envelope in list(self._data.items()):
            durable = self._settings.is_durable(key)
            marker_s = self._settings.durable_marker_s if durable else self._settings.marker_s
            performed = Performed(now_ms + int(marker_s * 1_000))
            changed = envelope
            for node, state in envelope.pruning.items():
                if isinstance(state, Performed):
                    if state.obsolete_ms <= now_ms:
                        self._removed.pop(node, None)
                        kept = {other: its for other, its in changed.pruning.items() if other != node}
                        changed = replace(changed, pruning=kept)
                elif state.owner == self.own and addresses <= state.seen:
                    changed = changed.perform_pruning(node, self.own, performed)
            if changed is not envelope:
                self._set(key, changed)


_NEVER_UP = 2**31 - 1


def _chunk_of(key: str, chunks: int) -> int:
    """By Java's hash of a string, as the JVM's replicas divide keys."""
    return abs(java_hash(key)) % chunks
