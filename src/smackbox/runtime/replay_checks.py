"""Checks that a stream can be replayed: its totals come from one topic and go to one table; its checksum."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from smackbox.app.model import App
from smackbox.app.streams import Stream, Table, Topic
from smackbox.base.errors import SettingError
from smackbox.flow.steps import Aggregation, Join, Lookup, Stateful
from smackbox.flow.windows import SessionGap

MARGIN_MS = 86_400_000
"""Of a range of time, records are read from so long before it on: an event may have come a little before its time."""


def check_replayable(stream: Stream) -> None:
    """Raises `SettingError`, with an alternative, for a stream whose totals cannot be recomputed."""
    name = f"stream {stream.name} cannot be replayed"
    if len(stream.sources) > 1 or not isinstance(stream.source, Topic):
        raise SettingError(
            f"{name}: only one topic can be read again from a moment on; copy its sources into a topic, and make the "
            "totals from that"
        )
    others = [target.name for target in stream.targets if not isinstance(target, Table)]
    if others or stream.table is None:
        raise SettingError(
            f"{name}: {', '.join(others)} got the former totals, and what was sent cannot be taken back; declare a "
            "stream for the table alone"
        )
    if stream.flow is None and stream.function is None:
        raise SettingError(
            f"{name}: it copies events and makes no totals. Rows that are wrong are mended by `smack patch`"
        )
    for step in stream.flow.branch.steps if stream.flow is not None else ():
        if isinstance(step, Join):
            raise SettingError(f"{name}: it joins streams, and which of two rows came first is not in the topic")
        if isinstance(step, Stateful):
            raise SettingError(
                f"{name}: the function of stateful() has timers and states of the time when events came, which is not "
                "in the topic; what group_by().agg() makes can be replayed"
            )
        if isinstance(step, Aggregation) and step.ttl_ms is not None:
            raise SettingError(f"{name}: ttl= forgets totals by the time when events came, which is not in the topic")


def check_range(stream: Stream, from_ms: int | None, to_ms: int | None) -> None:
    """Raises `SettingError` for a range of time in which a flow's totals are unknown."""
    if from_ms is not None and to_ms is not None and from_ms >= to_ms:
        raise SettingError("--from must be before --to")
    if stream.flow is None or (from_ms is None and to_ms is None):
        return
    for step in stream.flow.branch.steps:
        if not isinstance(step, Aggregation):
            continue
        if step.window is None:
            raise SettingError(
                f"stream {stream.name} totals without a window, so a total has events of any time in it: leave out "
                "--from and --to to replay all"
            )
        size_ms = step.window.gap_ms if isinstance(step.window, SessionGap) else step.window.size_ms
        if size_ms > MARGIN_MS:
            raise SettingError(
                f"stream {stream.name} has windows longer than a day: leave out --from and --to to replay all"
            )
        if to_ms is not None and isinstance(step.window, SessionGap):
            raise SettingError(f"stream {stream.name} has sessions, which may go on beyond --to: leave it out")


def looked_up(stream: Stream) -> list[str]:
    """The tables and topics that a flow looks up: in their present state, not their former one."""
    steps = stream.flow.branch.steps if stream.flow is not None else ()
    return [step.table.name for step in steps if isinstance(step, Lookup)]


def owns_rows(app: App, stream: Stream) -> bool:
    """Whether nothing else of the application writes the stream's table."""
    table = stream.table
    others = [other for other in app.streams if other.name != stream.name and table in other.targets]
    return not others and not any(job.target == table for job in app.jobs)


def source_of(file: Path) -> str:
    """A checksum of the program: of the application's file and the modules beside it that it imports."""
    folder = file.resolve().parent
    found = {}
    for module in list(sys.modules.values()):
        path = Path(getattr(module, "__file__", None) or "/")
        is_ours = path.suffix == ".py" and path.is_relative_to(folder) and "site-packages" not in path.parts
        if is_ours and not module.__name__.startswith("smackbox."):
            found[path.relative_to(folder).as_posix()] = path
    found[file.name] = file.resolve()
    checksum = hashlib.sha256()
    for name, path in sorted(found.items()):
        checksum.update(name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return checksum.hexdigest()
