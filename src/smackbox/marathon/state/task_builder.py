"""From an app and its resources to the TaskInfo for Mesos."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from smackbox.marathon.state.instance import Instance
from smackbox.marathon.wire import path_id
from smackbox.marathon.wire.app import BRIDGE, HOST, App, Check, HealthCheck, SecretReference

Json = dict[str, Any]
Secrets = Callable[[str], str | None]

LABEL_LIMIT = 512
"""Maximum characters of a label's value that becomes an environment variable."""


def task_info(app: App, instance: Instance, resources: Sequence[Json], secrets: Secrets) -> Json:
    """The `TaskInfo` of an instance; `instance.ports` are its host ports, in the order of the app's ports."""
    info: Json = {
        "name": path_id.hostname(app.id),
        "task_id": {"value": instance.task_id},
        "agent_id": {"value": instance.agent_id},
        "resources": list(resources),
        "command": _command(app, environment(app, instance, secrets)),
        "labels": _labels(app.labels),
        "discovery": _discovery(app, instance),
    }
    if container := _container(app, instance):
        info["container"] = container
    by_mesos = next((check for check in app.health_checks if check.by_mesos), None)
    if by_mesos is not None:  # a task has only one: Marathon takes the first
        info["health_check"] = _health_check(app, by_mesos, instance)
    if app.check is not None:
        info["check"] = _check(app, app.check, instance)
    if app.resource_limits is not None:
        limits = {"cpus": app.resource_limits.cpus, "mem": app.resource_limits.mem}
        info["limits"] = {name: {"value": amount} for name, amount in limits.items() if amount is not None}
    if app.task_kill_grace_period_seconds is not None:
        nanoseconds = app.task_kill_grace_period_seconds * 1_000_000_000
        info["kill_policy"] = {"grace_period": {"nanoseconds": nanoseconds}}
    return info


def environment(app: App, instance: Instance, secrets: Secrets) -> dict[str, str]:
    """The environment of a task: Marathon's own variables, ports, then the app's."""
    variables = {
        "MARATHON_APP_ID": app.id,
        "MARATHON_APP_VERSION": app.version,
        "MARATHON_APP_RESOURCE_CPUS": str(app.cpus),
        "MARATHON_APP_RESOURCE_MEM": str(app.mem),
        "MARATHON_APP_RESOURCE_DISK": str(app.disk),
        "MARATHON_APP_RESOURCE_GPUS": str(app.gpus),
        "MESOS_TASK_ID": instance.task_id,
        "HOST": instance.host,
    }
    if app.container is not None and app.container.docker is not None:
        variables["MARATHON_APP_DOCKER_IMAGE"] = app.container.docker.image
    names = []
    for name, value in app.labels.items():
        if len(value) < LABEL_LIMIT:
            variable = _variable(name)
            names.append(variable)
            variables[f"MARATHON_APP_LABEL_{variable}"] = value
    variables["MARATHON_APP_LABELS"] = " ".join(sorted(names))
    variables.update(_port_variables(app, instance.ports))
    for name, wanted in app.env.items():
        if isinstance(wanted, SecretReference):
            variables[name] = secrets(app.secrets[wanted.secret].source) or ""
        else:
            variables[name] = wanted
    return variables


def _port_variables(app: App, ports: Sequence[int]) -> dict[str, str]:
    """PORT, PORT0 …, PORTS, PORT_<requested number> and PORT_<NAME>: the ports for the task to listen on."""
    listening: list[tuple[int, int, str | None]] = []  # requested port, port to listen on, name
    if app.host_networking:
        for definition, port in zip(app.port_definitions or [], ports, strict=False):
            listening.append((definition.port, port, definition.name))
    else:
        taken = iter(ports)
        for mapping in app.port_mappings:
            host_port = next(taken, 0) if mapping.host_port is not None else 0
            port = mapping.container_port or host_port
            listening.append((mapping.container_port, port, mapping.name))
    found: dict[str, str] = {}
    for at, (asked, port, name) in enumerate(listening):
        found[f"PORT{at}"] = str(port)
        if asked:
            found[f"PORT_{asked}"] = str(port)
        if name:
            found[f"PORT_{_variable(name)}"] = str(port)
    if listening:
        found["PORT"] = str(listening[0][1])
        found["PORTS"] = ",".join(str(port) for _, port, _ in listening)
    return found


def _variable(name: str) -> str:
    return re.sub(r"[^A-Z0-9_]", "_", name.upper())


def _labels(labels: dict[str, str]) -> Json:
    return {"labels": [{"key": key, "value": value} for key, value in labels.items()]}


def _command(app: App, variables: dict[str, str]) -> Json:
    command: Json = {
        "environment": {"variables": [{"name": name, "value": value} for name, value in variables.items()]},
        "uris": [
            {
                "value": artifact.uri,
                "extract": artifact.extract,
                "executable": artifact.executable,
                "cache": artifact.cache,
                **({"output_file": artifact.dest_path} if artifact.dest_path else {}),
            }
            for artifact in app.fetch
        ],
    }
    if app.user:
        command["user"] = app.user
    if app.cmd is not None:
        return {**command, "shell": True, "value": app.cmd}
    arguments = app.args or []
    if app.container is not None and app.container.docker is not None:
        return {**command, "shell": False, "arguments": arguments}
    return {**command, "shell": False, **({"value": arguments[0]} if arguments else {}), "arguments": arguments}


