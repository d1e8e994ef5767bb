"""Publish and subscribe across a cluster, by topic; and sending to actors by path, on whichever node they are.

    pubsub = DistributedPubSub(system)
    pubsub.subscribe("prices", actor)
    pubsub.publish("prices", Price("x", 5))

The mediator stands where JVMs look for it, `/system/distributedPubSubMediator`, and takes the messages below as well. A
topic is its child, and a group of subscribers a child of that. Delivery is at most once.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from smackbox.akka.actor.actor import UNHANDLED, Actor
from smackbox.akka.actor.local_ref import LocalRef
from smackbox.akka.actor.messages import Signal, Terminated
from smackbox.akka.actor.path import ActorPath
from smackbox.akka.actor.props import Props
from smackbox.akka.actor.ref import ActorRef
from smackbox.akka.actor.system import ActorSystem
from smackbox.akka.cluster.cluster import Cluster
from smackbox.akka.cluster.member import MemberStatus
from smackbox.akka.cluster.messages import MemberEvent, MemberRemoved
from smackbox.akka.cluster.names import encode_name
from smackbox.akka.cluster.pubsub_registry import MAX_DELTA, Registry
from smackbox.akka.cluster.pubsub_wire import (
    READERS,
    WRITERS,
    Delta,
    Publish,
    Send,
    SendToAll,
    SendToOneSubscriber,
    Status,
)

NAME = "distributedPubSubMediator"
GONE = frozenset({MemberStatus.LEAVING, MemberStatus.EXITING, MemberStatus.DOWN})


@dataclass(frozen=True, slots=True)
class PubSubSettings:
    """`role` None is all members. A topic without subscribers ends after `removed_s`, and is forgotten after it."""

    role: str | None = None
    gossip_s: float = 1.0
    removed_s: float = 120.0
    max_delta: int = MAX_DELTA


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Answered by `SubscribeAck`. Members of a group share what is published to one of each group."""

    topic: str
    subscriber: ActorRef[Any]
    group: str | None = None


@dataclass(frozen=True, slots=True)
class SubscribeAck:
    """From now on the subscriber of this node gets what is published; other nodes know it after some gossip."""

    subscribe: Subscribe


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """Answered by `UnsubscribeAck`."""

    topic: str
    subscriber: ActorRef[Any]
    group: str | None = None


@dataclass(frozen=True, slots=True)
class UnsubscribeAck:
    """The subscriber gets nothing more of this topic."""

    unsubscribe: Unsubscribe


@dataclass(frozen=True, slots=True)
class Put:
    """Register a local actor under its path, for `Send` and `SendToAll`, until it stops."""

    ref: ActorRef[Any]


@dataclass(frozen=True, slots=True)
class Remove:
    """Take back `Put`, by the path without address."""

    path: str


@dataclass(frozen=True, slots=True)
class GetTopics:
    """Answered by `CurrentTopics`."""


@dataclass(frozen=True, slots=True)
class CurrentTopics:
    """Those with subscribers that this node knows."""

    topics: frozenset[str]


class DistributedPubSub:
    """Of an actor system with a `Cluster`. Raises `LookupError` where there is none."""

    def __init__(self, system: ActorSystem, settings: PubSubSettings | None = None) -> None:
        cluster = Cluster.of(system)
        cluster.serialization.add(WRITERS, READERS)
        known = system.resolve_local(ActorPath(system.address, ("system", NAME)))
        if isinstance(known, LocalRef):
            self.mediator: ActorRef[Any] = known
        else:
            self.mediator = system.spawn_system(Props.of(Mediator, cluster, settings or PubSubSettings()), NAME)

    def subscribe(self, topic: str, subscriber: ActorRef[Any], group: str | None = None) -> None:
        """`subscriber` gets `SubscribeAck`, then what is published, until it stops."""
        self.mediator.tell(Subscribe(topic, subscriber, group), subscriber)

    def unsubscribe(self, topic: str, subscriber: ActorRef[Any], group: str | None = None) -> None:
        """`subscriber` gets `UnsubscribeAck` after the last message."""
        self.mediator.tell(Unsubscribe(topic, subscriber, group), subscriber)

    def publish(self, topic: str, message: Any, *, one_per_group: bool = False) -> None:
        """To all subscribers, or to one of each group. A dead letter where there is none."""
        self.mediator.tell(Publish(topic, message, one_per_group))


