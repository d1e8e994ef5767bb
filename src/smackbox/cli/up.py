"""`smack up`: everything, in the foreground."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from smackbox.base.errors import SettingError
from smackbox.base.settings import load
from smackbox.runtime.settings import DEFAULT_DIR, BoxSettings


def box_options(function: Any) -> Any:
    """The flags of `smack up` and `smack run` for the box's directory and its servers."""
    for option in reversed(
        [
            click.option("--dir", "dir", type=click.Path(path_type=Path), help=f"Data.  [default: {DEFAULT_DIR}]"),
            click.option("--memory", is_flag=True, default=None, help="Keep nothing on disk."),
            click.option("--with-spark/--no-spark", default=None, help="Start a Spark server, or none."),
            click.option("--registry/--no-registry", default=None, help="With a schema registry.  [default: without]"),
            click.option("--free-ports", is_flag=True, help="Pick free ports for all servers."),
            click.option("--sync", is_flag=True, default=None, help="fsync before each acknowledgement."),
            click.option("--config", type=click.Path(path_type=Path), help="Settings file.  [default: smackbox.toml]"),
        ]
    ):
        function = option(function)
    return function


def box_settings(flags: dict[str, Any]) -> BoxSettings:
    """Removes the box's own flags, except the settings file, from `flags`; missing ones were not given."""
    config, free_ports = flags["config"], flags.pop("free_ports", False)
    names = ("dir", "memory", "with_spark", "registry", "sync")
    chosen = {name: flags.pop(name, None) for name in names}
    if chosen["memory"] and chosen["dir"] is not None:
        raise SettingError("--memory and --dir exclude each other")
    chosen["spark"] = chosen.pop("with_spark")
    settings = load(BoxSettings, "box", chosen, file=config)
    return settings.with_free_ports() if free_ports else settings


@click.command("up")
@box_options
def command(**flags: Any) -> None:
    """Start Kafka, Cassandra, ZooKeeper and Spark, keep them running, and stop them on Ctrl-C."""
    from smackbox.runtime.up import up

    up(box_settings(flags), flags["config"])
