"""The REST API's corners: filters, wrong paths and methods, and what is not served."""

from __future__ import annotations

from typing import Any

import pytest

from smackbox.marathon.handlers.label_selector import parse
from smackbox.marathon.wire.errors import Refusal
from tests.marathon.cluster import Cluster


@pytest.fixture
def cluster() -> Cluster:
    cluster = Cluster()
    for name, labels in (("a", {"env": "prod"}), ("b", {"env": "test", "x": "1"})):
        cluster.request("POST", "/v2/apps", {"id": f"/{name}", "cmd": f"run {name}", "cpus": 0.1, "labels": labels})
    return cluster


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["/a", "/b"]),
        ("?cmd=run b", ["/b"]),
        ("?id=/a", ["/a"]),
        ("?label=env", ["/a", "/b"]),
        ("?label=env==prod", ["/a"]),
        ("?label=env!=prod,x", ["/b"]),
        ("?label=env in (prod, dev)", ["/a"]),
        ("?label=env notin (prod, dev)", ["/b"]),
    ],
)
def test_apps_are_filtered(cluster: Cluster, query: str, found: list[str]) -> None:
    _, answer = cluster.request("GET", "/v2/apps" + query)
    assert [app["id"] for app in answer["apps"]] == found


def test_what_is_no_selector_is_refused(cluster: Cluster) -> None:
    assert cluster.request("GET", "/v2/apps?label=a b")[0] == 400
    with pytest.raises(Refusal):
        parse("")


def test_paths_methods_and_what_is_not_served(cluster: Cluster) -> None:
    assert cluster.request("GET", "/ping") == (200, "pong")
    assert cluster.request("GET", "/v2/none")[0] == 404
    assert cluster.request("PUT", "/v2/tasks")[0] == 405
    assert cluster.request("GET", "/v2/pods")[0] == 501
    assert cluster.request("GET", "/v2/eventSubscriptions")[0] == 501
    assert cluster.request("GET", "/v2/leader") == (200, {"leader": "127.0.0.1:8080"})
    assert cluster.request("GET", "/v2/info")[1]["frameworkId"] == "f1"
    assert cluster.request("POST", "/v2/apps", b"{")[0] == 400
    assert cluster.request("POST", "/v2/apps", {"id": "/a", "cmd": "x 1"}) == (
        409,
        {"message": "An app with id [/a] already exists."},
    )
    assert cluster.request("PUT", "/v2/apps/a?force=maybe", {"cmd": "y 1"})[0] == 422
    assert cluster.request("PATCH", "/v2/apps/none", {"cmd": "y 1"})[0] == 404
    assert cluster.request("PUT", "/v2/apps/c", {"cmd": "y 1", "cpus": 0.1})[0] == 201
    assert cluster.request("PUT", "/v2/apps", [{"id": "/a", "instances": 2}, {"id": "/d", "cmd": "z 1"}])[0] == 200
    assert len(cluster.running("/a")) == 2 and len(cluster.running("/d")) == 1


def test_tasks_are_listed_as_json_and_as_text(cluster: Cluster) -> None:
    _, answer = cluster.request("GET", "/v2/tasks?status=running")
    assert sorted(task["appId"] for task in answer["tasks"]) == ["/a", "/b"]
    assert cluster.request("GET", "/v2/tasks?status=staging")[1] == {"tasks": []}
    _, text = cluster.request("GET", "/v2/apps/a/tasks", accept="text/plain")
    assert text == f"a\t10000\thost0:{answer['tasks'][0]['ports'][0]}\n"


def test_statistics_of_tasks(cluster: Cluster) -> None:
    cluster.clock.advance_ms(10_000)
    _, answer = cluster.request("GET", "/v2/apps/a?embed=app.taskStats")
    statistics = answer["app"]["taskStats"]["totalSummary"]["stats"]
    assert statistics["counts"] == {"staged": 0, "running": 1, "healthy": 0, "unhealthy": 0}
    assert statistics["lifeTime"]["medianSeconds"] >= 10


@pytest.mark.parametrize(
    ("path", "find"), [("/v2/apps/a", lambda answer: answer["app"]), ("/v2/apps/*", lambda answer: answer["*"][0])]
)
def test_one_app_is_shown_with_its_tasks_though_nothing_is_embedded(cluster: Cluster, path: str, find: Any) -> None:
    cluster.request("POST", "/v2/apps", {"id": "/sick", "cmd": "false", "cpus": 0.1})
    shown = find(cluster.request("GET", path)[1])
    assert {"tasks", "deployments", "tasksRunning", "tasksStaged", "tasksHealthy", "tasksUnhealthy"} <= shown.keys()


def test_a_repeated_put_keeps_service_ports_and_changes_nothing(cluster: Cluster) -> None:
    app = {"cmd": "serve it", "cpus": 0.1, "portDefinitions": [{"port": 0}, {"port": 0}]}
    cluster.request("PUT", "/v2/apps/first", app)
    cluster.request("PUT", "/v2/apps/second", app)
    cluster.request("DELETE", "/v2/apps/first?force=true")
    before = cluster.request("GET", "/v2/apps/second")[1]["app"]
    cluster.request("PUT", "/v2/apps/second?force=true", app)
    after = cluster.request("GET", "/v2/apps/second")[1]["app"]
    assert after["portDefinitions"] == before["portDefinitions"]
    assert after["versionInfo"]["lastConfigChangeAt"] == before["versionInfo"]["lastConfigChangeAt"]
    cluster.request("PUT", "/v2/apps/second?force=true", {**app, "portDefinitions": [{"port": 0}] * 3})
    grown = [one["port"] for one in cluster.request("GET", "/v2/apps/second")[1]["app"]["portDefinitions"]]
    assert grown[:2] == [one["port"] for one in before["portDefinitions"]] and len(set(grown)) == 3
