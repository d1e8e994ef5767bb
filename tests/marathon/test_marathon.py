"""Marathon on a cluster that does what it is told: apps come, change, fail, and are what is wanted in the end."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from smackbox.marathon.state.instance import instance_of_task
from tests.marathon.cluster import Cluster

SLEEP = {"id": "/sleep", "cmd": "sleep 1000", "cpus": 0.5, "mem": 64}


def create(cluster: Cluster, **fields: Any) -> Any:
    status, app = cluster.request("POST", "/v2/apps", {**SLEEP, **fields})
    assert status == 201, app
    return app


def get(cluster: Cluster, app_id: str = "/sleep", query: str = "") -> Any:
    status, found = cluster.request("GET", f"/v2/apps/{app_id}{query}")
    assert status == 200, found
    return found["app"]


def test_an_app_is_launched_and_shown() -> None:
    cluster = Cluster()
    app = create(cluster, instances=2, labels={"a": "b"}, env={"X": "1"})
    assert app["version"] == app["versionInfo"]["lastConfigChangeAt"] == app["versionInfo"]["lastScalingAt"]
    assert app["portDefinitions"] == [{"port": 10000, "protocol": "tcp", "name": "default"}]
    assert len(cluster.running("/sleep")) == 2
    shown = get(cluster, query="?embed=app.tasks")
    assert (shown["tasksRunning"], shown["tasksStaged"], shown["deployments"]) == (2, 0, [])
    task = shown["tasks"][0]
    assert task["id"].startswith("sleep.instance-") and task["id"].endswith("._app.1")
    assert (task["appId"], task["host"], task["state"], len(task["ports"])) == ("/sleep", "host0", "TASK_RUNNING", 1)
    info = cluster.tasks[task["id"]]
    variables = {one["name"]: one["value"] for one in info["command"]["environment"]["variables"]}
    assert variables["X"] == "1"
    assert variables["PORT"] == variables["PORT0"] == variables["PORT_10000"] == variables["PORT_DEFAULT"]
    assert variables["PORT"] == str(task["ports"][0])
    assert variables["MARATHON_APP_ID"] == "/sleep"
    assert variables["MARATHON_APP_LABEL_A"] == "b"
    assert cluster.request("GET", "/v2/deployments") == (200, [])
    assert [kind for kind in cluster.event_types() if kind.startswith("deployment")] == [
        "deployment_info",
        "deployment_step_success",
        "deployment_info",
        "deployment_step_success",
        "deployment_success",
    ]


def test_nothing_is_launched_before_it_is_stored() -> None:
    cluster = Cluster()
    create(cluster)
    (task_id,) = cluster.running("/sleep")
    assert f"instance:{task_id.partition('._app.')[0]}" in cluster.records


def test_scaling_keeps_the_configuration_and_its_tasks() -> None:
    cluster = Cluster()
    before = create(cluster, instances=2)
    tasks = cluster.running("/sleep")
    status, answer = cluster.request("PUT", "/v2/apps/sleep", {"instances": 3})
    assert status == 200 and set(answer) == {"version", "deploymentId"}
    assert cluster.running("/sleep")[:2] == tasks and len(cluster.running("/sleep")) == 3
    app = get(cluster)
    assert app["versionInfo"]["lastConfigChangeAt"] == before["version"]
    assert app["versionInfo"]["lastScalingAt"] == app["version"] == answer["version"]
    cluster.clock.advance_ms(1000)
    cluster.request("PUT", "/v2/apps/sleep", {"instances": 1})
    assert cluster.running("/sleep") == [tasks[0]] or len(cluster.running("/sleep")) == 1


def test_a_changed_app_is_replaced_without_falling_below_its_capacity() -> None:
    cluster = Cluster()
    create(cluster, instances=4, upgradeStrategy={"minimumHealthCapacity": 0.5, "maximumOverCapacity": 0.25})
    old = set(cluster.running("/sleep"))
    most = least = 4
    cluster.starting_state = "TASK_STAGING"
    cluster.request("PUT", "/v2/apps/sleep", {"cmd": "sleep 2000"})
    for _ in range(20):
        running = [one for one in cluster.running("/sleep") if cluster.tasks[one]["state"] == "TASK_RUNNING"]
        most, least = max(most, len(cluster.running("/sleep"))), min(least, len(running))
        for task_id in cluster.running("/sleep"):
            if cluster.tasks[task_id]["state"] == "TASK_STAGING":
                cluster.say(task_id, "TASK_RUNNING")
                break
        cluster.settle()
    assert (most, least) == (5, 2)
    assert len(cluster.running("/sleep")) == 4
    assert not old & set(cluster.running("/sleep"))
    assert cluster.request("GET", "/v2/deployments") == (200, [])


@pytest.mark.parametrize("state", ["TASK_FAILED", "TASK_FINISHED", "TASK_LOST", "TASK_ERROR"])
def test_a_task_that_ends_is_replaced_after_a_growing_delay(state: str) -> None:
    cluster = Cluster()
    create(cluster, backoffSeconds=2, backoffFactor=2, maxLaunchDelaySeconds=5)
    cluster.starting_state = "TASK_STAGING"
    for delay in (2, 4, 5, 5):
        cluster.end(cluster.running("/sleep")[0], state, message="out of luck")
        cluster.settle()
        assert cluster.running("/sleep") == []
        _, queue = cluster.request("GET", "/v2/queue")
        assert queue["queue"][0]["delay"] == {"timeLeftSeconds": delay, "overdue": False}
        cluster.advance(delay - 1)
        assert cluster.running("/sleep") == []
        cluster.advance(2)
        assert len(cluster.running("/sleep")) == 1
    if state != "TASK_FINISHED":
        failure = get(cluster, query="?embed=app.lastTaskFailure")["lastTaskFailure"]
        assert (failure["state"], failure["message"]) == (state, "out of luck")


def test_a_delay_can_be_ended() -> None:
    cluster = Cluster()
    create(cluster, backoffSeconds=300)
    cluster.end(cluster.running("/sleep")[0], "TASK_FAILED")
    cluster.settle()
    assert cluster.running("/sleep") == []
    cluster.clock.advance_ms(1000)
    assert cluster.request("DELETE", "/v2/queue//sleep/delay")[0] == 204
    assert len(cluster.running("/sleep")) == 1
    assert cluster.request("DELETE", "/v2/queue/sleep/delay")[0] == 404


def test_the_queue_says_why_an_app_waits() -> None:
    cluster = Cluster(cpus=1, mem=4096)
    create(cluster, cpus=4)
    _, found = cluster.request("GET", "/v2/queue?embed=lastUnusedOffers")
    (item,) = found["queue"]
    assert (item["count"], item["app"]["id"]) == (1, "/sleep")
    summary = item["processedOffersSummary"]
    assert summary["unusedOffersCount"] >= 1
    declined = {one["reason"]: one["declined"] for one in summary["rejectSummaryLastOffers"]}
    assert declined["InsufficientCpus"] == 1 and declined["InsufficientMemory"] == 0
    assert item["lastUnusedOffers"][0]["reason"] == ["InsufficientCpus"]


def test_an_app_that_is_removed_takes_its_tasks_with_it() -> None:
    cluster = Cluster()
    create(cluster, instances=2)
    assert cluster.request("DELETE", "/v2/apps/sleep")[0] == 200
    assert cluster.tasks == {}
    assert cluster.request("GET", "/v2/apps/sleep") == (404, {"message": "App '/sleep' does not exist"})
    assert not [name for name in cluster.records if name.startswith(("instance:", "deployment:", "version:"))]
    assert "app_terminated_event" in cluster.event_types()


def test_a_deployment_that_is_under_way_locks_its_apps() -> None:
    cluster = Cluster(cpus=1)
    create(cluster, cpus=4)
    status, answer = cluster.request("PUT", "/v2/apps/sleep", {"cpus": 0.5})
    assert status == 409
    assert answer["message"].startswith("App is locked by one or more deployments.")
    _, (deployment,) = cluster.request("GET", "/v2/deployments")
    assert answer["deployments"] == [{"id": deployment["id"]}]
    assert deployment["currentActions"] == [
        {"action": "ScaleApplication", "app": "/sleep", "readinessCheckResults": []}
    ]
    assert (deployment["currentStep"], deployment["totalSteps"]) == (2, 2)
    assert cluster.request("PUT", "/v2/apps/sleep?force=true", {"cpus": 0.5})[0] == 200
    assert len(cluster.running("/sleep")) == 1
    assert cluster.request("GET", "/v2/deployments") == (200, [])
    assert "deployment_failed" in cluster.event_types()


def test_a_deployment_is_rolled_back() -> None:
    cluster = Cluster(cpus=1)
    create(cluster)
    kept = cluster.running("/sleep")
    _, answer = cluster.request("PUT", "/v2/apps/sleep", {"cpus": 4})
    assert cluster.running("/sleep") == kept
    status, back = cluster.request("DELETE", f"/v2/deployments/{answer['deploymentId']}")
    assert status == 200 and back["deploymentId"] != answer["deploymentId"]
    assert len(cluster.running("/sleep")) == 1
    assert get(cluster)["cpus"] == 0.5
    assert cluster.request("GET", "/v2/deployments") == (200, [])


def test_a_deployment_can_be_given_up_where_it_is() -> None:
    cluster = Cluster(cpus=1)
    create(cluster, cpus=4)
    _, (deployment,) = cluster.request("GET", "/v2/deployments")
    assert cluster.request("DELETE", f"/v2/deployments/{deployment['id']}?force=true")[0] == 202
    assert cluster.request("GET", "/v2/deployments") == (200, [])
    assert get(cluster)["cpus"] == 4
    assert cluster.request("DELETE", f"/v2/deployments/{deployment['id']}")[0] == 404


def test_a_restart_replaces_every_task() -> None:
    cluster = Cluster()
    create(cluster, instances=3)
    old = set(cluster.running("/sleep"))
    assert cluster.request("POST", "/v2/apps/sleep/restart")[0] == 200
    assert len(cluster.running("/sleep")) == 3 and not old & set(cluster.running("/sleep"))


def test_earlier_versions_are_listed_and_gone_back_to() -> None:
    cluster = Cluster()
    first = create(cluster)
    cluster.clock.advance_ms(1000)
    cluster.request("PUT", "/v2/apps/sleep", {"cmd": "sleep 2000"})
    _, found = cluster.request("GET", "/v2/apps/sleep/versions")
    assert found["versions"] == [get(cluster)["version"], first["version"]]
    _, shown = cluster.request("GET", f"/v2/apps/sleep/versions/{first['version']}")
    assert shown["cmd"] == "sleep 1000"
    cluster.clock.advance_ms(1000)
    assert cluster.request("PUT", "/v2/apps/sleep", {"version": first["version"]})[0] == 200
    assert get(cluster)["cmd"] == "sleep 1000"
    assert cluster.request("PUT", "/v2/apps/sleep", {"version": "2001-01-01T00:00:00.000Z"})[0] == 404


def test_tasks_are_killed_and_come_again_or_not() -> None:
    cluster = Cluster()
    create(cluster, instances=3)
    first, second, third = cluster.running("/sleep")
    status, answer = cluster.request("DELETE", f"/v2/apps/sleep/tasks/{first}")
    assert (status, answer["task"]["id"]) == (200, first)
    assert first not in cluster.tasks and len(cluster.running("/sleep")) == 3
    status, answer = cluster.request("POST", "/v2/tasks/delete?scale=true", {"ids": [second, "nobody"]})
    assert (status, set(answer)) == (200, {"version", "deploymentId"})
    assert second not in cluster.tasks and len(cluster.running("/sleep")) == 2 and get(cluster)["instances"] == 2
    status, answer = cluster.request("DELETE", "/v2/apps/sleep/tasks?host=host0&noOp=true")
    assert len(answer["tasks"]) == 2 and third in cluster.tasks
    status, answer = cluster.request("DELETE", "/v2/apps/sleep/tasks")
    assert third not in cluster.tasks and len(cluster.running("/sleep")) == 2
    assert cluster.request("DELETE", "/v2/apps/sleep/tasks/nobody")[0] == 404
    assert cluster.request("POST", "/v2/tasks/delete?scale=true&wipe=true", {"ids": []})[0] == 400


def test_instances_in_groups_do_not_wait_for_the_end_of_filters() -> None:
    """An agent that has one more than the others is refused, and wanted again as soon as they have as many."""
    cluster = Cluster(agents=3)
    create(cluster, instances=30, cpus=0.1, mem=16, constraints=[["hostname", "GROUP_BY", "3"]])
    cluster.advance(5)
    assert len(cluster.running("/sleep")) == 30
    assert sorted(Counter(task["host"] for task in cluster.tasks.values()).values()) == [10, 10, 10]


def test_lost_agents_tasks_are_replaced_and_never_doubled() -> None:
    cluster = Cluster(agents=2)
    strategy = {"inactiveAfterSeconds": 10, "expungeAfterSeconds": 60}
    create(cluster, instances=2, unreachableStrategy=strategy, constraints=[["hostname", "UNIQUE"]])
    lost = next(task_id for task_id, task in cluster.tasks.items() if task["host"] == "host1")
    cluster.lose_agent("host1")
    cluster.settle()
    cluster.add_agent("host2")
    cluster.advance(9)
    assert len(cluster.running("/sleep")) == 2
    cluster.advance(2)
    assert len(cluster.running("/sleep")) == 3
    cluster.say(lost, "TASK_UNREACHABLE")  # it is asked for again and again
    cluster.settle()
    assert cluster.marathon.instance(instance_of_task(lost)).condition == "UnreachableInactive"
    cluster.say(lost, "TASK_RUNNING")
    cluster.settle()
    assert len(cluster.running("/sleep")) == 2


def test_a_lost_task_that_was_forgotten_is_killed_when_it_comes_back() -> None:
    cluster = Cluster(agents=2)
    create(cluster)
    (lost,) = cluster.running("/sleep")
    cluster.lose_agent(cluster.tasks[lost]["host"])
    cluster.settle()
    assert len(cluster.running("/sleep")) == 2
    cluster.say(lost, "TASK_RUNNING")
    cluster.settle()
    assert lost not in cluster.tasks and len(cluster.running("/sleep")) == 1


def test_a_successor_keeps_the_tasks_and_goes_on() -> None:
    cluster = Cluster(cpus=1)
    create(cluster, instances=1)
    cluster.request("POST", "/v2/apps", {**SLEEP, "id": "/big", "cpus": 4})
    kept = cluster.running("/sleep")
    cluster.fail_over()
    assert cluster.running("/sleep") == kept
    assert get(cluster)["tasksRunning"] == 1
    _, (deployment,) = cluster.request("GET", "/v2/deployments")
    assert deployment["affectedApps"] == ["/big"]
    cluster.add_agent("large", cpus=8)
    cluster.advance(1)
    cluster.request("DELETE", "/v2/queue/big/delay")
    assert len(cluster.running("/big")) == 1
    assert cluster.request("GET", "/v2/deployments") == (200, [])


def test_a_task_that_was_stored_and_never_launched_is_launched_by_the_successor() -> None:
    cluster = Cluster()
    create(cluster)
    (task_id,) = cluster.running("/sleep")
    del cluster.tasks[task_id]
    cluster.fail_over()
    assert len(cluster.running("/sleep")) == 1 and cluster.running("/sleep") != [task_id]


def test_a_task_that_nobody_knows_is_killed() -> None:
    cluster = Cluster()
    cluster.tasks["x.instance-1._app.1"] = {"name": "x", "host": "host0", "state": "", "resources": []}
    cluster.say("x.instance-1._app.1", "TASK_RUNNING")
    cluster.settle()
    assert cluster.tasks == {}
    assert "unknown_instance_terminated_event" in cluster.event_types()


def test_a_kill_without_an_answer_is_repeated() -> None:
    cluster = Cluster()
    create(cluster)
    (task_id,) = cluster.running("/sleep")
    task = cluster.tasks.pop(task_id)
    cluster.request("DELETE", "/v2/apps/sleep")
    cluster.tasks[task_id] = task
    cluster.advance(11)
    assert cluster.tasks == {}
    assert cluster.request("GET", "/v2/deployments") == (200, [])


def test_statuses_are_acknowledged() -> None:
    cluster = Cluster()
    create(cluster)
    (task_id,) = cluster.running("/sleep")
    assert {"type": "ACKNOWLEDGE", "task_id": task_id, "state": "TASK_RUNNING"} in cluster.calls


def test_offers_are_asked_for_only_while_something_waits() -> None:
    cluster = Cluster()
    assert [call["type"] for call in cluster.calls if call["type"] in {"REVIVE", "SUPPRESS"}] == ["SUPPRESS"]
    cluster.clock.advance_ms(1000)
    create(cluster)
    assert [call["type"] for call in cluster.calls if call["type"] in {"REVIVE", "SUPPRESS"}][-2:] == [
        "REVIVE",
        "SUPPRESS",
    ]


def test_mesos_health_checks_decide_when_an_app_is_there() -> None:
    cluster = Cluster()
    check = {"protocol": "COMMAND", "command": {"value": "true"}, "gracePeriodSeconds": 5}
    create(cluster, healthChecks=[check])
    (task_id,) = cluster.running("/sleep")
    info = cluster.tasks[task_id]["health_check"]
    assert (info["type"], info["command"]["value"], info["grace_period_seconds"]) == ("COMMAND", "true", 5.0)
    _, deployments = cluster.request("GET", "/v2/deployments")
    assert len(deployments) == 1
    cluster.say(task_id, "TASK_RUNNING", healthy=True)
    cluster.settle()
    assert cluster.request("GET", "/v2/deployments") == (200, [])
    app = get(cluster, query="?embed=app.tasks")
    assert (app["tasksHealthy"], app["tasksUnhealthy"]) == (1, 0)
    assert app["tasks"][0]["healthCheckResults"][0]["alive"] is True
    cluster.say(task_id, "TASK_RUNNING", healthy=False)
    cluster.settle()
    assert get(cluster)["tasksUnhealthy"] == 1
    kinds = cluster.event_types()
    assert kinds.count("health_status_changed_event") == 2 and "failed_health_check_event" in kinds


def test_a_task_whose_checks_by_marathon_fail_is_replaced() -> None:
    cluster = Cluster()
    create(cluster, healthChecks=[{"protocol": "TCP", "maxConsecutiveFailures": 2, "gracePeriodSeconds": 10}])
    (task_id,) = cluster.running("/sleep")
    instance_id = task_id.partition("._app.")[0]
    for _ in range(3):
        cluster.marathon.health.result(instance_id, 0, False, "refused")
    cluster.settle()
    assert cluster.running("/sleep") == [task_id]
    cluster.advance(11)
    cluster.marathon.health.result(instance_id, 0, False, "refused")
    cluster.settle()
    assert cluster.running("/sleep") == [task_id]
    cluster.marathon.health.result(instance_id, 0, False, "refused")
    cluster.settle()
    cluster.advance(2)
    assert cluster.running("/sleep") != [task_id] and len(cluster.running("/sleep")) == 1
    assert "unhealthy_instance_kill_event" in cluster.event_types()


def test_a_deployment_waits_until_the_app_says_that_it_is_ready() -> None:
    cluster = Cluster()
    create(cluster, readinessChecks=[{"portName": "default"}])
    (task_id,) = cluster.running("/sleep")
    _, (deployment,) = cluster.request("GET", "/v2/deployments")
    (result,) = deployment["currentActions"][0]["readinessCheckResults"]
    assert (result["taskId"], result["ready"]) == (task_id, False)
    cluster.marathon.health.readiness_result(task_id.partition("._app.")[0], True, None)
    cluster.settle()
    assert cluster.request("GET", "/v2/deployments") == (200, [])


def test_volumes_are_reserved_kept_and_given_back() -> None:
    cluster = Cluster(role="web")
    volume = {"containerPath": "data", "mode": "RW", "persistent": {"size": 100}}
    container = {"type": "MESOS", "volumes": [volume]}
    create(cluster, container=container, upgradeStrategy={"minimumHealthCapacity": 0, "maximumOverCapacity": 0})
    (first,) = cluster.running("/sleep")
    kinds = [
        operation["type"] for call in cluster.calls if call["type"] == "ACCEPT"
        for operation in call["accept"]["operations"]
    ]  # fmt: skip
    assert kinds == ["RESERVE", "CREATE", "LAUNCH"]
    lots = cluster.tasks[first]["resources"]
    (disk,) = [lot for lot in lots if "disk" in lot]
    assert disk["disk"]["volume"] == {"mode": "RW", "container_path": "data"}
    assert all(lot["reservations"][-1]["role"] == "web" for lot in lots)
    cluster.end(first, "TASK_FAILED")
    cluster.settle()
    cluster.advance(2)
    (second,) = cluster.running("/sleep")
    assert second == first.replace("._app.1", "._app.2")
    app = get(cluster, query="?embed=app.tasks")
    assert app["tasks"][0]["localVolumes"][0]["persistenceId"] == disk["disk"]["persistence"]["id"]
    cluster.request("DELETE", "/v2/apps/sleep")
    cluster.request("POST", "/v2/apps", {**SLEEP, "id": "/other"})
    assert len(cluster.running("/other")) == 1
    kinds = [
        operation["type"] for call in cluster.calls if call["type"] == "ACCEPT"
        for operation in call["accept"]["operations"]
    ]  # fmt: skip
    assert kinds[-3:] == ["DESTROY", "UNRESERVE", "LAUNCH"]
