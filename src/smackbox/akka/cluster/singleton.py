"""An actor of which a cluster has one: it runs on the oldest member and moves when that one leaves.

    singleton = ClusterSingleton(system)
    counter = singleton.init(SingletonActor(Counter, "counter"))
    counter.tell("increment")

`init` starts the manager, on nodes that have the role, and a proxy, which knows where the singleton is and keeps
messages while it moves. Paths and messages are Pekko's: `/system/singletonManagerNAME/NAME`, serializer 14.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from smackbox.akka.actor.actor import UNHANDLED, Actor
from smackbox.akka.actor.behaviors import Behavior
from smackbox.akka.actor.local_ref import LocalRef
from smackbox.akka.actor.messages import ActorIdentity, Identify, PoisonPill, Signal, Terminated
from smackbox.akka.actor.path import ActorPath, Address
from smackbox.akka.actor.props import Props, props_of
from smackbox.akka.actor.ref import ActorRef
from smackbox.akka.actor.shutdown import CLUSTER_EXITING
from smackbox.akka.actor.system import ActorSystem
from smackbox.akka.cluster.cluster import Cluster
from smackbox.akka.cluster.member import Member, MemberStatus, UniqueAddress
from smackbox.akka.cluster.messages import MemberEvent, MemberRemoved
from smackbox.akka.cluster.singleton_manager import HandOver, ManagerCalls, ManagerSettings, SingletonManager

if TYPE_CHECKING:
    from smackbox.akka.remote.serialization import Serialization, Serialized

SERIALIZER = 14
BUFFER_LIMIT = 1_000
"""Messages that a proxy keeps while it does not know the singleton; beyond them the oldest is a dead letter."""
IDENTIFY_S = 1.0

log = logging.getLogger("smackbox.akka.cluster")


@dataclass(frozen=True, slots=True)
class SingletonSettings:
    """`role` None is all members. `removal_margin_s` None is the resolver's `stable_after_s`, 0 without a resolver."""

    role: str | None = None
    buffer_limit: int = BUFFER_LIMIT
    identify_s: float = IDENTIFY_S
    retry_s: float = 1.0
    min_retries: int = 15
    removal_margin_s: float | None = None


@dataclass(frozen=True, slots=True)
class SingletonActor:
    """What to run once in the cluster. `stop_message` is sent to it before it moves; it must then stop."""

    what: Props[Any] | type[Actor[Any]] | Behavior[Any] | Callable[..., Actor[Any]]
    name: str
    stop_message: Any = field(default_factory=PoisonPill)
    settings: SingletonSettings = field(default_factory=SingletonSettings)


class ClusterSingleton:
    """Of an actor system with a `Cluster`. Raises `LookupError` where there is none."""

    def __init__(self, system: ActorSystem) -> None:
        self._system = system
        self._cluster = Cluster.of(system)
        self._cluster.serialization.add(WRITERS, READERS)

    def init(self, singleton: SingletonActor) -> ActorRef[Any]:
        """Run it where it belongs; returns the proxy. A second call for a name returns the same proxy."""
        manager = f"singletonManager{singleton.name}"
        role = singleton.settings.role
        if role is None or role in self._cluster.roles:
            self._start(manager, Props.of(ClusterSingletonManager, self._cluster, singleton))
        return self.proxy(singleton.name, singleton.settings)

    def proxy(self, name: str, settings: SingletonSettings | None = None) -> ActorRef[Any]:
        """The way to a singleton that others run."""
        path = ("system", f"singletonManager{name}", name)
        props = Props.of(ClusterSingletonProxy, self._cluster, path, settings or SingletonSettings())
        return self._start(f"singletonProxy{name}-no-dc", props)

    def _start(self, name: str, props: Props[Any]) -> ActorRef[Any]:
        known = self._system.resolve_local(ActorPath(self._system.address, ("system", name)))
        return known if isinstance(known, LocalRef) else self._system.spawn_system(props, name)


