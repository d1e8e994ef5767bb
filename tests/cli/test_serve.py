"""Server verbs as processes: the ready line, the data directory, the errors of one line, the clean stop."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

VERBS = ["kafka", "cassandra", "zookeeper"]
TIMEOUT_S = 30
Serve = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def serve() -> Iterator[Serve]:
    processes: list[subprocess.Popen[str]] = []

    def serve(verb: str, *flags: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "smackbox", verb, "serve", *flags]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        processes.append(process)
        return process

    yield serve
    for process in processes:
        process.kill()
        process.communicate()


def ready(process: subprocess.Popen[str]) -> tuple[str, int]:
    """Name and port of the ready line."""
    assert process.stdout is not None
    words = process.stdout.readline().split()
    assert (words[0], words[3], words[5]) == ("ready", "in", "ms")
    return words[1], int(words[2].rpartition(":")[2])


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_server_says_when_it_is_ready_and_stops_cleanly(
    serve: Serve, verb: str, signum: signal.Signals, tmp_path: Path
) -> None:
    process = serve(verb, "--port", "0", "--dir", str(tmp_path / "data"))
    name, port = ready(process)
    assert name == verb
    socket.create_connection(("127.0.0.1", port), TIMEOUT_S).close()
    process.send_signal(signum)
    out, errors = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, out, errors) == (0, "", "")


@pytest.mark.parametrize("verb", VERBS)
def test_a_taken_port_is_one_clear_line(serve: Serve, verb: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = serve(verb, "--port", str(port), "--memory")
        _, errors = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 1
    assert errors == (
        f"smack: {verb} cannot listen on 127.0.0.1:{port}: Address already in use; "
        "is another one running? --port 0 picks a free one\n"
    )


@pytest.mark.parametrize("verb", VERBS)
def test_a_held_directory_is_one_clear_line(serve: Serve, verb: str, tmp_path: Path) -> None:
    holder = serve(verb, "--port", "0", "--dir", str(tmp_path))
    ready(holder)
    second = serve(verb, "--port", "0", "--dir", str(tmp_path))
    _, errors = second.communicate(timeout=TIMEOUT_S)
    assert second.returncode == 1
    assert errors == f"smack: the data directory {tmp_path} is held by process {holder.pid}; stop it or use --dir\n"


@pytest.mark.parametrize("verb", VERBS)
def test_other_addresses_need_insecure(serve: Serve, verb: str) -> None:
    process = serve(verb, "--host", "0.0.0.0", "--port", "0", "--memory")
    _, errors = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 1
    assert f"{verb} will not listen on 0.0.0.0 without authentication" in errors


def test_an_unknown_setting_is_one_clear_line(serve: Serve, tmp_path: Path) -> None:
    settings = tmp_path / "smackbox.toml"
    settings.write_text("[kafka]\nprot = 1\n")
    process = serve("kafka", "--memory", "--config", str(settings))
    _, errors = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 1
    assert errors.startswith("smack: unknown setting 'prot'")
    assert "did you mean 'port'" in errors
