"""Groups: trees of apps that start in the order of their dependencies, change together and go back together."""

from __future__ import annotations

from typing import Any

from tests.marathon.cluster import Cluster


def app(name: str, **fields: Any) -> dict[str, Any]:
    return {"id": name, "cmd": "sleep 1000", "cpus": 0.1, "mem": 16, **fields}


SHOP = {
    "id": "/shop",
    "groups": [
        {"id": "db", "apps": [app("mongo")]},
        {"id": "web", "dependencies": ["/shop/db"], "apps": [app("front", dependencies=["back"]), app("back")]},
    ],
}


def test_apps_start_in_the_order_of_their_dependencies() -> None:
    cluster = Cluster()
    cluster.starting_state = "TASK_STAGING"
    status, _ = cluster.request("POST", "/v2/groups", SHOP)
    assert status == 201
    order = []
    for _ in range(3):
        (task_id,) = [one for one, task in cluster.tasks.items() if task["state"] == "TASK_STAGING"]
        order.append(cluster.tasks[task_id]["name"])
        cluster.say(task_id, "TASK_RUNNING")
        cluster.settle()
    assert order == ["mongo.db.shop", "back.web.shop", "front.web.shop"]
    assert cluster.request("GET", "/v2/deployments") == (200, [])


def test_a_group_is_shown_with_everything_in_it() -> None:
    cluster = Cluster()
    cluster.request("PUT", "/v2/groups", SHOP)
    _, group = cluster.request("GET", "/v2/groups/shop")
    assert group["id"] == "/shop"
    assert [one["id"] for one in group["groups"]] == ["/shop/db", "/shop/web"]
    assert [one["id"] for one in group["groups"][1]["apps"]] == ["/shop/web/back", "/shop/web/front"]
    assert group["groups"][1]["dependencies"] == ["/shop/db"]
    _, root = cluster.request("GET", "/v2/groups")
    assert (root["id"], [one["id"] for one in root["groups"]]) == ("/", ["/shop"])
    _, found = cluster.request("GET", "/v2/apps//shop/*")
    assert sorted(one["id"] for one in found["*"]) == ["/shop/db/mongo", "/shop/web/back", "/shop/web/front"]
    assert cluster.request("GET", "/v2/groups/none")[0] == 404


def test_a_group_is_scaled_rolled_back_and_removed() -> None:
    cluster = Cluster()
    _, first = cluster.request("PUT", "/v2/groups/shop", {key: SHOP[key] for key in ("groups",)})
    cluster.clock.advance_ms(1000)
    assert cluster.request("PUT", "/v2/groups/shop", {"scaleBy": 2})[0] == 200
    assert len(cluster.tasks) == 6
    cluster.clock.advance_ms(1000)
    assert cluster.request("PUT", "/v2/groups/shop", {"version": first["version"]})[0] == 200
    assert len(cluster.tasks) == 3
    _, versions = cluster.request("GET", "/v2/groups/shop/versions")
    assert len(versions) == 3 and first["version"] in versions
    cluster.clock.advance_ms(1000)
    assert cluster.request("DELETE", "/v2/groups/shop")[0] == 200
    assert cluster.tasks == {}
    assert cluster.request("GET", "/v2/groups")[1]["groups"] == []


def test_apps_that_are_left_out_of_a_group_are_stopped() -> None:
    cluster = Cluster()
    cluster.request("PUT", "/v2/groups/g", {"apps": [app("a"), app("b")]})
    assert len(cluster.tasks) == 2
    cluster.request("PUT", "/v2/groups/g", {"apps": [app("b", instances=2)]})
    assert sorted(task["name"] for task in cluster.tasks.values()) == ["b.g", "b.g"]


def test_a_dry_run_tells_the_steps_and_does_nothing() -> None:
    cluster = Cluster()
    status, planned = cluster.request("PUT", "/v2/groups?dryRun=true", SHOP)
    assert status == 200
    assert [[action["action"] for action in step["actions"]] for step in planned["steps"]] == [
        ["StartApplication"] * 3,
        ["ScaleApplication"],
        ["ScaleApplication"],
        ["ScaleApplication"],
    ]
    assert cluster.tasks == {} and cluster.request("GET", "/v2/apps") == (200, {"apps": []})


def test_what_cannot_be_is_refused_whole() -> None:
    cluster = Cluster()
    circle = {"apps": [app("a", dependencies=["b"]), app("b", dependencies=["a"])]}
    status, answer = cluster.request("PUT", "/v2/groups/g", circle)
    assert status == 422
    assert answer["details"] == [{"path": "/dependencies", "errors": ["Dependency graph has cyclic dependencies."]}]
    assert cluster.request("PUT", "/v2/groups/g", {"apps": [app("/elsewhere/a")]})[0] == 422
    assert cluster.request("PUT", "/v2/groups/g", {"pods": [{}]})[0] == 422
    assert cluster.request("POST", "/v2/groups", SHOP)[0] == 201
    assert cluster.request("POST", "/v2/groups", SHOP)[0] == 409
    assert cluster.request("POST", "/v2/apps", app("/shop/db"))[0] == 422
    assert cluster.request("PUT", "/v2/groups/shop", {"scaleBy": -1})[0] == 422
