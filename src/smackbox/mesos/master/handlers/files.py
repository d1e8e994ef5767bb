"""Files of the master under virtual paths: its log, if it has one (`/files/…`, LIST_FILES, READ_FILE).

A path begins with an attached path; the rest must stay below it.
"""

from __future__ import annotations

import base64
import mimetypes
from pathlib import Path
from typing import TYPE_CHECKING

from smackbox.mesos.http.answers import Answer, Refused
from smackbox.mesos.http.file_infos import classic, file_info
from smackbox.mesos.master.handlers.context import Call
from smackbox.net.http import HttpResponse

if TYPE_CHECKING:
    from smackbox.mesos.wire.messages import (
        MasterCallListFiles,
        MasterCallReadFile,
        MasterResponseListFiles,
        MasterResponseReadFile,
    )


READ_LIMIT = 16 * 4096
"""Mesos limits one read to 16 pages."""


def browse(call: Call) -> Answer:
    """The entries of a directory, as `ls -l` would."""
    path = _parameter(call, "path")
    entries = [classic(file_info(shown, real.stat())) for shown, real in _entries(call, path)]
    return HttpResponse.json(entries)


def read(call: Call) -> Answer:
    """`length` bytes from `offset` on; offset -1 returns only the size."""
    real = _resolve(call, _parameter(call, "path"))
    offset = _number(call, "offset", -1)
    length = _number(call, "length", READ_LIMIT)
    size, data = _read(real, offset, length)
    shown = size if offset == -1 else min(offset, size)
    return HttpResponse.json({"offset": shown, "data": data.decode("utf-8", "replace")})


def download(call: Call) -> Answer:
    real = _resolve(call, _parameter(call, "path"))
    kind = mimetypes.guess_type(real.name)[0] or "application/octet-stream"
    disposition = f"attachment; filename={real.name}"
    return HttpResponse(200, _bytes(real), kind, {"Content-Disposition": disposition})


def debug(call: Call) -> Answer:
    """The attached paths."""
    return HttpResponse.json(call.context.files)


def list_files(call: Call, message: MasterCallListFiles) -> MasterResponseListFiles:
    return {"file_infos": [file_info(shown, real.stat()) for shown, real in _entries(call, message["path"])]}


def read_file(call: Call, message: MasterCallReadFile) -> MasterResponseReadFile:
    size, data = _read(_resolve(call, message["path"]), message["offset"], message.get("length", READ_LIMIT))
    return {"size": size, "data": base64.b64encode(data).decode()}


def _entries(call: Call, path: str) -> list[tuple[str, Path]]:
    real = _resolve(call, path)
    if not real.is_dir():
        raise Refused(404, f"{path!r} is not a directory")
    return [(f"{path.rstrip('/')}/{entry.name}", entry) for entry in sorted(real.iterdir())]


def _resolve(call: Call, path: str) -> Path:
    call.require("access_mesos_logs")
    for attached, real in call.context.files.items():
        if path == attached or path.startswith(attached.rstrip("/") + "/"):
            root = Path(real).resolve()
            target = (root / path.removeprefix(attached).strip("/")).resolve()
            if target != root and root not in target.parents:
                break
            if target.exists():
                return target
    raise Refused(404, f"No file or directory is shown as {path!r}")


def _read(real: Path, offset: int, length: int) -> tuple[int, bytes]:
    if real.is_dir():
        raise Refused(400, "Cannot read from a directory")
    size = real.stat().st_size
    if offset < 0:
        return size, b""
    with real.open("rb") as file:
        file.seek(offset)
        return size, file.read(min(length, READ_LIMIT) if length >= 0 else READ_LIMIT)


def _bytes(real: Path) -> bytes:
    if real.is_dir():
        raise Refused(404, "Cannot download a directory")
    return real.read_bytes()


def _parameter(call: Call, name: str) -> str:
    value = call.request.parameter(name)
    if not value:
        raise Refused(400, f"Expecting '{name}=value' in query.")
    return value


def _number(call: Call, name: str, default: int) -> int:
    text = call.request.parameter(name)
    if text is None:
        return default
    try:
        return int(text)
    except ValueError as error:
        raise Refused(400, f"Failed to parse {name}: {text!r}") from error
