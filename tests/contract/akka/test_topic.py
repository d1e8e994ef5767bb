"""Typed topics of a Python node and a real Pekko: each publishes to the other's subscribers."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest
from bench.engines import real_pekko
from tests.contract.akka.jvm_lab import LIMIT_S, Lab, all_up, run, until

from smackbox.akka import Actor, Props
from smackbox.akka.cluster.member import MemberStatus
from smackbox.akka.cluster.receptionist import ClusterReceptionist
from smackbox.akka.cluster.topic import GetTopicStats, PublishTopic, SubscribeTopic, Topic, TopicStats, UnsubscribeTopic

pytestmark = [pytest.mark.polyglot, pytest.mark.xdist_group("pekko")]


class Collector(Actor[Any]):
    def __init__(self, heard: list[Any]) -> None:
        self._heard = heard

    def receive(self, message: Any) -> None:
        self._heard.append(message)


def test_topics_of_both_sides_are_one() -> None:
    if reason := real_pekko.missing():
        pytest.skip(reason)

    async def work(stack: AsyncExitStack) -> None:
        pekko = stack.enter_context(real_pekko.RealPekko(provider="cluster"))
        lab = await Lab.start(stack, pekko)
        await lab.say(f"join {pekko.address}")
        lab.cluster.join_seed_nodes([lab.jvm])
        await lab.cluster.until(MemberStatus.UP, LIMIT_S)
        await until(lambda: all_up(lab.cluster, 2))
        ClusterReceptionist(lab.system)
        heard: list[Any] = []
        topic = lab.system.spawn(Topic.of("news"), "news")
        subscribers = [lab.system.spawn(Props.of(Collector, heard)) for _ in range(2)]
        for subscriber in subscribers:
            topic.tell(SubscribeTopic(subscriber))
        await lab.say("topic-subscribe news")
        while await topic.request(GetTopicStats(), LIMIT_S) != TopicStats(2, 2):
            await asyncio.sleep(0.05)
        topic.tell(PublishTopic("from-python"))
        await until(lambda: heard == ["from-python"] * 2)
        while await lab.say("topic-heard news") != "from-python":
            await asyncio.sleep(0.05)
        while heard.count("from-the-jvm") < 2:  # until the JVM knows of this topic
            heard.clear()
            await lab.say("topic-publish news from-the-jvm")
            await asyncio.sleep(0.3)
        topic.tell(UnsubscribeTopic(subscribers[0]))
        lab.system.stop(subscribers[1])
        # a topic without subscribers is sent nothing
        while await topic.request(GetTopicStats(), LIMIT_S) != TopicStats(0, 1):
            await asyncio.sleep(0.05)
        heard.clear()
        topic.tell(PublishTopic("last"))
        while not (await lab.say("topic-heard news")).endswith("last"):
            await asyncio.sleep(0.05)
        assert not heard

    run(work)
