"""A member of a cluster: the daemon that runs `core.py` on an actor system's remoting.

    remoting = await Remoting.start(system, "127.0.0.1", 25520)
    cluster = Cluster(remoting)
    cluster.join_seed_nodes([Address.parse("pekko://lab@10.0.0.1:25520")])
    await cluster.until(MemberStatus.UP, timeout_s=10)

Leaving runs the coordinated shutdown of the actor system, as in Pekko, and a shutdown leaves the cluster first.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

from smackbox.akka.actor.actor import UNHANDLED, Actor
from smackbox.akka.actor.events import Subscriber
from smackbox.akka.actor.path import ActorPath, Address
from smackbox.akka.actor.props import Props
from smackbox.akka.actor.ref import ActorRef
from smackbox.akka.actor.shutdown import CLUSTER_EXITING_DONE, CLUSTER_LEAVE, CLUSTER_SHUTDOWN
from smackbox.akka.actor.system import ActorSystem
from smackbox.akka.cluster.core import ClusterCore, ClusterSettings, Phase
from smackbox.akka.cluster.gossip import Gossip
from smackbox.akka.cluster.lease import Lease, LeaseTasks
from smackbox.akka.cluster.member import Member, MemberStatus, UniqueAddress
from smackbox.akka.cluster.messages import ClusterMessage, DomainEvent, Heartbeat, MemberEvent, MemberRemoved
from smackbox.akka.cluster.wire import READERS, WRITERS
from smackbox.akka.remote.events import SystemQuarantined, ThisSystemQuarantined
from smackbox.akka.remote.remoting import ActorSelection, Remoting

DAEMON = "/system/cluster/core/daemon"
HEARTBEAT_RECEIVER = "/system/cluster/heartbeatReceiver"
log = logging.getLogger("smackbox.akka.cluster")


_clusters: WeakKeyDictionary[ActorSystem, Cluster] = WeakKeyDictionary()


class _Parent(Actor[Any]):
    """Spawns the actors that it receives, under the names at which JVMs look for the daemon."""

    def __init__(self, children: dict[str, Props[Any]]) -> None:
        for name, props in children.items():
            self.context.spawn(props, name)


class _Daemon(Actor[Any]):
    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def receive(self, message: Any) -> Any:
        if not isinstance(message, ClusterMessage):
            return UNHANDLED
        self._cluster._receive(message, self.context.sender, self.context.ref)
        return None


class Cluster:
    """Of one actor system. All of its methods are called on the system's event loop."""

    def __init__(
        self, remoting: Remoting, settings: ClusterSettings | None = None, *, lease: Lease | None = None
    ) -> None:
        self._remoting = remoting
        self.system = system = remoting.system
        self._settings = settings = settings or ClusterSettings()
        self.serialization = remoting.serialization
        self.own = UniqueAddress(remoting.address, _signed(remoting.own.uid))
        remoting.serialization.add(WRITERS, READERS)
        self._changed = asyncio.Event()
        self._gone = asyncio.Event()
        self._done = asyncio.Event()
        self._daemon: ActorRef[Any] | None = None
        self._core = ClusterCore(
            self.own,
            settings,
            send=self._send,
            publish=self._publish,
            exiting=self._exiting,
            chance=system.chance,
            wall_ms=lambda: int(time.time() * 1_000),
            lease=None if lease is None else LeaseTasks(lease, self._lease_result, system.keep),
        )
        daemon = Props.of(_Daemon, self)
        core = Props.of(_Parent, {"daemon": daemon})
        system.spawn_system(Props.of(_Parent, {"core": core, "heartbeatReceiver": daemon}), "cluster")
        self._daemon = remoting.resolve(f"{remoting.address}{DAEMON}")
        self._timer = system.dispatcher.call_later(self._settings.tick_s, self._tick)
        _clusters[system] = self
        system.on_termination(self._stop)
        system.events.subscribe(SystemQuarantined, self._system_quarantined)
        system.events.subscribe(ThisSystemQuarantined, self._quarantined_by)
        system.shutdown.add_task(CLUSTER_LEAVE, "leave-cluster", self._leave_in_shutdown)
        system.shutdown.add_task(CLUSTER_EXITING_DONE, "exiting-completed", self._complete)
        system.shutdown.add_task(CLUSTER_SHUTDOWN, "cluster", self._done.wait)

    @classmethod
    def of(cls, system: ActorSystem) -> Cluster:
        """The cluster of a system. Raises `LookupError` if there is none."""
        found = _clusters.get(system)
        if found is None:
            raise LookupError(f"the actor system {system.name} is no node of a cluster: make a Cluster(remoting) first")
        return found

    # -- for users

    def join_seed_nodes(self, seeds: Sequence[Address]) -> None:
        """Join by the first that answers; the first of the list forms a cluster if there is none.

        Raises `ValueError` for a node of a system of another name.
        """
        self._core.join_seed_nodes(seeds, self._now_s())

    def join(self, address: Address | None = None) -> None:
        """Join one node; without an address, form a cluster of one's own."""
        self._core.join(address or self.own.address, self._now_s())

    async def join_zookeeper(self, url: str) -> None:
        """Find the other nodes in a folder of ZooKeeper, `zk://host:port,…/path`; the first one forms a cluster.

        Raises `ValueError` for an invalid URL, `StartError` when ZooKeeper does not answer.
        """
        from smackbox.akka.cluster.zookeeper import ZooKeeperSeeds  # kazoo is loaded on first use

        seeds = ZooKeeperSeeds(url, self.own.address, self._join_if_none)
        await seeds.start()
        self.system.shutdown.add_task(CLUSTER_SHUTDOWN, "zookeeper-seeds", seeds.stop)

    def leave(self, address: Address | None = None) -> None:
        """Let a member, by default this one, leave the cluster gracefully."""
        self._core.leave(address or self.own.address, self._now_s())

    def down(self, address: Address) -> None:
        """Down a member. Only do so for a dead one: a live member stops when it learns that it was downed."""
        self._core.down(address, self._now_s())

    @property
    def state(self) -> Gossip:
        """This node's view of the cluster, as an immutable value."""
        return self._core.gossip

    @property
    def members(self) -> list[Member]:
        """By address."""
        return self._core.gossip.sorted_members

    @property
    def self_status(self) -> MemberStatus:
        """REMOVED also before joining."""
        return self._core.gossip.status(self.own)

    @property
    def roles(self) -> frozenset[str]:
        """Of this node."""
        return self._settings.roles

    @property
    def min_members(self) -> int:
        """How many must have joined before the first is Up."""
        return self._settings.min_members

    @property
    def removal_margin_s(self) -> float:
        """How long a removed node may still be running: the time that the resolver on its side needs to decide."""
        downing = self._settings.downing
        return 0.0 if downing is None else downing.stable_after_s

    @property
    def leader(self) -> Address | None:
        """As this node sees it; None where there is none."""
        leader = self._core.gossip.leader(self.own)
        return None if leader is None else leader.address

    @property
    def is_terminated(self) -> bool:
        """Whether this node was a member and has been removed."""
        return self._core.phase is Phase.STOPPED

    def subscribe(self, subscriber: Subscriber, event_type: type[DomainEvent] = DomainEvent) -> None:
        """Notify an actor or a function of changes from now on; `state` has the present state."""
        self.system.events.subscribe(event_type, subscriber)

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Unsubscribe from all events."""
        self.system.events.unsubscribe(subscriber)

    async def until(self, status: MemberStatus, timeout_s: float) -> None:
        """Wait until this node has a status. Raises `TimeoutError`."""
        async with asyncio.timeout(timeout_s):
            while self.self_status is not status:
                self._changed.clear()
                await self._changed.wait()

    # -- for the layers above the cluster

    def select(self, path: ActorPath) -> ActorSelection:
        """The actor at a path, on whichever node."""
        return self._remoting.select(str(path))

    def address_of(self, ref: ActorRef[Any]) -> Address:
        """The node of an actor; this node for a local one."""
        address = ref.path.address
        return self.own.address if address.is_local else address

    # -- parts

    def _now_s(self) -> float:
        return self.system.dispatcher.now_s()

    def _tick(self) -> None:
        self._timer = self.system.dispatcher.call_later(self._settings.tick_s, self._tick)
        self._core.tick(self._now_s())

    def _send(self, address: Address, message: ClusterMessage) -> None:
        path = HEARTBEAT_RECEIVER if isinstance(message, Heartbeat) else DAEMON
        self._remoting.resolve(f"{address}{path}").tell(message, self._daemon)

    def _receive(self, message: ClusterMessage, sender: ActorRef[Any] | None, own: ActorRef[Any]) -> None:
        def reply(answer: ClusterMessage) -> None:
            if sender is not None:
                sender.tell(answer, own)

        self._core.receive(message, reply, self._now_s())

    def _join_if_none(self, seeds: Sequence[Address]) -> None:
        if self._core.phase not in {Phase.MEMBER, Phase.STOPPED}:
            self._core.join_seed_nodes(seeds, self._now_s())

    def _lease_result(self, held: bool) -> None:
        self._core.lease_result(held, self._now_s())

    def _system_quarantined(self, event: SystemQuarantined) -> None:
        self._core.quarantined(UniqueAddress(event.address, _signed(event.uid)), self._now_s())

    def _quarantined_by(self, event: ThisSystemQuarantined) -> None:
        self._core.quarantined_by(UniqueAddress(event.address, _signed(event.uid)), self._now_s())

    def _track(self, event: DomainEvent) -> None:
        """Death watch of members follows the cluster's membership."""
        if isinstance(event, MemberRemoved):
            node = event.member.node
            if node != self.own:
                downed = event.previous is MemberStatus.DOWN
                self._remoting.member_removed(node.address, node.uid, quarantine=downed)
        elif isinstance(event, MemberEvent) and event.member.node != self.own:
            self._remoting.member_added(event.member.node.address)

    def _publish(self, event: DomainEvent) -> None:
        self._changed.set()
        self._track(event)
        self.system.events.publish(event)
        if self._core.phase is Phase.STOPPED:
            self._gone.set()
            self._done.set()
            if self._core.gossip.status(self.own) is MemberStatus.DOWN:
                self._shut_down("this member of the cluster is down")

    def _exiting(self) -> None:
        self._gone.set()
        self._shut_down("this member leaves the cluster")

    def _shut_down(self, reason: str) -> None:
        self.system.keep(asyncio.ensure_future(self.system.shutdown.run(reason)))

    async def _leave_in_shutdown(self) -> None:
        if self._core.phase is not Phase.MEMBER:
            self._core.stop()
            return
        self._core.leave(self.own.address, self._now_s())
        await self._gone.wait()

    async def _complete(self) -> None:
        self._core.exiting_completed(self._now_s())

    def _stop(self) -> None:
        self._timer.cancel()
        self._core.stop()


def _signed(uid: int) -> int:
    return uid - (1 << 64) if uid >> 63 else uid
