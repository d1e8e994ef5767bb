"""A cluster of five test hosts while its leaders die and its links fail: in the end what is wanted runs, once.

Hosts 1 to 3 have ZooKeeper (Debian's, an ensemble of three; ours on host 1 where that is missing), a master and an
agent each; hosts 4 and 5 a Marathon and a Chronos each; host 6 is the one that looks. 200 tasks run on the agents, and
jobs that note each of their runs. For a minute, one after another at random: a leader, a ZooKeeper or an agent dies by
`kill -9` and is started again, a link is cut or made slow. All timeouts are a tenth of the usual ones, so that a
minute is ten. `SMACK_CLUSTER_SECONDS` makes it longer, `SMACK_CLUSTER_SEED` repeats one.

What must hold in the end: every task that is wanted runs, none runs twice, none runs that is not wanted; every due time
of every job has exactly one successful run.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bench.engines import real_zookeeper

from tests.sim import hosts
from tests.sim.hosts import Hosts, Visitor, address

TASKS = 200
APPS = 20
JOBS = 5
JOB_PERIOD_S = 5
FAULTS_S = float(os.environ.get("SMACK_CLUSTER_SECONDS", "60"))
CONVERGE_S = 120.0
ZK_PORT, MASTER_PORT, AGENT_PORT, MARATHON_PORT, CHRONOS_PORT = 2181, 5050, 5051, 8080, 4400
SMACK = [sys.executable, "-m", "smackbox"]
QUIET_S = 3.0


class Cluster:
    """Everything on its hosts, and what the looking host sees."""

    def __init__(self, made: Hosts, visitor: Visitor, directory: Path) -> None:
        self.hosts = made
        self.visitor = visitor
        self.directory = directory
        real = real_zookeeper.missing() is None
        self.zookeepers = [1, 2, 3] if real else [1]
        self.zk = ",".join(f"{address(number)}:{ZK_PORT}" for number in self.zookeepers)
        for number in self.zookeepers:
            made.start(f"zookeeper{number}", number, self._zookeeper(number, real=real))
        for number in (1, 2, 3):
            made.start(f"master{number}", number, [
                *SMACK, "mesos", "master", "--host", address(number), "--port", str(MASTER_PORT), "--insecure",
                "--memory", "--zk", f"zk://{self.zk}/mesos", "--agent-ping-timeout", "1500ms",
                "--agent-reregister-timeout", "60secs", "--scheduler-heartbeat-interval", "1secs",
            ])  # fmt: skip
            made.start(f"agent{number}", number, [
                *SMACK, "mesos", "agent", "--host", address(number), "--port", str(AGENT_PORT), "--insecure",
                "--dir", str(directory / f"agent{number}"), "--master", f"zk://{self.zk}/mesos",
                "--isolation", "posix/cpu,posix/mem", "--resources", "cpus:200;mem:200000;disk:100000",
                "--hostname", address(number), "--no-switch-user",
            ])  # fmt: skip
        for number in (4, 5):
            for kind, port in (("marathon", MARATHON_PORT), ("chronos", CHRONOS_PORT)):
                extra = ["--missed-runs", "all", "--failure-retry", "1000"] if kind == "chronos" else []
                made.start(f"{kind}{number}", number, [
                    *SMACK, kind, "serve", "--host", address(number), "--port", str(port), "--insecure", "--memory",
                    "--master", f"zk://{self.zk}/mesos", "--zk", f"zk://{self.zk}/{kind}", *extra,
                ])  # fmt: skip

    def _zookeeper(self, number: int, *, real: bool) -> list[str]:
        if not real:
            return [*SMACK, "zookeeper", "serve", "--host", address(number), "--port", str(ZK_PORT), "--insecure",
                    "--dir", str(self.directory / "zookeeper")]  # fmt: skip
        folder = self.directory / f"zookeeper{number}"
        (folder / "data").mkdir(parents=True)
        (folder / "data" / "myid").write_text(str(number))
        peers = "".join(f"server.{one}={address(one)}:2888:3888\n" for one in self.zookeepers)
        (folder / "zoo.cfg").write_text(
            f"tickTime=500\ninitLimit=20\nsyncLimit=8\ndataDir={folder / 'data'}\nclientPort={ZK_PORT}\n"
            f"clientPortAddress={address(number)}\nadmin.enableServer=false\n{peers}"
        )
        return ["java", "-Xmx128m", "-cp", f"{real_zookeeper.JARS}/*",
                "org.apache.zookeeper.server.quorum.QuorumPeerMain", str(folder / "zoo.cfg")]  # fmt: skip

    # --- what is there

    def ask(self, kind: str, method: str, path: str, body: Any = None) -> Any:
        """Of whichever of the two answers."""
        port = MARATHON_PORT if kind == "marathon" else CHRONOS_PORT
        for number in (4, 5):
            if (found := self.visitor.ask(method, f"http://{address(number)}:{port}{path}", body)) is not None:
                return found
        return None

    def leader(self, kind: str) -> str | None:
        """The process that leads: `marathon4`."""
        path = "/v2/leader" if kind == "marathon" else "/leader"
        found = self.ask(kind, "GET", path)
        number = (found or {}).get("leader", "").partition(":")[0].rpartition(".")[2]
        return f"{kind}{number}" if number else None

    def agents(self) -> int:
        """How many the leading master knows."""
        leader = self.leading_master()
        if leader is None:
            return 0
        found = self.visitor.ask("GET", f"http://{address(int(leader[-1]))}:{MASTER_PORT}/slaves")
        return len((found or {"slaves": []})["slaves"])

    def leading_master(self) -> str | None:
        """As its own state says: the others send whoever asks on to it."""
        for number in (1, 2, 3):
            found = self.visitor.ask("GET", f"http://{address(number)}:{MASTER_PORT}/state")
            if found is not None:
                return f"master{found['pid'].partition(':')[0].rpartition('.')[2]}"
        return None

    def running_tasks(self) -> list[str]:
        """The ids of the apps' tasks whose processes run, on any host."""
        return [task_id for number in (1, 2, 3) for task_id in self.tasks_on(number)]

    def tasks_on(self, number: int, command: bytes = b"sleep\x00100000\x00") -> list[str]:
        """The ids of the tasks on a host in whose processes this command runs."""
        found = []
        for pid in self.hosts.pids(number):
            try:
                if Path(f"/proc/{pid}/cmdline").read_bytes() != command:
                    continue
                environ = Path(f"/proc/{pid}/environ").read_bytes().split(b"\x00")
            except OSError:
                continue
            found += [one.partition(b"=")[2].decode() for one in environ if one.upper().startswith(b"MESOS_TASK_ID=")]
        return found

    def wanted_tasks(self) -> list[str] | None:
        """As Marathon says; None while it does not answer, or not all are running."""
        found = self.ask("marathon", "GET", "/v2/tasks")
        if found is None or any(one["state"] != "TASK_RUNNING" for one in found["tasks"]):
            return None
        return [one["id"] for one in found["tasks"]]

    def runs(self) -> Counter[tuple[str, int]]:
        """How often each job's due time was run to its end."""
        file = self.directory / "runs"
        lines = file.read_text().split("\n") if file.exists() else []
        return Counter((line.split()[0], int(line.split()[1])) for line in lines if line)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    if reason := hosts.missing():
        pytest.skip(reason)
    with Hosts(6, tmp_path) as made:
        visitor = made.visitor(6)
        yield Cluster(made, visitor, tmp_path)
        visitor.close()


