"""Executors, workers, agents and masters that go away: totals are exact, and accumulators count once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from operator import add
from pathlib import Path

import pytest
from tests.contract.pool import Pool, until
from tests.spark.rdd.mesos.conftest import SMALL, Started, kill, processes

from smackbox.mesos.agent.server.cgroups import Cgroups, CgroupsUnavailable
from smackbox.spark.rdd.context import SparkContext
from smackbox.spark.rdd.errors import JobError

ROWS, KEYS, PARTITIONS = 4_000, 10, 8


def totals(sc: SparkContext, marks: Path, pause_s: float = 0.05) -> tuple[dict[int, int], int]:
    """A shuffle whose reduce tasks leave a mark and take their time; the totals, and how many rows were counted."""
    seen = sc.accumulator(0)

    def keyed(number: int) -> tuple[int, int]:
        seen.add(1)
        return number % KEYS, number

    def slowly(index: int, rows: object) -> object:
        (marks / f"{index}").touch()
        time.sleep(pause_s)
        return rows

    pairs = sc.parallelize(range(ROWS), PARTITIONS).map(keyed).reduceByKey(add, PARTITIONS)
    return dict(pairs.mapPartitionsWithIndex(slowly).collect()), seen.value


EXPECTED = ({key: sum(range(key, ROWS, KEYS)) for key in range(KEYS)}, ROWS)


def during(marks: Path, act: Callable[[], None]) -> threading.Thread:
    """`act` in a thread, once a reduce task has begun."""

    def wait() -> None:
        until(lambda: any(marks.iterdir()), "the first reduce task")
        act()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


@pytest.mark.parametrize("module", ["executor", "worker"])
def test_killed_in_the_middle_of_a_shuffle(on_mesos: Started, tmp_path: Path, module: str) -> None:
    sc = on_mesos()
    until(lambda: sc.parallelize(range(4), 4).count() and len(sc._scheduler.pool.slots) == 4, "four executors")
    thread = during(tmp_path, lambda: kill(processes(sc, module)[0]))
    assert totals(sc, tmp_path) == EXPECTED
    thread.join()
    until(lambda: sc.parallelize(range(4), 4).count() and len(sc._scheduler.pool.slots) == 4, "four executors again")


def test_an_executor_that_a_task_kills_fails_the_job_with_the_reason(on_mesos: Started) -> None:
    sc = on_mesos()

    def die(_: int) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(JobError, match=r"(?s)failed 4 times.*killed by signal 9"):
        sc.parallelize([1], 1).foreach(die)
    assert sc.parallelize([1, 2], 2).sum() == 3


def test_an_agent_goes_with_its_executors(tmp_path: Path) -> None:
    with Pool(tmp_path / "pool") as pool:
        pool.start_master(allocation_interval="50ms")
        agents = [pool.start_agent(resources="cpus:2;mem:2048;disk:1000;ports:[]") for _ in range(2)]
        with SparkContext(f"mesos://{pool.master}", conf={**SMALL, "spark.cores.max": "4"}) as sc:
            until(lambda: sc.parallelize(range(4), 4).count() and len(sc._scheduler.pool.slots) == 4, "four executors")
            (tmp_path / "marks").mkdir()
            thread = during(tmp_path / "marks", agents[0].stop)
            assert totals(sc, tmp_path / "marks") == EXPECTED
            thread.join()


def test_the_next_master_starts_executors_too(tmp_path: Path) -> None:
    with Pool(tmp_path / "pool", with_zookeeper=True) as pool:
        first = pool.start_master(allocation_interval="50ms")
        pool.start_master(allocation_interval="50ms")
        pool.start_agent()
        with SparkContext(f"mesos://{pool.master}", conf={**SMALL, "spark.cores.max": "2"}) as sc:
            assert sc.parallelize(range(4), 2).sum() == 6
            (tmp_path / "marks").mkdir()
            thread = during(tmp_path / "marks", first.stop)
            assert totals(sc, tmp_path / "marks") == EXPECTED
            thread.join()
            for pid in processes(sc):
                kill(pid)
            assert totals(sc, tmp_path / "marks") == EXPECTED


def test_a_straggler_is_overtaken_by_its_copy(on_mesos: Started, tmp_path: Path) -> None:
    """The first attempt of one task hangs for longer than the test may take."""
    sc = on_mesos(spark_speculation="true")
    until(lambda: sc.parallelize(range(4), 4).count() and len(sc._scheduler.pool.slots) == 4, "four executors")
    seen = sc.accumulator(0)

    def hang_once(number: int) -> int:
        seen.add(1)
        if number == 7:
            try:
                (tmp_path / "hangs").touch(exist_ok=False)
            except FileExistsError:
                return number
            time.sleep(1_000)
        return number

    assert sc.parallelize(range(8), 8).map(hang_once).sum() == 28
    assert seen.value == 8


@pytest.mark.slow
def test_memory_is_doubled_until_a_task_fits(tmp_path: Path) -> None:
    """An executor of 192 MB is killed for its memory; the next has 288, and so on."""
    try:
        Cgroups.open("smackbox-spark")
    except CgroupsUnavailable as error:
        pytest.skip(f"no cgroups here: {error}")
    with Pool(tmp_path) as pool:
        pool.start_master(allocation_interval="50ms")
        pool.start_agent(isolation="cgroups/cpu,cgroups/mem", cgroups_root="smackbox-spark")
        conf = {"spark.cores.max": "1", "spark.executor.memory": "96m", "spark.executor.memoryOverhead": "96m"}
        with SparkContext(f"mesos://{pool.master}", conf={**conf, "spark.task.maxFailures": "20"}) as sc:
            rows = sc.parallelize([1], 1).map(lambda number: len(b"x" * (350 << 20)) // (350 << 20) * number)
            assert rows.sum() == 1
            assert sc._scheduler.pool._launcher._framework._memory_mb in {384, 768}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_twenty_kills(on_mesos: Started, tmp_path: Path) -> None:
    sc = on_mesos(spark_task_maxFailures=20)
    chance, struck = random.Random(7), list[bool]()
    for number in range(20):
        marks = tmp_path / str(number)
        marks.mkdir()

        def strike() -> None:
            time.sleep(chance.random() * 0.1)
            victims = until(lambda: processes(sc, chance.choice(["executor", "worker"])), "somebody to kill")
            struck.append(kill(chance.choice(victims)))

        thread = during(marks, strike)
        assert totals(sc, marks, 0.1) == EXPECTED, number
        thread.join()
    assert struck == [True] * 20


class Servers:
    """Masters and agents as processes, which are started again when they are killed."""

    def __init__(self, zk: str, directory: Path) -> None:
        self._directory = directory
        common = [sys.executable, "-m", "smackbox", "mesos"]
        masters = [f"zk://{zk}/mesos", *["--agent-ping-timeout", "2000ms", "--memory", "--port", "0"]]
        self._commands = {f"master{n}": [*common, "master", "--zk", *masters] for n in range(2)} | {
            f"agent{n}": [
                *common, "agent", "--master", f"zk://{zk}/mesos", "--dir", str(directory / f"agent{n}"), "--port", "0",
                "--resources", "cpus:2;mem:2048;disk:1000;ports:[]", "--isolation", "posix/cpu,posix/mem",
                "--no-switch-user",
            ]
            for n in range(2)
        }  # fmt: skip
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Servers:
        for name in self._commands:
            self.restart(name)
        return self

    def __exit__(self, *_: object) -> None:
        for name, process in self._running.items():
            process.send_signal(signal.SIGUSR1 if name.startswith("agent") else signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def restart(self, name: str) -> None:
        if name in self._running:
            self._running[name].kill()
            self._running[name].wait()
        with (self._directory / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(self._commands[name], stdout=log, stderr=log)

    @property
    def names(self) -> list[str]:
        return list(self._commands)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_twenty_kills_of_executors_agents_and_masters(tmp_path: Path) -> None:
    chance = random.Random(11)
    with Pool(tmp_path, with_zookeeper=True) as pool, Servers(str(pool.zookeeper), tmp_path) as servers:
        conf = {**SMALL, "spark.cores.max": "4", "spark.task.maxFailures": "20"}
        with SparkContext(f"mesos://zk://{pool.zookeeper}/mesos", conf=conf) as sc:

            def strike(victim: str) -> None:
                if victim in servers.names:
                    servers.restart(victim)
                else:
                    kill(chance.choice(until(lambda: processes(sc, victim), f"a {victim}")))

            assert sc.parallelize(range(4), 4).sum() == 6
            for number in range(20):
                marks = tmp_path / f"marks{number}"
                marks.mkdir()
                victim = chance.choice(["executor", "worker", *servers.names])
                thread = during(marks, partial(strike, victim))
                assert totals(sc, marks, 0.1) == EXPECTED, (number, victim)
                thread.join()
