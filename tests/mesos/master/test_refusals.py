"""What Mesos' master does not take, and that it says why: frameworks, tasks, groups, operations, roles, constraints."""

from __future__ import annotations

from typing import Any

import pytest
from tests.mesos.master.cluster import Cluster, FakeAgent, FakeFramework, task

from smackbox.mesos.master.state import roles
from smackbox.mesos.wire.durations import DurationError, parse_duration_ms
from smackbox.net.http import HttpResponse

MULTI_ROLE = [{"type": "MULTI_ROLE"}]
EXECUTOR = {"executor_id": {"value": "e"}, "command": {"value": "run"}}


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.mark.parametrize("role", ["*", "a", "a/b", "a.b-c_d", "größe"])
def test_roles(role: str) -> None:
    roles.validate(role)


@pytest.mark.parametrize("role", ["", "/a", "a/", "a//b", ".", "a/..", "-a", "a/-b", "a b", "a\\b", "*/a", "a\t"])
def test_what_is_no_role(role: str) -> None:
    with pytest.raises(roles.RoleError):
        roles.validate(role)


@pytest.mark.parametrize(
    ("text", "milliseconds"), [("15secs", 15_000), ("1.5mins", 90_000), ("0ns", 0), ("2 hrs", 7_200_000)]
)
def test_durations(text: str, milliseconds: int) -> None:
    assert parse_duration_ms(text) == milliseconds


@pytest.mark.parametrize("text", ["", "15", "15 sec", "-1secs", "x"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(DurationError):
        parse_duration_ms(text)


@pytest.mark.parametrize(
    ("info", "said"),
    [
        ({"role": "a b"}, "a space"),
        ({"roles": ["a"]}, "not MULTI_ROLE capable"),
        ({"role": "a", "capabilities": MULTI_ROLE}, "must not be set when the framework is MULTI_ROLE"),
        ({"roles": ["a", "a"], "capabilities": MULTI_ROLE}, "duplicates"),
        ({"failover_timeout": 1e300}, "failover_timeout"),
        ({"id": {"value": "a/b"}}, "invalid"),
    ],
)
def test_frameworks(cluster: Cluster, info: dict[str, Any], said: str) -> None:
    framework = FakeFramework(cluster, **info)
    [event] = framework.stream.events("ERROR")
    assert said in event["error"]["message"]
    assert framework.stream.stream.closed


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"task_id": {"value": "x" * 256}}, "greater than 255"),
        ({"task_id": {"value": ".."}}, "disallowed"),
        ({"max_completion_time": {"nanoseconds": -1}}, "must be non-negative"),
        ({"health_check": {"type": "HTTP", "http": {"port": 1, "scheme": "ftp"}}}, "scheme: 'ftp'"),
        ({"health_check": {"type": "HTTP", "http": {"port": 1, "path": "x"}}}, "must start with '/'"),
        ({"check": {"type": "COMMAND", "command": {"command": {}}}}, "must contain 'shell command'"),
        ({"limits": {"disk": {"value": 1.0}}}, "only 'cpus' and 'mem'"),
        ({"limits": {"cpus": {"value": -1.0}}}, "must not be negative"),
        ({"command": {"environment": {"variables": [{"name": "A", "type": "SECRET"}]}}}, "must have a secret"),
        ({"command": {"environment": {"variables": [{"name": "A", "value": "\0"}]}}}, "null byte"),
        (
            {
                "resources": [
                    {
                        "name": "cpus",
                        "type": "SCALAR",
                        "scalar": {"value": 1.0},
                        "allocation_info": {"role": "other"},
                    }
                ]
            },
            "allocated to 'other'",
        ),
    ],
)
def test_tasks(cluster: Cluster, more: dict[str, Any], said: str) -> None:
    FakeAgent(cluster)
    framework = FakeFramework(cluster)
    [offer] = framework.offers()
    framework.launch(offer, {**task(offer, "t"), **more})
    [status] = framework.statuses()
    assert (status["state"], status["reason"]) == ("TASK_ERROR", "REASON_TASK_INVALID")
    assert said in status["message"]


