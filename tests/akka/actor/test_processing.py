"""Sampled processing times: who is timed, and what Prometheus gets of it."""

from __future__ import annotations

import asyncio
from typing import Any

from smackbox.akka import Actor, ActorSystem
from smackbox.akka.actor.processing import NAMES_LIMIT, OTHER, ProcessingTimes
from smackbox.akka.metrics import SystemCollector


class Sleeper(Actor[Any]):
    def receive(self, message: Any) -> None:
        if message == "done":
            self.context.sender.tell(message, self.context.ref)


def test_names_are_bounded() -> None:
    times = ProcessingTimes()
    for number in range(NAMES_LIMIT + 5):
        times.add(f"Actor{number}", 2, 0.5)
    times.add("Actor0", 1, 0.25)
    assert len(times.by_name) == NAMES_LIMIT + 1
    assert (times.by_name["Actor0"].messages, times.by_name["Actor0"].seconds) == (3, 0.75)
    assert times.by_name[OTHER].messages == 10


def test_times_are_gathered_once_somebody_collects_them() -> None:
    async def run() -> None:
        async with ActorSystem("times") as system:
            sleeper = system.spawn(Sleeper)
            await sleeper.request("done", 5)
            assert system.dispatcher.processing is None
            collector = SystemCollector(system)
            for _ in range(20):
                await sleeper.request("done", 5)
            found = {
                (sample.name, sample.labels.get("actor")): sample.value
                for metric in collector.collect()
                for sample in metric.samples
            }
            assert found["smack_actor_processing_seconds_count", "Sleeper"] == 20
            assert 0 < found["smack_actor_processing_seconds_sum", "Sleeper"] < 20
            # another collector of the same system sees the same samples
            assert SystemCollector(system)._times is collector._times

    asyncio.run(run())