def until(condition: Callable[[], Any], what: str, timeout_s: float = CONVERGE_S) -> Any:
    deadline = time.monotonic() + timeout_s
    while True:
        if found := condition():
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {timeout_s:.0f} s")
        time.sleep(0.25)


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.skipif(shutil.which("ip") is None, reason="test hosts need ip")
def test_wanted_is_running_in_the_end_and_every_run_is_had_once(cluster: Cluster) -> None:
    seed = int(os.environ.get("SMACK_CLUSTER_SEED", random.randrange(2**32)))
    print(f"seed {seed}")
    chance = random.Random(seed)
    until(lambda: cluster.leader("marathon") and cluster.leader("chronos"), "leaders")
    until(lambda: cluster.agents() == 3, "agents")
    for number in range(APPS):
        app = {"id": f"/app{number}", "cmd": "exec sleep 100000", "cpus": 0.1, "mem": 16, "portDefinitions": [],
               "instances": TASKS // APPS,
               "unreachableStrategy": {"inactiveAfterSeconds": 15, "expungeAfterSeconds": 20}}  # fmt: skip
        until(lambda app=app: cluster.ask("marathon", "PUT", f"/v2/apps{app['id']}", app), "an app")
    until(lambda: len(cluster.wanted_tasks() or []) == TASKS, "200 tasks")
    begun_ms = round(time.time() * 1000)
    for number in range(JOBS):
        command = f"sleep 0.3; echo $CHRONOS_JOB_NAME $CHRONOS_JOB_RUN_TIME >> {cluster.directory}/runs"
        job = {"name": f"job{number}", "command": command, "schedule": f"R//PT{JOB_PERIOD_S}S", "cpus": 0.1, "mem": 16,
               "retries": 1000, "disk": 1}  # fmt: skip
        until(lambda job=job: cluster.ask("chronos", "POST", "/v1/scheduler/iso8601", job) is not None, "a job")

    fail_at_random(cluster, chance, FAULTS_S)

    ended_ms = round(time.time() * 1000)
    until(lambda: len(cluster.wanted_tasks() or []) == TASKS, "200 tasks again")
    until(
        lambda: sorted(cluster.running_tasks()) == sorted(cluster.wanted_tasks() or []), "what is wanted to run, once"
    )
    time.sleep(QUIET_S)
    assert sorted(cluster.running_tasks()) == sorted(cluster.wanted_tasks() or [])

    def had() -> bool:
        jobs = cluster.ask("chronos", "GET", "/v1/scheduler/jobs")
        return jobs is not None and all(due_until(cluster.runs(), job["name"]) >= ended_ms for job in jobs)

    until(had, "the runs that were due")
    runs = cluster.runs()
    doubled = {run: count for run, count in runs.items() if count != 1}
    assert doubled == {}
    for number in range(JOBS):
        due = sorted(at for name, at in runs if name == f"job{number}")
        assert due == list(range(due[0], due[-1] + 1, JOB_PERIOD_S * 1000))
        assert due[0] <= begun_ms + 60_000
    print(f"{len(runs)} runs, {TASKS} tasks")


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(shutil.which("ip") is None, reason="test hosts need ip")
def test_what_an_agent_does_while_it_is_away_is_replaced_or_waited_for_and_never_had_twice(cluster: Cluster) -> None:
    """The host of an agent is cut for longer than all its pings: its tasks are unreachable, then gone for Marathon.

    Marathon replaces them and kills the old ones when the agent is back. Chronos waits for its runs: of one that ended
    meanwhile it hears then, and one that goes on goes on.
    """
    until(lambda: cluster.leader("marathon") and cluster.leader("chronos"), "leaders")
    until(lambda: cluster.agents() == 3, "agents")
    leader = cluster.leading_master()
    assert leader is not None
    away = next(number for number in (1, 2, 3) if f"master{number}" != leader and cluster.zookeepers != [number])
    app = {"id": "/app", "cmd": "exec sleep 100000", "cpus": 0.1, "mem": 16, "portDefinitions": [], "instances": 30,
           "unreachableStrategy": {"inactiveAfterSeconds": 1, "expungeAfterSeconds": 2},
           "constraints": [["hostname", "GROUP_BY", "2"]]}  # fmt: skip
    until(lambda: cluster.ask("marathon", "PUT", "/v2/apps/app", app), "the app")
    until(lambda: len(cluster.wanted_tasks() or []) == 30, "30 tasks")
    for name, wait in (
        ("ends", "sleep 5.5"),
        ("goes-on", f"while [ ! -e {cluster.directory}/go ]; do sleep 0.25; done"),
    ):
        command = f"{wait}; echo $CHRONOS_JOB_NAME $CHRONOS_JOB_RUN_TIME >> {cluster.directory}/runs"
        job = {"name": name, "command": command, "schedule": "R1//P1D", "cpus": 0.1, "mem": 16, "disk": 1,
               "constraints": [["hostname", "EQUALS", address(away)]]}  # fmt: skip
        until(lambda job=job: cluster.ask("chronos", "POST", "/v1/scheduler/iso8601", job) is not None, "a job")
    until(lambda: cluster.tasks_on(away, b"sleep\x005.5\x00"), "the run that ends")
    until(lambda: cluster.tasks_on(away, b"sleep\x000.25\x00"), "the run that goes on")

    cluster.hosts.cut(away)
    old = cluster.tasks_on(away)
    assert old

    def replaced() -> bool:
        wanted = cluster.wanted_tasks() or []
        return len(wanted) == 30 and not set(wanted) & set(old)

    until(replaced, "replacements of those that are away")
    until(lambda: len(cluster.runs()) == 1, "the end of one run")
    assert sorted(cluster.tasks_on(away)) == sorted(old)
    cluster.hosts.mend(away)

    until(
        lambda: sorted(cluster.running_tasks()) == sorted(cluster.wanted_tasks() or []), "what is wanted to run, once"
    )
    assert not set(cluster.running_tasks()) & set(old)
    until(lambda: successes(cluster) == {"ends": 1, "goes-on": 0}, "word of the run that ended")
    (cluster.directory / "go").touch()
    until(lambda: successes(cluster) == {"ends": 1, "goes-on": 1}, "word of the run that went on")
    assert sorted((name, count) for (name, _), count in cluster.runs().items()) == [("ends", 1), ("goes-on", 1)]