@pytest.mark.parametrize(
    ("executor", "said"),
    [
        ({**EXECUTOR, "executor_id": {"value": "a/b"}}, "invalid characters"),
        ({**EXECUTOR, "framework_id": {"value": "other"}}, "invalid FrameworkID"),
        ({**EXECUTOR, "type": "DEFAULT"}, "must not be set for 'DEFAULT'"),
        ({"executor_id": {"value": "e"}}, "must be set for a custom executor"),
        ({**EXECUTOR, "shutdown_grace_period": {"nanoseconds": -1}}, "must be non-negative"),
        (
            {"executor_id": {"value": "e"}, "type": "DEFAULT", "container": {"type": "DOCKER"}},
            "must be 'MESOS'",
        ),
        (
            {
                "executor_id": {"value": "e"},
                "type": "DEFAULT",
                "container": {"type": "MESOS", "mesos": {"image": {"type": "DOCKER", "docker": {"name": "x"}}}},
            },
            "image' must not be set",
        ),
    ],
)
def test_executors(cluster: Cluster, executor: dict[str, Any], said: str) -> None:
    FakeAgent(cluster)
    framework = FakeFramework(cluster)
    [offer] = framework.offers()
    wanted = {**task(offer, "t"), "executor": executor}
    del wanted["command"]
    framework.launch(offer, wanted)
    [status] = framework.statuses()
    assert said in status["message"]


def test_an_executor_that_differs_from_the_one_that_runs(cluster: Cluster) -> None:
    FakeAgent(cluster)
    framework = FakeFramework(cluster)
    [offer] = framework.offers()
    first, second = ({**task(offer, name), "executor": dict(EXECUTOR)} for name in ("t1", "t2"))
    second["executor"]["command"] = {"value": "other"}
    del first["command"], second["command"]
    framework.launch(offer, first, second)
    [status] = framework.statuses()
    assert status["task_id"] == {"value": "t2"}
    assert "not compatible with existing ExecutorInfo" in status["message"]


@pytest.mark.parametrize(
    ("executor", "more", "said"),
    [
        ({"executor_id": {"value": "e"}}, {}, "'ExecutorInfo.type' must be set"),
        (None, {"agent_id": {"value": "other"}}, "uses invalid agent"),
        (None, {"command": None}, "'TaskInfo.command' must be set"),
        (None, {"container": {"type": "MESOS", "network_infos": [{"name": "n"}]}}, "NetworkInfos must not be set"),
        (None, {"container": {"type": "DOCKER", "docker": {"image": "x"}}}, "Docker ContainerInfo"),
        (None, {"executor": EXECUTOR}, "differs from that of the task group"),
        (None, {"task_id": {"value": ""}}, "must not be empty"),
    ],
)
def test_groups(cluster: Cluster, executor: dict[str, Any] | None, more: dict[str, Any], said: str) -> None:
    FakeAgent(cluster)
    framework = FakeFramework(cluster)
    [offer] = framework.offers()
    one = {key: value for key, value in {**task(offer, "t"), **more}.items() if value is not None}
    group = {
        "executor": executor or {"type": "DEFAULT", "executor_id": {"value": "e"}},
        "task_group": {"tasks": [one]},
    }
    framework.accept([offer], {"type": "LAUNCH_GROUP", "launch_group": group})
    [status] = framework.statuses()
    assert (status["state"], status["reason"]) == ("TASK_ERROR", "REASON_TASK_GROUP_INVALID")
    assert said in status["message"]


def disk(**more: Any) -> dict[str, Any]:
    return {
        "name": "disk",
        "type": "SCALAR",
        "scalar": {"value": 10.0},
        "role": "ads",
        "reservation": {},
        **more,
    }


