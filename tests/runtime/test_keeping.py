"""An application that archives a topic and backs up its box."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import sys
import time
import urllib.request
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from tests.boxes import until_ready

from smackbox.app.model import App
from smackbox.backup.repository import Repository
from smackbox.base.errors import StartError
from smackbox.runtime.keeping import archive_specs, backup_jobs
from smackbox.runtime.supervisor import running
from smackbox.store.objects import FolderObjects

LIMIT_S = 60
APP = """
from datetime import timedelta
import msgspec
import smackbox as sb

app = sb.App("keeper")

class Event(msgspec.Struct):
    id: int

raw = app.topic("raw", Event)
app.post("/events", to=raw)
app.archive(raw, to={archive!r}, every=timedelta(seconds=0.2))
app.backup(to={safe!r}, every=timedelta(hours=1), keep="7d")
"""


class Event(msgspec.Struct):
    id: int


@pytest.mark.slow
def test_archives_and_back_ups_run_beside_the_application(tmp_path: Path) -> None:
    file, box, safe, archive = (tmp_path / name for name in ("app.py", "box", "safe", "archive"))
    template = str(archive / "{day}/{hour}-{partition}-{offset}.json.gz")
    file.write_text(APP.format(archive=template, safe=str(safe)))
    command = [sys.executable, "-m", "smackbox", "run", str(file), "--free-ports", "--port", "0", "--dir", str(box)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        until_ready(process, "keeper")
        (state,) = running(box)
        body = json.dumps([{"id": number} for number in range(100)]).encode()
        request = urllib.request.Request(f"{state.url('ingest')}/events", body, {"Content-Type": "application/json"})
        urllib.request.urlopen(request).close()
        repository = Repository.create_or_open(FolderObjects(safe))
        deadline = time.monotonic() + LIMIT_S
        lines: list[bytes] = []
        while len(lines) < 100 or not repository.backups():
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
            lines = [line for path in archive.rglob("*.gz") for line in gzip.decompress(path.read_bytes()).splitlines()]
        assert sorted(json.loads(line)["id"] for line in lines) == list(range(100))
        assert {"kafka", "cassandra", "platform", "streams"} <= set(repository.find().parts)
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0


def test_a_back_up_is_a_job_of_chronos(tmp_path: Path) -> None:
    app = App("a")
    app.backup(to="s3://safe/it's", every=timedelta(hours=6), keep="7d")
    app.backup(to="folder", every=timedelta(minutes=90))
    first, second = backup_jobs(app, tmp_path)
    assert (first["name"], second["name"]) == ("a.backup", "a.backup2")
    assert (first["schedule"], second["schedule"]) == ("R//PT21600S", "R//PT5400S")
    assert "smackbox backup save 's3://safe/it'\"'\"'s' --dir" in first["command"]
    assert "--keep 7d" in first["command"] and "--keep" not in second["command"]
    assert f"save {Path('folder').resolve()} --dir" in second["command"]


def test_a_key_comes_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = App("a")
    app.backup(to="s3://safe/x", every=timedelta(hours=6), key_file="key")
    monkeypatch.setenv("SMACK_BACKUP_KEY", "hush")
    (job,) = backup_jobs(app, tmp_path)
    assert f"--key-file {Path('key').resolve()}" in job["command"]
    app.backup(to="s3://safe/y", every=timedelta(hours=6))
    with pytest.raises(StartError, match="does not reach a scheduled back-up: give app.backup"):
        backup_jobs(app, tmp_path)


def test_an_archive_is_a_process() -> None:
    app = App("a")
    app.archive(app.topic("raw", Event), to="x/{partition}-{offset}.json")
    (spec,) = archive_specs(app, ("run",))
    assert (spec.name, spec.argv) == ("archive_raw", ("run", "--only", "archive:archive_raw"))
