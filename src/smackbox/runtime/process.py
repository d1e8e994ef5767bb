"""One process of the box: an app on Marathon, known to be ready by the line it prints, and by its pid.

When it ends, Marathon restarts it on the same port, so that its clients find it again. Its output goes to
its log file, including the line `ready NAME URL in N ms`. Before it starts, its command writes its pid and its start
position in the log to a file: so a process that waits for it knows which incarnation a line belongs to.

It holds the read end of a FIFO whose write end its supervisor holds. When the supervisor dies, in whatever way, the
process reads the end of this lifeline and stops by itself.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

READY = re.compile(rb"^ready (\S+) (\S+) in (\d+) ms", re.MULTILINE)
STOP_TIMEOUT_S = 15
BACK_OFF_FIRST_S = 1
BACK_OFF_LIMIT_S = 5
CPUS = 0.1
MEMORY_MB = 32
"""What Marathon counts for each; nothing is limited to it."""

LINE_LIMIT = 64 * 1024
LIFELINE = "SMACK_LIFELINE"
OWN_VARIABLES = "SMACK_"


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """How to start a process. `argv` gets `--port N` appended when `port` is not None."""

    name: str
    argv: tuple[str, ...]
    port: int | None = None
    environ: Mapping[str, str] = field(default_factory=dict)


class ManagedProcess:
    """The known state of a process. `look` updates it."""

    def __init__(self, spec: ProcessSpec, directory: Path, group: str) -> None:
        self.spec = spec
        self.app_id = f"{group}/{app_name(spec.name)}"
        self.log_file = directory / "logs" / f"{spec.name}.log"
        self.url = ""
        self.pid = 0
        self.state = "new"
        self.ready_ms = 0
        self.restarts = 0
        self._pid_file = directory / "run" / f"{spec.name}.pid"
        self._log_start = 0

    def definition(self, lifeline: Path) -> dict[str, Any]:
        """The app definition for Marathon. The files of an earlier run are removed."""
        for file in (self.log_file, self._pid_file):
            file.parent.mkdir(parents=True, exist_ok=True)
        self.log_file.touch()
        self._pid_file.unlink(missing_ok=True)
        port = () if self.spec.port is None else ("--port", str(self.spec.port))
        log_file, pid_file = shlex.quote(str(self.log_file.resolve())), shlex.quote(str(self._pid_file.resolve()))
        command = [
            f"cd {shlex.quote(str(Path.cwd()))}",
            f'echo "$$ $(wc -c < {log_file})" > {pid_file}',
            f"exec {shlex.join((*self.spec.argv, *port))} >> {log_file} 2>&1 < /dev/null",
        ]
        inherited = {name: value for name, value in os.environ.items() if name.startswith(OWN_VARIABLES)}
        self.state = "starting"
        return {
            "id": self.app_id,
            "cmd": " && ".join(command),
            "cpus": CPUS,
            "mem": MEMORY_MB,
            "instances": 1,
            "portDefinitions": [],
            "env": {**inherited, **self.spec.environ, LIFELINE: str(lifeline.resolve())},
            "backoffSeconds": BACK_OFF_FIRST_S,
            "backoffFactor": 2.0,
            "maxLaunchDelaySeconds": BACK_OFF_LIMIT_S,
            "upgradeStrategy": {"minimumHealthCapacity": 0, "maximumOverCapacity": 0},
            "taskKillGracePeriodSeconds": STOP_TIMEOUT_S,
        }

    def look(self) -> bool:
        """Read its pid and its ready line; returns whether something has changed."""
        before = (self.pid, self.state, self.url)
        pid, log_start = self._read_pid()
        if pid and not is_alive(pid):
            self.pid = 0
            if self.state == "ready":
                self.state = "waiting"
        elif pid and (pid != self.pid or self.state != "ready"):
            if self.pid != pid:
                self.pid, self._log_start = pid, log_start
            found = READY.search(self._said())
            if found is not None:
                if self.url:
                    self.restarts += 1
                self.url = found[2].decode()
                self.ready_ms = int(found[3])
                self.state = "ready"
            elif self.state == "waiting":
                self.state = "starting"
        return before != (self.pid, self.state, self.url)

    def shutdown_reason(self) -> str | None:
        """Its last line of output: the error of a server that cannot start."""
        pid, log_start = self._read_pid()
        if pid:
            self._log_start = log_start
        lines = self._said().decode(errors="replace").strip().splitlines()
        return lines[-1].removeprefix("smack: ") if lines else None

    def signal(self, signum: signal.Signals) -> None:
        """Where Marathon cannot do it any more."""
        pid, _ = self._read_pid()
        if pid and is_alive(pid):
            os.kill(pid, signum)

    def ended(self) -> bool:
        """Whether the process of the pid file is gone."""
        pid, _ = self._read_pid()
        return not pid or not is_alive(pid)

    def _read_pid(self) -> tuple[int, int]:
        try:
            pid, log_start = self._pid_file.read_text().split()
        except (OSError, ValueError):
            return 0, 0
        return int(pid), int(log_start)

    def _said(self) -> bytes:
        try:
            with self.log_file.open("rb") as written:
                written.seek(self._log_start)
                return written.read(LINE_LIMIT)
        except OSError:
            return b""


def job_files(directory: Path, name: str) -> tuple[Path, Path]:
    """The files for a scheduled job's output and for the reason of its failure, until that is reported."""
    return directory / "logs" / f"{name}.log", directory / "run" / f"{name}.failure"


def app_name(name: str) -> str:
    """A name in the form of Marathon's ids: lower-case letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "app"


def is_alive(pid: int) -> bool:
    """Whether there is such a process, and it has not ended yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not Path("/proc/self").exists()
