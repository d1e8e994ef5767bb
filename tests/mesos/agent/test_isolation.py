"""Limits: cgroups where this machine lets root have them, and the disk that is looked at."""

from __future__ import annotations

import json
import re
import sys
import urllib.request
from pathlib import Path

import pytest
from tests.mesos.agent.conftest import StartAgent, stop
from tests.mesos.agent.fake_master import FakeMaster, scalar, task_info
from tests.mesos.agent.test_executor_default import run_group

from smackbox.base.errors import StartError
from smackbox.mesos.agent.server.cgroups import Cgroups, CgroupsUnavailable

CGROUPS = "cgroups/cpu,cgroups/mem"
EATS_MEMORY = f"exec {sys.executable} -c 'x = bytearray(200 << 20); print(len(x)); import time; time.sleep(1000)'"


@pytest.fixture
def cgroups() -> Cgroups:
    try:
        return Cgroups.open("smackbox-test")
    except CgroupsUnavailable as error:
        pytest.skip(f"no cgroups here: {error}")


def test_a_task_is_in_a_cgroup_of_its_size(start_agent: StartAgent, master: FakeMaster, cgroups: Cgroups) -> None:
    agent = start_agent(isolation=CGROUPS, cgroups_root="smackbox-test", cgroups_enable_cfs=True)
    task = master.run("sleep 1000", resources=[scalar("cpus", 0.5), scalar("mem", 64)])
    container = master.state(task, "TASK_RUNNING")["container_status"]["container_id"]["value"]
    master.wait(lambda: len((cgroups.members_folder(container) / "cgroup.procs").read_text().split()) >= 2)
    with urllib.request.urlopen(agent.url + "/containers") as answer:
        statistics = json.loads(answer.read())[0]["statistics"]
    assert statistics["mem_limit_bytes"] == 64 << 20
    if cgroups.version == 1:
        folder = cgroups.folders["cpu"] / container
        assert (folder / "cpu.shares").read_text() == "512\n"
        assert (folder / "cpu.cfs_quota_us").read_text() == "50000\n"
    else:
        assert (cgroups.folders["cpu"] / container / "cpu.max").read_text() == "50000 100000\n"
    master.kill(task)
    assert master.terminal(task)["state"] == "TASK_KILLED"
    master.wait(lambda: not cgroups.members_folder(container).exists(), "removal of the cgroup")


def test_who_takes_too_much_memory_is_killed(start_agent: StartAgent, master: FakeMaster, cgroups: Cgroups) -> None:
    start_agent(isolation=CGROUPS, cgroups_root="smackbox-test")
    failed = master.terminal(master.run(EATS_MEMORY))
    assert (failed["state"], failed["reason"]) == ("TASK_FAILED", "REASON_CONTAINER_LIMITATION_MEMORY")
    assert failed["message"].startswith("Memory limit exceeded: Requested: 32MB Maximum Used: 32MB")
    assert failed["limitation"] == {"resources": [scalar("mem", 32)]}
    assert failed["source"] == "SOURCE_AGENT"


def test_a_child_that_takes_too_much_ends_the_task(
    start_agent: StartAgent, master: FakeMaster, cgroups: Cgroups, tmp_path: Path
) -> None:
    start_agent(isolation=CGROUPS, cgroups_root="smackbox-test")
    program = tmp_path / "eat.py"
    program.write_text("x = bytearray(200 << 20)\nprint(len(x))\n")
    task = master.run(f"{sys.executable} {program}; sleep 1000")
    assert master.terminal(task)["reason"] == "REASON_CONTAINER_LIMITATION_MEMORY"


def test_a_task_may_have_limits_above_its_requests(
    start_agent: StartAgent, master: FakeMaster, cgroups: Cgroups
) -> None:
    start_agent(isolation=CGROUPS, cgroups_root="smackbox-test")
    limits = {"mem": {"value": 128}, "cpus": {"value": 2}}
    task = master.run("sleep 1000", resources=[scalar("cpus", 0.5), scalar("mem", 64)], limits=limits)
    container = master.state(task, "TASK_RUNNING")["container_status"]["container_id"]["value"]
    assert cgroups.usage(container)["mem_limit_bytes"] == 128 << 20
    if cgroups.version == 1:
        folder = cgroups.folders["cpu"] / container
        assert (folder / "cpu.shares").read_text() == "512\n"
        assert (folder / "cpu.cfs_quota_us").read_text() == "200000\n"


