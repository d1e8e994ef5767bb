"""Checks of tasks that run: the framework is notified of their health and of what their checks find."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.mesos.agent.fake_master import FakeMaster

from smackbox.mesos.agent.server.service import AgentService

FAST = {"delay_seconds": 0, "interval_seconds": 0.02, "timeout_seconds": 5, "grace_period_seconds": 0}
UNTIL_KILLED = "while :; do sleep 0.02; done"


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(int(self.path.strip("/") or 200))
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def web() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def health(master: FakeMaster, task: str, wanted: bool) -> dict[str, Any]:
    found: dict[str, Any] = master.wait(
        lambda: next((one for one in master.of(task) if one.get("healthy") is wanted), None), f"health {wanted}"
    )
    return found


def test_a_task_that_fails_its_health_check_is_killed(agent: AgentService, master: FakeMaster, tmp_path: Path) -> None:
    (tmp_path / "ok").touch()
    check = {**FAST, "type": "COMMAND", "command": {"value": f"test -e {tmp_path}/ok"}, "consecutive_failures": 2}
    task = master.run(UNTIL_KILLED, health_check=check)
    good = health(master, task, True)
    (tmp_path / "ok").unlink()
    assert (good["state"], good["reason"]) == ("TASK_RUNNING", "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED")
    killed = master.terminal(task)
    assert (killed["state"], killed["healthy"]) == ("TASK_KILLED", False)
    assert [one["healthy"] for one in master.of(task) if "healthy" in one] == [True, False, False, False]


@pytest.mark.parametrize(("path", "healthy"), [("/200", True), ("/399", True), ("/404", False)])
def test_http_health(agent: AgentService, master: FakeMaster, web: int, path: str, healthy: bool) -> None:
    check = {**FAST, "type": "HTTP", "http": {"port": web, "path": path}}
    health(master, master.run(UNTIL_KILLED, health_check=check), healthy)


def test_tcp_health(agent: AgentService, master: FakeMaster, web: int) -> None:
    health(master, master.run(UNTIL_KILLED, health_check={**FAST, "type": "TCP", "tcp": {"port": web}}), True)
    health(master, master.run(UNTIL_KILLED, health_check={**FAST, "type": "TCP", "tcp": {"port": 1}}), False)


def test_a_check_that_takes_too_long_fails(agent: AgentService, master: FakeMaster) -> None:
    check = {**FAST, "type": "COMMAND", "command": {"value": "sleep 100"}, "timeout_seconds": 0.05}
    bad = health(master, master.run(UNTIL_KILLED, health_check=check), False)
    assert bad["message"] == "COMMAND check timed out after 0.05secs"


def test_a_check_tells_what_it_finds_and_kills_nobody(
    agent: AgentService, master: FakeMaster, web: int, tmp_path: Path
) -> None:
    code_file = tmp_path / "code"
    code_file.write_text("3")
    check = {**FAST, "type": "COMMAND", "command": {"command": {"value": f"exit $(cat {code_file})"}}}
    task = master.run(UNTIL_KILLED, check={**check, "delay_seconds": 0.1})
    assert master.state(task, "TASK_RUNNING")["check_status"] == {"type": "COMMAND", "command": {}}
    for code in (3, 4):
        code_file.write_text(str(code))
        found = master.wait(
            lambda code=code: [
                one for one in master.of(task) if one.get("check_status", {}).get("command") == {"exit_code": code}
            ],
            f"exit code {code}",
        )
        assert found[0]["reason"] == "REASON_TASK_CHECK_STATUS_UPDATED"
    http_check = {**FAST, "type": "HTTP", "http": {"port": web, "path": "/503"}}
    task = master.run(UNTIL_KILLED, check=http_check)
    master.wait(
        lambda: [
            one for one in master.of(task) if one.get("check_status", {}).get("http", {}).get("status_code") == 503
        ]
    )


def test_a_check_that_is_not_right_fails_the_task(agent: AgentService, master: FakeMaster) -> None:
    failed = master.terminal(master.run("true", health_check={"type": "HTTP"}))
    assert (failed["state"], failed["reason"]) == ("TASK_FAILED", "REASON_TASK_INVALID")
