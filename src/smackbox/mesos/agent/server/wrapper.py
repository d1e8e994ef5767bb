"""A task's process, which outlives the agent: started by a wrapper of a few lines of `sh`.

The wrapper leads its own session, joins the container's cgroups, and keeps the container's status file, which is
its standard input, opened for writing and locked (`flock`, inherited from the agent):

    pid 4711        written before the command is started
    exit 0          written when the command has ended; 128 + N when signal N killed it

So the file's lock shows whether the wrapper is alive, without trusting a pid; its first line shows whether the command
was ever started, and its last line its result. A line is valid if it ends with a newline.

Simplified: a command that exits with 128 + N itself looks as if signal N had killed it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from smackbox.mesos.wire.messages import CommandInfo, RLimitInfoRLimit


SHELL = "/bin/sh"
SIGNALS_LIMIT = 64
_WRAPPER = """exec 3>&2 2>/dev/null
while [ "$1" != -- ]; do echo 0 >"$1" || { echo "failed $1" >&0; exit 1; }; shift; done
shift
trap : HUP INT QUIT TERM USR1 USR2
echo "pid $$" >&0
"$@" </dev/null 2>&3 3>&-
echo "exit $?" >&0"""
# changes to another user and sets resource limits, then executes the command
_BECOME = """import json,os,resource,sys
o=json.loads(sys.argv[1])
for n,s,h in o["rlimits"]:
    k=getattr(resource,n)
    resource.setrlimit(k,(resource.RLIM_INFINITY if s is None else s,resource.RLIM_INFINITY if h is None else h))
if o["user"]:
    os.initgroups(o["user"],o["gid"]);os.setgid(o["gid"]);os.setuid(o["uid"])
os.execvp(sys.argv[2],sys.argv[2:])"""
_RLIMITS = {"RLMT_AS": "RLIMIT_AS", "RLMT_CORE": "RLIMIT_CORE", "RLMT_CPU": "RLIMIT_CPU", "RLMT_DATA": "RLIMIT_DATA",
            "RLMT_FSIZE": "RLIMIT_FSIZE", "RLMT_MEMLOCK": "RLIMIT_MEMLOCK", "RLMT_NOFILE": "RLIMIT_NOFILE",
            "RLMT_NPROC": "RLIMIT_NPROC", "RLMT_RSS": "RLIMIT_RSS", "RLMT_STACK": "RLIMIT_STACK",
            "RLMT_MSGQUEUE": "RLIMIT_MSGQUEUE", "RLMT_NICE": "RLIMIT_NICE", "RLMT_RTPRIO": "RLIMIT_RTPRIO",
            "RLMT_RTTIME": "RLIMIT_RTTIME", "RLMT_SIGPENDING": "RLIMIT_SIGPENDING"}  # fmt: skip


class LaunchError(Exception):
    """A container cannot be started; the text is sent to the framework."""


@dataclass(frozen=True, slots=True)
class StatusFile:
    """The content of a status file. `locked` means that its wrapper is alive."""

    exists: bool
    locked: bool
    pid: int | None
    exit_status: int | None
    """A wait status."""
    failed: str = ""
    docker: str = ""
    """The id of the Docker container that replaces the wrapper."""


def read_status(path: Path) -> StatusFile:
    """Read the status file of a container's wrapper."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return StatusFile(False, False, None, None)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
            locked = False
        except BlockingIOError:
            locked = True
        text = os.pread(fd, 4096, 0).decode(errors="replace")
    finally:
        os.close(fd)
    values: dict[str, str] = {}
    for line in text[: text.rfind("\n") + 1].splitlines():
        key, _, value = line.partition(" ")
        values[key] = value
    pid = int(values["pid"]) if "pid" in values else None
    exit_status = wait_status(int(values["exit"])) if "exit" in values else None
    return StatusFile(True, locked, pid, exit_status, values.get("failed", ""), values.get("docker", ""))


def wait_status(shell_status: int) -> int:
    """The wait status that corresponds to a shell's `$?`."""
    signum = shell_status - 128
    return signum if 0 < signum <= SIGNALS_LIMIT else shell_status << 8