def test_a_group_shares_a_cgroup(start_agent: StartAgent, master: FakeMaster, cgroups: Cgroups) -> None:
    start_agent(isolation=CGROUPS, cgroups_root="smackbox-test")
    run_group(master, task_info("a", "sleep 1000"), task_info("b", "sleep 1000"))
    parent = master.state("a", "TASK_RUNNING")["container_status"]["container_id"]["parent"]["value"]
    master.state("b", "TASK_RUNNING")
    master.wait(lambda: len((cgroups.members_folder(parent) / "cgroup.procs").read_text().split()) >= 4)
    assert cgroups.usage(parent)["mem_limit_bytes"] == 64 << 20
    master.kill("a")
    assert {master.terminal(name)["state"] for name in ("a", "b")} == {"TASK_KILLED"}
    master.wait(lambda: not cgroups.members_folder(parent).exists(), "removal of the cgroup")


def test_a_task_keeps_its_cgroup_over_a_restart(start_agent: StartAgent, master: FakeMaster, cgroups: Cgroups) -> None:
    settings = {"isolation": CGROUPS, "cgroups_root": "smackbox-test"}
    first = start_agent(**settings)
    task = master.run("sleep 1000")
    container = master.state(task, "TASK_RUNNING")["container_status"]["container_id"]["value"]
    stop(first)
    start_agent(**settings)
    master.kill(task)
    assert master.terminal(task)["state"] == "TASK_KILLED"
    master.wait(lambda: not cgroups.members_folder(container).exists(), "removal of the cgroup")


def test_what_killed_agents_left_is_swept(cgroups: Cgroups) -> None:
    for name in ("old", "needed", "young"):
        cgroups.make(name, [scalar("cpus", 1), scalar("mem", 64)])
    try:
        made = cgroups.members_folder("young").stat().st_mtime
        cgroups.sweep({"needed"}, made + 1)
        assert cgroups.members_folder("old").exists()
        cgroups.sweep({"needed", "young"}, made + 3_600)
        assert not cgroups.members_folder("old").exists()
        assert cgroups.members_folder("needed").exists()
    finally:
        for name in ("needed", "young"):
            cgroups.remove(name)


def test_cgroups_that_are_not_there(tmp_path: Path, start_agent: StartAgent, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text("proc /proc proc rw 0 0\n")
    with pytest.raises(CgroupsUnavailable):
        Cgroups.open("smackbox-test", mounts=mounts)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(StartError, match="--isolation=cgroups/cpu is not available: the agent is not root"):
        start_agent(isolation="cgroups/cpu")


def test_version_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In plain files: which ones are written, and how."""
    monkeypatch.setattr("os.geteuid", lambda: 0)
    mount = tmp_path / "cgroup"
    mount.mkdir()
    (mount / "cgroup.controllers").write_text("cpuset cpu io memory\n")
    mounts = tmp_path / "mounts"
    mounts.write_text(f"cgroup2 {mount} cgroup2 rw 0 0\n")
    cgroups = Cgroups.open("mesos", enable_cfs=True, mounts=mounts)
    folder = mount / "mesos/c"
    folder.mkdir()
    (folder / "memory.max").write_text("max\n")
    assert cgroups.make("c", [scalar("cpus", 2), scalar("mem", 100)]) == [folder / "cgroup.procs"]
    assert (mount / "cgroup.subtree_control").read_text() == "+cpu +memory\n"
    assert (folder / "cpu.weight").read_text() == "79\n"
    assert (folder / "cpu.max").read_text() == "200000 100000\n"
    assert (folder / "memory.max").read_text() == f"{100 << 20}\n"
    unlimited = [{**scalar("cpus", 2), "limit": float("inf")}, scalar("mem", 50)]
    cgroups.update("c", unlimited)
    assert (folder / "cpu.max").read_text() == "max 100000\n"
    assert (folder / "memory.max").read_text() == f"{100 << 20}\n", "a limit is not lowered"
    assert cgroups.out_of_memory("c") is None
    (folder / "memory.events").write_text("low 0\noom 2\noom_kill 1\n")
    said = cgroups.out_of_memory("c")
    assert said is not None
    assert said.startswith("Memory limit exceeded: Requested: 100MB")


def test_who_takes_too_much_disk_is_killed(start_agent: StartAgent, master: FakeMaster) -> None:
    start_agent(
        enforce_container_disk_quota=True, container_disk_watch_interval="50ms", isolation="posix/cpu,posix/mem"
    )
    large = master.run(
        "head -c 5000000 /dev/zero > file; sleep 1000", resources=[scalar("cpus", 0.1), scalar("disk", 1)]
    )
    small = master.run(
        "head -c 500000 /dev/zero > file; sleep 1000", resources=[scalar("cpus", 0.1), scalar("disk", 1)]
    )
    failed = master.terminal(large)
    assert (failed["state"], failed["reason"]) == ("TASK_FAILED", "REASON_CONTAINER_LIMITATION_DISK")
    assert re.fullmatch(r"Disk usage \([2-4]MB\) exceeds quota \(1MB\)", failed["message"])
    assert master.states(small)[-1] == "TASK_RUNNING"