VOLUME = {"persistence": {"id": "v"}, "volume": {"container_path": "p", "mode": "RW"}}


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        ({"type": "RESERVE"}, "no such field"),
        ({"type": "UNKNOWN"}, "no such field"),
        ({"type": "RESERVE", "reserve": {}}, "No resources specified"),
        ({"type": "RESERVE", "reserve": {"resources": [{"name": "cpus", "type": "SCALAR"}]}}, "Invalid resources"),
        ({"type": "RESERVE", "reserve": {"resources": [disk(disk=VOLUME)]}}, "persistent volume"),
        ({"type": "RESERVE", "reserve": {"resources": [disk(role="a b")]}}, "space"),
        ({"type": "RESERVE", "reserve": {"resources": [disk(role="web")]}}, "out of an offer to role 'ads'"),
        ({"type": "UNRESERVE", "unreserve": {"resources": [disk()]}}, "more than the offers hold"),
        ({"type": "CREATE", "create": {"volumes": [disk()]}}, "'persistence' is not set"),
        ({"type": "CREATE", "create": {"volumes": [disk(disk={"persistence": {"id": "v"}})]}}, "'volume' to be set"),
        (
            {
                "type": "CREATE",
                "create": {
                    "volumes": [disk(disk={**VOLUME, "volume": {**VOLUME["volume"], "host_path": "/x"}})],
                },
            },
            "'host_path' to be unset",
        ),
        (
            {
                "type": "CREATE",
                "create": {
                    "volumes": [
                        {"name": "disk", "type": "SCALAR", "scalar": {"value": 1.0}, "disk": VOLUME},
                    ]
                },
            },
            "from unreserved resources",
        ),
        ({"type": "DESTROY", "destroy": {"volumes": [disk(disk=VOLUME)]}}, "more than the offers hold"),
        (
            {
                "type": "RESERVE",
                "reserve": {
                    "resources": [
                        {
                            "name": "cpus",
                            "type": "SCALAR",
                            "scalar": {"value": 1.0},
                            "reservations": [
                                {"type": "DYNAMIC", "role": "ads"},
                                {"type": "DYNAMIC", "role": "web"},
                            ],
                        }
                    ]
                },
            },
            "does not refine",
        ),
    ],
)
def test_operations(cluster: Cluster, operation: dict[str, Any], said: str) -> None:
    FakeAgent(cluster)
    framework = FakeFramework(cluster, role="ads")
    framework.accept(framework.offers(), {**operation, "id": {"value": "o"}})
    [event] = framework.stream.events("UPDATE_OPERATION_STATUS")
    status = event["update_operation_status"]["status"]
    assert status["state"] == "OPERATION_ERROR"
    assert said in status["message"]


def test_an_operation_on_an_offer_that_is_gone_is_dropped(cluster: Cluster) -> None:
    FakeAgent(cluster)
    framework = FakeFramework(cluster, role="ads")
    [offer] = framework.offers()
    framework.accept([offer])
    reserve = {"type": "RESERVE", "id": {"value": "o"}, "reserve": {"resources": [disk()]}}
    framework.accept([offer], reserve)
    framework.accept([], reserve)
    framework.accept([offer, offer], reserve)
    events = framework.stream.events("UPDATE_OPERATION_STATUS")
    states = [event["update_operation_status"]["status"]["state"] for event in events]
    assert states == ["OPERATION_DROPPED"] * 3


@pytest.mark.parametrize(
    "constraint",
    [
        {"selector": {}, "predicate": {"exists": {}}},
        {"selector": {"attribute_name": "a"}, "predicate": {}},
        {"selector": {"attribute_name": "a"}, "predicate": {"exists": {}, "not_exists": {}}},
        {"selector": {"attribute_name": "a"}, "predicate": {"text_matches": {"regex": "x" * 1001}}},
    ],
)
def test_constraints(cluster: Cluster, constraint: dict[str, Any]) -> None:
    framework = FakeFramework(cluster)
    for groups in ([{"attribute_constraints": [constraint]}], [{}], []):
        constraints = {"role_constraints": {"*": {"groups": groups}}}
        framework.subscribe(offer_constraints=constraints)
        assert "not valid" in framework.stream.events("ERROR")[0]["error"]["message"]
    framework.subscribe(offer_constraints={"role_constraints": {"other": {}}})
    assert "not in" in framework.stream.events("ERROR")[0]["error"]["message"]


