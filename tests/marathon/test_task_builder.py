"""What Mesos is told to run: commands, containers, networks, checks and secrets."""

from __future__ import annotations

from typing import Any

from smackbox.marathon.state.instance import Instance
from smackbox.marathon.state.task_builder import task_info
from smackbox.marathon.wire.app_reader import read_app

Json = dict[str, Any]


def built(ports: list[int], **fields: Any) -> Json:
    app = read_app({"id": "/shop/web", "cmd": "run", **fields})
    instance = Instance(
        id="shop_web.instance-1", app_id=app.id, app_version="v", config_version="v", agent_id="a1", host="host1",
        ports=ports,
    )  # fmt: skip
    return task_info(app, instance, [{"name": "cpus"}], {"db/password": "hunter2"}.get)


def variables(info: Json) -> dict[str, str]:
    return {one["name"]: one["value"] for one in info["command"]["environment"]["variables"]}


def test_a_plain_command() -> None:
    info = built(
        [31000],
        user="me",
        fetch=[{"uri": "http://h/a.tgz", "destPath": "b"}],
        labels={"l": "v"},
        taskKillGracePeriodSeconds=7,
    )
    assert (info["name"], info["task_id"]["value"]) == ("web.shop", "shop_web.instance-1._app.1")
    assert info["command"]["value"] == "run" and info["command"]["shell"] and info["command"]["user"] == "me"
    assert info["command"]["uris"] == [
        {"value": "http://h/a.tgz", "extract": True, "executable": False, "cache": False, "output_file": "b"}
    ]
    assert info["labels"] == {"labels": [{"key": "l", "value": "v"}]}
    assert info["kill_policy"] == {"grace_period": {"nanoseconds": 7_000_000_000}}
    assert info["discovery"]["ports"]["ports"][0]["number"] == 31000
    assert "container" not in info and "health_check" not in info


def test_arguments_without_a_shell() -> None:
    command = built([31000], cmd=None, args=["/bin/echo", "a b"])["command"]
    assert (command["shell"], command["value"], command["arguments"]) == (False, "/bin/echo", ["/bin/echo", "a b"])


def test_secrets_and_ports_are_in_the_environment() -> None:
    info = built(
        [31005, 31006],
        env={"PASSWORD": {"secret": "s"}, "NAME": "x"},
        secrets={"s": {"source": "db/password"}},
        portDefinitions=[{"port": 80, "name": "http"}, {"port": 0}],
    )
    found = variables(info)
    assert (found["PASSWORD"], found["NAME"], found["HOST"]) == ("hunter2", "x", "host1")
    assert [found[name] for name in ("PORT", "PORT0", "PORT1", "PORTS", "PORT_80", "PORT_HTTP")] == [
        "31005", "31005", "31006", "31005,31006", "31005", "31005",
    ]  # fmt: skip


def test_a_docker_container_on_a_bridge() -> None:
    info = built(
        [31000, 31001],
        cmd=None,
        container={
            "type": "DOCKER",
            "docker": {"image": "nginx", "forcePullImage": True, "parameters": [{"key": "k", "value": "v"}]},
            "volumes": [{"hostPath": "/h", "containerPath": "/c", "mode": "RO"}],
            "portMappings": [{"containerPort": 80}, {"containerPort": 0, "protocol": "udp,tcp"}],
        },
        networks=[{"mode": "container/bridge"}],
    )
    container = info["container"]
    assert container["type"] == "DOCKER"
    assert container["volumes"] == [{"mode": "RO", "host_path": "/h", "container_path": "/c"}]
    docker = container["docker"]
    assert (docker["image"], docker["network"], docker["force_pull_image"]) == ("nginx", "BRIDGE", True)
    assert docker["parameters"] == [{"key": "k", "value": "v"}]
    assert docker["port_mappings"] == [
        {"host_port": 31000, "container_port": 80, "protocol": "tcp"},
        {"host_port": 31001, "container_port": 31001, "protocol": "udp"},
        {"host_port": 31001, "container_port": 31001, "protocol": "tcp"},
    ]
    assert info["command"]["shell"] is False and "value" not in info["command"]
    assert variables(info)["PORT0"] == "80"
    assert variables(info)["MARATHON_APP_DOCKER_IMAGE"] == "nginx"


def test_a_mesos_container_on_a_named_network() -> None:
    info = built(
        [],
        container={
            "type": "MESOS",
            "docker": {"image": "nginx"},
            "portMappings": [{"containerPort": 80, "name": "http"}],
        },
        networks=[{"mode": "container", "name": "net1", "labels": {"a": "b"}}],
    )
    container = info["container"]
    assert container["mesos"]["image"] == {"type": "DOCKER", "docker": {"name": "nginx"}, "cached": True}
    assert container["network_infos"] == [
        {"name": "net1", "labels": {"labels": [{"key": "a", "value": "b"}]}, "port_mappings": []}
    ]
    assert info["discovery"]["ports"]["ports"][0]["number"] == 80


def test_checks_that_the_executor_runs() -> None:
    check: Json = {"protocol": "MESOS_HTTP", "path": "/health", "portIndex": 1, "intervalSeconds": 3, "delaySeconds": 1}
    info = built([31000, 31001], portDefinitions=[{}, {}], healthChecks=[check])
    assert info["health_check"] == {
        "delay_seconds": 1.0,
        "interval_seconds": 3.0,
        "timeout_seconds": 20.0,
        "consecutive_failures": 3,
        "grace_period_seconds": 300.0,
        "type": "HTTP",
        "http": {"scheme": "http", "port": 31001, "path": "/health", "protocol": "IPV4"},
    }
    tcp = built([31000], healthChecks=[{"protocol": "MESOS_TCP"}])["health_check"]
    assert tcp["tcp"] == {"port": 31000, "protocol": "IPV4"}
    command = built([31000], healthChecks=[{"protocol": "COMMAND", "command": {"value": "true"}}])["health_check"]
    assert command["command"] == {"shell": True, "value": "true"}
    assert "health_check" not in built([31000], healthChecks=[{"protocol": "HTTP"}])
