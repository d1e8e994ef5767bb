"""Containers of type DOCKER: on a stub of the Docker Engine, and on podman where that can run."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import resource
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.mesos.agent.conftest import StartAgent, stop
from tests.mesos.agent.docker_stub import DockerStub, environment
from tests.mesos.agent.fake_master import FakeMaster, scalar
from tests.mesos.agent.test_tasks import sandbox

from smackbox.mesos.agent.server.docker_engine import split_image
from smackbox.mesos.agent.server.service import AgentService
from smackbox.mesos.agent.state.container import ContainerSpec, Volume
from smackbox.mesos.agent.state.docker_config import DockerInfoError, container_config

PORTS = {"name": "ports", "type": "RANGES", "ranges": {"range": [{"begin": 31_000, "end": 31_001}]}}


def docker(image: str = "busybox", **fields: Any) -> dict[str, Any]:
    return {"type": "DOCKER", "docker": {"image": image, "network": "HOST", **fields}}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[DockerStub]:
    with DockerStub(tmp_path / "docker.sock") as stub:
        yield stub


@pytest.fixture
def agent(start_agent: StartAgent, engine: DockerStub) -> AgentService:
    return start_agent(docker_socket=engine.socket)


def test_a_container_runs(agent: AgentService, engine: DockerStub, master: FakeMaster, tmp_path: Path) -> None:
    command = {
        "value": "echo out; echo err >&2; sleep 0.2; exit 3",
        "environment": {"variables": [{"name": "X", "value": "1"}]},
    }
    task = master.run(command, container=docker())
    running = master.state(task, "TASK_RUNNING")
    assert running["container_status"]["executor_pid"] == engine.only.process.pid  # type: ignore[union-attr]
    assert json.loads(base64.b64decode(running["data"]))[0]["Id"] == engine.only.id
    failed = master.terminal(task)
    assert (failed["state"], failed["message"]) == ("TASK_FAILED", "Container exited with status 3")
    assert master.states(task) == ["TASK_STARTING", "TASK_RUNNING", "TASK_FAILED"]
    assert (sandbox(tmp_path, task) / "stdout").read_text() == "out\n"
    assert (sandbox(tmp_path, task) / "stderr").read_text() == "err\n"
    variables = environment(engine.only)
    assert (variables["X"], variables["MESOS_SANDBOX"]) == ("1", "/mnt/mesos/sandbox")
    assert variables["MESOS_CONTAINER_NAME"] == engine.only.name
    assert "HOME" not in variables
    assert "POST /images/create" not in engine.calls


def test_images_are_pulled(agent: AgentService, engine: DockerStub, master: FakeMaster) -> None:
    master.terminal(master.run("true", container=docker("registry:5000/other")))
    assert engine.calls.count("POST /images/create") == 1
    master.terminal(master.run("true", container=docker("registry:5000/other", force_pull_image=True)))
    assert engine.calls.count("POST /images/create") == 2
    failed = master.terminal(master.run("true", container=docker("missing")))
    assert (failed["state"], failed["reason"]) == ("TASK_FAILED", "REASON_CONTAINER_LAUNCH_FAILED")
    assert failed["message"] == "Failed to launch container: manifest unknown"


def test_a_container_is_killed(agent: AgentService, engine: DockerStub, master: FakeMaster, tmp_path: Path) -> None:
    task = master.run("sleep 1000", container=docker())
    master.state(task, "TASK_RUNNING")
    master.kill(task)
    assert master.terminal(task)["state"] == "TASK_KILLED"
    stubborn = master.run("trap '' TERM; echo deaf; while :; do sleep 0.05; done", container=docker())
    master.state(stubborn, "TASK_RUNNING")
    output = sandbox(tmp_path, stubborn) / "stdout"
    master.wait(lambda: output.exists() and output.read_text() == "deaf\n")
    master.kill(stubborn, 0.1)
    killed = master.terminal(stubborn)
    assert (killed["state"], killed["message"]) == ("TASK_KILLED", "Container exited with status 137")


def test_a_container_goes_on_over_a_restart(
    start_agent: StartAgent, engine: DockerStub, master: FakeMaster, tmp_path: Path
) -> None:
    first = start_agent(docker_socket=engine.socket)
    task = master.run("echo one; until [ -e go ]; do sleep 0.02; done; echo two; exit 4", container=docker())
    master.state(task, "TASK_RUNNING")
    output = sandbox(tmp_path, task) / "stdout"
    master.wait(lambda: output.read_text() == "one\n")
    stop(first)
    start_agent(docker_socket=engine.socket)
    (sandbox(tmp_path, task) / "go").touch()
    failed = master.terminal(task)
    assert failed["message"] == "Container exited with status 4"
    assert output.read_text() == "one\ntwo\n"
    assert engine.calls.count("POST /containers/create") == 1


def test_a_command_checks_health_in_the_container(agent: AgentService, engine: DockerStub, master: FakeMaster) -> None:
    check = {"type": "COMMAND", "command": {"value": "test -e ok"}, "delay_seconds": 0, "interval_seconds": 0.05}
    task = master.run("touch ok; sleep 1000", container=docker(), health_check=check)
    master.wait(lambda: [one for one in master.of(task) if one.get("healthy")], "good health")
    assert any(call.endswith("/exec") for call in engine.calls)


def test_an_engine_that_is_not_there(start_agent: StartAgent, master: FakeMaster, tmp_path: Path) -> None:
    start_agent(docker_socket=tmp_path / "nothing.sock")
    failed = master.terminal(master.run("true", container=docker()))
    assert (failed["state"], failed["reason"]) == ("TASK_FAILED", "REASON_CONTAINER_LAUNCH_FAILED")
    assert f"the Docker Engine at {tmp_path}/nothing.sock does not answer" in failed["message"]


def spec(container: dict[str, Any], command: dict[str, Any] | None = None, **fields: Any) -> ContainerSpec:
    values: dict[str, Any] = {
        "id": "c",
        "name": "n",
        "framework_id": "f",
        "executor_id": "t",
        "sandbox": Path("/srv/sandbox"),
        "status_file": Path(),
        "command": command or {"value": "true"},
        "environment": {},
        "user": None,
        "resources": [scalar("cpus", 0.5), scalar("mem", 64), PORTS],
        "container": container,
    }
    return ContainerSpec(**{**values, **fields})


def test_what_the_engine_is_told() -> None:
    container = {
        **docker(
            network="BRIDGE",
            port_mappings=[
                {"host_port": 31_000, "container_port": 80},
                {"host_port": 31_001, "container_port": 53, "protocol": "UDP"},
            ],
            privileged=True,
            parameters=[
                {"key": "label", "value": "a=b"},
                {"key": "cap-add", "value": "NET_ADMIN"},
                {"key": "ulimit", "value": "nofile=10:20"},
                {"key": "shm-size", "value": "64m"},
                {"key": "env", "value": "Y=2"},
                {"key": "log-opt", "value": "max-size=1m"},
            ],
        ),
        "hostname": "inside",
        "volumes": [
            {"host_path": "/data", "container_path": "/mnt/data", "mode": "RO"},
            {"host_path": "own", "container_path": "relative", "mode": "RW"},
        ],
    }
    config = container_config(spec(container, volumes=(Volume("kept", Path("/volumes/v")),)))
    host = config["HostConfig"]
    assert config["Entrypoint"] + config["Cmd"] == ["/bin/sh", "-c", "true"]
    assert config["Hostname"] == "inside"
    assert config["Labels"] == {"a": "b", "MESOS_TASK_ID": "t", "MESOS_CONTAINER_ID": "c"}
    assert "Y=2" in config["Env"]
    assert host["Binds"] == [
        "/srv/sandbox:/mnt/mesos/sandbox",
        "/volumes/v:/mnt/mesos/sandbox/kept:rw",
        "/data:/mnt/data:ro",
        "/srv/sandbox/own:/mnt/mesos/sandbox/relative:rw",
    ]
    assert host["PortBindings"] == {"80/tcp": [{"HostPort": "31000"}], "53/udp": [{"HostPort": "31001"}]}
    assert (host["NetworkMode"], host["Privileged"], host["CpuShares"], host["Memory"]) == (
        "bridge",
        True,
        512,
        64 << 20,
    )
    assert (host["CapAdd"], host["ShmSize"]) == (["NET_ADMIN"], 64 << 20)
    assert host["Ulimits"] == [{"Name": "nofile", "Soft": 10, "Hard": 20}]
    assert host["LogConfig"] == {"Config": {"max-size": "1m"}}
    user = {**docker(network="USER"), "network_infos": [{"name": "mine"}]}
    assert container_config(spec(user))["HostConfig"]["NetworkMode"] == "mine"


def test_commands_of_images() -> None:
    assert "Cmd" not in container_config(spec(docker(), {"shell": False}))
    arguments = {"shell": False, "arguments": ["a", "b"]}
    assert container_config(spec(docker(), arguments))["Cmd"] == ["a", "b"]
    assert container_config(spec(docker(), {**arguments, "value": "run"}))["Cmd"] == ["run", "a", "b"]


@pytest.mark.parametrize(
    ("container", "message"),
    [
        (docker(parameters=[{"key": "no-such", "value": "x"}]), "The docker parameter 'no-such' is not supported"),
        (docker(network="USER"), "User network requires a name"),
        (docker(port_mappings=[{"host_port": 31_000, "container_port": 80}]), "Port mappings are only supported for"),
        (
            docker(network="BRIDGE", port_mappings=[{"host_port": 80, "container_port": 80}]),
            r"Port \[80\] not included",
        ),
        ({"type": "DOCKER"}, "names no image"),
    ],
)
def test_what_cannot_be_had(container: dict[str, Any], message: str) -> None:
    with pytest.raises(DockerInfoError, match=message):
        container_config(spec(container))


def test_names_of_images() -> None:
    assert split_image("busybox") == ("busybox", "latest")
    assert split_image("busybox:1") == ("busybox", "1")
    assert split_image("host:5000/x") == ("host:5000/x", "latest")
    assert split_image("host:5000/x:2") == ("host:5000/x", "2")
    assert split_image("x@sha256:abc") == ("x@sha256:abc", "")


@pytest.fixture
def podman(tmp_path: Path) -> Iterator[Path]:
    """The socket of a podman of our own, with an image made of a static busybox."""
    busybox = shutil.which("busybox")
    if shutil.which("podman") is None or busybox is None or os.geteuid() != 0:
        pytest.skip("needs podman, a static busybox, and root")
    root = tmp_path / "rootfs"
    for folder in ("bin", "tmp", "proc", "dev", "etc"):
        (root / folder).mkdir(parents=True)
    shutil.copy(busybox, root / "bin/busybox")
    (root / "bin/sh").symlink_to("busybox")
    with tarfile.open(tmp_path / "image.tar", "w") as archive:
        archive.add(root, ".")
    limit = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 20_000)
    runtime = next((one for one in ("runc", "crun") if shutil.which(one)), "crun")
    (tmp_path / "containers.conf").write_text(
        f'[containers]\ndefault_ulimits=["nofile={limit}:{limit}","nproc=1000:1000"]\n'
        f'[engine]\ncgroup_manager="cgroupfs"\nruntime="{runtime}"\n'
    )
    environment = {**os.environ, "CONTAINERS_CONF": str(tmp_path / "containers.conf")}
    short = tempfile.mkdtemp(prefix="smack-")  # podman takes 50 characters and no more
    command = [
        "podman", f"--root={tmp_path}/storage", f"--runroot={short}", "--storage-driver=vfs",
        "--cgroup-manager=cgroupfs",
    ]  # fmt: skip

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    imported = run("import", str(tmp_path / "image.tar"), "localhost/stub:latest")
    tried = run("run", "--rm", "--network=host", "localhost/stub:latest", "/bin/busybox", "true")
    if imported.returncode or tried.returncode:
        pytest.skip(f"podman cannot run a container here: {(imported.stderr + tried.stderr).strip()[-200:]}")
    socket = tmp_path / "podman.sock"
    service = subprocess.Popen(
        [*command, "system", "service", "--time=0", f"unix://{socket}"], env=environment, stderr=subprocess.DEVNULL
    )
    try:
        yield socket
    finally:
        run("rm", "--all", "--force")
        service.terminate()
        service.wait(20)
        with contextlib.suppress(OSError):
            shutil.rmtree(tmp_path / "storage")
            shutil.rmtree(short)


def test_on_podman(start_agent: StartAgent, podman: Path, master: FakeMaster, tmp_path: Path) -> None:
    master.wait(podman.exists, "podman's socket")
    first = start_agent(docker_socket=podman)
    wait = "until [ -e /mnt/mesos/sandbox/go ]; do busybox sleep 0.1; done"
    command = f"echo $MESOS_SANDBOX; busybox touch /mnt/mesos/sandbox/here; {wait}; exit 5"
    task = master.run(command, container=docker("localhost/stub:latest"))
    running = master.state(task, "TASK_RUNNING", "TASK_FAILED")
    assert running["state"] == "TASK_RUNNING", running
    directory = sandbox(tmp_path, task)
    master.wait(lambda: (directory / "here").exists())
    killed = master.run("while :; do busybox sleep 0.1; done", container=docker("localhost/stub:latest"))
    master.state(killed, "TASK_RUNNING")
    master.kill(killed, 0.1)
    assert master.terminal(killed)["state"] == "TASK_KILLED"
    stop(first)
    start_agent(docker_socket=podman)
    (directory / "go").touch()
    failed = master.terminal(task)
    assert (failed["state"], failed["message"]) == ("TASK_FAILED", "Container exited with status 5")
    assert (directory / "stdout").read_text() == "/mnt/mesos/sandbox\n"
