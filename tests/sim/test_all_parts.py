"""All parts at once, killed again and again: every total exact, every output once, the archive whole.

POST -> topic -> a flow of windows on three instances -> table and topic; a stream of totals; an archive. While events
come, a process drawn by chance is killed with SIGKILL each round, the box is backed up, and a replay of the totals is
made beside them, which is put in at the end. Clients send a body again when they get no answer.
"""

from __future__ import annotations

import gzip
import json
import random
import subprocess
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from smackbox.runtime.status import status
from smackbox.spark.cql_session import CqlSession
from tests.sim.test_total_loss import SMACK, Box, post

APP = """
from datetime import datetime, timedelta
from uuid import UUID
import msgspec
import smackbox as sb
from smackbox.flow import Count, Sum

app = sb.App("parts")

class Event(msgspec.Struct, frozen=True):
    id: UUID
    campaign: str
    amount: int
    at: int

class Window(msgspec.Struct, frozen=True):
    campaign: str
    window_start: datetime
    events: int
    amount: int | None

raw = app.topic("raw", Event, key="campaign", unique="id", partitions=6, dead_letter="raw.dlq")
app.post("/events", to=raw)
window = app.table("window", Window, primary_key=("campaign", "window_start"))
closed = app.topic("closed", Window, key="campaign")
total = app.table("total", cql="CREATE TABLE total (campaign text PRIMARY KEY, events bigint, amount bigint)")
app.archive(raw, to="{archive}/{{day}}-{{hour}}-{{partition}}-{{offset}}.json.gz", every=timedelta(seconds=1))

def as_window(row):
    return Window(row.campaign, row.window_start, row.events, row.amount)

windows = (
    app.flow(raw)
    .with_watermark("at", timedelta(seconds=60))
    .group_by("campaign")
    .tumbling_window(timedelta(seconds=100))
    .agg(events=Count(), amount=Sum("amount"))
    .final()
    .map(as_window, to=Window)
)
app.stream(windows, to=[window, closed], instances=3, every=timedelta(milliseconds=50))

@app.stream(raw, to=total, every=timedelta(milliseconds=100))
def totals(batch):
    from pyspark.sql import functions as F
    return batch.groupBy("campaign").agg(F.expr("count(*) AS events"), F.expr("sum(amount) AS amount"))
"""
EVENTS_A_POST = 20
CAMPAIGNS = 12
CLOSERS = 300
WINDOW_MS = 100_000
END_MS = 10**11
TIMEOUT_S = 120


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    box = Box(tmp_path, APP.format(archive=tmp_path / "archive"), "parts")
    yield box
    box.kill_all()


def events(chance: random.Random, posts: int) -> list[dict[str, Any]]:
    return [
        {
            "id": str(uuid.UUID(int=chance.getrandbits(128))),
            "campaign": f"c{chance.randrange(CAMPAIGNS)}",
            "amount": chance.randrange(100),
            "at": 1_000_000_000 + number * 1_000,
        }
        for number in range(posts * EVENTS_A_POST)
    ]


def closers(chance: random.Random) -> list[dict[str, Any]]:
    """Events of keys of their own that carry the watermark of each partition beyond all windows."""
    return [
        {"id": str(uuid.UUID(int=chance.getrandbits(128))), "campaign": f"end{number}", "amount": 0, "at": END_MS}
        for number in range(CLOSERS)
    ]


def windows_of(sent: list[dict[str, Any]]) -> dict[tuple[str, int], tuple[int, int]]:
    counts: Counter[tuple[str, int]] = Counter()
    amounts: Counter[tuple[str, int]] = Counter()
    for event in sent:
        place = event["campaign"], event["at"] - event["at"] % WINDOW_MS
        counts[place] += 1
        amounts[place] += event["amount"]
    return {place: (count, amounts[place]) for place, count in counts.items()}


def totals_of(sent: list[dict[str, Any]]) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for event in sent:
        count, amount = found.get(event["campaign"], (0, 0))
        found[event["campaign"]] = count + 1, amount + event["amount"]
    return found


class Tables:
    """The two tables, read again and again."""

    def __init__(self, box: Box) -> None:
        self._cql = CqlSession(box.url("cassandra"), timeout_s=30.0)

    def read(self) -> tuple[Any, Any]:
        """The closed windows by campaign and start, and the totals by campaign."""
        rows = self._cql.session.execute("SELECT * FROM parts.window")
        windows = {
            (row.campaign, round(row.window_start.replace(tzinfo=UTC).timestamp() * 1000)): (row.events, row.amount)
            for row in rows
            if not row.campaign.startswith("end")
        }
        totals = self._cql.session.execute("SELECT * FROM parts.total")
        return windows, {row.campaign: (row.events, row.amount) for row in totals}

    def close(self) -> None:
        self._cql.close()


