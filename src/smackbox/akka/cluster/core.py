"""A node of a cluster as a plain synchronous state machine: messages and time go in, messages and events come out.

    uninitialized -> (join seed nodes, join one, join itself) -> joining -> member -> stopped

`tick` is called each `tick_s`: with every third one the node gossips, sends heartbeats, looks for silent members,
and acts as the leader if it is one; between them it gossips only while news spreads.
Source: Pekko's `ClusterCoreDaemon`, `SeedNodeProcess` and `MembershipState`; the numbers are its `reference.conf`'s.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from smackbox.akka.actor.path import Address
from smackbox.akka.cluster import config_check
from smackbox.akka.cluster.config_check import Config
from smackbox.akka.cluster.downing import PROVIDER, KeepMajority
from smackbox.akka.cluster.events import differences
from smackbox.akka.cluster.gossip import Gossip
from smackbox.akka.cluster.heartbeats import Heartbeats
from smackbox.akka.cluster.member import (
    AGE_UNKNOWN,
    DATA_CENTER_ROLE,
    GONE,
    TRANSITIONS,
    Member,
    MemberStatus,
    UniqueAddress,
    by_address,
)
from smackbox.akka.cluster.messages import (
    ClusterMessage,
    ClusterShuttingDown,
    ConfigCheck,
    DomainEvent,
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
from smackbox.akka.cluster.reachability import ReachabilityStatus
from smackbox.akka.cluster.resolver import DowningSettings, LeaseRequests, SplitBrainResolver
from smackbox.akka.cluster.vector_clock import Order
from smackbox.akka.remote.failure_detector import DetectorSettings

TICK_S = 1 / 3
TICKS_A_ROUND = 3
LAST_GOSSIPS = 5
"""Nodes that a node tells in full when it goes."""
DOWN_TICKS = 4
"""Rounds that a node that is down waits until others know of it before it stops."""
TOMBSTONES_MS = 24 * 3_600_000
RANDOM_PEER_ABOVE = 400

log = logging.getLogger("smackbox.akka.cluster")


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """`min_members` is how many must join before the first becomes Up; `weakly_up_after_s` None means never.

    `tick_s` is a third of the gossip interval. Without `downing`, unreachable members must be downed by hand. `config`
    are keys beside the usual ones that must be the same on all nodes.
    """

    roles: frozenset[str] = frozenset()
    app_version: str = "0.0.0"
    min_members: int = 1
    weakly_up_after_s: float | None = 7.0
    seed_node_timeout_s: float = 5.0
    retry_join_after_s: float = 10.0
    different_view_probability: float = 0.8
    tick_s: float = TICK_S
    downing: DowningSettings | None = None
    config: Config = field(default_factory=dict)
    detector: DetectorSettings = field(default_factory=DetectorSettings)


class Phase(enum.Enum):
    """The state of a node in its cluster."""

    UNINITIALIZED = "uninitialized"
    JOINING = "joining"
    MEMBER = "member"
    STOPPED = "stopped"


Send = Callable[[Address, ClusterMessage], None]


class ClusterCore:
    """`send` gives a message to a node's daemon, `publish` an event to this node's subscribers, `chance` 0 to 1.

    `exiting` is called once, when this node must finish its work; `exiting_completed` is the answer. `wall_ms` is the
    time for tombstones. `lease` is for lease-majority; `lease_result` is its answer.
    """

    def __init__(
        self,
        own: UniqueAddress,
        settings: ClusterSettings,
        *,
        send: Send,
        publish: Callable[[DomainEvent], None],
        exiting: Callable[[], None],
        chance: Callable[[], float],
        wall_ms: Callable[[], int],
        lease: LeaseRequests | None = None,
    ) -> None:
        self.own = own
        self.gossip = Gossip()
        self.phase = Phase.UNINITIALIZED
        self._settings = settings
        self._roles = settings.roles
        if not any(role.startswith("dc-") for role in self._roles):
            self._roles |= {DATA_CENTER_ROLE}
        self._send = send
        self._publish = publish
        self._exiting = exiting
        self._chance = chance
        self._wall_ms = wall_ms
        self._heartbeats = Heartbeats(own, settings.detector)
        self._ticks = 0
        self._sequence = 0
        self._seeds: Sequence[Address] = ()
        self._asked: set[Address] = set()
        self._deadline_s = 0.0
        self._joining_to: Address | None = None
        self._exiting_in_progress = False
        self._confirmed: set[UniqueAddress] = set()
        self._waited_rounds = 0
        self._down_rounds = 0
        downing = settings.downing
        self._resolver: SplitBrainResolver | None = None
        if downing is not None:
            self._resolver = SplitBrainResolver(own, downing, lease)
        strategy = KeepMajority() if downing is None else downing.strategy
        provider = "" if downing is None else PROVIDER
        self._config = config_check.own_config(provider, strategy.name, settings.config)

    # -- users' requests

    def join_seed_nodes(self, seeds: Sequence[Address], now_s: float) -> None:
        """Join by the first of them that answers. The first node of the list forms a cluster if none does."""
        if self.phase in {Phase.MEMBER, Phase.STOPPED}:
            log.info("%s does not join %s: it is %s", self.own.address, seeds, self.phase.value)
            return
        for seed in seeds:
            self._check(seed)
        self._seeds = tuple(seeds)
        self._joining_to = None
        self.phase = Phase.UNINITIALIZED
        if set(seeds) == {self.own.address}:
            self.join(self.own.address, now_s)
            return
        self._asked = set(seeds) - {self.own.address}
        self._deadline_s = now_s + self._settings.seed_node_timeout_s
        self._ask_seeds()

    def join(self, address: Address, now_s: float) -> None:
        """Join one node; joining oneself forms a cluster. Raises `ValueError` for a system of another name."""
        if self.phase in {Phase.MEMBER, Phase.STOPPED}:
            return
        self._check(address)
        self._asked = set()
        if address == self.own.address:
            self.phase = Phase.MEMBER
            self._add(Join(self.own, self._roles, self._settings.app_version), now_s)
            return
        self.phase = Phase.JOINING
        self._joining_to = address
        self._deadline_s = now_s + self._settings.retry_join_after_s
        self._send(address, Join(self.own, self._roles, self._settings.app_version))

    def leave(self, address: Address, now_s: float) -> None:
        """Move a member to Leaving; the leader does the rest."""
        member = self._member_at(address)
        if member is None or MemberStatus.LEAVING not in TRANSITIONS[member.status]:
            return
        self._update(self.gossip.update([member.to(MemberStatus.LEAVING)]), now_s)
        self._gossip_round()

    def down(self, address: Address, now_s: float) -> None:
        """Down a member: the leader removes it. A live member stops when it learns that it was downed."""
        member = self._member_at(address)
        if member is None or member.status is MemberStatus.DOWN:
            return
        self._update(self.gossip.down(member.node), now_s)
        if member.node == self.own:
            self._tell_some(LAST_GOSSIPS)
        else:
            self._gossip_to(member.node)

    def exiting_completed(self, now_s: float) -> None:
        """This node's work is done: notify present and possible leaders, and stop."""
        self._exiting_in_progress = False
        if self.gossip.status(self.own) is not MemberStatus.REMOVED:
            self._replace(self.gossip.see(self.own), now_s)
            self._tell_some(LAST_GOSSIPS)
            first = self.gossip.leader(self.own, without={self.own})
            if first is not None:
                self._send(first.address, ExitingConfirmed(self.own))
                second = self.gossip.leader(self.own, without={self.own, first})
                if second is not None:
                    self._send(second.address, ExitingConfirmed(self.own))
        self.stop()

    def stop(self) -> None:
        """Send nothing from now on."""
        if self.phase is not Phase.STOPPED:
            self.phase = Phase.STOPPED
            self._publish(ClusterShuttingDown())

    def quarantined(self, node: UniqueAddress, now_s: float) -> None:
        """The remoting has quarantined an incarnation of a node: mark it terminated, to be downed."""
        if node in self.gossip.members and self.phase is Phase.MEMBER:
            reachability = self.gossip.reachability.change(self.own, node, ReachabilityStatus.TERMINATED)
            if reachability is not self.gossip.reachability:
                self._update(replace(self.gossip, reachability=reachability), now_s)

    def lease_result(self, held: bool, now_s: float) -> None:
        """The answer to `LeaseRequests.ask`; False also if the request failed."""
        if self._resolver is not None and self.phase is Phase.MEMBER:
            self._down_all(self._resolver.lease_result(held, now_s), now_s)

    def quarantined_by(self, node: UniqueAddress, now_s: float) -> None:
        """A member has quarantined this node. With a split brain resolver it downs itself."""
        if self._resolver is not None and self.phase is Phase.MEMBER:
            self._down_all(self._resolver.quarantined(node, now_s), now_s)

    # -- messages

    def receive(self, message: ClusterMessage, reply: Callable[[ClusterMessage], None], now_s: float) -> None:
        """`reply` answers the sender."""
        if self.phase is Phase.STOPPED:
            return
        match message:
            case InitJoin():
                self._answer_init_join(message, reply)
            case InitJoinAck():
                self._init_join_acknowledged(message, now_s)
            case InitJoinNack(address):
                self._init_join_refused(address, now_s)
            case Welcome():
                self._welcomed(message, now_s)
            case HeartbeatResponse(from_):
                self._heartbeats.answered(from_, now_s)
            case Heartbeat(_, sequence, created_ns):
                reply(HeartbeatResponse(self.own, sequence, created_ns))
            case _ if self.phase is Phase.MEMBER:
                self._receive_as_member(message, now_s)

    def _receive_as_member(self, message: ClusterMessage, now_s: float) -> None:
        match message:
            case Join():
                self._add(message, now_s)
            case GossipEnvelope():
                self._receive_gossip(message, now_s)
            case GossipStatus():
                self._receive_status(message)
            case ExitingConfirmed(node):
                self._confirmed.add(node)
            case Leave(address):
                self.leave(address, now_s)
            case Down(address):
                self.down(address, now_s)

    def tick(self, now_s: float) -> None:
        """Called each `tick_s`."""
        self._ticks += 1
        full = self._ticks % TICKS_A_ROUND == 0
        if self.phase is Phase.MEMBER:
            if full:
                self._beat(now_s)
                self._gossip_round()
                self._reap(now_s)
                if self._resolver is not None:
                    self._down_all(self._resolver.tick(now_s), now_s)
                self._lead(now_s)
            elif self._news_spreads():
                self._gossip_round()
        elif self.phase is Phase.JOINING and now_s >= self._deadline_s:
            self._retry_join(now_s)
        elif self.phase is Phase.UNINITIALIZED and self._asked and full:
            if now_s < self._deadline_s:
                self._ask_seeds()
            elif self._seeds[0] == self.own.address:
                self.join(self.own.address, now_s)
            else:
                self.join_seed_nodes(self._seeds, now_s)

    # -- joining

    def _check(self, address: Address) -> None:
        if (address.protocol, address.system) != (self.own.address.protocol, self.own.address.system):
            raise ValueError(
                f"{address} is no node of this cluster: its nodes are {self.own.address.protocol}://"
                f"{self.own.address.system}@host:port"
            )

    def _ask_seeds(self) -> None:
        for seed in sorted(self._asked, key=str):
            self._send(seed, InitJoin(config_check.render(self._config)))

    def _retry_join(self, now_s: float) -> None:
        if self._seeds:
            self.join_seed_nodes(self._seeds, now_s)
        elif self._joining_to is not None:
            self.join(self._joining_to, now_s)

    def _answer_init_join(self, message: InitJoin, reply: Callable[[ClusterMessage], None]) -> None:
        if self.phase is not Phase.MEMBER or self.gossip.status(self.own) in GONE:
            reply(InitJoinNack(self.own.address))
            return
        if not message.config:
            reply(InitJoinAck(self.own.address, ConfigCheck.UNCHECKED))
            return
        try:
            theirs = config_check.parse(message.config)
            found = config_check.differences(theirs, self._config, self._settings.config)
        except ValueError as error:
            theirs, found = {}, [str(error)]
        if found:
            log.warning("a node may not join, its configuration differs: %s", "; ".join(found))
            reply(InitJoinAck(self.own.address, ConfigCheck.INCOMPATIBLE))
            return
        shared = config_check.render(config_check.shared(theirs, self._config))
        reply(InitJoinAck(self.own.address, ConfigCheck.COMPATIBLE, shared))

    def _init_join_acknowledged(self, message: InitJoinAck, now_s: float) -> None:
        if self.phase is not Phase.UNINITIALIZED or message.address not in self._asked:
            return
        found = []
        if message.check is ConfigCheck.INCOMPATIBLE:
            found = ["it says so, and its log says which settings"]
        elif message.check is ConfigCheck.COMPATIBLE:
            try:
                theirs = config_check.parse(message.config or "")
                found = config_check.differences(theirs, self._config, self._settings.config)
            except ValueError as error:
                found = [str(error)]
        if found:
            log.error(
                "%s cannot join by %s: its configuration differs: %s. Compare downing-provider-class and "
                "split-brain-resolver.active-strategy there with ClusterSettings.downing here",
                self.own.address,
                message.address,
                "; ".join(found),
            )
            self.stop()
            return
        self.join(message.address, now_s)

    def _init_join_refused(self, address: Address, now_s: float) -> None:
        if self.phase is Phase.UNINITIALIZED and self._seeds and self._seeds[0] == self.own.address:
            self._asked.discard(address)
            if not self._asked:
                self.join(self.own.address, now_s)

    def _welcomed(self, message: Welcome, now_s: float) -> None:
        if self.phase is not Phase.JOINING or message.from_.address != self._joining_to:
            return
        if self.own not in message.gossip.members:
            return  # of an earlier incarnation
        self.phase = Phase.MEMBER
        self._replace(message.gossip.see(self.own), now_s)
        self._gossip_to(message.from_)

    def _add(self, message: Join, now_s: float) -> None:
        """A node joins. A new incarnation of a member waits until the former one is removed."""
        node = message.node
        if (node.address.protocol, node.address.system) != (self.own.address.protocol, self.own.address.system):
            log.warning("%s may not join: it is of another system", node.address)
            return
        if self.gossip.status(self.own) in GONE:
            return
        former = self._member_at(node.address)
        if former is None:
            first = not self.gossip.members
            joining = Member(node, roles=message.roles, app_version=message.app_version)
            itself = Member(self.own, roles=self._roles, app_version=self._settings.app_version)
            added = {joining.node: joining, self.own: self.gossip.members.get(self.own, itself)}
            self._update(self.gossip.update(added.values()), now_s)
            if node == self.own and first:
                self._lead(now_s)
            elif node != self.own:
                self._send(node.address, Welcome(self.own, self.gossip))
        elif former.node == node:
            if node != self.own:
                self._send(node.address, Welcome(self.own, self.gossip))
        elif former.status is not MemberStatus.DOWN:
            reachability = self.gossip.reachability.change(self.own, former.node, ReachabilityStatus.TERMINATED)
            self._update(replace(self.gossip, reachability=reachability), now_s)
            self.down(former.node.address, now_s)

    # -- gossip

    def _receive_status(self, status: GossipStatus) -> None:
        gossip, from_ = self.gossip, status.from_
        if from_ not in gossip.members or not gossip.reachability.is_reachable(self.own, from_):
            return
        if status.seen_digest and status.seen_digest != gossip.seen_digest:
            self._gossip_to(from_)
            return
        order = status.version.compare(gossip.version)
        if order is Order.AFTER:
            self._status_to(from_)
        elif order is not Order.SAME:
            self._gossip_to(from_)

    def _receive_gossip(self, envelope: GossipEnvelope, now_s: float) -> None:
        local, remote, from_ = self.gossip, envelope.gossip, envelope.from_
        if (
            envelope.to != self.own
            or from_ not in local.members
            or not local.reachability.is_reachable(self.own, from_)
            or self.own not in remote.members
        ):
            return
        order = remote.version.compare(local.version)
        answer = not self._exiting_in_progress and self.own not in remote.seen
        match order:
            case Order.SAME:
                winner = replace(remote, seen=remote.seen | local.seen)
            case Order.AFTER:
                winner = remote
            case Order.BEFORE:
                winner, answer = local, True
            case Order.CONCURRENT:
                winner, answer = remote.merge_concurrent(local), True
        self._replace(winner if self._exiting_in_progress else winner.see(self.own), now_s)
        self._begin_exiting()
        if answer:
            self._gossip_to(from_)

    def _begin_exiting(self) -> None:
        if self.gossip.status(self.own) is MemberStatus.EXITING and not self._exiting_in_progress:
            self._exiting_in_progress = True
            self._exiting()

    def _gossip_round(self) -> None:
        peers = self._peers()
        if not peers:
            return
        if self._chance() < self._different_view_probability():
            peers = [node for node in peers if node not in self.gossip.seen] or peers
        peer = self._pick(peers)
        if peer in self.gossip.seen:
            self._status_to(peer)
        else:
            self._gossip_to(peer)

    def _different_view_probability(self) -> float:
        """Lower in large clusters, so that single nodes are not overloaded."""
        high, size = self._settings.different_view_probability, len(self.gossip.members)
        low = high / 10
        if size <= RANDOM_PEER_ABOVE:
            return high
        if size >= 3 * RANDOM_PEER_ABOVE:
            return low
        return high - (high - low) * (size - RANDOM_PEER_ABOVE) / (2 * RANDOM_PEER_ABOVE)

    def _news_spreads(self) -> bool:
        members = self.gossip.members
        downed = any(member.status is MemberStatus.DOWN for member in members.values())
        return downed or len(self.gossip.seen) < len(members) // 2

    def _peers(self) -> list[UniqueAddress]:
        return [member.node for member in self.gossip.sorted_members if self._may_gossip_to(member.node)]

    def _may_gossip_to(self, node: UniqueAddress) -> bool:
        return node != self.own and self.gossip.reachability.is_reachable(self.own, node)

    def _pick(self, nodes: list[UniqueAddress]) -> UniqueAddress:
        return nodes[min(int(self._chance() * len(nodes)), len(nodes) - 1)]

    def _tell_some(self, count: int) -> None:
        peers = self._peers()
        for _ in range(min(count, len(peers))):
            peer = self._pick(peers)
            peers.remove(peer)
            self._gossip_to(peer)

    def _gossip_to(self, node: UniqueAddress) -> None:
        if self._may_gossip_to(node):
            self._send(node.address, GossipEnvelope(self.own, node, self.gossip))

    def _status_to(self, node: UniqueAddress) -> None:
        if self._may_gossip_to(node):
            self._send(node.address, GossipStatus(self.own, self.gossip.version, self.gossip.seen_digest))

    # -- failure detection

    def _beat(self, now_s: float) -> None:
        self._sequence += 1
        beat = Heartbeat(self.own.address, self._sequence, int(now_s * 1e9))
        for node in sorted(self._heartbeats.beat(now_s), key=lambda node: node.order):
            self._send(node.address, beat)

    def _reap(self, now_s: float) -> None:
        """Record which members are silent, and which are reachable again."""
        reachability = self.gossip.reachability
        for node in self.gossip.members:
            if node != self.own and not self._heartbeats.is_available(node, now_s):
                reachability = reachability.change(self.own, node, ReachabilityStatus.UNREACHABLE)
        for node in self.gossip.reachability.unreachable_from(self.own):
            if self._heartbeats.is_available(node, now_s):
                reachability = reachability.change(self.own, node, ReachabilityStatus.REACHABLE)
        if reachability is not self.gossip.reachability:
            self._update(replace(self.gossip, reachability=reachability), now_s)

    def _down_all(self, nodes: Iterable[UniqueAddress], now_s: float) -> None:
        for node in nodes:
            if node in self.gossip.members:
                self.down(node.address, now_s)

    # -- the leader

    def _lead(self, now_s: float) -> None:
        if self.gossip.leader(self.own) == self.own:
            if self.gossip.has_converged(self.own, self._confirmed):
                self._waited_rounds = 0
                self._lead_converged(now_s)
            else:
                self._waited_rounds += 1
                after_s = self._settings.weakly_up_after_s
                if after_s is not None and self._waited_rounds * self._settings.tick_s * TICKS_A_ROUND >= after_s:
                    self._move_to_weakly_up(now_s)
        self._confirmed &= self.gossip.members.keys()
        self._stop_when_down()

    def _lead_converged(self, now_s: float) -> None:
        gossip = self.gossip
        removed = {node for node in gossip.reachability.unreachable if gossip.status(node) in GONE}
        removed |= {node for node in self._confirmed if gossip.status(node) is MemberStatus.EXITING}
        changed = [*self._moved_to_up(), *self._moved(MemberStatus.LEAVING, MemberStatus.EXITING)]
        changed += self._moved(MemberStatus.PREPARING_FOR_SHUTDOWN, MemberStatus.READY_FOR_SHUTDOWN)
        now_ms = self._wall_ms()
        updated = gossip
        if removed or changed:
            updated = gossip.update(changed).remove(removed, now_ms)
            if updated.status(self.own) is MemberStatus.EXITING and not self._exiting_in_progress:
                self._exiting_in_progress = True
                self._exiting()
        self._confirmed -= removed
        pruned = updated.prune_tombstones(now_ms - TOMBSTONES_MS)
        if pruned is gossip:
            return
        self._update(pruned, now_s)
        if any(member.status is MemberStatus.EXITING for member in changed):
            oldest = sorted(self.gossip.members.values(), key=lambda member: member.age)[:2]
            for member in oldest:
                self._gossip_to(member.node)

    def _moved_to_up(self) -> list[Member]:
        """Move joining members to Up, each younger than all before it."""
        if len(self.gossip.members) < self._settings.min_members:
            return []
        known = [member.up_number for member in self.gossip.members.values() if member.up_number != AGE_UNKNOWN]
        age = max(known, default=0)
        waiting = {MemberStatus.JOINING, MemberStatus.WEAKLY_UP}
        joining = by_address(member for member in self.gossip.members.values() if member.status in waiting)
        return [member.to(MemberStatus.UP, age + place) for place, member in enumerate(joining, 1)]

    def _moved(self, before: MemberStatus, after: MemberStatus) -> list[Member]:
        return [member.to(after) for member in self.gossip.members.values() if member.status is before]

    def _move_to_weakly_up(self, now_s: float) -> None:
        if len(self.gossip.members) < self._settings.min_members:
            return
        unreachable = self.gossip.judged_reachability.unreachable
        moved = list(self._moved(MemberStatus.JOINING, MemberStatus.WEAKLY_UP))
        moved = [member for member in moved if member.node not in unreachable]
        if moved:
            self._update(self.gossip.update(moved), now_s)

    def _stop_when_down(self) -> None:
        """A downed node stops when all other downed nodes have seen this, or after some rounds."""
        if self.gossip.status(self.own) is not MemberStatus.DOWN:
            return
        unreachable = self.gossip.reachability.unreachable
        downed = [node for node, member in self.gossip.members.items() if member.status is MemberStatus.DOWN]
        if self._down_rounds < DOWN_TICKS and not all(
            node in unreachable or node in self.gossip.seen for node in downed
        ):
            self._down_rounds += 1
            return
        log.warning("%s is down and stops", self.own.address)
        self._tell_some(LAST_GOSSIPS)
        self.stop()

    # -- state

    def _member_at(self, address: Address) -> Member | None:
        members: Iterable[Member] = self.gossip.members.values()
        return next((member for member in members if member.node.address == address), None)

    def _update(self, gossip: Gossip, now_s: float) -> None:
        """Apply a change by this node, which no other node has seen yet."""
        seen = frozenset() if self._exiting_in_progress else frozenset({self.own})
        self._replace(replace(gossip.bump(self.own), seen=seen), now_s)

    def _replace(self, gossip: Gossip, now_s: float) -> None:
        before, self.gossip = self.gossip, gossip
        unreachable = gossip.reachability.unreachable
        self._heartbeats.members_changed(gossip.members.keys(), unreachable, now_s)
        if self._resolver is not None:
            self._resolver.observe(gossip, now_s)
        for event in differences(before, gossip, self.own):
            self._publish(event)
