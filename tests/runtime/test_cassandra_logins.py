"""`smack run` on a Cassandra that asks for passwords: the application's parts log in as the settings say."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.boxes import until_ready

from smackbox.runtime.prepare import CqlConnection
from smackbox.runtime.run import running_urls

SMACK = (sys.executable, "-m", "smackbox")
TIMEOUT_S = 60
TRIES = 100_000
SETTINGS = """
[cassandra]
authenticator = "PasswordAuthenticator"
authorizer = "CassandraAuthorizer"

[box]
cassandra_username = "cassandra"
cassandra_password = "{password}"
"""
APP = """
import msgspec
import smackbox as sb

app = sb.App("notes")

class Note(msgspec.Struct, frozen=True):
    id: int
    text: str

raw = app.topic("raw_notes", Note, key="id", unique="id")
app.post("/note", to=raw)
notes = app.table("note", cql="CREATE TABLE note (id bigint PRIMARY KEY, text text)")
shouted = app.table("shouted", cql="CREATE TABLE shouted (id bigint PRIMARY KEY, text text)")
app.stream(raw, to=notes)

@app.job(to=shouted)
def shout(spark):
    return spark.sql("SELECT id, upper(text) AS text FROM note")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "smackbox.toml").write_text(SETTINGS.format(password="cassandra"))
    return tmp_path


@pytest.fixture
def started(folder: Path) -> Iterator[dict[str, str]]:
    """The URLs of the application that runs, by name."""
    command = [*SMACK, "run", "app.py", "--free-ports", "--no-spark", "--dir", str(folder / "data")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder)
    try:
        yield until_ready(process, "notes")
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0


def smack(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*SMACK, *arguments], cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )


@pytest.mark.xdist_group("spark")
def test_an_application_logs_in(folder: Path, started: dict[str, str]) -> None:
    url = next(url for name, url in started.items() if name == "ingest")
    body = json.dumps({"id": 7, "text": "hello"}).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{url}/note", body), timeout=TIMEOUT_S) as answer:
        assert answer.status == 202
    address = running_urls(folder / "data").cassandra
    assert address is not None
    with CqlConnection(address, "notes", username="cassandra", password="cassandra") as session:
        assert any(list(session.execute("SELECT * FROM note")) == [(7, "hello")] for _ in range(TRIES))
        done = smack(folder, "run", "app.py", "--job", "shout", "--dir", "data")
        assert (done.returncode, done.stderr) == (0, "")
        assert list(session.execute("SELECT * FROM shouted")) == [(7, "HELLO")]
    # the tools log in as the applications do
    shown = smack(folder, "cql", "SELECT text FROM notes.note", "--dir", "data")
    assert "hello" in shown.stdout
    assert "ready" in smack(folder, "status", "--dir", "data").stdout


def test_a_wrong_password_is_one_line(folder: Path) -> None:
    (folder / "smackbox.toml").write_text(SETTINGS.format(password="wrong"))
    done = smack(folder, "run", "app.py", "--free-ports", "--no-spark", "--memory")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()[-1:]
    assert "and/or password are incorrect" in line
