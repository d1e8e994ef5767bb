"""/v2/tasks and /v2/apps/ID/tasks: list and kill."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from smackbox.marathon.handlers.api import Api, Call, app_id_of, deployed, existing_app, flag
from smackbox.marathon.handlers.app_info import shown_task
from smackbox.marathon.state import instance as states
from smackbox.marathon.state.instance import Instance
from smackbox.marathon.state.root import Root
from smackbox.marathon.wire.app_reader import read_json
from smackbox.marathon.wire.errors import Refusal, invalid, malformed
from smackbox.net.http import HttpRequest, HttpResponse

Json = dict[str, Any]


def get_tasks(call: Call) -> HttpResponse:
    """Every task; `status=running|staging` filters. As text for `Accept: text/plain`."""
    marathon = call.marathon
    statuses = set(call.request.query.get("status", []) + call.request.query.get("status[]", []))
    unknown = statuses - {"running", "staging"}
    if unknown:
        raise invalid([("/status", f"must be running or staging, not {', '.join(sorted(unknown))}")])
    selected = [
        instance
        for app_id in sorted(marathon.instances)
        for instance in marathon.instances_of(app_id)
        if instance.has_task and (not statuses or _stage(instance) in statuses)
    ]
    return _listed(call.api, call.request, selected)


def get_app_tasks(call: Call) -> HttpResponse:
    """The tasks of an app."""
    app_id = app_id_of(call.parts)
    existing_app(call.api, app_id)
    return _listed(
        call.api, call.request, [instance for instance in call.marathon.instances_of(app_id) if instance.has_task]
    )


def delete_app_tasks(call: Call) -> HttpResponse:
    """Kill the app's tasks, all or those on `host`."""
    app = existing_app(call.api, app_id_of(call.parts))
    host = call.request.parameter("host")
    selected = [instance for instance in call.marathon.instances_of(app.id) if host is None or instance.host == host]
    if (count := call.request.parameter("killCount")) is not None and count.isdigit():
        selected = selected[: int(count)]
    return _kill(call.api, call.request, selected, lambda tasks: HttpResponse.json({"tasks": tasks}))


def delete_app_task(call: Call) -> HttpResponse:
    """Kill one task of an app; with `scale` it is not replaced."""
    app = existing_app(call.api, app_id_of(call.parts))
    task_id = call.parts["task"]
    selected = [
        instance for instance in call.marathon.instances_of(app.id) if task_id in {instance.task_id, instance.id}
    ]
    if not selected:
        raise Refusal(404, f"Task '{task_id}' does not exist")
    return _kill(call.api, call.request, selected, lambda tasks: HttpResponse.json({"task": tasks[0]}))


def post_tasks_delete(call: Call) -> HttpResponse:
    """Kill tasks of any apps, by `{"ids": [...]}`; unknown ids are ignored."""
    body = read_json(call.request.body)
    ids = body.get("ids") if isinstance(body, dict) else None
    if not isinstance(ids, list) or not all(isinstance(id_, str) for id_ in ids):
        raise malformed("/ids", "error.expected.jsarray")
    task_ids = set(ids)
    selected = [
        instance
        for instances in call.marathon.instances.values()
        for instance in instances.values()
        if task_ids & {instance.task_id, instance.id}
    ]
    return _kill(call.api, call.request, selected, lambda tasks: HttpResponse.json({"tasks": tasks}))


def _kill(api: Api, request: HttpRequest, selected: list[Instance], answer: Any) -> HttpResponse:
    """With `scale`, also reduce the number of instances; with `wipe`, also delete their volumes."""
    marathon = api.marathon
    scale, wipe = flag(request, "scale"), flag(request, "wipe")
    if scale and wipe:
        raise Refusal(400, "You cannot use scale and wipe at the same time.")
    tasks = [shown_task(marathon, instance) for instance in selected]
    if flag(request, "noOp"):
        return answer(tasks)  # type: ignore[no-any-return]
    if not scale:
        for instance in selected:
            if instance.volumes and not wipe:
                marathon.restart_in_place(instance)
            else:
                marathon.kill(instance, reason="requested by a client")
        for app_id in {instance.app_id for instance in selected}:
            marathon.enforce(app_id)
        return answer(tasks)  # type: ignore[no-any-return]

    def fewer(root: Root, version: str) -> Root:
        changes = {}
        for app_id, count in _by_app(selected).items():
            if app_id in root.apps:
                app = root.apps[app_id]
                changes[app_id] = msgspec.structs.replace(app, instances=max(0, app.instances - count))
        return root.with_apps(changes, version)

    deployment = marathon.change(fewer, force=flag(request, "force"))
    for instance in selected:
        marathon.kill(instance, reason="scaled down by a client")
    for app_id in {instance.app_id for instance in selected}:
        marathon.enforce(app_id)
    return deployed(deployment)


def _by_app(selected: Iterable[Instance]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for instance in selected:
        if instance.is_live:
            counts[instance.app_id] = counts.get(instance.app_id, 0) + 1
    return counts


def _stage(instance: Instance) -> str:
    return "staging" if instance.condition in {states.PROVISIONED, states.STAGING, states.STARTING} else "running"


def _listed(api: Api, request: HttpRequest, selected: list[Instance]) -> HttpResponse:
    if "text/plain" not in request.headers.get("accept", ""):
        return HttpResponse.json({"tasks": [shown_task(api.marathon, instance) for instance in selected]})
    endpoints: dict[tuple[str, int | str], list[str]] = {}
    for instance in selected:
        app = api.marathon.root.apps.get(instance.app_id)
        name = instance.app_id.strip("/").replace("/", "_")
        ports = app.service_ports if app is not None else []
        for service_port, port in zip(ports, instance.ports, strict=False):
            endpoints.setdefault((name, service_port), []).append(f"{instance.host}:{port}")
        if not ports:
            endpoints.setdefault((name, " "), []).append(instance.host)
    lines = ["\t".join([name, str(port), *hosts]) for (name, port), hosts in endpoints.items()]
    return HttpResponse.text("".join(f"{line}\n" for line in lines))
