"""`--config FILE`: what `smack up` and `smack run` start reads the same file."""

from __future__ import annotations

import contextlib
import io
import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.boxes import until_ready
from tests.runtime.test_cassandra_logins import APP, SETTINGS

from smackbox.cli.watching import watch
from smackbox.runtime.prepare import CqlConnection
from smackbox.runtime.run import running_urls

SMACK = (sys.executable, "-m", "smackbox")
TIMEOUT_S = 60
TRIES = 100_000
# with a password, without which no part of the application reaches its tables, and a limit of the endpoint
MORE = """
[ingest]
body_limit = 100
"""


@contextmanager
def started(folder: Path, *arguments: str, name: str) -> Iterator[dict[str, str]]:
    """The URLs of what runs, by name."""
    command = [*SMACK, *arguments, "--free-ports", "--no-spark", "--dir", "data", "--config", "settings/own.toml"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder)
    try:
        yield until_ready(process, name)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "settings").mkdir()
    (tmp_path / "settings" / "own.toml").write_text(SETTINGS.format(password="cassandra") + MORE)
    return tmp_path


def post(url: str, text: str) -> int:
    body = json.dumps({"id": 7, "text": text}).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{url}/note", body), timeout=TIMEOUT_S) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def is_seen_by_a_person(folder: Path) -> None:
    """`smack streams`, `smack lag` and a look of `smack status --watch`."""

    def smack(*arguments: str) -> str:
        command = [*SMACK, *arguments, "--dir", "data"]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=True).stdout

    head, line = smack("streams").splitlines()
    shown = dict(zip(head.replace(" S ", "_S ").split(), line.split(), strict=True))
    assert (shown["STREAM"], shown["STATE"], shown["ROWS"], shown["LAG"]) == ("raw_notes_to_note", "ready", "1", "0")
    figures = json.loads(smack("streams", "--json"))
    assert (figures["stream"], figures["rows_total"], figures["restarts"]) == ("raw_notes_to_note", 1, 0)
    head, line = smack("lag").splitlines()
    assert line.split() == ["notes.raw_notes_to_note", "raw_notes", "1", "1", "1", "0", "0.0"]

    targets = json.loads(smack("status", "--targets"))
    assert [target["labels"]["process"] for target in targets] == ["raw_notes_to_note", "ingest"]
    scraped = [urllib.request.urlopen(f"http://{target['targets'][0]}/metrics").read() for target in targets]
    assert b'smack_stream_rows_total{stream="raw_notes_to_note"} 1.0' in scraped[0]
    assert b'smack_ingest_events_accepted_total{path="/note"} 1.0' in scraped[1]

    def wait(_: float) -> None:
        raise KeyboardInterrupt

    looks = io.StringIO()
    with contextlib.redirect_stdout(looks):
        watch(folder / "data", 1.0, wait)
    lines = looks.getvalue().splitlines()
    assert [line.split()[0] for line in lines if line][-2:] == ["STREAM", "raw_notes_to_note"]
    assert any(line.startswith("kafka") and " ready " in line for line in lines)


@pytest.mark.xdist_group("spark")
def test_all_parts_of_an_application_read_the_file(folder: Path) -> None:
    with started(folder, "run", "app.py", name="notes") as urls:
        url = next(url for name, url in urls.items() if name == "ingest")
        assert post(url, "x" * 200) == 413
        assert post(url, "hello") == 202
        address = running_urls(folder / "data").cassandra
        assert address is not None
        with CqlConnection(address, "notes", username="cassandra", password="cassandra") as session:
            assert any(list(session.execute("SELECT * FROM note")) == [(7, "hello")] for _ in range(TRIES))
        is_seen_by_a_person(folder)


def test_the_servers_of_the_box_read_the_file(folder: Path) -> None:
    with started(folder, "up", name="box") as urls:
        command = [*SMACK, "cql", "--cassandra", urls["cassandra"], "SELECT * FROM system.local"]
        refused = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        assert refused.returncode == 1
        assert "requires authentication" in refused.stderr
