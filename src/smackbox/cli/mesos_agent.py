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
from smackbox.cli.server_options import serve
from smackbox.runtime.settings import DEFAULT_DIR

AGENT_PORT = 5051
_PATH = click.Path(path_type=Path)
_OPTIONS: list[tuple[tuple[str, ...], dict[str, Any]]] = [
    (("--host", "--ip", "host"), {"help": "Address to listen on.  [default: 127.0.0.1]"}),
    (("--port",), {"type": click.IntRange(0, 65535), "help": f"Port; 0 picks one.  [default: {AGENT_PORT}]"}),
    (("--dir", "--work-dir", "--work_dir", "dir_"), {"type": _PATH, "help": "Sandboxes and checkpoints."}),
    (("--memory",), {"is_flag": True, "help": "Keep nothing on disk; tasks end with the agent."}),
    (("--sync",), {"is_flag": True, "default": None, "help": "fsync each checkpoint."}),
    (("--insecure",), {"is_flag": True, "default": None, "help": "Listen beyond loopback without authentication."}),
    (
        ("--metrics-port", "--metrics_port"),
        {"type": click.IntRange(0, 65535), "help": "Serve /metrics and /healthz there."},
    ),
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
        {"type": click.Choice(["equal", "additive"]), "help": "What may differ from the agent's previous run."},
    ),
    (("--switch-user/--no-switch-user", "--switch_user/--no-switch_user"), {"default": None, "help": "As root."}),
    (("--executor-registration-timeout", "--executor_registration_timeout"), {}),
    (("--executor-reregistration-timeout", "--executor_reregistration_timeout"), {}),
    (("--executor-shutdown-grace-period", "--executor_shutdown_grace_period"), {}),
    (("--recovery-timeout", "--recovery_timeout"), {}),
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
    (("--container-disk-watch-interval", "--container_disk_watch_interval"), {}),
    (("--gc-delay", "--gc_delay"), {"help": "Age at which old sandboxes go.  [default: 1weeks]"}),
    (("--gc-disk-headroom", "--gc_disk_headroom"), {"type": float}),
    (("--disk-watch-interval", "--disk_watch_interval"), {}),
    (("--fetcher-cache-dir", "--fetcher_cache_dir"), {"type": _PATH}),
    (("--fetcher-cache-size", "--fetcher_cache_size"), {"type": int, "help": "Bytes.  [default: 2 GiB]"}),
    (("--fetcher-stall-timeout", "--fetcher_stall_timeout"), {}),
    (("--docker-socket", "--docker_socket"), {"type": _PATH, "help": "[default: /var/run/docker.sock]"}),
    (("--docker-remove-delay", "--docker_remove_delay"), {}),
    (("--credential",), {"type": _PATH, "help": "JSON file: principal and secret for the master."}),
    (("--http-credentials", "--http_credentials"), {"type": _PATH, "help": "JSON file: who may use the endpoints."}),
    (
        ("--authenticate-http-executors", "--authenticate_http_executors"),
        {"is_flag": True, "default": None, "help": "Executors too have to give a token."},
    ),
    (("--ssl-cert-file",), {"type": _PATH, "help": "PEM certificate: the endpoints are TLS."}),
    (("--ssl-key-file",), {"type": _PATH}),
    (("--ssl-ca-file",), {"type": _PATH, "help": "PEM authority that the master's certificate is verified with."}),
]


def _with_options(function: Any) -> Any:
    for names, details in reversed(_OPTIONS):
        function = click.option(*names, **details)(function)
    return function


@click.command("agent")
@_with_options
def agent(**flags: Any) -> None:
    """Run an agent in the foreground. SIGTERM leaves tasks running; SIGUSR1 kills them and unregisters the agent."""
    from smackbox.mesos.agent.server.service import AgentService
    from smackbox.mesos.agent.settings import CLEANUP, MesosAgentSettings

    memory, config = flags.pop("memory"), flags.pop("config")
    flags["dir"] = flags.pop("dir_")
    if memory and flags["dir"] is not None:
        raise SettingError("--memory and --work-dir exclude each other")
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