@pytest.mark.parametrize(
    ("selector", "predicate", "holds"),
    [
        ({"attribute_name": "rack"}, {"exists": {}}, True),
        ({"attribute_name": "nix"}, {"exists": {}}, False),
        ({"attribute_name": "nix"}, {"not_exists": {}}, True),
        ({"attribute_name": "rack"}, {"not_exists": {}}, False),
        ({"attribute_name": "rack"}, {"text_equals": {"value": "r1"}}, True),
        ({"attribute_name": "rack"}, {"text_not_equals": {"value": "r1"}}, False),
        ({"attribute_name": "nix"}, {"text_not_equals": {"value": "r1"}}, True),
        ({"attribute_name": "rack"}, {"text_matches": {"regex": "r"}}, False),
        ({"attribute_name": "rack"}, {"text_not_matches": {"regex": "r."}}, False),
        ({"attribute_name": "level"}, {"text_equals": {"value": "9"}}, True),
        ({"pseudoattribute_type": "HOSTNAME"}, {"text_equals": {"value": "host"}}, True),
        ({"pseudoattribute_type": "ZONE"}, {"text_equals": {"value": "z1"}}, True),
        ({"pseudoattribute_type": "REGION"}, {"text_equals": {"value": "z1"}}, False),
    ],
)
def test_what_constraints_hold(cluster: Cluster, selector: Any, predicate: Any, holds: bool) -> None:
    FakeAgent(
        cluster,
        attributes=[
            {"name": "rack", "type": "TEXT", "text": {"value": "r1"}},
            {"name": "level", "type": "SCALAR", "scalar": {"value": 3.0}},
        ],
        domain={"fault_domain": {"region": {"name": "r1"}, "zone": {"name": "z1"}}},
    )
    framework = FakeFramework(cluster, failover_timeout=0.0)
    framework.go_away()
    group = {"attribute_constraints": [{"selector": selector, "predicate": predicate}]}
    del framework.info["id"]
    framework.subscribe(offer_constraints={"role_constraints": {"*": {"groups": [group]}}})
    offers = framework.offers()
    assert bool(offers) is holds
    if offers:
        assert offers[0]["domain"]["fault_domain"]["zone"] == {"name": "z1"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/teardown"),
        ("GET", "/reserve"),
        ("PUT", "/quota"),
        ("POST", "/weights"),
        ("PUT", "/maintenance/schedule"),
        ("GET", "/machine/up"),
        ("POST", "/maintenance/status"),
    ],
)
def test_methods(cluster: Cluster, method: str, path: str) -> None:
    answer = cluster.request(method, path)
    assert isinstance(answer, HttpResponse)
    assert answer.status == 405
    assert answer.headers["Allow"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/maintenance/schedule", b"x"),
        ("POST", "/machine/down", b"x"),
        ("POST", "/machine/up", b"[]"),
        ("POST", "/machine/down", b'[{"hostname":"nix"}]'),
        ("POST", "/quota", b"x"),
        ("POST", "/quota", b'{"role":"a"}'),
        ("POST", "/quota", b'{"role":"a","guarantee":[{"name":"cpus","type":"SCALAR"}]}'),
        ("POST", "/quota", b'{"role":"a","guarantee":[{"name":"x","type":"SET","set":{"item":["a"]}}]}'),
        ("DELETE", "/quota", b""),
        ("GET", "/tasks?limit=x", b""),
    ],
)
def test_bodies(cluster: Cluster, method: str, path: str, body: bytes) -> None:
    path, _, query = path.partition("?")
    name, _, value = query.partition("=")
    answer = cluster.request(method, path, body, query={name: value} if name else None)
    assert isinstance(answer, HttpResponse)
    assert answer.status == 400
    assert answer.body


def test_the_classic_endpoints_of_maintenance(cluster: Cluster) -> None:
    FakeAgent(cluster)
    machine = {"hostname": "host", "ip": "127.0.0.1"}
    window = {"machine_ids": [machine], "unavailability": {"start": {"nanoseconds": 1}}}
    for path, body in (
        ("/maintenance/schedule", {"windows": [window]}),
        ("/machine/down", [machine]),
        ("/machine/up", [machine]),
    ):
        answer = cluster.post(path, body)  # type: ignore[arg-type]
        assert isinstance(answer, HttpResponse) and answer.status == 200
    assert not cluster.master.agents


def test_reservations_by_the_operator_api(cluster: Cluster) -> None:
    agent = FakeAgent(cluster)
    where = {"agent_id": {"value": agent.id}}
    cluster.operate("RESERVE_RESOURCES", reserve_resources={**where, "resources": [disk()]})
    cluster.operate("CREATE_VOLUMES", create_volumes={**where, "volumes": [disk(disk=VOLUME)]})
    [operation, _] = cluster.operate("GET_OPERATIONS")["get_operations"]["operations"]
    assert operation["latest_status"]["state"] == "OPERATION_PENDING"
    cluster.operate("DESTROY_VOLUMES", destroy_volumes={**where, "volumes": [disk(disk=VOLUME)]})
    cluster.operate("UNRESERVE_RESOURCES", unreserve_resources={**where, "resources": [disk()]})
    for event in agent.stream.events("CHECKPOINT_RESOURCES"):
        for one in event["checkpoint_resources"]["operations"]:
            agent.call("OPERATION_UPDATE", operation_update={"status": {"state": "OPERATION_FINISHED", **one}})
    assert cluster.operate("GET_OPERATIONS")["get_operations"]["operations"] == []
    set_quota = {
        "quota_request": {"role": "a", "guarantee": [{"name": "cpus", "type": "SCALAR", "scalar": {"value": 1.0}}]}
    }
    cluster.operate("SET_QUOTA", set_quota=set_quota)
    cluster.operate("REMOVE_QUOTA", remove_quota={"role": "a"})
    assert not cluster.records.keys() & {"quota/a"}
