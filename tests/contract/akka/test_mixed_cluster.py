"""Three JVMs and two Python nodes in one cluster, each in a network namespace of its own.

They converge; one of each kind leaves; one of each is killed; the network is cut between them and heals in time, or
does not, and then one side ends by the resolver, on both kinds alike. What each node sees is what it prints.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bench.engines import real_pekko
from tests.sim import hosts
from tests.sim.hosts import Hosts, address

pytestmark = [pytest.mark.polyglot, pytest.mark.xdist_group("pekko")]

PORT = 25520
JVMS, PYTHONS = (1, 2, 3), (4, 5)
ALL = (*JVMS, *PYTHONS)
STABLE_S = 7
LIMIT_S = 90.0
REPORT_MS = 250
SEEDS = [f"pekko://lab@{address(number)}:{PORT}" for number in (1, 4)]
CONFIG = f"""
pekko.cluster.downing-provider-class = "org.apache.pekko.cluster.sbr.SplitBrainResolverProvider"
pekko.cluster.split-brain-resolver {{ active-strategy = keep-majority, stable-after = {STABLE_S}s }}
"""
UNREACHABLE = "!"


class Nodes:
    """By their numbers: what they see, and what is done to them."""

    def __init__(self, made: Hosts, directory: Path) -> None:
        self.hosts = made
        self._directory = directory
        self._from: dict[int, int] = {}

    def start(self, *numbers: int) -> None:
        for number in numbers:
            log = self._log(number)
            # the first one of all seeds forms a cluster where the others do not answer at once: only in its first life
            seeds = SEEDS[::-1] if number in self._from else SEEDS
            self._from[number] = log.stat().st_size if log.exists() else 0
            if number in JVMS:
                config = f'{CONFIG}pekko.cluster.seed-nodes = ["{seeds[0]}", "{seeds[1]}"]'
                command = real_pekko.reporting_node("lab", address(number), PORT, config=config, every_ms=REPORT_MS)
            else:
                script = str(Path(__file__).with_name("mixed_node.py"))
                command = [sys.executable, script, address(number), str(PORT), str(STABLE_S), *seeds]
            self.hosts.start(_name(number), number, command)

    def view(self, number: int) -> tuple[dict[int, str], int | None]:
        """Statuses by node, with `!` for those that are unreachable; and the leader."""
        with self._log(number).open() as log:
            log.seek(self._from[number])
            lines = [line for line in log.read().splitlines() if line.startswith("view ") and " leader " in line]
        if not lines:
            return {}, None
        members, _, leader = lines[-1].removeprefix("view ").partition("leader ")
        statuses = dict(member.split(":") for member in members.split())
        return {_number(host): status for host, status in statuses.items()}, _number(leader)

    def until(self, what: str, condition: Callable[[], Any]) -> None:
        deadline = time.monotonic() + LIMIT_S
        while not condition():
            if time.monotonic() > deadline:
                views = "\n".join(f"{number}: {self.view(number)}" for number in self._from)
                raise AssertionError(f"not within {LIMIT_S:.0f} s: {what}\n{views}")
            time.sleep(0.1)

    def agree(self, *numbers: int) -> None:
        """These see one another Up and reachable, nobody else, and one leader."""
        expected = dict.fromkeys(numbers, "Up")

        def agreed() -> bool:
            views = [self.view(number) for number in numbers]
            leaders = {leader for _, leader in views}
            return all(members == expected for members, _ in views) and len(leaders) == 1 and None not in leaders

        self.until(f"{numbers} agree", agreed)

    def end(self, number: int) -> None:
        """Wait until a node has ended by itself."""
        self.until(f"{number} ends", lambda: not self.hosts.is_running(_name(number)))
        self.hosts.kill(_name(number))

    def leave(self, number: int) -> None:
        for pid in self.hosts.pids(number):
            os.kill(pid, signal.SIGTERM)
        self.end(number)

    def _log(self, number: int) -> Path:
        return self._directory / f"{_name(number)}.log"


def _name(number: int) -> str:
    return f"node{number}"


def _number(host: str) -> int | None:
    return None if host == "none" else int(host.rpartition(".")[2])


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    if reason := real_pekko.missing() or hosts.missing():
        pytest.skip(reason)
    directory = tmp_path_factory.mktemp("mixed")
    with Hosts(len(ALL), directory) as made:
        found = Nodes(made, directory)
        found.start(1)
        found.agree(1)
        found.start(*ALL[1:])
        found.agree(*ALL)
        yield found


@pytest.mark.timeout(600)
def test_a_cut_that_heals_in_time_costs_nobody(nodes: Nodes) -> None:
    nodes.agree(*ALL)
    near, far = (1, 4), (2, 3, 5)
    nodes.hosts.split(*far)

    def unreachable(number: int) -> set[int]:
        return {other for other, status in nodes.view(number)[0].items() if status.endswith(UNREACHABLE)}

    for side, others in ((near, far), (far, near)):
        for number in side:
            nodes.until(f"{number} misses the other side", lambda n=number, o=others: unreachable(n) & set(o))
    nodes.hosts.join(*far)
    nodes.agree(*ALL)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("number", [3, 5], ids=["a JVM", "a Python node"])
def test_one_leaves_and_comes_back(nodes: Nodes, number: int) -> None:
    nodes.agree(*ALL)
    nodes.leave(number)
    nodes.agree(*(other for other in ALL if other != number))
    nodes.start(number)
    nodes.agree(*ALL)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("number", [2, 5], ids=["a JVM", "a Python node"])
def test_one_is_killed_downed_by_the_others_and_comes_back(nodes: Nodes, number: int) -> None:
    nodes.agree(*ALL)
    for pid in nodes.hosts.pids(number):
        os.kill(pid, signal.SIGKILL)
    nodes.end(number)
    nodes.agree(*(other for other in ALL if other != number))
    nodes.start(number)
    nodes.agree(*ALL)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("far", [(3, 5), (1, 2)], ids=["a JVM and a Python node", "two JVMs, the leader among them"])
def test_a_cut_that_lasts_ends_the_smaller_side_alone(nodes: Nodes, far: tuple[int, ...]) -> None:
    nodes.agree(*ALL)
    nodes.hosts.split(*far)
    for number in far:
        nodes.end(number)
    nodes.agree(*(number for number in ALL if number not in far))
    nodes.hosts.join(*far)
    nodes.start(*far)
    nodes.agree(*ALL)
