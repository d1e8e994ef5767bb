"""`smack run` gives the jobs that have a schedule to Chronos, and those after them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from smackbox.runtime.supervisor import running

APP = """
from pathlib import Path
import smackbox as sb

app = sb.App("ticks")
FOLDER = Path({folder!r})


@app.job(schedule="R1//PT1H")
def first(spark):
    (FOLDER / "first").write_text(str(spark.sql("SELECT 1 + 1 AS two").collect()[0].two))


@app.job(after=first)
def second(spark):
    (FOLDER / "second").write_text((FOLDER / "first").read_text())


@app.job()
def by_hand(spark):
    (FOLDER / "by hand").touch()
"""
TIMEOUT_S = 60


def test_scheduled_jobs_run_on_chronos(tmp_path: Path) -> None:
    file = tmp_path / "app.py"
    file.write_text(APP.format(folder=str(tmp_path)))
    box = tmp_path / "box"
    command = [sys.executable, "-m", "smackbox", "run", str(file), "--free-ports", "--port", "0", "--dir", str(box)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + TIMEOUT_S
        while not (tmp_path / "second").exists() or (tmp_path / "second").read_text() != "2":
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        (state,) = running(box)
        with urllib.request.urlopen(f"{state.url('chronos')}/v1/scheduler/jobs") as answer:
            jobs = json.load(answer)
        assert [job["name"] for job in jobs] == ["ticks.first", "ticks.second"]
        assert not (tmp_path / "by hand").exists()
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0
