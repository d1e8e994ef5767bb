"""`/files/{browse,read,download,debug}`: sandboxes, as Mesos' web UI and command line read them.

A path is either a directory that the agent has reported (`directory` in `/state`), or begins with
`/frameworks/<framework>/executors/<executor>/`, followed by `runs/<container or latest>` or `tasks/<task>`. Only
sandboxes and persistent volumes are shown, wherever a link in a sandbox may lead.
"""

from __future__ import annotations

import base64
import mimetypes
from pathlib import Path
from typing import TYPE_CHECKING

from smackbox.mesos.agent.handlers.context import AgentContext
from smackbox.mesos.agent.state.container_specs import sandbox
from smackbox.mesos.http.answers import Refused
from smackbox.mesos.http.file_infos import classic, file_info
from smackbox.net.http import HttpRequest, HttpResponse, HttpStream

if TYPE_CHECKING:
    from smackbox.mesos.wire.messages import FileInfo


PAGE = 4_096
READ_LIMIT = 16 * PAGE
CHUNK = 1024 * 1024
ENTRIES_LIMIT = 10_000


class FileStream(HttpStream):
    """A file as an answer, sent as fast as the client reads, up to the size that it had at the start."""

    def __init__(self, path: Path) -> None:
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        quoted = path.name.replace("\\", "_").replace('"', "_").encode("ascii", "replace").decode()
        super().__init__(200, kind, {"Content-Disposition": f'attachment; filename="{quoted}"'})
        self._file = path.open("rb")
        self._left = path.stat().st_size

    def take(self) -> bytes:
        data = self._file.read(min(CHUNK, self._left)) if self._left > 0 else b""
        self._left -= len(data)
        if not data:
            self.close()
        return data

    def close(self) -> None:
        self._file.close()
        self._left = 0
        super().close()


def browse(context: AgentContext, request: HttpRequest) -> HttpResponse:
    """The entries of a directory. Raises `Refused`."""
    named, directory = _resolve(context, request)
    return _jsonp(request, [classic(entry) for entry in listing(named, directory)])


def read(context: AgentContext, request: HttpRequest) -> HttpResponse:
    """A part of a file; `offset` -1 returns only the size. Raises `Refused`."""
    _, file = _resolve(context, request)
    offset, length = _number(request, "offset", -1), _number(request, "length", READ_LIMIT)
    if offset < -1 or length < -1:
        raise Refused(400, f"Negative {'offset' if offset < -1 else 'length'} provided: {min(offset, length)}.\n")
    if file.is_dir():
        raise Refused(400, "Cannot read from a directory.\n")
    if offset == -1:
        return _jsonp(request, {"offset": file.stat().st_size, "data": ""})
    _, data = content(file, offset, READ_LIMIT if length == -1 else length)
    return _jsonp(request, {"offset": offset, "data": data.decode(errors="replace")})


def download(context: AgentContext, request: HttpRequest) -> HttpStream:
    """A whole file. Raises `Refused`."""
    _, file = _resolve(context, request)
    if file.is_dir():
        raise Refused(400, "Cannot download a directory.\n")
    return FileStream(file)


def debug(context: AgentContext, request: HttpRequest) -> HttpResponse:
    """The served directories, by their virtual paths."""
    return _jsonp(request, {str(executor.directory): str(executor.directory) for executor in context.agent.executors()})


def listing(named: str, directory: Path) -> list[FileInfo]:
    """The entries of a directory as `FileInfo` messages, sorted by name. Raises `Refused`."""
    if not directory.is_dir():
        raise Refused(404, "")
    entries = []
    for entry in sorted(directory.iterdir())[:ENTRIES_LIMIT]:
        try:
            facts = entry.stat()
        except OSError:
            continue  # a dangling link, or a file that has just been removed
        entries.append(file_info(f"{named.rstrip('/')}/{entry.name}", facts))
    return entries


def content(file: Path, offset: int, length: int) -> tuple[int, bytes]:
    """The size of a file, and up to 16 pages of its content."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        stream.seek(min(offset, size))
        return size, stream.read(min(length, READ_LIMIT))


def resolve(context: AgentContext, named: str) -> Path:
    """The file or directory at that virtual path. Raises `Refused`: 404."""
    path = _virtual(context, named) or Path(named)
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise Refused(404, "") from error
    shown = [context.work_dir / "slaves", context.work_dir / "volumes"]
    if not any(root in real.parents for root in shown):
        raise Refused(404, "")
    return real


def base64_of(data: bytes) -> str:
    """Bytes as in the JSON of the v1 API."""
    return base64.b64encode(data).decode()


def _virtual(context: AgentContext, named: str) -> Path | None:
    parts = [part for part in named.split("/") if part]
    if len(parts) < 4 or parts[0] not in {"framework", "frameworks"} or parts[2] not in {"executor", "executors"}:
        return None
    framework_id, executor_id, rest = parts[1], parts[3], parts[4:]
    agent_id = context.agent.id or ""
    runs = context.work_dir / "slaves" / agent_id / "frameworks" / framework_id / "executors" / executor_id / "runs"
    if rest[:1] == ["tasks"] and len(rest) > 1:
        return _sandbox_of_task(context, framework_id, rest[1], runs).joinpath(*rest[2:])
    if rest[:1] == ["runs"]:
        rest = rest[1:]
    return runs.joinpath(*(rest or ["latest"]))


def _sandbox_of_task(context: AgentContext, framework_id: str, task_id: str, runs: Path) -> Path:
    agent = context.agent
    run = agent.runs.get((framework_id, task_id))
    if run is not None:
        return run.spec.sandbox
    frameworks = [*agent.frameworks.values(), *agent.completed]
    for framework in [framework for framework in frameworks if framework.id == framework_id]:
        for executor in [*framework.executors.values(), *framework.completed]:
            for task in [*executor.tasks.values(), *executor.completed]:
                if task.id == task_id:
                    return sandbox(executor, task)
    return runs / "latest"


def _resolve(context: AgentContext, request: HttpRequest) -> tuple[str, Path]:
    named = request.parameter("path")
    if not named:
        raise Refused(400, "Expecting 'path=value' in query.\n")
    return named, resolve(context, named)


def _number(request: HttpRequest, name: str, default: int) -> int:
    text = request.parameter(name)
    try:
        return default if text is None else int(text)
    except ValueError as error:
        raise Refused(400, f"Failed to parse {name}: {text!r} is not a number.\n") from error


def _jsonp(request: HttpRequest, value: object) -> HttpResponse:
    """JSON, or a call of the function named by `jsonp`."""
    answer = HttpResponse.json(value)
    function = request.parameter("jsonp")
    if function is not None:
        if not function.replace(".", "").replace("_", "").isalnum():
            raise Refused(400, "The name of the function is not one.\n")
        return HttpResponse(200, function.encode() + b"(" + answer.body + b");", "text/javascript")
    return answer
