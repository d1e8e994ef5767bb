"""From a `ContainerInfo` of type DOCKER to the Docker Engine's request, equivalent to Mesos' `docker run`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from smackbox.mesos.agent.state.container import ContainerSpec

if TYPE_CHECKING:
    from smackbox.mesos.wire.messages import CommandInfo, ContainerInfo, ContainerInfoDockerInfo


SANDBOX = "/mnt/mesos/sandbox"
NAME_PREFIX = "mesos-"
SHARES_PER_CPU = 1_024
MIN_SHARES = 2
MIN_MEMORY = 32 * 1024 * 1024
NETWORKS = {"HOST": "host", "BRIDGE": "bridge", "NONE": "none"}
_OWN_VARIABLES = ("MESOS_", "LIBPROCESS_")
_LISTS = {
    "add-host": "ExtraHosts",
    "cap-add": "CapAdd",
    "cap-drop": "CapDrop",
    "dns": "Dns",
    "dns-search": "DnsSearch",
    "dns-option": "DnsOptions",
    "group-add": "GroupAdd",
    "security-opt": "SecurityOpt",
    "volume": "Binds",
    "volumes-from": "VolumesFrom",
}
_TEXTS = {"ipc": "IpcMode", "pid": "PidMode", "uts": "UTSMode", "userns": "UsernsMode", "runtime": "Runtime"}
_SWITCHES = {"init": "Init", "privileged": "Privileged", "read-only": "ReadonlyRootfs"}
_NUMBERS = {
    "cpu-quota": "CpuQuota",
    "cpu-period": "CpuPeriod",
    "pids-limit": "PidsLimit",
    "oom-score-adj": "OomScoreAdj",
}
_SIZES = {"memory-swap": "MemorySwap", "shm-size": "ShmSize"}
_UNITS = {"b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}

DockerConfig = dict[str, Any]
"""JSON of the Docker Engine's API."""


class DockerInfoError(ValueError):
    """The request cannot be fulfilled; the text is sent to the framework."""


def container_name(container_id: str) -> str:
    """Docker's name of a container."""
    return NAME_PREFIX + container_id


def container_config(spec: ContainerSpec) -> DockerConfig:
    """The body of `POST /containers/create`. Raises `DockerInfoError`."""
    docker = docker_info(spec)
    container = cast("ContainerInfo", spec.container)
    host: DockerConfig = {
        "Binds": _binds(spec),
        "CpuShares": max(int(_amount(spec, "cpus") * SHARES_PER_CPU), MIN_SHARES),
        "Memory": max(int(_amount(spec, "mem") * 1024 * 1024), MIN_MEMORY),
        "NetworkMode": _network(container),
        "Privileged": bool(docker.get("privileged", False)),
    }
    config: DockerConfig = {
        "Image": docker["image"],
        "Env": _environment(spec),
        "HostConfig": host,
        "Labels": {"MESOS_TASK_ID": spec.executor_id, "MESOS_CONTAINER_ID": spec.id},
    }
    if "hostname" in container and host["NetworkMode"] != "host":
        config["Hostname"] = container["hostname"]
    _command(spec.command, config)
    _ports(spec, docker, config)
    for parameter in docker.get("parameters", []):
        _parameter(parameter["key"], parameter["value"], config)
    return config


def docker_info(spec: ContainerSpec) -> ContainerInfoDockerInfo:
    """The Docker settings. Raises `DockerInfoError` if no image is named."""
    docker = None if spec.container is None else spec.container.get("docker")
    if docker is None or not docker.get("image"):
        raise DockerInfoError("ContainerInfo.docker names no image")
    return docker


def _binds(spec: ContainerSpec) -> list[str]:
    binds = [f"{spec.sandbox}:{SANDBOX}"]
    for volume in spec.volumes:
        mode = "ro" if volume.read_only else "rw"
        binds.append(f"{volume.source}:{_inside(volume.container_path)}:{mode}")
    for mount in [] if spec.container is None else spec.container.get("volumes", []):
        mode = mount.get("mode", "RW").lower()
        if "host_path" in mount:
            host_path = mount["host_path"]
            source = host_path if host_path.startswith("/") else str(spec.sandbox / host_path)
        elif mount.get("source", {}).get("type") == "DOCKER_VOLUME":
            source = mount["source"]["docker_volume"]["name"]
        else:
            raise DockerInfoError(f"The volume for '{mount['container_path']}' names no host_path")
        binds.append(f"{source}:{_inside(mount['container_path'])}:{mode}")
    return binds


def _inside(path: str) -> str:
    """The path inside the container; a relative path is in the sandbox."""
    return path if path.startswith("/") else f"{SANDBOX}/{path}"


