"""Converts the deprecated fields of earlier Marathon releases to the current ones."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

_DOCKER_NETWORKS = {"HOST": "host", "BRIDGE": "container/bridge", "USER": "container", "NONE": "host"}


def modern(given: Json) -> Json:
    """A copy of an app's JSON without deprecated fields. Values of wrong types are left for the reader to reject."""
    app = {key: value for key, value in given.items() if value is not None}
    _ports(app)
    _uris(app)
    _docker(app)
    _ip_address(app)
    return app


def _ports(app: Json) -> None:
    ports = app.pop("ports", None)
    if isinstance(ports, list) and "portDefinitions" not in app and not _has_mappings(app):
        app["portDefinitions"] = [{"port": port} for port in ports]


def _has_mappings(app: Json) -> bool:
    container = app.get("container")
    if not isinstance(container, dict):
        return False
    docker = container.get("docker")
    legacy = (
        docker.get("portMappings") or docker.get("network") in {"BRIDGE", "USER"} if isinstance(docker, dict) else 0
    )
    return bool(container.get("portMappings") or legacy)


def _uris(app: Json) -> None:
    uris = app.pop("uris", None)
    if isinstance(uris, list) and not app.get("fetch"):
        app["fetch"] = [{"uri": uri, "extract": _is_archive(uri)} for uri in uris]


def _is_archive(uri: Any) -> bool:
    return str(uri).endswith((".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz", ".zip", ".gz"))


def _docker(app: Json) -> None:
    container = app.get("container")
    if not isinstance(container, dict):
        return
    container = app["container"] = dict(container)
    docker = container.get("docker")
    if not isinstance(docker, dict):
        if "docker" not in container and container.get("type") is None:
            container["type"] = "MESOS"
        return
    docker = container["docker"] = dict(docker)
    mappings = docker.pop("portMappings", None)
    network = docker.pop("network", None)
    if mappings is not None and container.get("portMappings") is None:
        container["portMappings"] = mappings
    if network in _DOCKER_NETWORKS and not app.get("networks"):
        app["networks"] = [{"mode": _DOCKER_NETWORKS[network]}]
    elif container.get("portMappings") and not app.get("networks") and "ipAddress" not in app:
        app["networks"] = [{"mode": "container/bridge"}]


def _ip_address(app: Json) -> None:
    address = app.pop("ipAddress", None)
    if not isinstance(address, dict):
        return
    network: Json = {"mode": "container", "labels": address.get("labels") or {}}
    if address.get("networkName"):
        network["name"] = address["networkName"]
    app["networks"] = [network]
    discovered = (address.get("discovery") or {}).get("ports")
    if discovered and isinstance(app.get("container") or {}, dict):
        container = app.setdefault("container", {"type": "MESOS"})
        container.setdefault(
            "portMappings",
            [
                {
                    "containerPort": port.get("number", 0),
                    "name": port.get("name"),
                    "protocol": port.get("protocol", "tcp"),
                }
                for port in discovered
            ],
        )
