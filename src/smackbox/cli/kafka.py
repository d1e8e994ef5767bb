"""`smack kafka serve`: the broker alone."""

from __future__ import annotations

from typing import Any

import click

from smackbox.box.settings import KAFKA_PORT
from smackbox.cli.server_options import serve, server_options, settings_from


@click.group("kafka")
def command() -> None:
    """A Kafka broker."""


@command.command("serve")
@server_options(KAFKA_PORT)
@click.option("--advertised", help="host:port told to clients.  [default: the address each client dialled]")
def serve_command(**flags: Any) -> None:
    """Run the broker in the foreground."""
    from smackbox.kafka.server import KafkaServer
    from smackbox.kafka.settings import KafkaSettings

    serve(KafkaServer(settings_from(KafkaSettings, "kafka", KAFKA_PORT, flags)))
