"""The processes of a directory: each with the result of one request, its memory and its restarts."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from smackbox.runtime.actor_status import actor_lines
from smackbox.runtime.supervisor import ProcessState, RunFile, running

ANSWER_TIMEOUT_S = 2.0
SCRAPED_PATHS = frozenset({"/metrics", "/actors"})
"""Paths of processes' URLs in whose place `/metrics` is, too."""

PROCESS_HEAD = ("NAME", "STATE", "URL", "PID", "MEMORY", "RESTARTS")
KAFKA_API_VERSIONS = bytes.fromhex("0000000a 0012 0000 00000001 ffff")
CQL_OPTIONS = bytes.fromhex("04 00 0000 05 00000000")


def status(directory: Path) -> tuple[list[str], bool]:
    """The lines of a table, and whether everything answers."""
    supervisors = running(directory)
    if not supervisors:
        return [f"nothing is running in {directory}: `smack up` starts everything"], False
    rows = process_rows(supervisors)
    lines = table([PROCESS_HEAD, *rows])
    lines += actor_lines(process for supervisor in supervisors for process in supervisor.processes)
    return lines, all(row[1] == "ready" for row in rows)


def scrape_targets(directory: Path) -> list[dict[str, Any]]:
    """The processes of a directory that serve Prometheus' metrics, as its `file_sd_configs` reads them."""
    targets = []
    for supervisor in running(directory):
        for process in supervisor.processes:
            parts = urlsplit(process.url)
            if parts.scheme == "http" and (parts.path in SCRAPED_PATHS or process.name.partition("-")[0] == "ingest"):
                labels = {"application": supervisor.name, "process": process.name}
                targets.append({"targets": [parts.netloc], "labels": labels})
    return targets


def process_rows(supervisors: Iterable[RunFile]) -> list[tuple[str, ...]]:
    """A row for each process, in the columns of `PROCESS_HEAD`; each process gets one request."""
    rows: list[tuple[str, ...]] = []
    for process in (process for supervisor in supervisors for process in supervisor.processes):
        state = "silent" if process.state == "ready" and not answers(process) else process.state
        memory = memory_mb(process.pid)
        shown = f"{memory:.0f} MB" if memory else "-"
        rows.append((process.name, state, process.url, str(process.pid or "-"), shown, str(process.restarts)))
    return rows


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines with aligned columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def answers(process: ProcessState) -> bool:
    """Whether the process answers one request of its protocol within `ANSWER_TIMEOUT_S`."""
    url = process.url if "//" in process.url else f"//{process.url}"
    parts = urlsplit(url)
    ask = _QUESTIONS.get(process.name, _asking_http("/healthz") if parts.scheme == "http" else _ask_nothing)
    try:
        with socket.create_connection((parts.hostname or "", parts.port or 0), ANSWER_TIMEOUT_S) as connection:
            return ask(connection)
    except OSError:
        return False


def memory_mb(pid: int, field: str = "VmRSS") -> float | None:
    """A figure of `/proc/PID/status` (`VmRSS`, or `VmHWM` for the peak) in MB; None where there is no such process."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{field}:")), None)


def _ask_kafka(connection: socket.socket) -> bool:
    connection.sendall(KAFKA_API_VERSIONS)
    return connection.recv(8)[4:8] == KAFKA_API_VERSIONS[8:12]


def _ask_cassandra(connection: socket.socket) -> bool:
    connection.sendall(CQL_OPTIONS)
    return connection.recv(5)[4:5] == b"\x06"  # SUPPORTED


def _ask_zookeeper(connection: socket.socket) -> bool:
    connection.sendall(b"ruok")
    return connection.recv(4) == b"imok"


def _asking_http(path: str) -> Callable[[socket.socket], bool]:
    def ask(connection: socket.socket) -> bool:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: smackbox\r\nConnection: close\r\n\r\n".encode())
        return connection.recv(12)[9:12] == b"200"

    return ask


def _ask_nothing(_connection: socket.socket) -> bool:
    return True  # it accepted the connection: the most that can be checked without a client of its protocol


_QUESTIONS: dict[str, Callable[[socket.socket], bool]] = {
    "kafka": _ask_kafka,
    "cassandra": _ask_cassandra,
    "zookeeper": _ask_zookeeper,
    "mesos-master": _asking_http("/health"),
    "mesos-agent": _asking_http("/health"),
    "marathon": _asking_http("/ping"),
    "chronos": _asking_http("/ping"),
}