class _Parent(Actor[Any]):
    """Of actors that end when they are empty; what comes for one that is about to end waits for its answer."""

    def __init__(self) -> None:
        self._ending: dict[str, list[tuple[Any, ActorRef[Any]]]] = {}

    def _child(self, name: str) -> ActorRef[Any]:
        """The child, started where there is none."""
        raise NotImplementedError

    def _to_child(self, name: str, message: Any, sender: ActorRef[Any]) -> None:
        if name in self._ending:
            self._ending[name].append((message, sender))
        elif isinstance(message, Subscribe) or name in self.context.children:
            self._child(name).tell(message, sender)

    def _unused(self, ref: ActorRef[Any]) -> None:
        self._ending.setdefault(ref.path.elements[-1], [])
        ref.tell(_StopIfEmpty())

    def _ended_or_kept(self, name: str) -> None:
        for message, sender in self._ending.pop(name, []):
            self._to_child(name, message, sender)


class Mediator(_Parent):
    """Knows who subscribes where, and starts the topics of this node."""

    def __init__(self, cluster: Cluster, settings: PubSubSettings) -> None:
        self._cluster = cluster
        self._settings = settings
        super().__init__()
        self._registry = Registry(cluster.own.address, settings.max_delta)

    def pre_start(self) -> None:
        self._cluster.subscribe(self.context.ref, MemberEvent)
        for member in self._cluster.members:
            self._member_event(MemberEvent(member))
        timers = self.context.timers
        timers.start_with_fixed_delay("gossip", _Gossip(), self._settings.gossip_s)
        timers.start_with_fixed_delay("prune", _Prune(), self._settings.removed_s / 2)

    def post_stop(self) -> None:
        self._cluster.unsubscribe(self.context.ref)

    def receive(self, message: Any) -> Any:
        match message:
            case Publish(topic, inner, one_per_group):
                self._publish(topic, inner, one_per_group)
            case Subscribe(topic) | Unsubscribe(topic):
                self._to_child(encode_name(topic), message, self.context.sender)
            case Status():
                self._compare(message)
            case Delta(buckets) if self._cluster.address_of(self.context.sender) in self._registry.nodes:
                self._registry.merge(buckets)
            case MemberEvent():
                self._member_event(message)
            case _Gossip():
                self._gossip()
            case _Prune():
                self._registry.prune(int(self._settings.removed_s * 1_000))
            case _Registered(ref):
                self._registry.put(_key(ref.path), self.context.watch(ref), _now_ms())
            case _Unused(ref):
                self._unused(ref)
            case _Kept(name):
                self._ended_or_kept(name)
            case _:
                return self._by_path(message)
        return None

    def _by_path(self, message: Any) -> Any:
        registry, sender = self._registry, self.context.sender
        match message:
            case Send(path, inner, local_affinity):
                own = registry.own_ref(path)
                refs = [own] if local_affinity and own is not None else registry.refs(path)
                self._tell_one(refs, inner)
            case SendToAll(path, inner, all_but_self):
                self._tell_all(registry.refs(path, without_own=all_but_self), inner)
            case Put(ref):
                registry.put(_key(ref.path), self.context.watch(ref), _now_ms())
            case Remove(path):
                if registry.own_ref(path) is not None:
                    registry.put(path, None, _now_ms())
            case GetTopics():
                topics = frozenset(map(unquote_plus, registry.names(_key(self.context.path))))
                sender.tell(CurrentTopics(topics), self.context.ref)
            case _:
                return UNHANDLED
        return None

    def on_signal(self, signal: Signal) -> None:
        if not isinstance(signal, Terminated):
            return
        path = _key(signal.ref.path)
        if self._registry.own_ref(path) == signal.ref:
            self._registry.put(path, None, _now_ms())
        if signal.ref.path.elements[:-1] == self.context.path.elements:
            self._ended_or_kept(signal.ref.path.elements[-1])

    # -- topics

    def _child(self, name: str) -> ActorRef[Any]:
        found = self.context.children.get(name)
        if found is None:
            found = self.context.spawn(Props.of(_Topic, self.context.ref, self._settings.removed_s, True), name)
            self._registry.put(_key(found.path), self.context.watch(found), _now_ms())
        return found

    def _publish(self, topic: str, message: Any, one_per_group: bool) -> None:
        path = f"{_key(self.context.path)}/{encode_name(topic)}"
        if not one_per_group:
            self._tell_all(self._registry.refs(path), message)
            return
        groups = self._registry.groups(path)
        for group in groups:
            self._tell_one(group, SendToOneSubscriber(message))
        if not groups:
            self._tell_all([], message)

    def _tell_one(self, refs: list[Any], message: Any) -> None:
        chance = self.context.system.chance
        self._tell_all([refs[int(chance() * len(refs)) % len(refs)]] if refs else [], message)

    def _tell_all(self, refs: list[Any], message: Any) -> None:
        for ref in refs:
            ref.tell(message, self.context.sender)
        if not refs:
            self.context.system.dead_letter(message, self.context.ref, "nobody subscribes or is registered")

    # -- gossip

    def _member_event(self, event: MemberEvent) -> None:
        member = event.member
        if self._settings.role is not None and self._settings.role not in member.roles:
            return
        if isinstance(event, MemberRemoved) or member.status in GONE:
            if member.node != self._cluster.own:
                self._registry.forget(member.node.address)
        elif member.status is not MemberStatus.JOINING:
            self._registry.nodes.add(member.node.address)

    def _gossip(self) -> None:
        nodes = sorted(self._registry.nodes - {self._cluster.own.address}, key=str)
        if nodes:
            node = nodes[int(self.context.system.chance() * len(nodes)) % len(nodes)]
            path = ActorPath(node, self.context.path.elements)
            self._cluster.select(path).tell(Status(self._registry.versions, False), self.context.ref)

    def _compare(self, status: Status) -> None:
        sender = self.context.sender
        if self._cluster.address_of(sender) not in self._registry.nodes:
            return
        buckets = self._registry.newer_than(status.versions)
        if buckets:
            sender.tell(Delta(tuple(buckets)), self.context.ref)
        if not status.is_reply and self._registry.lacks(status.versions):
            sender.tell(Status(self._registry.versions, True), self.context.ref)