def _network(container: ContainerInfo) -> str:
    kind = container.get("docker", {}).get("network", "HOST")
    if kind == "USER":
        names = [info["name"] for info in container.get("network_infos", []) if "name" in info]
        if not names:
            raise DockerInfoError("User network requires a name in ContainerInfo.network_infos")
        return str(names[0])
    return NETWORKS[kind]


def _environment(spec: ContainerSpec) -> list[str]:
    """The command's variables, and Mesos' own; the agent's environment is not passed to the image."""
    names = {variable["name"] for variable in spec.command.get("environment", {}).get("variables", [])}
    chosen = {
        name: value for name, value in spec.environment.items() if name in names or name.startswith(_OWN_VARIABLES)
    }
    chosen.update(MESOS_SANDBOX=SANDBOX, MESOS_CONTAINER_NAME=container_name(spec.id))
    return [f"{name}={value}" for name, value in chosen.items()]


def _command(command: CommandInfo, config: DockerConfig) -> None:
    """A shell command replaces the image's entry point; a value and arguments are passed to it; otherwise the image's
    command runs.
    """
    if command.get("shell", True):
        if "value" in command:
            config["Entrypoint"] = ["/bin/sh"]
            config["Cmd"] = ["-c", command["value"]]
        return
    words = [*([command["value"]] if command.get("value") else []), *command.get("arguments", [])]
    if words:
        config["Cmd"] = words


def _ports(spec: ContainerSpec, docker: ContainerInfoDockerInfo, config: DockerConfig) -> None:
    mappings = docker.get("port_mappings", [])
    if not mappings:
        return
    if config["HostConfig"]["NetworkMode"] in {"host", "none"}:
        raise DockerInfoError("Port mappings are only supported for bridge and user-defined networks")
    own = [
        (range_["begin"], range_["end"])
        for part in spec.resources
        if part["name"] == "ports"
        for range_ in part.get("ranges", {}).get("range", [])
    ]
    bindings: dict[str, list[dict[str, str]]] = {}
    for mapping in mappings:
        port = mapping["host_port"]
        if not any(begin <= port <= end for begin, end in own):
            raise DockerInfoError(f"Port [{port}] not included in resources")
        inner = f"{mapping['container_port']}/{mapping.get('protocol', 'tcp').lower()}"
        bindings.setdefault(inner, []).append({"HostPort": str(port)})
    config["ExposedPorts"] = {inner: {} for inner in bindings}
    config["HostConfig"]["PortBindings"] = bindings


def _parameter(key: str, value: str, config: DockerConfig) -> None:
    """One flag of `docker run`. Raises `DockerInfoError` for unknown ones: none is ignored."""
    host = config["HostConfig"]
    if key in _LISTS:
        host.setdefault(_LISTS[key], []).append(value)
    elif key in _TEXTS:
        host[_TEXTS[key]] = value
    elif key in _SWITCHES:
        host[_SWITCHES[key]] = value.lower() in {"", "true", "1"}
    elif key in _NUMBERS:
        host[_NUMBERS[key]] = int(value)
    elif key in _SIZES:
        host[_SIZES[key]] = _size(value)
    elif key in {"env", "e"}:
        config["Env"].append(value)
    elif key in {"label", "l"}:
        name, _, text = value.partition("=")
        config["Labels"][name] = text
    elif key in {"hostname", "h"}:
        config["Hostname"] = value
    elif key in {"user", "u"}:
        config["User"] = value
    elif key in {"workdir", "w"}:
        config["WorkingDir"] = value
    elif key == "entrypoint":
        config["Entrypoint"] = [value]
    elif key in {"net", "network"}:
        host["NetworkMode"] = value
    elif key == "ulimit":
        name, _, limits = value.partition("=")
        soft, _, hard = limits.partition(":")
        host.setdefault("Ulimits", []).append({"Name": name, "Soft": int(soft), "Hard": int(hard or soft)})
    elif key == "tmpfs":
        path, _, options = value.partition(":")
        host.setdefault("Tmpfs", {})[path] = options
    elif key == "log-driver":
        host.setdefault("LogConfig", {})["Type"] = value
    elif key == "log-opt":
        name, _, text = value.partition("=")
        host.setdefault("LogConfig", {}).setdefault("Config", {})[name] = text
    else:
        raise DockerInfoError(f"The docker parameter '{key}' is not supported")


def _size(text: str) -> int:
    unit = text[-1:].lower()
    try:
        return int(text[:-1]) * _UNITS[unit] if unit in _UNITS else int(text)
    except ValueError as error:
        raise DockerInfoError(f"'{text}' is not a size") from error


def _amount(spec: ContainerSpec, name: str) -> float:
    return sum(
        float(resource["scalar"]["value"])
        for resource in spec.resources
        if resource["name"] == name and "scalar" in resource
    )
