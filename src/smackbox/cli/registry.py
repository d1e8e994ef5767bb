"""`smack registry serve`: a schema registry of Confluent's HTTP API."""

from __future__ import annotations

from typing import Any

import click

from smackbox.cli.server_options import serve, server_options, settings_from
from smackbox.runtime.settings import REGISTRY_PORT


@click.group("registry")
def command() -> None:
    """A schema registry: Avro, JSON Schema and Protobuf, kept in Kafka's topic _schemas."""


@command.command("serve")
@click.option("--kafka", help="The broker that keeps the schemas.  [default: 127.0.0.1:9092]")
@click.option(
    "--schema-compatibility-level", help="What holds until something else is configured.  [default: BACKWARD]"
)
@server_options(REGISTRY_PORT, stores=False)
def serve_command(**flags: Any) -> None:
    """Run it in the foreground."""
    from smackbox.registry.server.service import RegistryServer
    from smackbox.registry.settings import RegistrySettings

    serve(RegistryServer(settings_from(RegistrySettings, "registry", REGISTRY_PORT, flags)))
