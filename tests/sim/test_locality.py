"""Two hosts with an agent, a Cassandra node and a Kafka broker each; a third has the master and the driver.

At least nine of ten tasks run on the host that has their data.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

from tests.sim import hosts
from tests.sim.hosts import Hosts, address
from tests.sim.locality_program import ROWS

SMACK = [sys.executable, "-m", "smackbox"]
DRIVER_TIMEOUT_S = 180.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.skipif(hosts.missing() is not None, reason=str(hosts.missing()))
def test_tasks_run_where_their_data_is(tmp_path: Path) -> None:
    with Hosts(3, tmp_path) as made:
        made.start("master", 3, [*SMACK, "mesos", "master", "--host", address(3), "--insecure", "--memory"])
        for number in (1, 2):
            listen = ["--host", address(number), "--insecure"]
            made.start(f"cassandra{number}", number, [*SMACK, "cassandra", "serve", *listen, "--memory"])
            made.start(f"kafka{number}", number, [*SMACK, "kafka", "serve", *listen, "--memory"])
            made.start(f"agent{number}", number, [
                *SMACK, "mesos", "agent", *listen, "--dir", str(tmp_path / f"agent{number}"),
                "--master", f"{address(3)}:5050", "--hostname", f"node-{number}", "--no-switch-user",
                "--resources", "cpus:2;mem:2048;disk:1000;ports:[]", "--isolation", "posix/cpu,posix/mem",
            ])  # fmt: skip
        program = str(Path(__file__).with_name("locality_program.py"))
        made.start("driver", 3, [sys.executable, program, f"mesos://{address(3)}:5050", address(1), address(2)])
        deadline = time.monotonic() + DRIVER_TIMEOUT_S
        while made.is_running("driver"):
            assert time.monotonic() < deadline, (tmp_path / "driver.log").read_text()
            time.sleep(0.1)
    log = (tmp_path / "driver.log").read_text()
    assert "{" in log, log
    found = json.loads(log.strip().splitlines()[-1])
    assert found["rows"] == found["shuffled"] == 4 * ROWS
    assert found["local"] >= 0.9 * found["tasks"], found
