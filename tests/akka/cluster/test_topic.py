"""Typed topics: on one node, and over the wire between several."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest

from smackbox.akka import ActorRef, ActorSystem, DeadLetter, Props
from smackbox.akka.cluster.cluster import Cluster
from smackbox.akka.cluster.topic import (
    GetTopicStats,
    MessagePublished,
    PublishTopic,
    SubscribeTopic,
    Topic,
    TopicStats,
    UnsubscribeTopic,
)
from smackbox.akka.remote.serialization import SerializationError
from tests.akka.cluster.test_receptionist import LIMIT_S, Collector, run, started, until


async def stats(topic: ActorRef[Any]) -> TopicStats:
    answer: TopicStats = await topic.request(GetTopicStats(), LIMIT_S)
    return answer


def test_a_topic_of_one_node() -> None:
    async def main() -> None:
        async with ActorSystem("lab") as system:
            topic = system.spawn(Topic.of("news"))
            dead: list[DeadLetter] = []
            system.events.subscribe(DeadLetter, dead.append)
            topic.tell(PublishTopic("to nobody"))
            assert await stats(topic) == TopicStats(0, 0)
            assert [letter.message for letter in dead] == ["to nobody"]
            heard: list[Any] = []
            subscriber, other = (system.spawn(Props.of(Collector, heard)) for _ in range(2))
            topic.tell(SubscribeTopic(subscriber))
            topic.tell(PublishTopic("at once"))
            topic.tell(SubscribeTopic(subscriber))  # twice is once
            topic.tell(SubscribeTopic(other))
            await until(lambda: heard == ["at once"])
            assert await stats(topic) == TopicStats(2, 1)
            topic.tell(PublishTopic("to both"))
            await until(lambda: heard[1:] == ["to both"] * 2)
            topic.tell(UnsubscribeTopic(subscriber))
            topic.tell(UnsubscribeTopic(subscriber))
            system.stop(other)
            while await stats(topic) != TopicStats(0, 0):
                await asyncio.sleep(0)

    run(main())


def test_topics_of_all_nodes_are_one() -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            clusters = await started(stack, 3)
            heard: list[list[Any]] = [[], [], []]
            topics = [cluster.system.spawn(Topic.of("news"), "news") for cluster in clusters]
            for cluster, topic, mine in zip(clusters[:2], topics[:2], heard[:2], strict=True):
                for _ in range(2):
                    topic.tell(SubscribeTopic(cluster.system.spawn(Props.of(Collector, mine))))
            for topic in topics:
                while (await stats(topic)).instances != 2:
                    await asyncio.sleep(0.01)
            for number, topic in enumerate(topics):
                topic.tell(PublishTopic(f"news {number}"))
            await until(lambda: [len(mine) for mine in heard] == [6, 6, 0])
            assert all(sorted(mine) == sorted([f"news {n}" for n in range(3)] * 2) for mine in heard[:2])

    run(main())


def test_the_bytes_of_a_published_message() -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            (cluster,) = await started(stack, 1)
            check(cluster)

    def check(cluster: Cluster) -> None:
        serialization = cluster.serialization
        serialized = serialization.write(MessagePublished("hi"))
        assert serialized == (28, "b", b"\n\x06\n\x02hi\x10\x14")
        assert serialization.read(*serialized) == MessagePublished("hi")
        for data in (b"", b"\xff", b"\n\x06\n\x02hi\x10\x63"):
            with pytest.raises((SerializationError, ValueError)):
                serialization.read(28, "b", data)

    run(main())