class ClusterSingletonManager(Actor[Any]):
    """Runs `singleton_manager.py` beside the cluster, and the singleton as its child where this node is to run it."""

    def __init__(self, cluster: Cluster, singleton: SingletonActor) -> None:
        self._cluster = cluster
        self._singleton = singleton
        self._child: ActorRef[Any] | None = None
        self._exit_done = asyncio.Event()
        settings = singleton.settings
        margin_s = settings.removal_margin_s
        self._manager = SingletonManager(
            cluster.own,
            ManagerSettings(
                settings.role,
                settings.retry_s,
                settings.min_retries,
                cluster.removal_margin_s if margin_s is None else margin_s,
            ),
            ManagerCalls(self._send, self._start, self._stop_child, self._exit_done.set, self._stop),
        )

    def pre_start(self) -> None:
        context = self.context
        self._cluster.subscribe(context.ref, MemberEvent)
        self._forget_exit = context.system.shutdown.add_task(
            CLUSTER_EXITING, f"singleton-{self._singleton.name}", self._exit
        )
        retry_s = self._singleton.settings.retry_s
        context.timers.start_with_fixed_delay("tick", _Tick(), retry_s / 2)
        if self._cluster.self_status is MemberStatus.UP:
            self._manager.begin(self._cluster.members, self._now_s())

    def post_stop(self) -> None:
        self._exit_done.set()
        self._forget_exit()
        self._cluster.unsubscribe(self.context.ref)

    def receive(self, message: Any) -> Any:
        now_s = self._now_s()
        match message:
            case _Tick():
                self._manager.tick(now_s)
            case MemberEvent():
                if message.member.node == self._cluster.own and message.member.status is MemberStatus.UP:
                    self._manager.begin(self._cluster.members, now_s)
                self._manager.member_event(message, now_s)
            case HandOver():
                self._manager.receive(message, self._cluster.address_of(self.context.sender), now_s)
            case _Exiting():
                self._manager.exiting(now_s)
            case _:
                return UNHANDLED
        return None

    def on_signal(self, signal: Signal) -> Any:
        if isinstance(signal, Terminated) and signal.ref == self._child:
            self._child = None
            self._manager.singleton_stopped(self._now_s())
        return None

    # -- what the manager does

    def _send(self, to: Address, message: HandOver) -> None:
        path = ActorPath(to, self.context.path.elements)
        self._cluster.select(path).tell(message, self.context.ref)

    def _start(self) -> None:
        log.info("the singleton %s starts on %s", self._singleton.name, self._cluster.own.address)
        self._child = self.context.watch(self.context.spawn(props_of(self._singleton.what), self._singleton.name))

    def _stop_child(self) -> None:
        if self._child is None:
            self._manager.singleton_stopped(self._now_s())
        else:
            log.info("the singleton %s stops on %s", self._singleton.name, self._cluster.own.address)
            self._child.tell(self._singleton.stop_message, self.context.ref)

    def _stop(self) -> None:
        self.context.stop()

    async def _exit(self) -> None:
        if self._cluster.is_terminated or self._cluster.self_status in {MemberStatus.DOWN, MemberStatus.REMOVED}:
            return
        self.context.ref.tell(_Exiting())
        await self._exit_done.wait()

    def _now_s(self) -> float:
        return self.context.system.dispatcher.now_s()


