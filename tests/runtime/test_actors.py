"""`app.actors`: nodes of one cluster beside the box, killed at random, with exact totals."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.boxes import until_ready

import smackbox as sb
from smackbox.base.errors import SettingError
from smackbox.runtime.actor_status import line_of
from smackbox.runtime.stack import SMACK
from smackbox.runtime.status import status
from smackbox.runtime.supervisor import ProcessState, running

COUNTERS = Path(__file__).parents[2] / "examples" / "cluster" / "counters.py"
TIMEOUT_S = 80.0  # of one wait; pytest ends a test after 120
CAMPAIGNS = 7


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "data"
    command = [
        *SMACK,
        "run",
        str(COUNTERS),
        "--free-ports",
        "--no-spark",
        "--dir",
        str(folder),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        until_ready(process, "counters")
        yield folder
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        finally:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


def nodes(box: Path) -> list[ProcessState]:
    return [process for state in running(box) for process in state.processes if process.name.startswith("counters-")]


def asked(url: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=6) as answer:
        return json.load(answer)


def base(node: ProcessState) -> str:
    return node.url.removesuffix("/actors")


class Clients:
    """Post events to any node, and again until a node has answered, as clients do. `counted` is what must be there."""

    def __init__(self, box: Path) -> None:
        self.counted = {str(campaign): {"views": 0, "clicks": 0} for campaign in range(CAMPAIGNS)}
        self._box = box
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._post, args=(number,)) for number in range(3)]

    @property
    def count(self) -> int:
        return sum(totals["views"] + totals["clicks"] for totals in self.counted.values())

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _post(self, client: int) -> None:
        chance = random.Random(client)
        number = 0
        while not self._stop.is_set():
            number += 1
            campaign = str(chance.randrange(CAMPAIGNS))
            event = {"id": f"{client}-{number}", "type": chance.choice(["view", "click"])}
            while not self._posted(chance, campaign, event):
                time.sleep(0.05)
            with self._lock:
                self.counted[campaign][event["type"] + "s"] += 1

    def _posted(self, chance: random.Random, campaign: str, event: dict[str, str]) -> bool:
        try:
            asked(f"{base(chance.choice(nodes(self._box)))}/count/{campaign}", event)
        except (OSError, ValueError):
            return False
        return True


def rounds_of_kills(box: Path, rounds: int) -> None:
    chance = random.Random(3)
    with Clients(box) as clients:
        until(lambda: clients.count > 50)
        for _ in range(rounds):
            killed = chance.choice(nodes(box))
            os.kill(killed.pid, signal.SIGKILL)
            before = clients.count
            until(lambda before=before: clients.count > before + 50)  # type: ignore[misc]
            until(lambda: members(box) == 3)
    for campaign, totals in clients.counted.items():
        found = {str(asked(f"{base(node)}/count/{campaign}")) for node in nodes(box)}
        assert found == {str(totals)}


def members(box: Path) -> int | None:
    try:
        views = {tuple(sorted(asked(node.url)["members"].items())) for node in nodes(box)}
    except (OSError, ValueError):
        return None
    return dict(views.pop()).get("up") if len(views) == 1 else None


def test_counts_are_exact_when_a_node_is_killed(box: Path) -> None:
    rounds_of_kills(box, 1)
    lines, healthy = status(box)
    assert healthy
    shown = [line for line in lines if line.startswith("counters-") and ": cluster of 3 up; " in line]
    assert len(shown) == 3
    assert sum(int(line.split(" entities")[0].rpartition(" ")[2]) for line in shown) == CAMPAIGNS
    (metrics,) = {
        urllib.request.urlopen(f"{base(node)}/metrics", timeout=6).read().decode().count("smack_cluster_members{")
        for node in nodes(box)
    }
    assert metrics == 1
    assert asked(f"{base(nodes(box)[0])}/cluster/members")["leader"].startswith("pekko://counters@")


@pytest.mark.slow
def test_counts_are_exact_over_twenty_kills(box: Path) -> None:
    rounds_of_kills(box, 20)


def test_what_an_application_may_declare() -> None:
    app = sb.App("a")
    with pytest.raises(SettingError, match="instances must be 1 to 100, not 0"):
        app.actors(instances=0)

    @app.actors()
    def one(_node: Any) -> None: ...

    with pytest.raises(SettingError, match="actor system one is declared twice"):
        app.actors()(one)
    with pytest.raises(SettingError, match=r"no actor system 'on' \(did you mean 'one'\?\)"):
        app.find_actors("on")


def test_a_node_in_one_line() -> None:
    shown = {
        "members": {"up": 2, "joining": 1},
        "shards": {"Cart": {"shards": 4, "entities": 9}},
        "actors": 12,
        "mailbox": {"messages": 5, "longest": 3, "path": "/user/slow"},
        "dead_letters": 1,
    }
    assert line_of(shown) == (
        "cluster of 1 joining, 2 up; 12 actors; 5 messages wait (at most 3, /user/slow); Cart: 4 shards, 9 entities; "
        "1 dead letters"
    )


def test_a_node_without_a_place_to_find_others(tmp_path: Path) -> None:
    command = [
        *SMACK,
        "run",
        str(COUNTERS),
        "--only",
        "actors:counters",
        "--dir",
        str(tmp_path),
    ]
    command += ["--kafka", "127.0.0.1:1", "--cassandra", "127.0.0.1:1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "find each other in ZooKeeper: give --zookeeper, or --akka" in done.stderr
    done = subprocess.run([*command, "--akka", "nonsense"], capture_output=True, text=True, timeout=60, check=False)
    assert "'nonsense' is no address of an actor system: akka://system@host:port" in done.stderr
