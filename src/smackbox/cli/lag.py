"""`smack lag`: the lag of consumer groups and of the box's streams."""

from __future__ import annotations

from pathlib import Path

import click

from smackbox.base.address import host_ports
from smackbox.cli.topics import kafka_errors
from smackbox.runtime.settings import DEFAULT_DIR, KAFKA_PORT


@click.command("lag")
@click.argument("groups", metavar="[GROUP]...", nargs=-1)
@click.option("--kafka", envvar="SMACK_KAFKA", help="host:port.  [default: the running box's, else port 9092]")
@click.option("--dir", "directory", type=click.Path(path_type=Path), default=DEFAULT_DIR, show_default=True)
def command(groups: tuple[str, ...], kafka: str | None, directory: Path) -> None:
    """Show the lag of consumer groups by topic; of all, or of GROUPs. `smack topics lag GROUP` shows each partition.

    SECONDS is how long a stream of the box needs to catch up, at the rate of its last batches.
    """
    from smackbox.runtime.lag import lags
    from smackbox.runtime.run import running_urls
    from smackbox.runtime.status import table
    from smackbox.runtime.stream_status import stream_figures
    from smackbox.runtime.supervisor import running

    address = kafka or running_urls(directory).kafka or f"127.0.0.1:{KAFKA_PORT}"
    host_ports(address, KAFKA_PORT)
    seconds: dict[str, float] = {}
    for stream in stream_figures(running(directory)):
        if "lag_seconds" in stream.figures:
            seconds[stream.group] = max(seconds.get(stream.group, 0.0), stream.figures["lag_seconds"])
    with kafka_errors(address):
        found = lags(address, groups)
    rows = [("GROUP", "TOPIC", "PARTITIONS", "COMMITTED", "END", "LAG", "SECONDS")]
    for lag in found:
        known = seconds.get(lag.group)
        numbers = (str(number) for number in (lag.partitions, lag.committed, lag.end, lag.lag))
        rows.append((lag.group, lag.topic, *numbers, "-" if known is None else f"{known:.1f}"))  # type: ignore[arg-type]
    click.echo("\n".join(table(rows)))
