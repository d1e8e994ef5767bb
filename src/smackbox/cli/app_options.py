"""Options shared by the commands that use an application's servers: their addresses and the box's directory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from smackbox.base.errors import UserError
from smackbox.cli.up import box_settings

if TYPE_CHECKING:
    from smackbox.runtime.settings import BoxSettings, Urls


def app_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Flags for the servers and the box's directory."""
    for option in reversed(
        [
            click.option("--kafka", envvar="SMACK_KAFKA", help="host:port of a Kafka to use instead of the box's."),
            click.option("--cassandra", envvar="SMACK_CASSANDRA", help="host:port of a Cassandra, likewise."),
            click.option("--spark", envvar="SMACK_SPARK", help="sc://host:port of a Spark, likewise."),
            click.option("--dir", "dir", type=click.Path(path_type=Path), help="The box's data."),
            click.option("--config", type=click.Path(path_type=Path), help="Settings file.  [default: smackbox.toml]"),
        ]
    ):
        function = option(function)
    return function


def servers(flags: dict[str, Any]) -> tuple[Urls, BoxSettings]:
    """The servers in the options, else the running box's. Raises `UserError` if Kafka or Cassandra is missing."""
    from smackbox.runtime.run import running_urls
    from smackbox.runtime.settings import Urls

    urls = Urls(**{server: flags[server] for server in ("kafka", "cassandra", "spark")})
    settings = box_settings({name: flags[name] for name in ("dir", "config")})
    urls |= running_urls(settings.dir)
    if urls.kafka is None or urls.cassandra is None:
        raise UserError(f"nothing is running in {settings.dir}: start `smack up`, or give --kafka and --cassandra")
    return urls, settings
