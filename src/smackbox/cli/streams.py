"""`smack streams`: the streams that run in a directory, with their progress and lag."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click
import msgspec

from smackbox.base.errors import UserError
from smackbox.runtime.settings import DEFAULT_DIR

BETWEEN_LOOKS_S = 1.0


@click.command("streams")
@click.option("--dir", "directory", type=click.Path(path_type=Path), default=DEFAULT_DIR, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line: a process and its figures.")
def command(directory: Path, as_json: bool) -> None:
    """Show batches, rows, rate, lag and watermark of every stream. Exits with 1 when one does not answer.

    It measures twice, a second apart. LAG S is the time to catch up at the rate of the last batches, BEHIND S how far
    event time lags behind the clock.
    """
    from smackbox.runtime.status import table
    from smackbox.runtime.stream_status import HEAD, Rates, stream_figures, stream_rows
    from smackbox.runtime.supervisor import running

    rates = Rates()
    rates.see(stream_figures(running(directory)))
    time.sleep(BETWEEN_LOOKS_S)
    streams = stream_figures(running(directory))
    rates.see(streams)
    if not streams:
        raise UserError(f"no stream runs in {directory}: `smack run APP` starts those of an application")
    if as_json:
        for stream in streams:
            shown = {"stream": stream.stream, "process": stream.process.name, "state": stream.process.state}
            rate = rates.last(stream.process.name)
            shown |= {"restarts": stream.process.restarts, "rows_per_second": rate, **stream.figures}  # type: ignore[dict-item]
            click.echo(msgspec.json.encode(shown))
    else:
        click.echo("\n".join(table([HEAD, *stream_rows(streams, rates)])))
    sys.exit(0 if all(stream.figures for stream in streams) else 1)
