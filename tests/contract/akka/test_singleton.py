"""One singleton of Python nodes and real Pekkos: from a JVM to Python and back; both sides' proxies find it."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

import pytest
from bench.engines import real_pekko
from tests.contract.akka.jvm_lab import LIMIT_S, Lab, all_up, run, until

from smackbox.akka import Actor, ActorRef
from smackbox.akka.cluster.member import MemberStatus
from smackbox.akka.cluster.singleton import ClusterSingleton, SingletonActor

pytestmark = [pytest.mark.polyglot, pytest.mark.xdist_group("pekko")]


class Where(Actor[str]):
    def receive(self, message: str) -> None:
        self.context.sender.tell(f"python {message}")


def init(lab: Lab) -> ActorRef[Any]:
    return ClusterSingleton(lab.system).init(SingletonActor(Where, "where"))


async def answers(lab: Lab, proxy: ActorRef[Any], expected: str) -> None:
    """Asked again while it moves: a message in flight to one that stops is lost, as Pekko's are."""
    for _ in range(20):
        try:
            found = await proxy.request("hello", 5.0)
        except TimeoutError:
            continue
        if found == f"{expected} hello" and await lab.say("proxy where hello") == found:
            return
    raise AssertionError(f"the singleton is not found on the side of {expected}")


def test_it_moves_from_a_jvm_to_python_and_back() -> None:
    if reason := real_pekko.missing():
        pytest.skip(reason)

    async def work(stack: AsyncExitStack) -> None:
        first = stack.enter_context(real_pekko.RealPekko(provider="cluster"))
        second = stack.enter_context(real_pekko.RealPekko(provider="cluster"))
        python = await Lab.start(stack, second)
        jvm = await Lab.start(stack, first)
        await jvm.say(f"join {first.address}")
        await jvm.say("singleton where")
        python.cluster.join_seed_nodes([jvm.jvm])
        await python.cluster.until(MemberStatus.UP, LIMIT_S)
        proxy = init(python)
        await python.say(f"join {first.address}")
        await python.say("singleton where")
        await until(lambda: all_up(python.cluster, 3))
        await answers(python, proxy, "jvm")
        await jvm.say(f"leave {first.address}")
        await until(lambda: all_up(python.cluster, 2))
        await answers(python, proxy, "python")
        bystander = await Lab.start(stack, second)
        bystander.cluster.join_seed_nodes([python.jvm])
        await bystander.cluster.until(MemberStatus.UP, LIMIT_S)
        remote = ClusterSingleton(bystander.system).proxy("where")
        await answers(bystander, remote, "python")
        python.cluster.leave()
        await until(lambda: python.cluster.is_terminated)
        await answers(bystander, remote, "jvm")

    run(work)
