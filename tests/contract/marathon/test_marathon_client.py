"""The unmodified client `marathon` from PyPI: apps that run on a real agent, from their creation to their end."""

from __future__ import annotations

import collections
import collections.abc
import json
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from marathon import MarathonClient, MarathonHttpError, NotFoundError
from marathon.models import MarathonApp, MarathonConstraint, MarathonDeployment, MarathonGroup, MarathonHealthCheck
from marathon.models.events import EventFactory, MarathonEvent
from tests.contract.pool import Pool, until

# The client was written for Pythons of before 3.10, where this name had not moved yet.
collections.Iterable = collections.abc.Iterable  # type: ignore[attr-defined]

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    with Pool(tmp_path_factory.mktemp("pool")) as pool:
        pool.start_master()
        pool.start_agent()
        yield pool


@pytest.fixture(scope="module")
def url(pool: Pool) -> str:
    return pool.start_marathon().url


@pytest.fixture
def client(url: str) -> Iterator[MarathonClient]:
    client = MarathonClient(url)
    yield client
    for app in client.list_apps():
        client.delete_app(app.id, force=True)
    until(lambda: not client.list_tasks() and not client.list_deployments(), "everything gone")


def app(**fields: object) -> MarathonApp:
    return MarathonApp(**{"cmd": "sleep 1000", "cpus": 0.1, "mem": 16, "instances": 1, **fields})


def deployed(client: MarathonClient) -> bool:
    return not client.list_deployments()


def test_an_app_runs_is_scaled_changed_and_removed(client: MarathonClient) -> None:
    created = client.create_app("/sleep", app(labels={"owner": "me"}))
    assert (created.id, created.instances, created.labels) == ("/sleep", 1, {"owner": "me"})
    until(lambda: deployed(client), "the deployment")
    (task,) = client.list_tasks("/sleep")
    assert task.state == "TASK_RUNNING" and len(task.ports) == 1 and task.started_at is not None

    client.scale_app("/sleep", instances=2)
    until(lambda: client.get_app("/sleep").tasks_running == 2, "two tasks")
    until(lambda: deployed(client), "the deployment")
    changed = client.update_app("/sleep", app(cmd="sleep 2000", instances=2))
    assert changed["deploymentId"]
    until(lambda: deployed(client) and len(client.list_tasks("/sleep")) == 2, "the new version")
    assert client.get_app("/sleep").cmd == "sleep 2000"
    assert {one.version for one in client.list_tasks("/sleep")} == {client.get_app("/sleep").version}
    assert len(client.list_versions("/sleep")) == 3
    assert client.get_version("/sleep", client.list_versions("/sleep")[-1]).cmd == "sleep 1000"

    client.delete_app("/sleep")
    until(lambda: not client.list_tasks(), "no task")
    with pytest.raises(NotFoundError):
        client.get_app("/sleep")


def test_a_killed_task_is_replaced(client: MarathonClient) -> None:
    client.create_app("/kill", app())
    until(lambda: deployed(client), "the deployment")
    (task,) = client.list_tasks("/kill")
    client.kill_task("/kill", task.id)
    until(lambda: [one.id for one in client.list_tasks("/kill") if one.id != task.id], "another task")


def test_a_task_finds_its_ports_and_serves_on_them(client: MarathonClient, tmp_path: Path) -> None:
    (tmp_path / "page").write_text("hello")
    command = f"cd {tmp_path} && exec python3 -m http.server $PORT0 --bind 127.0.0.1"
    health = MarathonHealthCheck(
        protocol="HTTP", path="/page", delay_seconds=0, interval_seconds=1, grace_period_seconds=30
    )
    client.create_app("/web", app(cmd=command, health_checks=[health]))
    until(lambda: client.get_app("/web").tasks_healthy == 1, "a healthy task")
    (task,) = client.list_tasks("/web")
    assert task.health_check_results[0].alive
    page = urllib.request.urlopen(f"http://127.0.0.1:{task.ports[0]}/page")
    assert page.read() == b"hello"
    until(lambda: deployed(client), "the deployment")


