"""A box is lost whole: restored from its last back-up, and sent again what clients have, its totals are exact.

Events with identities of their own go over HTTP into a copying and an aggregating stream. While they come, processes
are killed with SIGKILL and the box is backed up into a bucket. Then everything is killed at once and the box's folder
is deleted. A box restored from the bucket goes on where the back-up was, gets all events once more, and has to have
each once.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from cassandra.cluster import Cluster
from moto.server import ThreadedMotoServer

from tests.boxes import until_ready

SMACK = (sys.executable, "-m", "smackbox")
APP = """
from datetime import timedelta
from uuid import UUID
import msgspec
import smackbox as sb

app = sb.App("loss")

class Event(msgspec.Struct, frozen=True):
    id: UUID
    campaign: str
    amount: int

raw = app.topic("raw", Event, key="campaign", unique="id", partitions=2, dead_letter="raw.dlq")
app.post("/events", to=raw)
event = app.table("event", Event, primary_key="id")
app.stream(raw, to=event)
total = app.table("total", cql="CREATE TABLE total (campaign text PRIMARY KEY, events bigint, amount bigint)")

@app.stream(raw, to=total, every=timedelta(milliseconds=100))
def totals(batch):
    from pyspark.sql import functions as F
    return batch.groupBy("campaign").agg(F.expr("count(*) AS events"), F.expr("sum(amount) AS amount"))
"""
PROCESSES = ("kafka", "cassandra", "totals", "raw_to_event", "ingest")
EVENTS_A_POST = 50
CAMPAIGNS = 20
TIMEOUT_S = 90
BUCKET = "safe"


class Box:
    """`smack run app.py` in a directory; `name` is the application's."""

    def __init__(self, folder: Path, app: str, name: str) -> None:
        self.directory = folder / "box"
        self.name = name
        (folder / "app.py").write_text(app)
        self._command = [
            *SMACK, "run", str(folder / "app.py"), "--free-ports", "--port", "0", "--dir", str(self.directory),
        ]  # fmt: skip
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        until_ready(self.process, self.name)

    def states(self) -> list[dict[str, Any]]:
        run_file = self.directory / "run" / f"{self.name}.json"
        states: list[dict[str, Any]] = json.loads(run_file.read_text())["processes"]
        return states

    def url(self, name: str) -> str:
        return next(str(one["url"]) for one in self.states() if one["name"] == name)

    def kill(self, name: str) -> None:
        pid = next(one["pid"] for one in self.states() if one["name"] == name)
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def kill_all(self) -> None:
        """Everything at once: the supervisor first, so that nothing is started again."""
        if self.process is None:
            return
        self.process.kill()
        self.process.communicate()
        while pids := self._processes():
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.process = None

    def _processes(self) -> list[int]:
        """What was started for this directory, those that were just being started again included."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                arguments = (entry / "cmdline").read_bytes()
                if str(self.directory).encode() in arguments and int(entry.name) != os.getpid():
                    found.append(int(entry.name))
        return [pid for pid in found if is_alive(pid)]


def is_alive(pid: int) -> bool:
    """Whether any thread of it is: they hold its locks to the last, though its main thread is a zombie."""
    try:
        is_zombie = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        threads = list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return False
    return not is_zombie or len(threads) > 1


def smack(*arguments: str) -> str:
    done = subprocess.run([*SMACK, *arguments], capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, done
    return done.stdout


def post(box: Box, events: list[dict[str, Any]]) -> None:
    """Until it is accepted, as clients do; the endpoint may be between two lives."""
    body = json.dumps(events).encode()
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        try:
            request = urllib.request.Request(box.url("ingest") + "/events", body, {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=15) as answer:
                assert answer.status == 202
                return
        except (OSError, StopIteration, ValueError) as error:
            if isinstance(error, urllib.error.HTTPError) and error.code not in {429, 503}:
                raise
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    for name, value in (("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b"), ("AWS_REGION", "us-east-1")):
        monkeypatch.setenv(name, value)
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
    client.create_bucket(Bucket=BUCKET)
    yield f"s3://{BUCKET}/boxes/one?endpoint={endpoint}"
    server.stop()


def tables(box: Box) -> tuple[dict[str, tuple[int, int]], set[str]]:
    host, port = box.url("cassandra").split(":")
    cluster = Cluster([host], port=int(port))
    try:
        session = cluster.connect("loss")
        totals = {row.campaign: (row.events, row.amount) for row in session.execute("SELECT * FROM total")}
        return totals, {str(row.id) for row in session.execute("SELECT id FROM event")}
    finally:
        cluster.shutdown()


def lose_and_restore(box: Box, bucket: str, chance: random.Random, posts: int, kills: int) -> None:
    """Fill, kill, back up, lose, restore, fill again, compare."""
    events = [
        {"id": str(uuid.UUID(int=chance.getrandbits(128))), "campaign": f"c{chance.randrange(CAMPAIGNS)}", "amount": n}
        for n in range(posts * EVENTS_A_POST)
    ]
    bodies = [events[at : at + EVENTS_A_POST] for at in range(0, len(events), EVENTS_A_POST)]
    box.start()
    sent = 0
    half, all_sent = threading.Event(), threading.Event()

    def send() -> None:
        nonlocal sent
        for body in bodies[: posts * 3 // 4]:
            post(box, body)
            sent += 1
            if sent == posts // 3:
                half.set()
        all_sent.set()

    sender = threading.Thread(target=send)
    sender.start()
    assert half.wait(TIMEOUT_S)
    for _ in range(kills):
        box.kill(chance.choice(PROCESSES))
        smack("backup", bucket, "--dir", str(box.directory))
    assert not [entry for entry in box.directory.iterdir() if entry.name.startswith("backup-staging")]
    assert all_sent.wait(TIMEOUT_S)
    sender.join()
    box.kill_all()
    shutil.rmtree(box.directory)

    smack("restore", bucket, "--dir", str(box.directory))
    box.start()
    for body in bodies:
        post(box, body)
    counts = Counter(event["campaign"] for event in events)
    amounts: Counter[str] = Counter()
    for event in events:
        amounts[event["campaign"]] += event["amount"]
    expected = {name: (counts[name], amounts[name]) for name in counts}
    found: Any = None

    def is_exact() -> bool:
        nonlocal found
        found = tables(box)
        return found == (expected, {event["id"] for event in events})

    deadline = time.monotonic() + TIMEOUT_S
    while not is_exact():
        assert time.monotonic() < deadline, (found[0], expected, len(found[1]), len(events))
        time.sleep(0.1)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    box = Box(tmp_path, APP, "loss")
    yield box
    box.kill_all()


@pytest.mark.timeout(180)
@pytest.mark.xdist_group("chain")
def test_a_lost_box_is_restored_exactly(box: Box, bucket: str) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    lose_and_restore(box, bucket, random.Random(seed), posts=60, kills=1)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_box_is_lost_again_and_again(box: Box, bucket: str) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for number in range(10):
        lose_and_restore(box, f"{bucket.replace('one', f'n{number}')}", chance, posts=400, kills=5)
        box.kill_all()
        shutil.rmtree(box.directory)
