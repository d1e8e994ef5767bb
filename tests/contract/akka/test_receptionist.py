"""Services of Python nodes and a real Pekko: each side finds, lists and asks those of the other."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest
from bench.engines import real_pekko
from tests.contract.akka.jvm_lab import LIMIT_S, Lab, all_up, run, until

from smackbox.akka import Actor, PoisonPill, Routers, ServiceKey
from smackbox.akka.cluster.member import MemberStatus
from smackbox.akka.cluster.receptionist import KEYS, ClusterReceptionist, data_key

pytestmark = [pytest.mark.polyglot, pytest.mark.xdist_group("pekko")]

SERVICES = [ServiceKey[Any](f"service-{number}") for number in range(8)]


class Echo(Actor[str]):
    def receive(self, message: str) -> None:
        self.context.sender.tell(f"python {message}")


def test_services_of_both_sides_are_found_and_routed_to() -> None:
    if reason := real_pekko.missing():
        pytest.skip(reason)
    assert {data_key(service) for service in SERVICES} == set(KEYS), "all of the maps are tried"

    async def work(stack: AsyncExitStack) -> None:
        pekko = stack.enter_context(real_pekko.RealPekko(provider="cluster"))
        lab = await Lab.start(stack, pekko)
        await lab.say(f"join {pekko.address}")
        lab.cluster.join_seed_nodes([lab.jvm])
        await lab.cluster.until(MemberStatus.UP, LIMIT_S)
        await until(lambda: all_up(lab.cluster, 2))
        ClusterReceptionist(lab.system)
        receptionist = lab.system.receptionist
        ours = {service: lab.system.spawn(Echo, f"ours-{service.name}") for service in SERVICES}
        for service, ref in ours.items():
            receptionist.register(service, ref)
            await lab.say(f"register {service.name} theirs-{service.name}")
        for service in SERVICES:
            await until(lambda service=service: len(receptionist.find(service)) == 2)
            expected = sorted([f"here/theirs-{service.name}", f"{lab.address.port}/ours-{service.name}"])
            while sorted((await lab.say(f"find {service.name}")).split()) != expected:
                await asyncio.sleep(0.1)
        router = lab.system.spawn(Routers.group(SERVICES[0]), "router")
        answers = set()
        while answers != {"python hello", "hello"}:
            answers.add(await router.request("hello", LIMIT_S))
        ours[SERVICES[0]].tell(PoisonPill())
        while await lab.say(f"find {SERVICES[0].name}") != f"here/theirs-{SERVICES[0].name}":
            await asyncio.sleep(0.1)
        await lab.say(f"leave {pekko.address}")
        await until(lambda: not receptionist.find(SERVICES[0]))

    run(work)
