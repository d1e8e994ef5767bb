"""The supervisor over small programs that behave well and badly."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from smackbox.base.errors import StartError
from smackbox.runtime.process import LIFELINE, ProcessSpec
from smackbox.runtime.settings import BoxSettings
from smackbox.runtime.supervisor import Supervisor, running

WAIT_TIMEOUT_S = 20.0

SERVER = """
import os, signal, socket, sys
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])))
listener.listen()
print("a line before it is ready")
print(f"ready echo 127.0.0.1:{listener.getsockname()[1]} in 7 ms", flush=True)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
open(os.environ["SMACK_LIFELINE"]).read()
"""
DEAF = SERVER.replace("lambda *_: sys.exit(0)", "signal.SIG_IGN")


def server(name: str, program: str = SERVER) -> ProcessSpec:
    return ProcessSpec(name, (sys.executable, "-c", program), 0)


def settings(directory: Path) -> BoxSettings:
    return BoxSettings(dir=directory).with_free_ports()


def run(work: Callable[[Supervisor], Awaitable[None]], directory: Path) -> None:
    async def main() -> None:
        async with Supervisor.claim("box", settings(directory)) as supervisor:
            await asyncio.wait_for(work(supervisor), WAIT_TIMEOUT_S)

    asyncio.run(main())


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_ready_processes_are_told_of_in_the_run_file_and_gone_after_it(tmp_path: Path) -> None:
    pids = []

    async def work(supervisor: Supervisor) -> None:
        await supervisor.start(server("one"), server("two"))
        (state,) = running(tmp_path)
        own = [one for one in state.processes if one.name in {"one", "two"}]
        assert [(one.name, one.state, one.ready_ms) for one in own] == [("one", "ready", 7), ("two", "ready", 7)]
        assert state.url("one") == supervisor.url("one")
        pids.extend(one.pid for one in own)
        assert "a line before it is ready" in (tmp_path / "logs" / "one.log").read_text()

    run(work, tmp_path)
    assert running(tmp_path) == []
    assert [alive(pid) for pid in pids] == [False, False]


def test_a_killed_process_comes_back_on_its_port(tmp_path: Path) -> None:
    async def work(supervisor: Supervisor) -> None:
        await supervisor.start(server("one"))
        (process,) = supervisor.processes
        for round_ in (1, 2):
            url, pid = process.url, process.pid
            os.kill(pid, signal.SIGKILL)
            await until(lambda wanted=round_: process.restarts == wanted and process.state == "ready")
            assert (process.url, process.pid != pid) == (url, True)

    run(work, tmp_path)


def test_a_process_that_cannot_start_says_why_and_nothing_is_left(tmp_path: Path) -> None:
    program = "import sys; sys.exit('smack: the port is taken')"
    good = []

    async def work(supervisor: Supervisor) -> None:
        await supervisor.start(server("good"))
        good.append(supervisor.processes[0].pid)
        await supervisor.start(server("bad", program))

    with pytest.raises(StartError, match=r"^the port is taken$"):
        run(work, tmp_path)
    assert not alive(good[0])
    assert running(tmp_path) == []


def test_a_process_that_ignores_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smackbox.runtime.process.STOP_TIMEOUT_S", 0)
    pids = []

    async def work(supervisor: Supervisor) -> None:
        await supervisor.start(server("deaf", DEAF))
        pids.append(supervisor.processes[0].pid)

    run(work, tmp_path)
    assert not alive(pids[0])


def test_two_of_a_name_exclude_each_other(tmp_path: Path) -> None:
    async def work(supervisor: Supervisor) -> None:
        await supervisor.start(server("one"))
        with pytest.raises(StartError, match="box is running in"):
            Supervisor.claim("box", settings(tmp_path))
        Supervisor.claim("ads", settings(tmp_path))

    run(work, tmp_path)


def test_a_signal_ends_a_start_that_takes_long(tmp_path: Path) -> None:
    async def main() -> None:
        async with Supervisor.claim("box", settings(tmp_path)) as supervisor:
            asyncio.get_running_loop().call_later(0.05, os.kill, os.getpid(), signal.SIGTERM)
            await supervisor.start(server("slow", "import time; time.sleep(100)"))
            raise AssertionError("the start must not go through")

    asyncio.run(asyncio.wait_for(main(), WAIT_TIMEOUT_S))
    assert running(tmp_path) == []


def test_children_end_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    program = f"""
import asyncio, sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_supervisor import server, settings
from smackbox.runtime.supervisor import Supervisor
async def main():
    async with Supervisor.claim("box", settings(Path(sys.argv[1]))) as supervisor:
        await supervisor.start(server("one"))
        print(supervisor.processes[0].pid, flush=True)
        await supervisor.wait()
asyncio.run(main())
"""
    supervisor = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert supervisor.stdout is not None
    child = int(supervisor.stdout.readline())
    supervisor.kill()
    supervisor.communicate()
    assert running(tmp_path) == []

    async def gone() -> None:
        await asyncio.wait_for(until(lambda: not alive(child)), WAIT_TIMEOUT_S)

    asyncio.run(gone())


def test_apps_that_a_killed_supervisor_left_go_and_those_of_users_stay(tmp_path: Path) -> None:
    sleeping = {"cmd": "exec sleep 1000", "cpus": 0.01, "mem": 1, "instances": 0}
    left = {"id": "/old/server", "env": {LIFELINE: "/gone"}, **sleeping}
    beside = {"id": "/mixed/server", "env": {LIFELINE: "/gone"}, **sleeping}
    mine = [{"id": name, **sleeping} for name in ("/mine/deep/app", "/mixed/app", "/alone")]
    found: list[str] = []

    async def leave(supervisor: Supervisor) -> None:
        client = await supervisor._connected()
        await client.put_apps([left, beside, *mine])

    async def look(supervisor: Supervisor) -> None:
        client = await supervisor._connected()
        found.extend(app["id"] for app in await client.apps())

    run(leave, tmp_path)
    run(look, tmp_path)
    assert sorted(found) == ["/alone", "/mine/deep/app", "/mixed/app"]
