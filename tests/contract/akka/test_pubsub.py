"""Topics of Python nodes and a real Pekko: what either side publishes reaches the subscribers of both, once."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest
from bench.engines import real_pekko
from tests.contract.akka.jvm_lab import LIMIT_S, Lab, all_up, run, until

from smackbox.akka import Actor, Props
from smackbox.akka.cluster.member import MemberStatus
from smackbox.akka.cluster.pubsub import CurrentTopics, DistributedPubSub, GetTopics

pytestmark = [pytest.mark.polyglot, pytest.mark.xdist_group("pekko")]


class Collector(Actor[Any]):
    def __init__(self, heard: list[str]) -> None:
        self._heard = heard

    def receive(self, message: Any) -> None:
        if isinstance(message, str):
            self._heard.append(message)


def test_topics_and_groups_of_both_sides() -> None:
    if reason := real_pekko.missing():
        pytest.skip(reason)

    async def work(stack: AsyncExitStack) -> None:
        pekko = stack.enter_context(real_pekko.RealPekko(provider="cluster"))
        lab = await Lab.start(stack, pekko)
        await lab.say(f"join {pekko.address}")
        lab.cluster.join_seed_nodes([lab.jvm])
        await lab.cluster.until(MemberStatus.UP, LIMIT_S)
        await until(lambda: all_up(lab.cluster, 2))
        pubsub = DistributedPubSub(lab.system)
        heard: list[str] = []
        collector = lab.system.spawn(Props.of(Collector, heard))
        assert await lab.say("subscribe jvm-topic") == "subscribed"
        pubsub.subscribe("python-topic", collector)
        for topic in ("jvm-topic", "python-topic"):
            pubsub.subscribe(topic, collector)
            assert await lab.say(f"subscribe {topic}") == "subscribed"
        pubsub.subscribe("work", collector, "group")
        assert await lab.say("subscribe work group") == "subscribed"
        answer = CurrentTopics(frozenset())
        while answer.topics != {"jvm-topic", "python-topic", "work"}:
            await asyncio.sleep(0.1)
            answer = await pubsub.mediator.request(GetTopics(), LIMIT_S)
        # a JVM's mediator may still lack what ours has: both are asked until both sides hear both
        while not {"from-jvm", "from-python"} <= set(heard):
            pubsub.publish("python-topic", "from-python")
            await lab.say("publish jvm-topic from-jvm")
            await asyncio.sleep(0.2)
        while not {"from-jvm", "from-python"} <= set((await lab.say("heard")).split()):
            await asyncio.sleep(0.2)
        heard.clear()
        before = len((await lab.say("heard")).split())
        pubsub.publish("jvm-topic", "once")
        await lab.say("publish python-topic once")
        await until(lambda: len(heard) == 2)
        while len((await lab.say("heard")).split()) != before + 2:
            await asyncio.sleep(0.1)
        heard.clear()
        for _ in range(10):
            pubsub.publish("work", "job", one_per_group=True)
            await lab.say("publish-to-groups work job")
        jobs = 0
        while jobs + len(heard) < 20:
            await asyncio.sleep(0.1)
            jobs = (await lab.say("heard")).split().count("job")
        assert jobs and heard, "both sides get a share"
        assert jobs + len(heard) == 20

    run(work)
