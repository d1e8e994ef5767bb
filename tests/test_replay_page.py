"""The page on replays, run command by command: what the commands say is what stands there."""

from __future__ import annotations

import difflib
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from smackbox.app.load import load_app
from smackbox.cli.main import main
from smackbox.runtime.prepare import prepare
from smackbox.runtime.settings import BoxSettings, Urls
from smackbox.runtime.stream_gate import StreamGate
from smackbox.runtime.streams import stream_runner
from smackbox.testing.fixtures import Smack

PAGE = Path(__file__).parents[1] / "docs" / "replay.md"
FENCE = re.compile(r"^```(python|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
VARYING = [
    (re.compile(r"in \d+\.\d s( at [\d,]+ a second)?"), "in 0.2 s"),
    (re.compile(r"\b(replay|undo) [0-9a-f]{8}\b"), r"\1 4f1c02ab"),
    (re.compile(r"^[0-9a-f]{8}\t", re.MULTILINE), "4f1c02ab\t"),
    (re.compile(r"20[2-9]\d-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "2026-01-31T12:00:00Z"),
]
TIMEOUT_S = 60.0


def run_streams(file: Path, urls: Urls, settings: BoxSettings) -> None:
    """What `smack run` does between two commands."""
    app = load_app(file)
    for stream in app.streams:
        StreamGate(app, stream, urls, settings).wait()
        with stream_runner(app, stream, urls, settings, metrics_port=None) as runner:
            while runner.step(0.2) is not None:
                pass


def said_by(line: str, environ: dict[str, str], capsys: pytest.CaptureFixture[str]) -> str:
    """What a command prints; `smack` alone runs in this process, which is quicker."""
    words = shlex.split(line)
    if words[0] == "smack":
        with pytest.raises(SystemExit) as end:
            main(words[1:])
        assert not end.value.code, (line, capsys.readouterr().err)
        return capsys.readouterr().out
    done = subprocess.run(line, shell=True, env=environ, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, (line, done.stderr)
    return done.stdout


def test_the_page_on_replays(
    smack: Smack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    urls = Urls(kafka=smack.kafka.bootstrap, cassandra=smack.cassandra.address)
    settings = BoxSettings(dir=tmp_path / ".smackbox")
    command = tmp_path / "smack"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m smackbox "$@"\n')
    command.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SMACK_KAFKA", smack.kafka.bootstrap)
    monkeypatch.setenv("SMACK_CASSANDRA", smack.cassandra.address)
    environ = dict(os.environ)
    text = PAGE.read_text(encoding="utf-8")
    ran = text
    for kind, block in FENCE.findall(text):
        if kind == "python":
            (tmp_path / "ads.py").write_text(block)
            app = load_app(tmp_path / "ads.py")
            prepare(app, kafka=smack.kafka.bootstrap, cassandra=smack.cassandra.address)
            continue
        said = ""
        for line in re.findall(r"^\$ (.*)$", block, re.MULTILINE):
            said += f"$ {line}\n{said_by(line, environ, capsys)}"
            if "produce" in line:
                run_streams(tmp_path / "ads.py", urls, settings)
        for pattern, constant in VARYING:
            said = pattern.sub(constant, said)
        ran = ran.replace(f"```console\n{block}```", f"```console\n{said}```")
    if os.environ.get("SMACK_WRITE_PAGES"):
        PAGE.write_text(ran, encoding="utf-8")
    difference = "\n".join(difflib.unified_diff(text.splitlines(), ran.splitlines(), lineterm=""))
    if difference:
        pytest.fail(f"the page says another thing than the commands (SMACK_WRITE_PAGES=1 writes it):\n{difference}")
