"""Reading apps: defaults, forms of earlier releases, and refusals that name the field."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import pytest

from smackbox.marathon.wire.app import App, render
from smackbox.marathon.wire.app_reader import read_app, read_json
from smackbox.marathon.wire.errors import Refusal

SINGLE = {"MARATHON_SINGLE_INSTANCE_APP": "true"}
VOLUME = {"containerPath": "data", "persistent": {"size": 10}}


def shown(**fields: Any) -> dict[str, Any]:
    return render(read_app({"id": "/a", "cmd": "x 1", **fields}))


def test_the_defaults_are_marathons() -> None:
    assert shown() == {
        "id": "/a",
        "acceptedResourceRoles": ["*"],
        "backoffFactor": 1.15,
        "backoffSeconds": 1,
        "cmd": "x 1",
        "cpus": 1.0,
        "disk": 0.0,
        "executor": "",
        "gpus": 0,
        "instances": 1,
        "killSelection": "YOUNGEST_FIRST",
        "labels": {},
        "maxLaunchDelaySeconds": 300,
        "mem": 128.0,
        "networks": [{"mode": "host"}],
        "portDefinitions": [{"name": "default", "port": 0, "protocol": "tcp"}],
        "requirePorts": False,
        "role": "*",
        "unreachableStrategy": {"expungeAfterSeconds": 0, "inactiveAfterSeconds": 0},
        "upgradeStrategy": {"maximumOverCapacity": 1.0, "minimumHealthCapacity": 1.0},
        "version": "",
    }


def test_what_is_shown_can_be_given_again() -> None:
    check = {"protocol": "HTTP", "path": "/", "portIndex": 0}
    first = shown(healthChecks=[check], env={"A": "b"}, constraints=[["hostname", "UNIQUE"]], fetch=[{"uri": "f"}])
    assert render(read_app(first)) == first


def test_forms_of_earlier_releases_are_read() -> None:
    assert shown(ports=[0, 8080])["portDefinitions"] == [
        {"port": 0, "protocol": "tcp"},
        {"port": 8080, "protocol": "tcp"},
    ]
    assert shown(uris=["http://h/a.tgz", "http://h/b"])["fetch"] == [
        {"uri": "http://h/a.tgz", "extract": True, "executable": False, "cache": False},
        {"uri": "http://h/b", "extract": False, "executable": False, "cache": False},
    ]
    docker = {"image": "i", "network": "BRIDGE", "portMappings": [{"containerPort": 80}]}
    app = shown(container={"type": "DOCKER", "docker": docker})
    assert app["networks"] == [{"mode": "container/bridge"}]
    assert app["container"]["portMappings"] == [
        {"containerPort": 80, "hostPort": 0, "servicePort": 0, "protocol": "tcp"}
    ]
    assert "portDefinitions" not in app
    app = shown(ipAddress={"networkName": "n", "discovery": {"ports": [{"number": 80, "name": "http"}]}})
    assert app["networks"] == [{"mode": "container", "name": "n"}]
    assert app["container"]["portMappings"][0]["containerPort"] == 80


def test_relative_ids_belong_to_their_group() -> None:
    app = read_app({"id": "web", "cmd": "x 1", "dependencies": ["db", "../cache", "/other"]}, base="/shop")
    assert (app.id, app.dependencies) == ("/shop/web", ["/shop/db", "/cache", "/other"])


@pytest.mark.parametrize(
    ("fields", "path", "error"),
    [
        ({"instances": "1"}, "/instances", "error.expected.jsnumber"),
        ({"cmd": 1}, "/cmd", "error.expected.jsstring"),
        ({"healthChecks": [{"intervalSeconds": "x"}]}, "/healthChecks/0/intervalSeconds", "error.expected.jsnumber"),
        ({"container": {"docker": {}}}, "/container/docker/image", "error.path.missing"),
        ({"id": None}, "/id", "error.path.missing"),
        ({"id": 1}, "/id", "error.expected.jsstring"),
    ],
)
def test_what_has_the_wrong_shape_is_a_400(fields: dict[str, Any], path: str, error: str) -> None:
    with pytest.raises(Refusal) as caught:
        shown(**fields)
    assert caught.value.status == 400
    assert caught.value.body == {"message": "Invalid JSON", "details": [{"path": path, "errors": [error]}]}


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"id": "/A b"}, "/id"),
        ({"id": "/"}, "/id"),
        ({"cmd": None}, "/"),
        ({"args": ["x"]}, "/"),
        ({"cmd": ""}, "/cmd"),
        ({"instances": -1}, "/instances"),
        ({"cpus": 0}, "/cpus"),
        ({"mem": -1}, "/mem"),
        ({"backoffFactor": 0.5}, "/backoffFactor"),
        ({"upgradeStrategy": {"minimumHealthCapacity": 1.1}}, "/upgradeStrategy/minimumHealthCapacity"),
        ({"constraints": [["hostname"]]}, "/constraints(0)"),
        ({"constraints": [["hostname", "NEAR"]]}, "/constraints(0)"),
        ({"constraints": [["hostname", "LIKE", "("]]}, "/constraints(0)"),
        ({"constraints": [["hostname", "GROUP_BY", "x"]]}, "/constraints(0)"),
        ({"constraints": [["hostname", "UNIQUE", "x"]]}, "/constraints(0)"),
        ({"portDefinitions": [{"port": 70000}]}, "/portDefinitions(0)"),
        ({"portDefinitions": [{"port": 80}, {"port": 80}]}, "/portDefinitions"),
        ({"portDefinitions": [{"name": "a"}, {"name": "a"}]}, "/portDefinitions"),
        ({"portDefinitions": [{"protocol": "sctp"}]}, "/portDefinitions(0)/protocol"),
        ({"cmd": "x"}, "/cmd"),
        ({"uris": ["http://a/b"], "fetch": [{"uri": "http://a/c"}]}, "/uris"),
        ({"networks": [{"mode": "host"}], "container": {"portMappings": [{}]}}, "/container/portMappings"),
        ({"networks": [{"mode": "container/bridge"}], "portDefinitions": [{"port": 0}]}, "/portDefinitions"),
        ({"labels": SINGLE, "instances": 2}, "/instances"),
        ({"labels": SINGLE, "upgradeStrategy": {"minimumHealthCapacity": 1.0}}, "/upgradeStrategy"),
        ({"resourceLimits": {"cpus": 0.01}}, "/resourceLimits/cpus"),
        ({"check": {}}, "/check"),
        ({"check": {"exec": {"command": {}}}}, "/check/exec/command"),
        ({"check": {"tcp": {"portIndex": 4}}}, "/check/tcp/portIndex"),
        ({"healthChecks": [{"protocol": "MESOS_TCP"}, {"protocol": "MESOS_HTTP"}]}, "/healthChecks"),
        ({"healthChecks": [{"portIndex": 3}]}, "/healthChecks(0)/portIndex"),
        ({"healthChecks": [{"protocol": "COMMAND"}]}, "/healthChecks(0)"),
        ({"readinessChecks": [{"portName": "none"}]}, "/readinessChecks(0)/portName"),
        ({"unreachableStrategy": {"inactiveAfterSeconds": 9, "expungeAfterSeconds": 1}}, "/unreachableStrategy"),
        ({"env": {"A": {"secret": "s"}}}, "/env(A)"),
        ({"container": {"type": "DOCKER"}}, "/container/docker"),
        ({"container": {"type": "MESOS", "volumes": [VOLUME]}}, "/container/volumes(0)"),
    ],
)
def test_what_breaks_a_rule_is_a_422(fields: dict[str, Any], path: str) -> None:
    with pytest.raises(Refusal) as caught:
        shown(**fields)
    assert (caught.value.status, caught.value.body["message"]) == (422, "Object is not valid")
    assert path in [detail["path"] for detail in caught.value.body["details"]]


@pytest.mark.parametrize(
    "fields",
    [
        {"requirePorts": True, "portDefinitions": [{"port": 0}]},
        {"constraints": [["hostname", "unique"], ["rack", "Group_By", "3"]]},
        {"constraints": [["@region", "IS"]]},
        {"healthChecks": [{"protocol": "COMMAND", "command": {"value": "true"}}] * 2},
        {"labels": SINGLE, "upgradeStrategy": {"minimumHealthCapacity": 0, "maximumOverCapacity": 0}},
        {"resourceLimits": {"cpus": 8, "mem": 4096}},
        {"check": {"exec": {"command": {"shell": "true"}}, "intervalSeconds": 5}},
        {"container": {"docker": {"image": "a", "network": "BRIDGE", "portMappings": [{"containerPort": 80}]}}},
    ],
)
def test_what_marathon_takes_is_taken(fields: dict[str, Any]) -> None:
    app = shown(**fields)
    assert shown(**app) == app


def test_operators_are_kept_in_capitals() -> None:
    assert shown(constraints=[["hostname", "unique"]])["constraints"] == [["hostname", "UNIQUE"]]


def test_an_app_of_a_single_instance_is_never_doubled_by_default() -> None:
    assert shown(labels=SINGLE)["upgradeStrategy"] == {"minimumHealthCapacity": 0.0, "maximumOverCapacity": 0.0}


# The fields of Marathon 1.11's app definition (docs/docs/rest-api/public/api/v2/types/app.raml of its repository).
FIELDS = [
    "acceptedResourceRoles",
    "args",
    "backoffFactor",
    "backoffSeconds",
    "check",
    "cmd",
    "constraints",
    "container",
    "cpus",
    "dependencies",
    "disk",
    "env",
    "executor",
    "fetch",
    "gpus",
    "healthChecks",
    "id",
    "instances",
    "ipAddress",
    "killSelection",
    "labels",
    "maxLaunchDelaySeconds",
    "mem",
    "networks",
    "portDefinitions",
    "ports",
    "readinessChecks",
    "requirePorts",
    "residency",
    "resourceLimits",
    "role",
    "secrets",
    "storeUrls",
    "taskKillGracePeriodSeconds",
    "tty",
    "unreachableStrategy",
    "upgradeStrategy",
    "uris",
    "user",
    "version",
    "versionInfo",
]
TRANSLATED = {"ipAddress", "ports", "uris"}


def test_every_field_of_marathon_is_taken_translated_or_listed() -> None:
    skipped = (files("smackbox.marathon") / "SKIPPED.md").read_text(encoding="utf-8")
    known = set(App.__struct_encode_fields__) | TRANSLATED | {name for name in FIELDS if f"`{name}`" in skipped}
    assert set(FIELDS) - known == set()


def test_no_json_and_no_object_are_refused() -> None:
    with pytest.raises(Refusal, match="Invalid JSON"):
        read_json(b"{")
    with pytest.raises(Refusal, match="Invalid JSON"):
        read_app([])
