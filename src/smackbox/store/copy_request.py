"""Asking a running server to do something with its data directory: a request file and a signal, a file that answers.

Mostly it is a copy that is asked for; what other verbs there are is the server's affair.

The signal is SIGUSR1, sent only to a process that catches it: one that does not would die of it.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import msgspec

from smackbox.base.errors import StorageError, UserError
from smackbox.store.data_dir import LOCK_FILE
from smackbox.store.fs import Disk

REQUEST = "copy-request.json"
ANSWER = "copy-answer.json"
SIGNAL = signal.SIGUSR1
POLL_S = 0.02


class Copied(msgspec.Struct, frozen=True):
    """What was copied, or what else was done, as a `text`; `error` is empty when it went well."""

    files: int = 0
    bytes: int = 0
    error: str = ""
    text: str = ""


class Request(msgspec.Struct, frozen=True):
    """What is to be done, and with what."""

    target: str
    verb: str = "copy"


def ask(directory: Path, target: Path, timeout_s: float) -> Copied:
    """Have the server that holds `directory` copy it to `target`. Raises `UserError`."""
    copied = send(directory, Request(str(target.resolve())), timeout_s)
    if copied.error:
        raise UserError(f"cannot copy to {target}: {copied.error}")
    return copied


def send(directory: Path, request: Request, timeout_s: float) -> Copied:
    """Have the server that holds `directory` do it. Raises `UserError` when it does not."""
    pid = int((directory / LOCK_FILE).read_text())
    if not _takes_requests(pid):
        raise UserError(f"the process {pid}, which holds {directory}, takes no requests for copies")
    answer = directory / ANSWER
    answer.unlink(missing_ok=True)
    try:
        Disk().replace(directory / REQUEST, msgspec.json.encode(request))
    except StorageError as error:
        raise UserError(str(error)) from error
    os.kill(pid, SIGNAL)
    deadline = time.monotonic() + timeout_s
    while not answer.exists():
        if time.monotonic() > deadline:
            raise UserError(f"the server (process {pid}) did not finish within {timeout_s:.0f} s")
        time.sleep(POLL_S)
    copied = msgspec.json.decode(answer.read_bytes(), type=Copied)
    answer.unlink()
    return copied


def take_request(directory: Path) -> Path | None:
    """Where to a copy is asked for, once."""
    asked = take(directory)
    return Path(asked.target) if asked is not None else None


def take(directory: Path) -> Request | None:
    """What is asked for, once."""
    file = directory / REQUEST
    try:
        asked = msgspec.json.decode(file.read_bytes(), type=Request)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    file.unlink(missing_ok=True)
    return asked


def answer(directory: Path, copied: Copied) -> None:
    Disk().replace(directory / ANSWER, msgspec.json.encode(copied))


def _takes_requests(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return True  # not Linux: the kernel does not say
    caught = next(line for line in status.read_text().splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (SIGNAL - 1) & 1)
