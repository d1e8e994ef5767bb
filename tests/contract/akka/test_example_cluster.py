"""`examples/cluster/counters.py` in a Pekko cluster: a JVM counts by its proxy what Python nodes host and store."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from bench.engines import real_pekko
from tests.contract.akka.jvm_lab import LIMIT_S, Lab, run

from smackbox.cassandra.server import CassandraServer
from smackbox.cassandra.settings import CassandraSettings
from smackbox.net.service import ServiceThread
from smackbox.runtime.stack import SMACK

pytestmark = [pytest.mark.polyglot, pytest.mark.xdist_group("pekko")]

COUNTERS = Path(__file__).parents[3] / "examples" / "cluster" / "counters.py"
CONFIG = """
pekko.actor.serialization-bindings { "counters.Counted" = jackson-json, "counters.Totals" = jackson-json }
"""
CAMPAIGNS = [f"campaign-{number}" for number in range(6)]


class Member:
    """A node of the example, in a process of its own."""

    def __init__(self, pekko: real_pekko.RealPekko, cassandra: str, directory: Path) -> None:
        command = [*SMACK, "run", str(COUNTERS), "--only", "actors:counters", "--port", "0", "--dir", str(directory)]
        urls = ["--akka", pekko.address, "--cassandra", cassandra, "--kafka", "127.0.0.1:1"]
        self.process = subprocess.Popen([*command, *urls], stdout=subprocess.PIPE, text=True)

    async def ready(self) -> None:
        def url() -> str:
            assert self.process.stdout is not None
            line = self.process.stdout.readline().split()
            assert line[:2] == ["ready", "counters"], line
            return str(line[2]).removesuffix("/actors")

        self.url = await asyncio.to_thread(url)

    async def ask(self, campaign: str, event: dict[str, str] | None = None) -> Any:
        def ask() -> Any:
            data = None if event is None else json.dumps(event).encode()
            request = urllib.request.Request(f"{self.url}/count/{campaign}", data, {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:
                return json.loads(answer.read())

        return await asyncio.to_thread(ask)


@contextmanager
def members(pekko: real_pekko.RealPekko, cassandra: str, folder: Path, count: int) -> Iterator[list[Member]]:
    found = [Member(pekko, cassandra, folder / f"node-{number}") for number in range(count)]
    try:
        yield found
    finally:
        for member in found:
            member.process.send_signal(signal.SIGTERM)
        for member in found:
            try:
                member.process.wait(LIMIT_S)
            finally:
                member.process.kill()
                member.process.wait()
                assert member.process.stdout is not None
                member.process.stdout.close()


def test_a_jvm_counts_what_python_nodes_host(tmp_path: Path) -> None:
    if reason := real_pekko.missing():
        pytest.skip(reason)

    async def work(stack: AsyncExitStack) -> None:
        pekko = stack.enter_context(real_pekko.RealPekko(provider="cluster", config=CONFIG, sharding=True))
        cassandra = stack.enter_context(ServiceThread(CassandraServer(CassandraSettings(dir=tmp_path / "cassandra"))))
        observer = await Lab.start(stack, pekko)
        await observer.say(f"join {pekko.address}")
        first, second = stack.enter_context(members(pekko, cassandra.url, tmp_path, 2))
        await asyncio.gather(first.ready(), second.ready())

        async def jvms(count: int) -> bool:
            return (await observer.say("members")).count(":Up") == count

        while not await jvms(3):
            await asyncio.sleep(0.1)
        campaigns = observer.remoting.resolve(f"{pekko.address}/user/campaigns")
        for round_ in range(3):
            for campaign in CAMPAIGNS:
                kind = ("view", "click")[round_ % 2]
                if round_ == 1:
                    await (first, second)[hash(campaign) % 2].ask(campaign, {"id": f"e{round_}", "type": kind})
                else:
                    await campaigns.request(f"{campaign} e{round_} {kind}", LIMIT_S)
        # an event counts once, from whichever side it is repeated
        assert await campaigns.request(f"{CAMPAIGNS[0]} e1 click", LIMIT_S) == "2 1"
        first.process.kill()
        first.process.wait()
        await observer.say(f"down {await _address_of(second)}")
        while not await jvms(2):
            await asyncio.sleep(0.1)
        for campaign in CAMPAIGNS:
            answer = None
            while answer is None:  # what was on its way to the dead node is lost
                try:
                    answer = await campaigns.request(f"{campaign} e0 view", 5)
                except TimeoutError:
                    continue
            assert answer == "2 1"
            assert await second.ask(campaign) == {"views": 2, "clicks": 1}

    run(work)


async def _address_of(alive: Member) -> str:
    """The actor system of the member that is dead: whom the others miss."""

    def missed() -> str:
        with urllib.request.urlopen(f"{alive.url}/cluster/members", timeout=LIMIT_S) as answer:
            unreachable = json.loads(answer.read())["unreachable"]
        return str(unreachable[0]["node"]) if unreachable else ""

    found = ""
    while not found:
        found = await asyncio.to_thread(missed)
        await asyncio.sleep(0.1)
    return found
