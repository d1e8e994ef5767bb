"""What results of health checks make of an instance: alive, failing, killed; and what events say of it."""

from __future__ import annotations

from typing import Any

from smackbox.marathon.state import instance as states
from smackbox.marathon.state.instance import Instance
from tests.marathon.cluster import Cluster

GRACE_S, LIMIT = 60, 2


def checked(**check: Any) -> tuple[Cluster, Instance]:
    """An app of one running instance that Marathon checks itself."""
    cluster = Cluster()
    health = {"protocol": "HTTP", "gracePeriodSeconds": GRACE_S, "maxConsecutiveFailures": LIMIT, **check}
    body = {"id": "/a", "cmd": "sleep 1000", "cpus": 0.1, "mem": 32, "healthChecks": [health]}
    assert cluster.request("POST", "/v2/apps", body)[0] == 201
    (instance,) = cluster.marathon.instances_of("/a")
    cluster.events.clear()
    return cluster, instance


def result(cluster: Cluster, instance: Instance, alive: bool, cause: str | None = None) -> None:
    cluster.marathon.health.result(instance.id, 0, alive, cause)
    cluster.settle()


def count(cluster: Cluster, event_type: str) -> int:
    return cluster.event_types().count(event_type)


def test_a_first_success_is_told_once() -> None:
    cluster, instance = checked()
    result(cluster, instance, True)
    assert count(cluster, "instance_health_changed_event") == 1
    result(cluster, instance, True)
    assert instance.healthy(1) is True
    assert count(cluster, "failed_health_check_event") == 0
    assert count(cluster, "health_status_changed_event") == 1
    assert count(cluster, "instance_health_changed_event") == 1


def test_failures_within_the_grace_period_do_not_count_before_a_success() -> None:
    cluster, instance = checked()
    result(cluster, instance, False, "refused")
    assert instance.healthy(1) is None
    assert instance.health[0].consecutive_failures == 0
    assert count(cluster, "failed_health_check_event") == 0


def test_the_grace_period_ends_exactly_after_its_seconds() -> None:
    cluster, instance = checked()
    cluster.clock.advance_ms(instance.started_ms + GRACE_S * 1000 - 1 - cluster.clock.wall_ms())
    result(cluster, instance, False)
    assert instance.health[0].consecutive_failures == 0
    cluster.clock.advance_ms(1)
    result(cluster, instance, False)
    assert instance.health[0].consecutive_failures == 1


def test_the_grace_period_ends_with_the_first_success() -> None:
    cluster, instance = checked()
    result(cluster, instance, True)
    result(cluster, instance, False, "refused")
    assert instance.healthy(1) is False
    assert instance.health[0].last_failure_cause == "refused"
    assert count(cluster, "failed_health_check_event") == 1
    assert count(cluster, "health_status_changed_event") == 2


def test_a_success_ends_the_row_of_failures() -> None:
    cluster, instance = checked()
    for alive in (True, False, True, False):
        result(cluster, instance, alive)
    assert instance.health[0].consecutive_failures == 1
    assert instance.wanted


def test_an_instance_that_fails_too_often_is_killed_and_its_app_delayed() -> None:
    cluster, instance = checked()
    app = cluster.marathon.definition("/a")
    assert app is not None
    result(cluster, instance, True)
    result(cluster, instance, False)
    assert cluster.marathon.delays.left_ms(app, cluster.clock.wall_ms()) == 0
    cluster.marathon.health.result(instance.id, 0, False, "refused")
    assert not instance.wanted
    assert cluster.marathon.delays.left_ms(app, cluster.clock.wall_ms()) == app.backoff_seconds * 1000
    cluster.settle()
    (event,) = (event for event in cluster.events if event["eventType"] == "unhealthy_instance_kill_event")
    assert event["reason"] == "refused"


def test_no_limit_of_failures_never_kills() -> None:
    cluster, instance = checked(maxConsecutiveFailures=0)
    result(cluster, instance, True)
    for _ in range(5):
        result(cluster, instance, False)
    assert instance.wanted
    assert instance.health[0].consecutive_failures == 5


def test_results_of_others_are_ignored() -> None:
    cluster, instance = checked()
    cluster.marathon.health.result("unknown", 0, True, None)
    cluster.marathon.health.result(instance.id, 1, True, None)
    assert instance.health == {}


def test_an_instance_that_is_healthy_ends_the_shortest_delay() -> None:
    cluster, instance = checked()
    app = cluster.marathon.definition("/a")
    assert app is not None
    cluster.marathon.delays.failed(app, cluster.clock.wall_ms())
    result(cluster, instance, True)
    assert cluster.marathon.delays.left_ms(app, cluster.clock.wall_ms()) == 0


def test_what_mesos_found_is_taken_for_the_checks_that_are_its_own() -> None:
    """Mesos ends a task itself that its own check gave up: Marathon counts, and does not kill."""
    cluster, instance = checked(protocol="MESOS_HTTP", path="/", gracePeriodSeconds=0, maxConsecutiveFailures=1)
    app = cluster.marathon.definition("/a")
    cluster.marathon.health.by_mesos(instance, app, True, None)
    assert instance.healthy(1) is True
    cluster.marathon.health.by_mesos(instance, app, False, "503")
    assert (instance.healthy(1), instance.health[0].last_failure_cause) == (False, "503")
    assert count(cluster, "unhealthy_instance_kill_event") == 0
    cluster.marathon.health.by_mesos(instance, None, True, None)
    assert instance.healthy(1) is False, "an app that is gone has no checks"


def test_what_mesos_found_is_not_a_result_of_marathons_own_checks() -> None:
    cluster, instance = checked()
    cluster.marathon.health.by_mesos(instance, cluster.marathon.definition("/a"), True, None)
    assert instance.healthy(1) is None


def test_readiness_of_running_instances_is_kept_and_shown() -> None:
    cluster = Cluster()
    body = {"id": "/a", "cmd": "sleep 1000", "cpus": 0.1, "mem": 32, "portDefinitions": [{"name": "http"}],
            "readinessChecks": [{"name": "ready", "portName": "http"}]}  # fmt: skip
    assert cluster.request("POST", "/v2/apps", body)[0] == 201
    cluster.request("POST", "/v2/apps", {"id": "/b", "cmd": "sleep 1000", "cpus": 0.1, "mem": 32})
    (instance,) = cluster.marathon.instances_of("/a")
    health = cluster.marathon.health
    shown = {"name": "ready", "taskId": instance.task_id, "ready": False}
    assert health.readiness() == {"/a": [shown]}
    health.readiness_result("nobody", True, None)
    health.readiness_result(instance.id, False, {"status": 503})
    assert health.readiness() == {"/a": [{**shown, "lastResponse": {"status": 503}}]}
    health.readiness_result(instance.id, True, {"status": 200})
    assert health.readiness() == {"/a": [{**shown, "ready": True, "lastResponse": {"status": 200}}]}
    instance.condition = states.STAGING
    health.readiness_result(instance.id, False, None)
    assert instance.ready is True, "a late answer for a task that does not run"
    assert health.readiness() == {"/a": []}


def test_a_limit_of_one_failure_and_no_limit() -> None:
    for limit, kills in ((1, 1), (0, 0)):
        cluster, instance = checked(gracePeriodSeconds=0, maxConsecutiveFailures=limit)
        result(cluster, instance, False, "refused")
        assert count(cluster, "unhealthy_instance_kill_event") == kills
