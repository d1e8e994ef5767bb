"""The typed topic of Pekko: an actor on each node that hands on what is published to its subscribers, on all nodes.

    topic = system.spawn(Topic.of("news"), "news-topic")      # on each node that publishes or subscribes
    topic.tell(SubscribeTopic(subscriber))
    topic.tell(PublishTopic(News("…")))

A topic registers with the receptionist while it has subscribers, under its name and the JVM's class of its messages, so
topics of JVMs and of Python nodes find each other; a message crosses the wire once for each node. With a
`ClusterReceptionist` that is all nodes, without one this node. Delivery is at most once, and who subscribes a moment
before may miss a message. Source: `TopicImpl` and `PekkoClusterTypedSerializer` of Pekko.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from smackbox.akka.actor.actor import UNHANDLED, Actor
from smackbox.akka.actor.messages import Signal, Terminated
from smackbox.akka.actor.props import Props
from smackbox.akka.actor.receptionist import Listing, ServiceKey
from smackbox.akka.actor.ref import ActorRef
from smackbox.akka.remote.containers import Payload
from smackbox.base.protobuf.message import Proto, decode, encode

if TYPE_CHECKING:
    from smackbox.akka.remote.serialization import Serialization, Serialized

TYPE_NAME = "org.apache.pekko.actor.typed.internal.pubsub.TopicImpl$Command"
SERIALIZER = 28
NOBODY = "the topic has no subscribers"


@dataclass(frozen=True, slots=True)
class PublishTopic:
    """To a topic: for all subscribers of all topics of that name."""

    message: Any


@dataclass(frozen=True, slots=True)
class SubscribeTopic:
    """To a topic of the subscriber's own node; an actor that stops is subscribed no more."""

    subscriber: ActorRef[Any]


@dataclass(frozen=True, slots=True)
class UnsubscribeTopic:
    """To the topic that it was subscribed to."""

    subscriber: ActorRef[Any]


@dataclass(frozen=True, slots=True)
class GetTopicStats:
    """Answered by `TopicStats`, to the sender."""


@dataclass(frozen=True, slots=True)
class TopicStats:
    """Subscribers of this topic, and topics of its name with subscribers."""

    local_subscribers: int
    instances: int


@dataclass(frozen=True, slots=True)
class MessagePublished:
    """From topic to topic."""

    message: Any


class Topic(Actor[Any]):
    """One node's topic of a name."""

    def __init__(self, name: str) -> None:
        self._key: ServiceKey[Any] = ServiceKey(name, TYPE_NAME)
        self._subscribers: set[ActorRef[Any]] = set()
        self._instances: frozenset[ActorRef[Any]] = frozenset()

    @classmethod
    def of(cls, name: str) -> Props[Any]:
        """What to spawn for the topic `name`."""
        return Props.of(cls, name)

    def pre_start(self) -> None:
        self.context.system.receptionist.subscribe(self._key, self.context.ref)

    def receive(self, message: Any) -> Any:
        match message:
            case MessagePublished(published):
                for subscriber in self._subscribers:
                    subscriber.tell(published)
            case PublishTopic(published):
                self._publish(published)
            case Listing(_, instances):
                self._instances = instances
            case SubscribeTopic(subscriber):
                self._subscribe(subscriber)
            case UnsubscribeTopic(subscriber):
                self.context.unwatch(subscriber)
                self._remove(subscriber)
            case GetTopicStats():
                stats = TopicStats(len(self._subscribers), len(self._instances))
                self.context.sender.tell(stats, self.context.ref)
            case _:
                return UNHANDLED
        return None

    def on_signal(self, signal: Signal) -> Any:
        if not isinstance(signal, Terminated):
            return UNHANDLED
        self._remove(signal.ref)
        return None

    def _publish(self, message: Any) -> None:
        for instance in self._instances:
            instance.tell(MessagePublished(message), self.context.ref)
        if self._instances:
            return
        for subscriber in self._subscribers:  # the listing with this topic is still on its way
            subscriber.tell(message)
        if not self._subscribers:
            self.context.system.dead_letter(message, self.context.ref, NOBODY)

    def _subscribe(self, subscriber: ActorRef[Any]) -> None:
        if subscriber in self._subscribers:
            return
        self.context.watch(subscriber)
        self._subscribers.add(subscriber)
        if len(self._subscribers) == 1:
            self.context.system.receptionist.register(self._key, self.context.ref)

    def _remove(self, subscriber: ActorRef[Any]) -> None:
        if subscriber in self._subscribers:
            self._subscribers.discard(subscriber)
            if not self._subscribers:
                self.context.system.receptionist.deregister(self._key, self.context.ref)


class _Published(msgspec.Struct, frozen=True):
    message: Annotated[Payload, Proto(1)]


def write_published(own: Serialization, message: MessagePublished) -> Serialized:
    """Serializer 28, manifest `b`."""
    return SERIALIZER, "b", encode(_Published(own.payload(message.message)))


def read_published(own: Serialization, data: bytes) -> MessagePublished:
    """Raises `SerializationError` for a message whose own serializer or manifest is not known."""
    return MessagePublished(own.unpack(decode(_Published, data).message))