def _container(app: App, instance: Instance) -> Json | None:
    container = app.container
    networks = [network for network in app.networks if network.mode != HOST]
    if container is None:
        return {"type": "MESOS", "network_infos": _network_infos(app, instance)} if networks else None
    volumes = [
        {"mode": volume.mode or "RW", "host_path": volume.host_path, "container_path": volume.container_path}
        for volume in container.volumes
        if volume.host_path is not None
    ]
    built: Json = {"type": container.type, "volumes": volumes}
    docker = container.docker
    if docker is None:
        if networks:
            built["network_infos"] = _network_infos(app, instance)
        return built if volumes or networks else None
    if container.type == "MESOS":
        image: Json = {"type": "DOCKER", "docker": {"name": docker.image}, "cached": not docker.force_pull_image}
        return {**built, "mesos": {"image": image}, "network_infos": _network_infos(app, instance)}
    info: Json = {
        "image": docker.image,
        "privileged": docker.privileged,
        "force_pull_image": docker.force_pull_image,
        "parameters": [{"key": parameter.key, "value": parameter.value} for parameter in docker.parameters],
        "network": "HOST" if not networks else "BRIDGE" if networks[0].mode == BRIDGE else "USER",
    }
    if networks:
        info["port_mappings"] = [
            {"host_port": host, "container_port": inner, "protocol": protocol}
            for host, inner, protocol in _mapped(app, instance)
        ]
        if networks[0].mode != BRIDGE:
            built["network_infos"] = [{"name": network.name or ""} for network in networks]
    return {**built, "docker": info}


def _mapped(app: App, instance: Instance) -> list[tuple[int, int, str]]:
    """Host port, container port and protocol of each mapping that has a host port."""
    taken = iter(instance.ports)
    ports = []
    for mapping in app.port_mappings:
        if mapping.host_port is not None:
            host = next(taken, 0)
            ports += [(host, mapping.container_port or host, protocol) for protocol in mapping.protocol.split(",")]
    return ports


def _network_infos(app: App, instance: Instance) -> list[Json]:
    return [
        {
            **({"name": network.name} if network.name else {}),
            "labels": _labels(network.labels),
            "port_mappings": [
                {"host_port": host, "container_port": inner, "protocol": protocol}
                for host, inner, protocol in _mapped(app, instance)
            ],
        }
        for network in app.networks
        if network.mode != HOST
    ]


def _discovery(app: App, instance: Instance) -> Json:
    ports: list[Json] = []
    taken = iter(instance.ports)
    for entry in app.port_definitions or [] if app.host_networking else app.port_mappings:
        has_host_port = app.host_networking or getattr(entry, "host_port", None) is not None
        number = next(taken, 0) if has_host_port else getattr(entry, "container_port", 0)
        for protocol in entry.protocol.split(","):
            port: Json = {"number": number, "protocol": protocol, "labels": _labels(entry.labels)}
            ports.append({**port, **({"name": entry.name} if entry.name else {})})
    return {"visibility": "FRAMEWORK", "name": path_id.hostname(app.id), "ports": {"ports": ports}}


def check_port(app: App, check: HealthCheck, ports: Sequence[int], *, inside: bool) -> int | None:
    """The port for a health check: `inside` the container's network, or from outside."""
    if check.port is not None:
        return check.port
    return _port_at(app, check.port_index or 0, ports, inside=inside)


def _port_at(app: App, at: int, ports: Sequence[int], *, inside: bool) -> int | None:
    if app.host_networking:
        return ports[at] if at < len(ports) else None
    mappings = app.port_mappings
    if at >= len(mappings):
        return None
    before = sum(mapping.host_port is not None for mapping in mappings[:at])
    host = ports[before] if mappings[at].host_port is not None and before < len(ports) else None
    return (mappings[at].container_port or host) if inside else host


def _check(app: App, check: Check, instance: Instance) -> Json:
    built: Json = {
        "delay_seconds": float(check.delay_seconds),
        "interval_seconds": float(check.interval_seconds),
        "timeout_seconds": float(check.timeout_seconds),
    }
    if check.exec is not None:
        command = check.exec.command
        if command.shell is not None:
            return {**built, "type": "COMMAND", "command": {"command": {"shell": True, "value": command.shell}}}
        argv = command.argv or []
        arguments = {"shell": False, "value": argv[0] if argv else "", "arguments": argv}
        return {**built, "type": "COMMAND", "command": {"command": arguments}}
    if check.tcp is not None:
        port = _port_at(app, check.tcp.port_index, instance.ports, inside=True) or 0
        return {**built, "type": "TCP", "tcp": {"port": port}}
    assert check.http is not None
    port = _port_at(app, check.http.port_index, instance.ports, inside=True) or 0
    return {**built, "type": "HTTP", "http": {"port": port, "path": check.http.path}}


def _health_check(app: App, check: HealthCheck, instance: Instance) -> Json:
    built: Json = {
        "delay_seconds": float(check.delay_seconds),
        "interval_seconds": float(check.interval_seconds),
        "timeout_seconds": float(check.timeout_seconds),
        "consecutive_failures": check.max_consecutive_failures,
        "grace_period_seconds": float(check.grace_period_seconds),
    }
    if check.command is not None:
        return {**built, "type": "COMMAND", "command": {"shell": True, "value": check.command.value}}
    port = check_port(app, check, instance.ports, inside=True) or 0
    protocol = {"IPv4": "IPV4", "IPv6": "IPV6"}[check.ip_protocol]
    if check.protocol == "MESOS_TCP":
        return {**built, "type": "TCP", "tcp": {"port": port, "protocol": protocol}}
    http = {
        "scheme": "https" if check.protocol == "MESOS_HTTPS" else "http",
        "port": port,
        "path": check.path or "/",
        "protocol": protocol,
    }
    return {**built, "type": "HTTP", "http": http}
