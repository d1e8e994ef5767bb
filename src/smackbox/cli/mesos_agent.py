"""`smack mesos agent`: one agent, under Mesos' flag names."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import click
import msgspec

from smackbox.base.errors import SettingError
from smackbox.base.settings import load
from smackbox.box.settings import DEFAULT_DIR
from smackbox.cli.server_options import serve

AGENT_PORT = 5051
_UNITS_S = {
    "ns": 1e-9,
    "us": 1e-6,
    "ms": 1e-3,
    "secs": 1.0,
    "s": 1.0,
    "mins": 60.0,
    "hrs": 3_600.0,
    "days": 86_400.0,
    "weeks": 604_800.0,
    "": 1.0,
}


class Duration(click.ParamType[float]):
    """`5secs`, `15mins`, as Mesos writes them; a bare number is seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float | int):
            return float(value)
        number = value.rstrip("abcdefghijklmnopqrstuvwxyz")
        unit = value[len(number) :]
        if unit not in _UNITS_S:
            self.fail(f"{value!r} has no unit of Mesos' ({', '.join(filter(None, _UNITS_S))})", param, ctx)
        try:
            return float(number) * _UNITS_S[unit]
        except ValueError:
            self.fail(f"{value!r} is not a duration such as 5secs", param, ctx)


DURATION = Duration()
_PATH = click.Path(path_type=Path)
_OPTIONS: list[tuple[tuple[str, ...], dict[str, Any]]] = [
    (("--host", "--ip", "host"), {"help": "Address to listen on.  [default: 127.0.0.1]"}),
    (("--port",), {"type": click.IntRange(0, 65535), "help": f"Port; 0 picks one.  [default: {AGENT_PORT}]"}),
    (("--dir", "--work-dir", "--work_dir", "dir_"), {"type": _PATH, "help": "Sandboxes and checkpoints."}),
    (("--memory",), {"is_flag": True, "help": "Keep nothing on disk; tasks end with the agent."}),
    (("--sync",), {"is_flag": True, "default": None, "help": "fsync each checkpoint."}),
    (("--insecure",), {"is_flag": True, "default": None, "help": "Listen beyond loopback without authentication."}),
    (("--config",), {"type": _PATH, "help": "Settings file.  [default: smackbox.toml]"}),
    (("--master",), {"help": "host:port, a URL, zk://h:p,h:p/path or file://path.  [default: 127.0.0.1:5050]"}),
    (("--resources",), {"help": "cpus:4;mem:1024;disk:10240;ports:[31000-32000].  [default: the machine's]"}),
    (("--attributes",), {"help": "rack:r1;zone:a"}),
    (("--default-role", "--default_role"), {"help": "Role of resources that name none.  [default: *]"}),
    (("--hostname",), {"help": "Name that others reach this machine by."}),
    (("--advertise-ip", "--advertise_ip"), {"help": "Address that others reach this machine by."}),
    (("--recover",), {"type": click.Choice(["reconnect", "cleanup"]), "help": "cleanup kills old tasks and ends."}),
    (
        ("--reconfiguration-policy", "--reconfiguration_policy"),
        {"type": click.Choice(["equal", "additive"]), "help": "What may differ from the agent's former life."},
    ),
    (("--switch-user/--no-switch-user", "--switch_user/--no-switch_user"), {"default": None, "help": "As root."}),
    (("--executor-registration-timeout", "--executor_registration_timeout"), {"type": DURATION}),
    (("--executor-reregistration-timeout", "--executor_reregistration_timeout"), {"type": DURATION}),
    (("--executor-shutdown-grace-period", "--executor_shutdown_grace_period"), {"type": DURATION}),
    (("--recovery-timeout", "--recovery_timeout"), {"type": DURATION}),
    (("--executor-environment-variables", "--executor_environment_variables"), {"help": "A JSON object."}),
    (("--isolation",), {"help": "posix/cpu,posix/mem or cgroups/cpu,cgroups/mem.  [default: cgroups where it may]"}),
    (("--cgroups-root", "--cgroups_root"), {"help": "Name of the agent's cgroup.  [default: mesos]"}),
    (
        ("--cgroups-enable-cfs/--no-cgroups-enable-cfs", "--cgroups_enable_cfs/--no-cgroups_enable_cfs"),
        {"default": None, "help": "cpus as a hard limit too."},
    ),
    (
        ("--enforce-container-disk-quota", "--enforce_container_disk_quota"),
        {"is_flag": True, "default": None, "help": "Kill tasks that use more disk than they have."},
    ),
    (("--container-disk-watch-interval", "--container_disk_watch_interval"), {"type": DURATION}),
    (("--gc-delay", "--gc_delay"), {"type": DURATION, "help": "Age at which old sandboxes go.  [default: 1weeks]"}),
    (("--gc-disk-headroom", "--gc_disk_headroom"), {"type": float}),
    (("--disk-watch-interval", "--disk_watch_interval"), {"type": DURATION}),
    (("--fetcher-cache-dir", "--fetcher_cache_dir"), {"type": _PATH}),
    (("--fetcher-cache-size", "--fetcher_cache_size"), {"type": int, "help": "Bytes.  [default: 2 GiB]"}),
    (("--fetcher-stall-timeout", "--fetcher_stall_timeout"), {"type": DURATION}),
    (("--docker-socket", "--docker_socket"), {"type": _PATH, "help": "[default: /var/run/docker.sock]"}),
    (("--docker-remove-delay", "--docker_remove_delay"), {"type": DURATION}),
    (("--credential",), {"type": _PATH, "help": "JSON file: principal and secret for the master."}),
    (("--http-credentials", "--http_credentials"), {"type": _PATH, "help": "JSON file: who may use the endpoints."}),
    (
        ("--authenticate-http-executors", "--authenticate_http_executors"),
        {"is_flag": True, "default": None, "help": "Executors too have to give a token."},
    ),
    (("--tls-certfile",), {"type": _PATH}),
    (("--tls-keyfile",), {"type": _PATH}),
    (("--tls-cafile",), {"type": _PATH, "help": "Authority that the master's certificate is verified with."}),
    (("--master-tls",), {"is_flag": True, "default": None, "help": "Speak TLS to a master found in ZooKeeper."}),
]


