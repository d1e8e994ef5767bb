"""`smack status --watch`: refreshes processes and streams: drawn in place on a terminal, else printed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from smackbox.runtime.status import PROCESS_HEAD, process_rows, table
from smackbox.runtime.stream_status import HEAD, Rates, stream_figures, stream_rows
from smackbox.runtime.supervisor import running

COLOURS = {"ready": "green", "starting": "yellow", "waiting": "red", "silent": "red", "stopping": "yellow"}


class View:
    """Two tables of a directory, as rows; each refresh adds to the streams' rates."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._rates = Rates()

    def look(self) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
        """Rows of processes and of streams, heads first; the streams' with a sparkline of their rates."""
        supervisors = running(self.directory)
        streams = stream_figures(supervisors)
        self._rates.see(streams)
        rows = stream_rows(streams, self._rates)
        drawn = [(*row, self._rates.sparkline(stream.process.name)) for row, stream in zip(rows, streams, strict=True)]
        return [PROCESS_HEAD, *process_rows(supervisors)], [(*HEAD, "RATE"), *drawn]


def watch(directory: Path, every_s: float, wait: Callable[[float], None] = time.sleep) -> None:
    """Show `directory` every `every_s` seconds until Ctrl-C."""
    view = View(directory)
    try:
        if sys.stdout.isatty():
            _draw(view, every_s, wait)
        else:
            while True:
                click.echo("\n".join(_lines(view)) + "\n")
                wait(every_s)
    except KeyboardInterrupt:
        return


def _lines(view: View) -> list[str]:
    processes, streams = view.look()
    if len(processes) == 1:
        return [f"nothing is running in {view.directory}"]
    return [*table(processes), *(["", *table(streams)] if len(streams) > 1 else [])]


def _draw(view: View, every_s: float, wait: Callable[[float], None]) -> None:
    from rich.live import Live

    with Live(screen=False, auto_refresh=False) as live:
        while True:
            live.update(_drawn(view), refresh=True)
            wait(every_s)


def _drawn(view: View) -> Any:
    from rich.console import Group
    from rich.text import Text

    processes, streams = view.look()
    if len(processes) == 1:
        return Text(f"nothing is running in {view.directory}", style="red")
    parts = [_rich_table(processes)]
    if len(streams) > 1:
        parts.append(_rich_table(streams))
    return Group(*parts)


def _rich_table(rows: list[tuple[str, ...]]) -> Any:
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, pad_edge=False)
    for name in rows[0]:
        drawn.add_column(name, no_wrap=True)
    for row in rows[1:]:
        drawn.add_row(row[0], Text(row[1], style=COLOURS.get(row[1], "")), *row[2:])
    return drawn