def test_checks_by_the_executor_and_readiness(client: MarathonClient, tmp_path: Path) -> None:
    health = MarathonHealthCheck(
        protocol="COMMAND", command=f"test -e {tmp_path}/healthy", delay_seconds=0, interval_seconds=1,
        grace_period_seconds=1, max_consecutive_failures=2,
    )  # fmt: skip
    (tmp_path / "healthy").touch()
    command = f"cd {tmp_path} && exec python3 -m http.server $PORT0 --bind 127.0.0.1"
    readiness = {"name": "ready", "path": "/ready", "portName": "default", "intervalSeconds": 2, "timeoutSeconds": 1}
    given = app(cmd=command, health_checks=[health]).json_repr(minimal=True)
    given |= {"id": "/ready", "readinessChecks": [readiness]}
    given["healthChecks"] = [one.json_repr(minimal=True) for one in given["healthChecks"]]
    client._do_request("POST", "/v2/apps", data=json.dumps(given, default=vars))
    until(lambda: client.get_app("/ready").tasks_healthy == 1, "a healthy task")
    assert len(client.list_deployments()) == 1
    (tmp_path / "ready").touch()
    until(lambda: deployed(client), "the deployment, once the app says that it is ready")
    (task,) = client.list_tasks("/ready")
    (tmp_path / "healthy").unlink()
    until(lambda: [one for one in client.list_tasks("/ready") if one.id != task.id], "another task")


def test_an_app_that_nothing_can_hold_waits_and_says_why(client: MarathonClient) -> None:
    client.create_app("/large", app(cpus=100, constraints=[MarathonConstraint("hostname", "UNIQUE")]))
    (item,) = until(lambda: [one for one in client.list_queue(embed_last_unused_offers=True) if one.count], "a queue")
    assert item.app.id == "/large"
    (deployment,) = client.list_deployments()
    assert isinstance(deployment, MarathonDeployment) and deployment.affected_apps == ["/large"]
    with pytest.raises(MarathonHttpError) as caught:
        client.update_app("/large", app(cpus=0.1))
    assert caught.value.status_code == 409
    client.delete_deployment(deployment.id, force=True)
    until(lambda: deployed(client), "no deployment")


def test_groups(client: MarathonClient) -> None:
    group = MarathonGroup(id="/shop", apps=[app(id="db"), app(id="web", dependencies=["/shop/db"])])
    client.create_group(group)
    until(lambda: deployed(client) and len(client.list_tasks()) == 2, "two apps")
    assert sorted(one.id for one in client.get_group("/shop").apps) == ["/shop/db", "/shop/web"]
    client.scale_group("/shop", 2)
    until(lambda: len(client.list_tasks()) == 4, "four tasks")
    until(lambda: deployed(client), "the deployment")
    client.delete_group("/shop")
    until(lambda: not client.list_tasks(), "nothing")


def test_what_is_invalid_is_refused_in_detail(client: MarathonClient) -> None:
    with pytest.raises(MarathonHttpError) as caught:
        client.create_app("/none", app(cmd=""))
    assert caught.value.status_code == 422
    assert caught.value.error_message == "Object is not valid"


def test_events_are_all_known_to_the_client(client: MarathonClient) -> None:
    """The client reads in pieces of 512 bytes: it sees an event when enough others have followed."""
    wanted = {
        "api_post_event", "deployment_info", "deployment_step_success", "deployment_success", "group_change_success",
        "status_update_event", "instance_changed_event", "app_terminated_event", "event_stream_attached",
    }  # fmt: skip
    seen: set[str] = set()
    unknown: list[Exception] = []

    def listen() -> None:
        try:
            for event in client.event_stream():
                assert isinstance(event, MarathonEvent)
                seen.add(EventFactory.class_to_event[type(event)])
                if wanted <= seen:
                    return
        except Exception as error:  # noqa: BLE001 - told below
            unknown.append(error)

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    other = MarathonClient(client.servers[0])

    def one_more() -> bool:
        other.create_app("/seen", app())
        until(lambda: deployed(other), "a deployment")
        other.delete_app("/seen")
        until(lambda: deployed(other), "its end")
        return not listener.is_alive()

    until(one_more, "every event")
    assert not unknown and wanted <= seen


def test_the_server_itself(client: MarathonClient, pool: Pool) -> None:
    assert client.ping() == b"pong"
    info = client.get_info()
    assert info.name == "marathon" and info.framework_id and info.marathon_config.master == pool.master
    assert client.get_leader()["leader"] in client.servers[0]
    assert client.get_metrics()["gauges"]["marathon.leading.gauge"] == {"value": 1}
