"""`smack replay APP`: recomputes a stream's totals from its history, compares, installs and restores them."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from smackbox.base.errors import SettingError
from smackbox.cli.app_options import app_options, servers
from smackbox.cli.backup_options import moment_of
from smackbox.cli.default_verb import DefaultVerb
from smackbox.cli.progress import counted_progress

if TYPE_CHECKING:
    from smackbox.runtime.replay import Result, StreamReplay
    from smackbox.spark.replay.comparing import Difference
    from smackbox.spark.replay.journal import Record


TIMED_EVENTS = 10_000
"""Of fewer the time is that of connecting."""


class Replays(DefaultVerb):
    """`smack replay APP …` is `smack replay build APP …`."""

    default_verb = "build"


@click.group("replay", cls=Replays)
def command() -> None:
    """Replays of streams: `smack replay APP --stream NAME` recomputes the totals and shows what differs."""


def _options(function: Callable[..., Any]) -> Callable[..., Any]:
    named = click.option("--stream", "name", help="Which stream.  [default: the only one that can be replayed]")
    return click.argument("file", metavar="APP", type=click.Path(path_type=Path))(named(app_options(function)))


@command.command("build")
@_options
@click.option("--from", "from_", metavar="TIMESTAMP", help="Rows whose time is this or later.  [default: all rows]")
@click.option("--to", metavar="TIMESTAMP", help="Rows whose time is before this.")
@click.option("--apply", is_flag=True, help="Install the totals; without this they are only compared.")
@click.option("--keep-gone", is_flag=True, help="Keep rows that the replay does not produce.")
def build_command(
    file: Path, name: str | None, from_: str | None, to: str | None, apply: bool, keep_gone: bool, **flags: Any
) -> None:
    """Recompute the totals beside the live ones, and show which rows differ. It can be interrupted and resumed.

    With --apply they are installed: the stream stops at the end of a batch and continues with the new totals.
    """
    from_ms, to_ms = _moment("--from", from_), _moment("--to", to)
    with counted_progress("replaying") as told:
        replay = _replay(file, name, flags, told)
        record = replay.begin(from_ms, to_ms, keeps_gone=keep_gone)
        began = time.monotonic()
        result = replay.apply(record) if apply else replay.build(record)
    _show(replay, result, time.monotonic() - began, is_applied=apply)


@command.command("undo")
@_options
@click.option("--apply", is_flag=True, help="Restore them; without this the changes are only shown.")
def undo_command(file: Path, name: str | None, apply: bool, **flags: Any) -> None:
    """Restore the totals that the last replay replaced; APP's current function counts the events since then."""
    with counted_progress("replaying") as told:
        replay = _replay(file, name, flags, told)
        record = replay.begin_undo()
        began = time.monotonic()
        result = replay.apply(record) if apply else replay.build(record)
    _show(replay, result, time.monotonic() - began, is_applied=apply)


@command.command("discard")
@_options
def discard_command(file: Path, name: str | None, **flags: Any) -> None:
    """Abandon the current replay; the stream is unchanged."""
    record = _replay(file, name, flags).discard()
    click.echo(f"{record.kind} {record.id} is discarded")


@command.command("status")
@_options
def status_command(file: Path, name: str | None, **flags: Any) -> None:
    """Show the current replay, and the one that can be undone."""
    replay = _replay(file, name, flags)
    for record in replay.journal.all():
        click.echo(f"{record.id}\t{record.kind}\t{_state(record)}\t{_range(record)}\tbegun {_when(record.started_ms)}")


def _replay(
    file: Path, name: str | None, flags: dict[str, Any], told: Callable[[int, int], None] = lambda _done, _total: None
) -> StreamReplay:
    from smackbox.app.load import load_app
    from smackbox.runtime.replay import StreamReplay
    from smackbox.runtime.replay_checks import check_replayable

    urls, settings = servers(flags)
    app = load_app(file)
    if name is None:
        fit = []
        for stream in app.streams:
            try:
                check_replayable(stream)
            except SettingError:
                continue
            fit.append(stream.name)
        if len(fit) != 1:
            raise SettingError(f"which stream? --stream NAME, one of {', '.join(fit) or 'none that can be replayed'}")
        name = fit[0]
    return StreamReplay(app, file, app.find_stream(name), urls, settings, told=told)


def _show(replay: StreamReplay, result: Result, taken_s: float, *, is_applied: bool) -> None:
    counts, found = result.counts, result.comparison
    notes = [
        f"{count:,} {what}"
        for count, what in (
            (counts.duplicates, "came again"),
            (counts.late, "too late"),
            (counts.skipped, "are no events and are left out"),
        )
        if count
    ]
    rate = f" at {counts.read / taken_s:,.0f} a second" if counts.read >= TIMED_EVENTS else ""
    click.echo(f"{counts.read:,} events read in {taken_s:.1f} s{rate}" + "".join(f", {note}" for note in notes))
    click.echo(f"rows: {found.added:,} added, {found.changed:,} changed, {found.gone:,} gone, {found.same:,} the same")
    if found.others:
        click.echo(f"      {found.others:,} that it did not make stay as they are")
    if found.moving:
        click.echo(f"      {found.moving:,} were written by the stream meanwhile; --apply compares them as well")
    if found.largest:
        click.echo("largest differences:")
    for one in found.largest:
        key = ", ".join(f"{column} {value}" for column, value in result.columns.key_values(one.key).items())
        click.echo(f"  {key}: {one.column} {_number(one.old)} -> {_number(one.new)} ({_change(one)})")
    for table in replay.looked_up:
        click.echo(f"{table} was looked up as it is now")
    if is_applied:
        click.echo(
            f"{result.record.kind} {result.record.id} is in; `smack replay undo` puts back what was there before it"
        )
    else:
        click.echo("nothing has changed yet; the same command with --apply puts it in")


def _number(value: Any) -> str:
    return "none" if value is None else str(value)


def _change(difference: Difference) -> str:
    return f"{(difference.new or 0) - (difference.old or 0):+,}"


def _state(record: Record) -> str:
    if record.state == "applied":
        return f"in since {_when(record.applied_ms)}"
    return "under way" if record.state == "building" else "being put in"


def _range(record: Record) -> str:
    if record.from_ms is None and record.to_ms is None:
        return "all rows"
    begin = "" if record.from_ms is None else f"from {_when(record.from_ms)}"
    end = "" if record.to_ms is None else f"to {_when(record.to_ms)}"
    return " ".join(filter(None, (begin, end)))


def _when(moment_ms: int) -> str:
    return f"{datetime.fromtimestamp(moment_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _moment(option: str, text: str | None) -> int | None:
    moment_s = moment_of(text, option)
    return None if moment_s is None else int(moment_s * 1000)
