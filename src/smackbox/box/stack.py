"""Which processes make the stack, and how each is started: the same `smack … serve` that a person would type."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from smackbox.base.errors import StartError
from smackbox.box.process import ProcessSpec
from smackbox.box.settings import BoxSettings

SMACK = (sys.executable, "-m", "smackbox")


def stack_specs(
    settings: BoxSettings,
    *,
    kafka: bool = True,
    cassandra: bool = True,
    spark: bool | None = None,
) -> list[ProcessSpec]:
    """The servers of `smack up`, less those not wanted. `spark` None: as the settings say.

    Raises `StartError` when Spark is asked for and not installed.
    """
    specs = []
    if kafka:
        specs.append(_server(settings, "kafka", settings.kafka_port))
    if cassandra:
        specs.append(_server(settings, "cassandra", settings.cassandra_port))
    if with_spark(settings) if spark is None else spark:
        argv = (*SMACK, "spark", "serve", "--host", settings.host, *_flag("--insecure", settings.insecure))
        specs.append(ProcessSpec("spark", argv, settings.spark_port))
    return specs


def with_spark(settings: BoxSettings) -> bool:
    installed = importlib.util.find_spec("pysail") is not None
    if settings.spark and not installed:
        raise StartError("Spark is not installed: pip install 'smackbox[spark]', or give --no-spark")
    return installed if settings.spark is None else settings.spark


def _server(settings: BoxSettings, name: str, port: int) -> ProcessSpec:
    directory: Path = settings.dir / name
    argv: tuple[str, ...] = (*SMACK, name, "serve", "--host", settings.host, "--dir", str(directory))
    argv += _flag("--sync", settings.sync) + _flag("--insecure", settings.insecure)
    return ProcessSpec(name, argv, port)


def _flag(flag: str, given: bool) -> tuple[str, ...]:
    return (flag,) if given else ()
