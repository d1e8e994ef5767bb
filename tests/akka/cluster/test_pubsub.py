"""Publish and subscribe: the registry's gossip, the bytes, and mediators of nodes over the wire."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

import pytest

from smackbox.akka import Actor, ActorRef, ActorSystem, DeadLetter, PoisonPill, Props
from smackbox.akka.actor.path import Address
from smackbox.akka.cluster.cluster import Cluster
from smackbox.akka.cluster.core import ClusterSettings
from smackbox.akka.cluster.member import MemberStatus
from smackbox.akka.cluster.pubsub import (
    CurrentTopics,
    DistributedPubSub,
    GetTopics,
    PubSubSettings,
    Put,
    Remove,
    SubscribeAck,
    UnsubscribeAck,
)
from smackbox.akka.cluster.pubsub_registry import Bucket, Held, Registry
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
from smackbox.akka.remote.remoting import Remoting
from smackbox.akka.remote.serialization import Serialization

LIMIT_S = 40.0
A, B, C = (Address("pekko", "lab", "h", port) for port in (1, 2, 3))


# -- the registry


def registries() -> dict[Address, Registry]:
    made = {}
    for own in (A, B, C):
        made[own] = Registry(own, max_delta=2)
        made[own].nodes = {A, B, C}
    return made


def test_gossip_brings_all_to_the_same() -> None:
    chance = random.Random(1)
    made = registries()
    for step in range(40):
        own = chance.choice([A, B, C])
        path = f"/t{chance.randrange(4)}"
        made[own].put(path, None if chance.random() < 0.3 else f"{own.port}{path}", step)
    for _ in range(60):
        one, other = chance.sample([A, B, C], 2)
        made[other].merge(made[one].newer_than(made[other].versions))
    for path in ("/t0", "/t1", "/t2", "/t3"):
        assert sorted(made[A].refs(path)) == sorted(made[B].refs(path)) == sorted(made[C].refs(path))
    assert made[A].versions == made[B].versions and not made[A].lacks(made[B].versions)
    assert not made[A].newer_than(made[B].versions)


def test_too_much_goes_in_parts_the_oldest_first() -> None:
    one = registries()[A]
    for number in range(5):
        one.put(f"/t{number}", number, 10 + number)
    (bucket,) = one.newer_than({})
    assert list(bucket.content) == ["/t0", "/t1"] and bucket.version == 11
    (bucket,) = one.newer_than({A: 11})
    assert list(bucket.content) == ["/t2", "/t3"]
    (bucket,) = one.newer_than({A: 13})
    assert list(bucket.content) == ["/t4"] and bucket.version == 14


def test_buckets_of_strangers_are_not_taken_and_those_who_left_are_forgotten() -> None:
    one = registries()[A]
    stranger = Address("pekko", "lab", "h", 9)
    one.merge([Bucket(stranger, 5, {"/t": Held(5, "x")}), Bucket(B, 5, {"/t": Held(5, "b")})])
    assert one.refs("/t") == ["b"]
    one.forget(B)
    assert one.refs("/t") == [] and one.versions == {}


def test_what_was_removed_long_ago_is_pruned() -> None:
    one = registries()[A]
    one.put("/t", "x", 10)
    one.put("/t", None, 20)
    one.put("/u", "y", 100)
    one.prune(90)
    assert "/t" in one.bucket(A).content
    one.prune(70)
    assert list(one.bucket(A).content) == ["/u"]


def test_versions_grow_although_the_clock_does_not() -> None:
    one = registries()[A]
    for _ in range(3):
        one.put("/t", "x", 5)
    assert one.versions == {A: 7}


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ("A", Status({A: 5, B: 2**40}, True)),
        ("B", Delta((Bucket(A, 7, {"/t": Held(5, "path"), "/u": Held(7, None)}),))),
        ("C", Send("/user/a", "hello", True)),
        ("D", SendToAll("/user/a", 5, False)),
        ("E", Publish("topic", b"bytes")),
        ("F", SendToOneSubscriber("hello")),
    ],
)
def test_messages_go_there_and_back(manifest: str, message: Any) -> None:
    both = Serialization(lambda path: path, lambda ref: ref)  # type: ignore[arg-type, return-value]
    both.add(WRITERS, READERS)
    serializer, found, data = both.write(message)
    assert (serializer, found) == (9, manifest) and both.read(9, manifest, data) == message


def test_literal_bytes() -> None:
    both = Serialization(lambda path: path, lambda ref: ref)  # type: ignore[arg-type, return-value]
    both.add(WRITERS, READERS)
    assert both.write(Publish("t", "hi"))[2] == b"\x0a\x01t\x1a\x06\x0a\x02hi\x10\x14"
    assert both.write(Send("/a", "hi", True))[2] == b"\x0a\x02/a\x10\x01\x1a\x06\x0a\x02hi\x10\x14"


# -- mediators


class Collector(Actor[Any]):
    def __init__(self, heard: list[Any]) -> None:
        self._heard = heard

    def receive(self, message: Any) -> None:
        self._heard.append(message)


class Node:
    def __init__(self, cluster: Cluster) -> None:
        self.system = cluster.system
        self.cluster = cluster
        self.pubsub = DistributedPubSub(cluster.system, PubSubSettings(gossip_s=0.05, removed_s=0.2))
        self.heard: list[Any] = []

    def collector(self, name: str | None = None) -> ActorRef[Any]:
        return self.system.spawn(Props.of(Collector, self.heard), name)

    async def topics(self) -> frozenset[str]:
        answer: CurrentTopics = await self.pubsub.mediator.request(GetTopics(), LIMIT_S)
        return answer.topics

    def got(self) -> list[Any]:
        return [message for message in self.heard if not isinstance(message, SubscribeAck | UnsubscribeAck)]


def run(work: Coroutine[Any, Any, None]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(LIMIT_S):
            await work

    asyncio.run(limited())


async def until(condition: Callable[[], Any]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


async def started(stack: AsyncExitStack, count: int) -> list[Node]:
    nodes: list[Node] = []
    for _ in range(count):
        system = await stack.enter_async_context(ActorSystem("lab"))
        nodes.append(Node(Cluster(await Remoting.start(system), ClusterSettings(tick_s=0.03))))
    nodes[0].cluster.join()
    for node in nodes[1:]:
        node.cluster.join_seed_nodes([nodes[0].cluster.own.address])
    for node in nodes:
        await until(lambda n=node: [m.status for m in n.cluster.members] == [MemberStatus.UP] * count)
    return nodes


async def knows(node: Node, topic: str) -> None:
    while topic not in await node.topics():
        await asyncio.sleep(0.01)


def test_what_is_published_reaches_all_subscribers_once() -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            first, second, third = await started(stack, 3)
            subscriber = first.collector()
            for node in (first, second):
                node.pubsub.subscribe("the topic", subscriber if node is first else node.collector())
            first.pubsub.subscribe("the topic", subscriber)
            await knows(third, "the topic")
            await until(lambda: len(first.heard) == 2 and len(second.heard) == 1)
            number = 0
            while not first.got() or not second.got():  # until the publisher knows both
                number += 1
                third.pubsub.publish("the topic", number)
                await asyncio.sleep(0.05)
            third.pubsub.publish("the topic", "x")
            await until(lambda: "x" in first.got() and "x" in second.got())
            assert len(first.got()) == len(set(first.got())), "although it has subscribed twice"
            first.pubsub.unsubscribe("the topic", subscriber)
            await until(lambda: any(isinstance(message, UnsubscribeAck) for message in first.heard))
            third.pubsub.publish("the topic", "y")
            await until(lambda: second.got()[-2:] == ["x", "y"])
            assert first.got()[-1] == "x"

    run(main())


def test_one_of_each_group_gets_it() -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            first, second = await started(stack, 2)
            for node in (first, second):
                node.pubsub.subscribe("t", node.collector(), "workers")
                await until(lambda n=node: n.heard)
            while len(first.got()) + len(second.got()) < 20:
                second.pubsub.publish("t", "job", one_per_group=True)
                await asyncio.sleep(0.01)
            assert first.got() and second.got(), "both get a share"
            lost: list[DeadLetter] = []
            second.system.events.subscribe(DeadLetter, lost.append)
            second.pubsub.publish("none", "x", one_per_group=True)
            await until(lambda: [letter.message for letter in lost] == ["x"])

    run(main())


def test_an_empty_topic_ends_and_is_forgotten_everywhere_and_may_come_back() -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            first, second = await started(stack, 2)
            subscriber = first.collector()
            first.pubsub.subscribe("t", subscriber, "g")
            await knows(second, "t")
            subscriber.tell(PoisonPill())
            while "t" in await second.topics() or "t" in await first.topics():
                await asyncio.sleep(0.02)
            first.pubsub.subscribe("t", first.collector())
            await knows(second, "t")
            second.pubsub.publish("t", "again")
            await until(lambda: first.got() == ["again"])

    run(main())


def test_actors_are_reached_by_path() -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            first, second = await started(stack, 2)
            for node in (first, second):
                node.pubsub.mediator.tell(Put(node.collector("worker")))
            lost: list[DeadLetter] = []
            second.system.events.subscribe(DeadLetter, lost.append)
            for _ in range(20):
                second.pubsub.mediator.tell(Send("/user/worker", "near", local_affinity=True))
            await until(lambda: second.got() == ["near"] * 20)
            assert not first.got()
            while not first.got():
                second.pubsub.mediator.tell(SendToAll("/user/worker", "all", all_but_self=True))
                await asyncio.sleep(0.02)
            assert set(first.got()) == {"all"} and set(second.got()) == {"near"}
            first.pubsub.mediator.tell(Remove("/user/worker"))
            second.pubsub.mediator.tell(Remove("/user/worker"))
            lost.clear()
            while not lost:
                second.pubsub.mediator.tell(Send("/user/worker", "nobody"))
                await asyncio.sleep(0.02)

    run(main())