class _Topic(_Parent):
    """The subscribers of a topic, or of a group of it, on this node. What is no command is for them."""

    def __init__(self, mediator: ActorRef[Any], empty_s: float, has_groups: bool) -> None:
        super().__init__()
        self._mediator = mediator
        self._empty_s = empty_s
        self._has_groups = has_groups
        self._subscribers: list[ActorRef[Any]] = []

    def receive(self, message: Any) -> None:
        sender = self.context.sender
        match message:
            case Subscribe(_, _, group) | Unsubscribe(_, _, group) if group is not None and self._has_groups:
                self._to_child(encode_name(group), message, sender)
            case Subscribe(_, subscriber):
                if subscriber not in self._subscribers:
                    self._subscribers.append(self.context.watch(subscriber))
                sender.tell(SubscribeAck(message), self.context.ref)
            case Unsubscribe(_, subscriber):
                if subscriber in self._subscribers:
                    self.context.unwatch(subscriber)
                    self._remove(subscriber)
                sender.tell(UnsubscribeAck(message), self.context.ref)
            case SendToOneSubscriber(inner):
                self._tell_one(inner, sender)
            case _Empty() if self._is_empty:
                self.context.parent.tell(_Unused(self.context.ref))
            case _Unused(ref):
                self._unused(ref)
            case _Kept(name):
                self._ended_or_kept(name)
            case _StopIfEmpty() if self._is_empty:
                self.context.stop()
            case _StopIfEmpty():
                self.context.parent.tell(_Kept(self.context.path.elements[-1]))
            case _Empty():
                pass
            case _:
                for subscriber in self._subscribers:
                    subscriber.tell(message, sender)

    def on_signal(self, signal: Signal) -> None:
        if not isinstance(signal, Terminated):
            return
        if signal.ref in self._subscribers:
            self._remove(signal.ref)
        elif signal.ref.path.elements[:-1] == self.context.path.elements:
            self._ended_or_kept(signal.ref.path.elements[-1])
            self._end_when_empty()

    @property
    def _is_empty(self) -> bool:
        return not self._subscribers and not self.context.children

    def _child(self, name: str) -> ActorRef[Any]:
        group = self.context.children.get(name)
        if group is None:
            group = self.context.spawn(Props.of(_Topic, self._mediator, self._empty_s, False), name)
            self.context.watch(group)
            self._mediator.tell(_Registered(group))
        return group

    def _tell_one(self, message: Any, sender: ActorRef[Any]) -> None:
        count = len(self._subscribers)
        if count:
            self._subscribers[int(self.context.system.chance() * count) % count].tell(message, sender)
        else:
            self.context.system.dead_letter(message, self.context.ref, "the group has no subscribers here any more")

    def _remove(self, subscriber: ActorRef[Any]) -> None:
        self._subscribers.remove(subscriber)
        self._end_when_empty()

    def _end_when_empty(self) -> None:
        if self._is_empty:
            self.context.timers.start_single("empty", _Empty(), self._empty_s)


def _key(path: ActorPath) -> str:
    return "/" + "/".join(path.elements)


def _now_ms() -> int:
    return int(time.time() * 1_000)


class _Gossip:
    __slots__ = ()


class _Prune:
    __slots__ = ()


class _Empty:
    __slots__ = ()


class _StopIfEmpty:
    __slots__ = ()


@dataclass(frozen=True, slots=True)
class _Registered:
    ref: ActorRef[Any]


@dataclass(frozen=True, slots=True)
class _Unused:
    ref: ActorRef[Any]


@dataclass(frozen=True, slots=True)
class _Kept:
    name: str
