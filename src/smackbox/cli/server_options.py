"""The flags of every server command, and the settings that they become."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from smackbox.base.errors import SettingError
from smackbox.base.settings import ServerSettings, load
from smackbox.net.service import Service, run
from smackbox.runtime.process import LIFELINE
from smackbox.runtime.settings import DEFAULT_DIR

S = TypeVar("S", bound=ServerSettings)
F = TypeVar("F", bound=Callable[..., Any])


def server_options(default_port: int, *, stores: bool = True) -> Callable[[F], F]:
    """--host --port --dir --memory --sync --insecure --metrics-port --config; without data, no directory."""
    options = [
        click.option("--host", help="Address to listen on.  [default: 127.0.0.1]"),
        click.option("--port", type=click.IntRange(0, 65535), help=f"Port; 0 picks one.  [default: {default_port}]"),
        click.option("--insecure", is_flag=True, default=None, help="Listen beyond loopback without authentication."),
        click.option("--metrics-port", type=click.IntRange(0, 65535), help="Serve /metrics and /healthz there."),
        click.option("--config", type=click.Path(path_type=Path), help="Settings file.  [default: smackbox.toml]"),
    ]
    if stores:
        options += [
            click.option("--dir", "dir_", type=click.Path(path_type=Path), help="Data directory."),
            click.option("--memory", is_flag=True, help="Keep nothing on disk."),
            click.option("--sync", is_flag=True, default=None, help="fsync before each acknowledgement."),
        ]
    return _all_of(options)


def framework_options(name: str) -> Callable[[F], F]:
    """Options shared by Marathon and Chronos: addresses of the master and ZooKeeper, credentials, TLS."""
    file = click.Path(path_type=Path)
    return _all_of(
        [
            click.option(
                "--master", help="Mesos' master: host:port or zk://host:port/mesos.  [default: 127.0.0.1:5050]"
            ),
            click.option(
                "--zk", help=f"zk://host:port/{name}: keep the state there; several may run, one of them leads."
            ),
            click.option("--hostname", help="How standbys and Mesos reach this process.  [default: --host]"),
            click.option("--mesos-role", help="The role whose resources are used.  [default: *]"),
            click.option("--http-credentials", help="user:password that requests must send."),
            click.option("--mesos-authentication-principal", help="Principal for authentication with Mesos."),
            click.option("--mesos-authentication-secret-file", type=file, help="File with the principal's secret."),
            click.option("--mesos-ssl-cafile", type=file, help="PEM CA that verifies masters that speak TLS."),
            click.option("--ssl-certfile", type=file, help="PEM certificate; enables TLS for requests."),
            click.option("--ssl-keyfile", type=file, help="PEM key, unless it is in the certificate's file."),
        ]
    )


def _all_of(options: list[Callable[[F], F]]) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def settings_from(settings_type: type[S], section: str, default_port: int, flags: dict[str, Any]) -> S:
    """The settings of one server; the command's own port and folder are the defaults."""
    file = flags.pop("config")
    memory = flags.pop("memory", True)
    flags["dir"] = flags.pop("dir_", None)
    if memory and flags["dir"] is not None:
        raise SettingError("--memory and --dir exclude each other")
    defaults = {"port": default_port, "dir": DEFAULT_DIR / section}
    settings = load(settings_type, section, flags, defaults=defaults, file=file)
    return msgspec.structs.replace(settings, dir=None) if memory else settings


def serve(service: Service) -> None:
    """Run a server until it receives a signal to stop."""
    run(service, started_ns=_process_start_ns(), lifeline=os.environ.get(LIFELINE))


def _process_start_ns() -> int:
    """When this process began, by the monotonic clock, so that `ready … in N ms` counts Python's own start too."""
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return time.monotonic_ns()
    since_boot_s = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return time.monotonic_ns() - int((time.clock_gettime(time.CLOCK_BOOTTIME) - since_boot_s) * 1e9)
