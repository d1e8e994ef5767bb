"""`AddArtifacts` and `ArtifactStatus`: uploaded local data, Python files and other files, kept in files of the session.

Sail runs Python in this process, so Python files (`pyfiles/…`) are put on `sys.path` here. Jars, classes and archives
are refused: nothing here could use them.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smackbox.spark.front.errors import not_there

if TYPE_CHECKING:
    from smackbox.spark.front.context import Front
    from smackbox.spark.front.session import FrontSession

TAKEN = ("cache/", "pyfiles/", "files/")


def add_artifacts(front: Front, requests: Iterator[Any]) -> bytes:
    """Keep what comes in; the answer tells for each whether its checksums are right. Raises `SparkError`."""
    from smackbox.spark.front.messages import base_pb2

    answer = base_pb2.AddArtifactsResponse()
    session = None
    name, sound = "", True
    pieces: list[bytes] = []
    missing = 0
    for request in requests:
        if session is None:
            session = front.session(request.session_id, request.user_context.user_id)
            answer.session_id = answer.server_side_session_id = session.id
        payload = request.WhichOneof("payload")
        if payload == "batch":
            for artifact in request.batch.artifacts:
                good = zlib.crc32(artifact.data.data) == artifact.data.crc
                _keep(session, artifact.name, artifact.data.data, good)
                answer.artifacts.add(name=artifact.name, is_crc_successful=good)
            continue
        if payload == "begin_chunk":
            name, pieces, sound = request.begin_chunk.name, [], True
            missing = request.begin_chunk.num_chunks
            chunk = request.begin_chunk.initial_chunk
        else:
            chunk = request.chunk
        pieces.append(chunk.data)
        sound = sound and zlib.crc32(chunk.data) == chunk.crc
        missing -= 1
        if missing == 0:
            _keep(session, name, b"".join(pieces), sound)
            answer.artifacts.add(name=name, is_crc_successful=sound)
            pieces = []
    return answer.SerializeToString()  # type: ignore[no-any-return]


def artifact_status(session: FrontSession, asked: Any) -> bytes:
    """Which of the named artifacts are there."""
    from smackbox.spark.front.messages import base_pb2

    answer = base_pb2.ArtifactStatusesResponse(session_id=session.id, server_side_session_id=session.id)
    for name in asked.names:
        answer.statuses[name].exists = session.artifact(name) is not None
    return answer.SerializeToString()  # type: ignore[no-any-return]


def _keep(session: FrontSession, name: str, data: bytes, good: bool) -> None:
    if not good:
        return
    if not name.startswith(TAKEN) or ".." in name.split("/"):
        raise not_there(f"the artifact {name}", "Add Python files, files and local data; jars and archives need a JVM.")

    def write(path: Path) -> int:
        path.write_bytes(data)
        return len(data)

    session.store(name, write)
    if name.startswith("pyfiles/"):
        path = session.artifact(name)
        assert path is not None
        folder = path.parent / "pyfiles"
        folder.mkdir(exist_ok=True)
        file = folder / name.removeprefix("pyfiles/")
        file.write_bytes(data)
        for entry in (str(folder), *([str(file)] if file.suffix in {".zip", ".egg"} else [])):
            if entry not in sys.path:
                sys.path.insert(1, entry)