def start(
    command: Sequence[str],
    *,
    environment: dict[str, str],
    sandbox: Path,
    status_file: Path,
    stdout: int,
    stderr: int,
    cgroups: Sequence[Path] = (),
) -> subprocess.Popen[bytes]:
    """Start `command` under a wrapper that joins `cgroups` (their `cgroup.procs`). Raises `LaunchError`."""
    try:
        status = os.open(status_file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise LaunchError(f"cannot write {status_file}: {error.strerror}") from error
    try:
        fcntl.flock(status, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return subprocess.Popen(
            [SHELL, "-c", _WRAPPER, "smackbox-task", *map(str, cgroups), "--", *command],
            stdin=status,
            stdout=stdout,
            stderr=stderr,
            cwd=sandbox,
            env=environment,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise LaunchError(f"cannot start {command[0]}: {error}") from error
    finally:
        os.close(status)


def command_line(command: CommandInfo) -> list[str]:
    """The argument list of a `CommandInfo`. Raises `LaunchError` if it has none."""
    value = command.get("value", "")
    if command.get("shell", True):
        if "value" not in command:
            raise LaunchError("Shell command is not specified")
        return [SHELL, "-c", value]
    if not value:
        raise LaunchError("The executable of the command is not specified")
    # the first argument is the program's argv[0], which a shell cannot change
    return [SHELL, "-c", 'exec "$0" "$@"', value, *command.get("arguments", [])[1:]]


def with_identity(command: list[str], user: str | None, rlimits: list[RLimitInfoRLimit]) -> list[str]:
    """`command`, run as `user` and under resource limits. Raises `LaunchError` for an unknown user."""
    if user is not None and find_user(user).pw_uid == os.getuid():
        user = None
    if user is None and not rlimits:
        return command
    limits = [(_rlimit(rlimit), rlimit.get("soft"), rlimit.get("hard")) for rlimit in rlimits]
    order: dict[str, object] = {"rlimits": limits, "user": user}
    if user is not None:
        entry = find_user(user)
        order.update(uid=entry.pw_uid, gid=entry.pw_gid)
    return [sys.executable, "-I", "-S", "-c", _BECOME, json.dumps(order), *command]


def find_user(name: str) -> pwd.struct_passwd:
    """Look up a user. Raises `LaunchError`."""
    try:
        return pwd.getpwnam(name)
    except KeyError as error:
        raise LaunchError(f"Failed to look up user '{name}': No such user") from error


def _rlimit(limit: RLimitInfoRLimit) -> str:
    name = _RLIMITS.get(limit.get("type", ""))
    if name is None:
        raise LaunchError(f"Unknown rlimit type {limit.get('type')}")
    return name


def send_signal(wrapper: int, signum: int, cgroup: Path | None) -> bool:
    """Send a signal to all processes in the wrapper's container except itself; False when there are none."""
    sent = False
    for pid in members(wrapper, cgroup):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signum)
            sent = True
    return sent


def members(wrapper: int, cgroup: Path | None) -> list[int]:
    """The processes of a container: those in its cgroup or the wrapper's session, and their descendants."""
    pids = set(_cgroup_members(cgroup)) if cgroup is not None else set()
    children: dict[int, list[int]] = {}
    for pid, parent, session in _processes():
        if session == wrapper:
            pids.add(pid)
        children.setdefault(parent, []).append(pid)
    waiting = [wrapper, *pids]
    while waiting:
        for child in children.get(waiting.pop(), []):
            if child not in pids:
                pids.add(child)
                waiting.append(child)
    pids.discard(wrapper)
    return sorted(pids)


def kill_left_over(wrapper: int, cgroup: Path | None) -> None:
    """After the wrapper's end, kill what is left in its process group and its cgroup."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(wrapper, signal.SIGKILL)
    for pid in _cgroup_members(cgroup) if cgroup is not None else ():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def kill_orphans(wrapper: int, sandbox: Path, cgroup: Path | None) -> None:
    """Kill what is left of a wrapper that ended while nobody watched. Its pid may have been reused, so outside the
    cgroup only processes of that session with the sandbox in their environment are killed.
    """
    pids = set(_cgroup_members(cgroup)) if cgroup is not None else set()
    mark = b"MESOS_SANDBOX=" + os.fsencode(sandbox)
    for pid, _, session in _processes():
        if session == wrapper and mark in _environment(pid).split(b"\0"):
            pids.add(pid)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


def usage(pids: list[int]) -> dict[str, float]:
    """Processor seconds and memory of running processes, as in a `ResourceStatistics`."""
    ticks, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    user = system = memory = threads = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        user += int(fields[11])
        system += int(fields[12])
        threads += int(fields[17])
        memory += int(fields[21]) * page
    return {
        "processes": len(pids),
        "threads": threads,
        "cpus_user_time_secs": user / ticks,
        "cpus_system_time_secs": system / ticks,
        "mem_rss_bytes": memory,
    }


def _cgroup_members(cgroup: Path) -> list[int]:
    try:
        return [int(line) for line in cgroup.joinpath("cgroup.procs").read_text().split()]
    except OSError:
        return []


def _processes() -> list[tuple[int, int, int]]:
    """Pid, parent and session of all processes; on Linux from /proc, elsewhere from `ps`."""
    if not Path("/proc/self/stat").exists():
        listed = subprocess.run(["ps", "-axo", "pid=,ppid=,sess="], capture_output=True, text=True, check=False)
        rows = (line.split() for line in listed.stdout.splitlines())
        return [(int(row[0]), int(row[1]), int(row[2], 16)) for row in rows if len(row) == 3]
    processes = []
    for name in os.listdir("/proc"):  # noqa: PTH208 - a name is all that is needed
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
        except OSError:
            continue
        if fields[0] != b"Z":
            processes.append((int(name), int(fields[1]), int(fields[3])))
    return processes