class ClusterSingletonProxy(Actor[Any]):
    """Sends on to the singleton on the oldest member; finds it by asking that member each `identify_s`."""

    def __init__(self, cluster: Cluster, path: tuple[str, ...], settings: SingletonSettings) -> None:
        self._cluster = cluster
        self._path = path
        self._settings = settings
        self._members: dict[UniqueAddress, Member] = {}
        self._oldest: UniqueAddress | None = None
        self._singleton: ActorRef[Any] | None = None
        self._asked = 0
        self._waiting: deque[tuple[Any, ActorRef[Any]]] = deque()

    def pre_start(self) -> None:
        self._cluster.subscribe(self.context.ref, MemberEvent)
        self._members = {
            member.node: member
            for member in self._cluster.members
            if member.status is MemberStatus.UP and self._matches(member)
        }
        self._look()

    def post_stop(self) -> None:
        self._cluster.unsubscribe(self.context.ref)
        for message, sender in self._waiting:
            self._drop(message, sender, "the proxy of the singleton stops")

    def receive(self, message: Any) -> None:
        match message:
            case MemberEvent():
                self._member_event(message)
            case ActorIdentity(correlation_id, ref) if isinstance(correlation_id, str) and self._is_ours(
                correlation_id
            ):
                if ref is not None and correlation_id == self._identify_id:
                    self._found(ref)
            case _Tick():
                self._identify()
            case _:
                self._send_on(message)

    def on_signal(self, signal: Signal) -> None:
        if isinstance(signal, Terminated) and signal.ref == self._singleton:
            self._singleton = None
            self._begin_to_identify()

    def _member_event(self, event: MemberEvent) -> None:
        member = event.member
        if isinstance(event, MemberRemoved) or member.status is MemberStatus.EXITING:
            self._members.pop(member.node, None)
        elif member.status is MemberStatus.UP and self._matches(member):
            self._members[member.node] = member
        self._look()

    def _matches(self, member: Member) -> bool:
        return self._settings.role is None or self._settings.role in member.roles

    def _look(self) -> None:
        oldest = min(self._members.values(), key=lambda member: member.age).node if self._members else None
        if oldest != self._oldest:
            self._oldest = oldest
            if self._singleton is not None:
                self.context.unwatch(self._singleton)
                self._singleton = None
            self._begin_to_identify()

    # -- finding it

    @property
    def _identify_id(self) -> str:
        return f"identify-singleton-{'/'.join(self._path)}{self._asked}"

    def _is_ours(self, correlation_id: str) -> bool:
        return correlation_id.startswith(f"identify-singleton-{'/'.join(self._path)}")

    def _begin_to_identify(self) -> None:
        self._asked += 1
        self.context.timers.start_with_fixed_delay("identify", _Tick(), self._settings.identify_s)
        self._identify()

    def _identify(self) -> None:
        if self._oldest is not None and self._singleton is None:
            path = ActorPath(self._oldest.address, self._path)
            self._cluster.select(path).tell(Identify(self._identify_id), self.context.ref)

    def _found(self, ref: ActorRef[Any]) -> None:
        if self._singleton is not None:
            return
        self._singleton = self.context.watch(ref)
        self.context.timers.cancel("identify")
        while self._waiting:
            message, sender = self._waiting.popleft()
            ref.tell(message, sender)

    # -- messages

    def _send_on(self, message: Any) -> None:
        sender = self.context.sender
        if self._singleton is not None:
            self._singleton.tell(message, sender)
            return
        if self._settings.buffer_limit == 0:
            self._drop(message, sender, "where the singleton is is not known")
            return
        if len(self._waiting) >= self._settings.buffer_limit:
            oldest, its_sender = self._waiting.popleft()
            self._drop(oldest, its_sender, f"{self._settings.buffer_limit} messages wait for the singleton already")
        self._waiting.append((message, sender))

    def _drop(self, message: Any, sender: ActorRef[Any], reason: str) -> None:
        del sender
        self.context.system.dead_letter(message, self.context.ref, reason)


class _Tick:
    __slots__ = ()


class _Exiting:
    __slots__ = ()


def _write(_: Serialization, message: HandOver) -> Serialized:
    return SERIALIZER, message.value, b""


def _reader(message: HandOver) -> Callable[[Serialization, bytes], HandOver]:
    return lambda _, _data: message


WRITERS: dict[type, Callable[[Serialization, Any], Serialized]] = {HandOver: _write}
READERS: dict[tuple[int, str | None], Callable[[Serialization, bytes], Any]] = {
    (SERIALIZER, message.value): _reader(message) for message in HandOver
}