def successes(cluster: Cluster) -> dict[str, int] | None:
    jobs = cluster.ask("chronos", "GET", "/v1/scheduler/jobs")
    return None if jobs is None else {job["name"]: job["successCount"] for job in jobs}


def due_until(runs: Counter[tuple[str, int]], job: str) -> int:
    return max((at for name, at in runs if name == job), default=0)


def fail_at_random(cluster: Cluster, chance: random.Random, seconds: float) -> None:
    """One fault after another, each mended before the next but one."""
    ends = time.monotonic() + seconds
    mend: list[Callable[[], None]] = []
    while time.monotonic() < ends:
        while len(mend) > 1:
            mend.pop(0)()
        kind = chance.choice(["marathon", "chronos", "master", "agent", "cut", "slow", "zookeeper"])
        if kind in {"cut", "slow"}:
            number = chance.randrange(1, 6)
            (cluster.hosts.cut if kind == "cut" else cluster.hosts.slow)(number)
            print(f"{kind} host {number}", flush=True)
            mend.append(lambda number=number: cluster.hosts.mend(number))
        else:
            if kind == "zookeeper" and len(cluster.zookeepers) < 3:
                continue
            name = {
                "marathon": lambda: cluster.leader("marathon"),
                "chronos": lambda: cluster.leader("chronos"),
                "master": cluster.leading_master,
                "agent": lambda: f"agent{chance.randrange(1, 4)}",
                "zookeeper": lambda: f"zookeeper{chance.randrange(1, 4)}",
            }[kind]()
            if name is None:
                time.sleep(0.5)
                continue
            cluster.hosts.kill(name)
            print(f"kill {name}", flush=True)
            mend.append(lambda name=name: cluster.hosts.restart(name))
        time.sleep(chance.uniform(1, 8))
    for one in mend:
        one()
