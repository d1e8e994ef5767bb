"""The processes of the stack and their command lines: the same `smack … serve` that a user would type."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from smackbox.base.errors import StartError
from smackbox.runtime.process import ProcessSpec
from smackbox.runtime.settings import BoxSettings

SMACK = (sys.executable, "-m", "smackbox")


def stack_specs(
    settings: BoxSettings,
    *,
    kafka: bool = True,
    cassandra: bool = True,
    spark: bool | None = None,
    config: Path | None = None,
) -> list[ProcessSpec]:
    """The servers of `smack up`, except those excluded. `spark` None: as in the settings.

    `config` is the settings file that they read; None: the one in their working directory.

    Raises `StartError` when Spark is asked for and not installed.
    """
    specs = []
    if kafka:
        specs.append(_server(settings, "kafka", settings.kafka_port, config))
    if cassandra:
        specs.append(_server(settings, "cassandra", settings.cassandra_port, config))
    if with_spark(settings) if spark is None else spark:
        argv: tuple[str, ...] = (*SMACK, "spark", "serve", "--host", settings.host)
        argv += _flag("--insecure", settings.insecure) + config_flags(config)
        specs.append(ProcessSpec("spark", argv, settings.spark_port))
    return specs


def registry_spec(settings: BoxSettings, kafka: str, config: Path | None = None) -> ProcessSpec:
    """The schema registry on the broker `kafka`, which runs already."""
    argv: tuple[str, ...] = (*SMACK, "registry", "serve", "--host", settings.host, "--kafka", kafka)
    return ProcessSpec(
        "registry", argv + _flag("--insecure", settings.insecure) + config_flags(config), settings.registry_port
    )


def with_spark(settings: BoxSettings) -> bool:
    """Whether to start Spark. Raises `StartError` if it is requested and not installed."""
    installed = importlib.util.find_spec("pysail") is not None
    if settings.spark and not installed:
        raise StartError("Spark is not installed: pip install 'smackbox[spark]', or give --no-spark")
    return installed if settings.spark is None else settings.spark


def config_flags(config: Path | None) -> tuple[str, ...]:
    """The arguments that pass the settings file to a process."""
    return () if config is None else ("--config", str(config.resolve()))


def _server(settings: BoxSettings, name: str, port: int, config: Path | None) -> ProcessSpec:
    directory: Path = settings.dir / name
    argv: tuple[str, ...] = (*SMACK, name, "serve", "--host", settings.host, "--dir", str(directory))
    argv += _flag("--sync", settings.sync) + _flag("--insecure", settings.insecure) + config_flags(config)
    return ProcessSpec(name, argv, port)


def _flag(flag: str, given: bool) -> tuple[str, ...]:
    return (flag,) if given else ()