def _with_options(function: Any) -> Any:
    for names, details in reversed(_OPTIONS):
        function = click.option(*names, **details)(function)
    return function


@click.command("agent")
@_with_options
def agent(**flags: Any) -> None:
    """Run an agent in the foreground. SIGTERM leaves its tasks running, SIGUSR1 kills them and says good-bye."""
    from smackbox.mesos.server.agent import AgentService
    from smackbox.mesos.server.agent_options import CLEANUP, MesosAgentSettings

    memory, config = flags.pop("memory"), flags.pop("config")
    flags["dir"] = flags.pop("dir_")
    if memory and flags["dir"] is not None:
        raise SettingError("--memory and --work-dir exclude each other")
    for name, kind in MesosAgentSettings.__annotations__.items():
        if str(kind).startswith("float") and name.endswith("_s") and name.removesuffix("_s") in flags:
            flags[name] = flags.pop(name.removesuffix("_s"))
    defaults = {"port": AGENT_PORT, "dir": DEFAULT_DIR / "mesos-agent"}
    settings = load(MesosAgentSettings, "mesos_agent", flags, defaults=defaults, file=config)
    if memory:
        settings = msgspec.structs.replace(settings, dir=None)
    service = AgentService(settings)
    if settings.recover == CLEANUP:
        service.clean_up()
        click.echo("cleaned up: no tasks of a former agent are left")
        return
    service.on_gone = _end
    serve(service)


def _end(message: str) -> None:
    click.echo(f"the master shut this agent down: {message}", err=True)
    os.kill(os.getpid(), signal.SIGTERM)
