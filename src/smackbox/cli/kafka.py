"""`smack kafka serve`: the broker alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from smackbox.cli.backup_options import key_option
from smackbox.cli.backup_server import save_server
from smackbox.cli.server_options import serve, server_options, settings_from
from smackbox.runtime.settings import DEFAULT_DIR, KAFKA_PORT
from smackbox.store.objects import is_url


@click.group("kafka")
def command() -> None:
    """A Kafka broker."""


@command.command("backup")
@click.argument("target")
@click.option("--dir", "directory", type=click.Path(path_type=Path), default=DEFAULT_DIR / "kafka", show_default=True)
@click.option("--timeout", "timeout_s", type=float, default=300.0, show_default=True, help="Seconds to wait.")
@key_option
def backup_command(target: str, directory: Path, timeout_s: float, key_file: Path | None) -> None:
    """Copy a consistent snapshot of a running broker's data to TARGET.

    A folder becomes a data directory: `smack kafka serve --dir TARGET` serves it. At s3://, gs:// and az:// it is
    an incremental back-up: `smack restore TARGET --part kafka` restores it.
    """
    if is_url(target):
        save_server("kafka", directory, target, key_file)
        return
    from smackbox.kafka.server.backup import ask

    copied = ask(directory, Path(target), timeout_s)
    click.echo(f"{copied.files} files, {copied.bytes / 1e6:.1f} MB copied to {target}")


@command.command("status")
@click.option("--dir", "directory", type=click.Path(path_type=Path), default=DEFAULT_DIR / "kafka", show_default=True)
def status_command(directory: Path) -> None:
    """Show the status of the broker that runs on a data directory."""
    from smackbox.net.control import server_status

    for line in server_status(directory):
        click.echo(line)


@command.command("serve")
@server_options(KAFKA_PORT)
@click.option("--advertised", help="Advertised host:port.  [default: the address each client dialled]")
def serve_command(**flags: Any) -> None:
    """Run the broker in the foreground."""
    from smackbox.kafka.server import KafkaServer
    from smackbox.kafka.settings import KafkaSettings

    serve(KafkaServer(settings_from(KafkaSettings, "kafka", KAFKA_PORT, flags)))
