"""`smack projection`: asks the process that runs projections, over the control socket of its data directory.

control = await serve_control(directory, ProjectionManagement.of(system))     # close it at the end
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from smackbox.akka.persistence.offset import NoOffset, Offset
from smackbox.akka.projection.management import ProjectionManagement
from smackbox.akka.projection.offset_store import offset_of, offset_text
from smackbox.akka.projection.projection_id import ProjectionId
from smackbox.net.control import ControlSocket, Request, Served, call

TIMEOUT_S = 20.0


class ListProjections(Request, frozen=True):
    """Which are there, and how are they?"""


class PauseProjection(Request, frozen=True):
    """Handle no more events."""

    name: str
    key: str


class ResumeProjection(Request, frozen=True):
    """Go on."""

    name: str
    key: str


class RewindProjection(Request, frozen=True):
    """Go on after this offset; an empty manifest is the beginning."""

    name: str
    key: str
    manifest: str = ""
    offset: str = ""


class ProjectionLine(msgspec.Struct, frozen=True):
    """One instance. `offset` is the last that was saved, as text."""

    name: str
    key: str
    state: str
    events: int
    lag_s: float
    offset: str
    restarts: int
    error: str


class ProjectionList(msgspec.Struct, frozen=True):
    """All instances of the process, by name and key."""

    projections: list[ProjectionLine]


def list_of(management: ProjectionManagement) -> ProjectionList:
    """How the instances are now."""
    lines = [
        ProjectionLine(
            status.id.name,
            status.id.key,
            status.state,
            status.handled_events,
            status.lag_s,
            _text(status.offset),
            status.restarts,
            status.error,
        )
        for status in management.statuses
    ]
    return ProjectionList(sorted(lines, key=lambda line: (line.name, line.key)))


def _text(offset: Offset | None) -> str:
    return "" if offset is None or isinstance(offset, NoOffset) else ":".join(offset_text(offset))


async def serve_control(directory: Path, management: ProjectionManagement) -> ControlSocket:
    """Take requests; `directory` must be this process' own. Raises `StartError`."""

    async def serve(request: Any) -> msgspec.Struct:
        if not isinstance(request, ListProjections):
            id_ = ProjectionId(request.name, request.key)
            if isinstance(request, PauseProjection):
                await management.pause(id_)
            elif isinstance(request, ResumeProjection):
                await management.resume(id_)
            elif request.manifest:
                await management.update_offset(id_, offset_of(request.manifest, request.offset))
            else:
                await management.clear_offset(id_)
        return list_of(management)

    def numbers() -> dict[str, int]:
        return {f"events handled by {status.id.text}": status.handled_events for status in management.statuses}

    requests = ListProjections | PauseProjection | ResumeProjection | RewindProjection
    return await ControlSocket.open(directory, Served("projections", str(directory), numbers, requests, serve))


def ask(directory: Path, request: Request) -> ProjectionList:
    """Have the process that holds `directory` serve a request. Raises `UserError`."""
    return call(directory, request, ProjectionList, TIMEOUT_S)