def difference(found: tuple[Any, Any], expected: tuple[Any, Any]) -> list[str]:
    """What is wrong, a line each."""
    lines = []
    for name, have, want in zip(("window", "total"), found, expected, strict=True):
        places = sorted(place for place in {*have, *want} if have.get(place) != want.get(place))
        lines += [f"{name} {place}: {have.get(place)}, not {want.get(place)}" for place in places]
    return lines


def records(box: Box, topic: str) -> list[dict[str, Any]]:
    """All committed records of a topic."""
    consumer = Consumer(
        {
            "bootstrap.servers": box.url("kafka"),
            "group.id": "check",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        }
    )
    partitions = consumer.list_topics(topic, 20).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
    found: list[dict[str, Any]] = []
    ended: set[int] = set()
    while len(ended) < len(partitions):
        message = consumer.poll(20)
        assert message is not None, "the topic's end was not reached"
        if message.error() is not None:
            ended.add(message.partition())
        else:
            found.append(json.loads(message.value()))
    consumer.close()
    return found


def archived(folder: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for file in folder.glob("*.json.gz")
        for line in gzip.decompress(file.read_bytes()).splitlines()
    ]


def tool(*arguments: str) -> None:
    """A verb beside the kills: it may find a server between two lives, and is asked again."""
    subprocess.run([*SMACK, *arguments], capture_output=True, text=True, timeout=TIMEOUT_S, check=False)


def run_killed(box: Box, folder: Path, chance: random.Random, rounds: int, posts_a_round: int) -> None:
    """Post, kill, back up and replay; then compare."""
    sent = events(chance, rounds * posts_a_round)
    bodies = [sent[at : at + EVENTS_A_POST] for at in range(0, len(sent), EVENTS_A_POST)]
    box.start()
    posted = 0

    def send() -> None:
        nonlocal posted
        for body in bodies:
            post(box, body)
            posted += 1

    sender = threading.Thread(target=send)
    sender.start()
    killed: Counter[str] = Counter()
    app, directory = str(folder / "app.py"), str(box.directory)
    replay = ("replay", app, "--stream", "totals", "--dir", directory)
    helpers: list[threading.Thread] = []
    for number in range(rounds):
        deadline = time.monotonic() + TIMEOUT_S
        while posted < min(number * posts_a_round, len(bodies)) and time.monotonic() < deadline:
            time.sleep(0.01)
        names = [state["name"] for state in box.states() if state["url"] and not state["name"].startswith("mesos")]
        name = chance.choice([name for name in names if name not in {"zookeeper", "marathon", "chronos"}])
        box.kill(name)
        killed[name.rpartition("-")[0] if name[-1:].isdigit() else name] += 1
        if number % 5 == 0 and not any(helper.is_alive() for helper in helpers):
            verb = ("backup", str(folder / "safe"), "--dir", directory) if number % 10 else replay
            helpers = [threading.Thread(target=tool, args=verb)]
            helpers[0].start()
    for helper in helpers:
        helper.join()
    sender.join()
    print(dict(killed))
    ends = closers(chance)
    for at in range(0, len(ends), EVENTS_A_POST):
        post(box, ends[at : at + EVENTS_A_POST])
    expected = windows_of(sent), totals_of([*sent, *ends])
    deadline = time.monotonic() + TIMEOUT_S
    while not status(box.directory)[1]:
        assert time.monotonic() < deadline, status(box.directory)
        time.sleep(0.2)
    tables = Tables(box)
    while wrong := difference(tables.read(), expected):
        assert time.monotonic() < deadline, (len(wrong), wrong[:20])
        time.sleep(0.2)
    applied = subprocess.run(
        [*SMACK, *replay, "--apply"], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert applied.returncode == 0, applied
    assert not difference(tables.read(), expected), "a replay of the same formula changes nothing"
    tables.close()
    outputs = Counter((row["campaign"], row["window_start"]) for row in records(box, "closed"))
    outputs = Counter({place: n for place, n in outputs.items() if not place[0].startswith("end")})
    assert len(outputs) == len(expected[0]) and set(outputs.values()) == {1}, "each window once"
    raw = Counter(record["id"] for record in records(box, "raw"))
    assert set(raw) == {event["id"] for event in (*sent, *ends)}
    deadline = time.monotonic() + TIMEOUT_S
    while Counter(event["id"] for event in archived(folder / "archive")) != raw:
        assert time.monotonic() < deadline, "the archive has each record of the topic as often as the topic"
        time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.xdist_group("chain")
def test_all_parts_are_exact_over_ten_kills(box: Box, tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    run_killed(box, tmp_path, random.Random(seed), 10, 20)


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.xdist_group("chain")
def test_all_parts_are_exact_over_a_hundred_kills(box: Box, tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    run_killed(box, tmp_path, random.Random(seed), 100, 20)
