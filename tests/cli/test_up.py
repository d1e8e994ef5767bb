"""`smack up`, `status`, `cql` and `topics` together, as processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from smackbox.runtime.supervisor import running

SMACK = (sys.executable, "-m", "smackbox")
TIMEOUT_S = 60
PLATFORM = ["zookeeper", "mesos-master", "mesos-agent", "marathon", "chronos"]
SERVERS = [*PLATFORM, "kafka", "cassandra"]


@pytest.fixture
def box(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [*SMACK, "up", "--free-ports", "--no-spark", "--dir", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    yield process
    process.kill()
    process.communicate()


def smack(directory: Path, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    verb, *rest = arguments
    return subprocess.run(
        [*SMACK, verb, "--dir", str(directory), *rest],
        input=stdin, capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:3]


def test_up_status_use_and_stop(box: subprocess.Popen[str], tmp_path: Path) -> None:
    assert box.stdout is not None
    lines = [box.stdout.readline() for _ in range(len(SERVERS) + 1)]
    assert [line.split()[0] for line in lines] == [*SERVERS, "ready"]
    status = smack(tmp_path, "status")
    assert status.returncode == 0, status
    assert [line.split()[:2] for line in status.stdout.splitlines()[1:]] == [[name, "ready"] for name in SERVERS]

    assert smack(tmp_path, "topics", "create", "orders").stdout == "created orders\n"
    assert smack(tmp_path, "topics", "list").stdout == "orders\t1\n"
    script = """
        CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1};
        CREATE TABLE k.t (id int PRIMARY KEY, v text);
        INSERT INTO k.t (id, v) VALUES (1, 'semi;colon');
    """
    assert smack(tmp_path, "cql", stdin=script).returncode == 0
    assert "semi;colon" in smack(tmp_path, "cql", "SELECT * FROM k.t").stdout
    refused = smack(tmp_path, "cql", "SELECT * FROM k.none")
    assert refused.returncode == 1
    assert refused.stderr.startswith("smack: ")
    assert len(refused.stderr.splitlines()) == 1

    second = smack(tmp_path, "up", "--free-ports", "--no-spark")
    assert second.returncode == 1
    assert "box is running in" in second.stderr

    (state,) = running(tmp_path)
    kafka = next(process for process in state.processes if process.name == "kafka")
    os.kill(kafka.pid, signal.SIGKILL)
    assert "orders\t1\n" in smack(tmp_path, "topics", "list").stdout  # the client waits for the restart
    while next(process.restarts for process in running(tmp_path)[0].processes if process.name == "kafka") != 1:
        time.sleep(0.01)
    (state,) = running(tmp_path)

    box.send_signal(signal.SIGINT)
    box.communicate(timeout=TIMEOUT_S)
    assert box.returncode == 0
    assert [process.name for process in state.processes if alive(process.pid)] == []
    assert running(tmp_path) == []


def test_a_server_that_cannot_start_stops_the_rest(tmp_path: Path) -> None:
    (tmp_path / "cassandra").write_text("a file in the way")
    failed = smack(tmp_path, "up", "--free-ports", "--no-spark")
    assert failed.returncode == 1
    assert "cannot use the data directory" in failed.stderr
    assert len(failed.stderr.splitlines()) == 1
    assert running(tmp_path) == []
