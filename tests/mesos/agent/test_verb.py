"""`smack mesos agent`: what it prints, how it ends, and what it refuses."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.mesos.agent.fake_master import FakeMaster
from tests.mesos.agent.test_recovery import start_process
from tests.mesos.agent.test_tasks import is_alive

from smackbox.base.errors import SettingError
from smackbox.cli.mesos import command
from smackbox.mesos.agent.server.master_link import master_url, read_master, redirected
from smackbox.mesos.agent.settings import MesosAgentSettings


def test_sigterm_leaves_tasks_and_cleanup_kills_them(master: FakeMaster, tmp_path: Path) -> None:
    agent = start_process(master, tmp_path / "work")
    task = master.run("sleep 1000")
    pid = master.state(task, "TASK_RUNNING")["container_status"]["executor_pid"]
    agent.terminate()
    assert agent.wait(20) == 0
    agent.communicate()
    assert is_alive(pid)
    cleaned = subprocess.run(
        [sys.executable, "-m", "smackbox", "mesos", "agent", "--recover=cleanup", f"--work-dir={tmp_path / 'work'}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert cleaned.stdout == "cleaned up: no tasks of a former agent are left\n"
    master.wait(lambda: not is_alive(pid), "end of the task")


def test_sigusr1_kills_tasks_and_says_good_bye(master: FakeMaster, tmp_path: Path) -> None:
    agent = start_process(master, tmp_path / "work")
    task = master.run("sleep 1000")
    master.state(task, "TASK_RUNNING")
    agent.send_signal(signal.SIGUSR1)
    agent.communicate(timeout=20)
    assert "TASK_KILLED" in master.states(task)
    assert master.calls[-1]["type"] == "UNSUBSCRIBE"


def test_an_agent_that_is_shut_down_ends(master: FakeMaster, tmp_path: Path) -> None:
    agent = start_process(master, tmp_path / "work")
    master.send({"type": "SHUTDOWN", "shutdown": {"message": "marked gone"}})
    assert agent.wait(20) == 0
    agent.communicate()


def test_one_directory_one_agent(master: FakeMaster, tmp_path: Path) -> None:
    agent = start_process(master, tmp_path / "work")
    try:
        second = subprocess.run(
            [sys.executable, "-m", "smackbox", "mesos", "agent", "--port=0", f"--work-dir={tmp_path / 'work'}"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert second.returncode == 1
        assert f"the data directory {tmp_path / 'work'} is held by process" in second.stderr
    finally:
        agent.terminate()
        agent.communicate()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--executor-registration-timeout=5"], "executor_registration_timeout: '5' is not a duration"),
        (["--memory", "--work-dir=x"], "--memory and --work-dir exclude each other"),
        (["--executor-environment-variables=[]"], "must be a JSON object of strings"),
        (["--gc-disk-headroom=2"], "gc_disk_headroom must be between 0 and 1"),
        (["--http-credentials=/no/such/file"], "cannot read /no/such/file"),
    ],
)
def test_settings_that_are_none(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(command, ["agent", *arguments])
    assert isinstance(result.exception, SettingError)
    assert said in str(result.exception)


def test_addresses_of_masters(tmp_path: Path) -> None:
    file = tmp_path / "master"
    file.write_text("zk://h:2181/mesos\n")
    assert read_master(f"file://{file}") == "zk://h:2181/mesos"
    with pytest.raises(SettingError):
        read_master("zk://h:2181")
    with pytest.raises(SettingError):
        read_master("file:///no/such/file")
    info = b'{"address": {"ip": "10.0.0.1", "port": 5050, "hostname": "h"}, "hostname": "h", "port": 5050}'
    assert master_url(info, "http") == "http://10.0.0.1:5050"
    assert redirected("https://a:1", "//b:2/internal/v1/agent") == "https://b:2"
    assert redirected("http://a:1", "http://b:2/x") == "http://b:2"


def test_the_defaults_are_those_of_mesos() -> None:
    settings = MesosAgentSettings()
    assert settings.milliseconds("executor_registration_timeout") == 60_000
    assert settings.milliseconds("executor_reregistration_timeout") == 2_000
    assert settings.milliseconds("executor_shutdown_grace_period") == 5_000
    assert settings.milliseconds("recovery_timeout") == 900_000
    assert settings.milliseconds("gc_delay") == 7 * 86_400_000
