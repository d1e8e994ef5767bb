"""Endpoints that several processes serve on one port, and `kill -9` of one of them."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import uuid
from collections import Counter
from pathlib import Path

import pytest

from smackbox.app.load import load_app
from smackbox.base.errors import SettingError
from smackbox.kafka.server import KafkaServer
from smackbox.kafka.settings import KafkaSettings
from smackbox.net.service import ServiceThread
from smackbox.runtime.parts import ingest_instances
from smackbox.runtime.run import ingest_specs
from smackbox.runtime.settings import BoxSettings

INSTANCES = 3
TIMEOUT_S = 20
SERVER = """
import sys, uuid, msgspec
from smackbox.ingest.route import Route
from smackbox.ingest.server import IngestServer
from smackbox.ingest.settings import IngestSettings
from smackbox.net.service import run

class Event(msgspec.Struct):
    id: uuid.UUID

settings = IngestSettings(kafka=sys.argv[1], port=int(sys.argv[2]), reuse_port=True)
run(IngestServer(settings, [Route("/events", "events", Event)]))
"""
APPLICATION = """
import uuid, msgspec
import smackbox as sb

app = sb.App("ads")

class Event(msgspec.Struct):
    id: uuid.UUID

raw = app.topic("raw", Event)
app.post("/a", to=raw, instances=3)
app.post("/b", to=raw)
"""


def start(kafka: str, port: int) -> tuple[subprocess.Popen[str], int]:
    process = subprocess.Popen([sys.executable, "-c", SERVER, kafka, str(port)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    ready = process.stdout.readline().split()
    assert ready[:2] == ["ready", "ingest"], ready
    return process, int(ready[2].rpartition(":")[2])


def process_of(port: int, client: http.client.HTTPConnection) -> int:
    """The process at the other end of a connection, by what Linux says of its sockets."""
    mine = client.sock.getsockname()[1]
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        local, remote, _, *_, inode = line.split()[1:10]
        if (int(local.rpartition(":")[2], 16), int(remote.rpartition(":")[2], 16)) == (port, mine):
            for link in Path("/proc").glob("[0-9]*/fd/*"):
                try:
                    if str(link.readlink()) == f"socket:[{inode}]":
                        return int(link.parts[2])
                except OSError:
                    continue
    return 0


def post(client: http.client.HTTPConnection) -> int:
    client.request("POST", "/events", json.dumps({"id": str(uuid.uuid4())}))
    response = client.getresponse()
    response.read()
    return response.status


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="looks into Linux' /proc")
def test_one_that_is_killed_takes_only_its_own_connections(tmp_path: Path) -> None:
    processes: list[subprocess.Popen[str]] = []
    clients: list[http.client.HTTPConnection] = []
    with ServiceThread(KafkaServer(KafkaSettings(dir=tmp_path))) as kafka:
        try:
            port = 0
            for _ in range(INSTANCES):
                process, port = start(kafka.url, port)
                processes.append(process)
            owners: Counter[int] = Counter()
            while len(owners) < INSTANCES:  # the kernel spreads connections by a hash of their ports
                assert len(clients) < 300
                client = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
                assert post(client) == 202
                clients.append(client)
                owners[process_of(port, client)] += 1
            assert set(owners) == {process.pid for process in processes}
            victim = processes[0]
            theirs = [client for client in clients if process_of(port, client) != victim.pid]
            os.kill(victim.pid, signal.SIGKILL)
            victim.wait(TIMEOUT_S)
            for client in theirs:
                assert post(client) == 202
            for _ in range(20):
                client = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
                assert post(client) == 202
                client.close()
        finally:
            for client in clients:
                client.close()
            for process in processes:
                process.kill()
                process.wait(TIMEOUT_S)
                assert process.stdout is not None
                process.stdout.close()


def test_the_processes_of_an_application(tmp_path: Path) -> None:
    file = tmp_path / "application.py"
    file.write_text(APPLICATION)
    app = load_app(file)
    assert ingest_instances(app) == 3
    specs = ingest_specs(app, ("smack",), BoxSettings(dir=tmp_path, ingest_port=0))
    assert [(spec.name, spec.argv[-1]) for spec in specs] == [(f"ingest-{n}", f"ingest:{n}") for n in (1, 2, 3)]
    assert len({spec.port for spec in specs}) == 1
    assert specs[0].port
    file.write_text(APPLICATION.replace("instances=3", "instances=1"))
    (one,) = ingest_specs(load_app(file), ("smack",), BoxSettings(dir=tmp_path, ingest_port=0))
    assert (one.name, one.argv, one.port) == ("ingest", ("smack", "--only", "ingest"), 0)
    file.write_text(APPLICATION.replace("instances=3", "instances=0"))
    with pytest.raises(SettingError, match="endpoint /a: instances must be 1 to 100, not 0"):
        load_app(file)
