"""Routes requests to handlers. Paths begin with /v1/scheduler, or with /scheduler as before Chronos 3."""

from __future__ import annotations

import re

from smackbox.chronos.handlers import graph, jobs
from smackbox.chronos.handlers.api import Api, Call, Handler
from smackbox.chronos.wire.errors import Refusal
from smackbox.net.http import HttpRequest, HttpResponse


def get_leader(call: Call) -> HttpResponse:
    """The address of the leader."""
    return HttpResponse.json({"leader": call.api.leader})


_ROUTES: list[tuple[str, dict[str, Handler]]] = [
    (r"/leader|/scheduler/leader", {"GET": get_leader}),
    (r"/scheduler/jobs", {"GET": jobs.get_jobs}),
    (r"/scheduler/jobs/search", {"GET": jobs.search_jobs}),
    (r"/scheduler/jobs/summary", {"GET": jobs.get_summary}),
    (r"/scheduler/iso8601", {"POST": jobs.post_scheduled, "PUT": jobs.post_scheduled}),
    (r"/scheduler/dependency", {"POST": jobs.post_dependent, "PUT": jobs.post_dependent}),
    (r"/scheduler/job/success/(?P<job>[^/]+)", {"PUT": jobs.put_success}),
    (r"/scheduler/job/stat/(?P<job>[^/]+)", {"GET": jobs.get_statistics}),
    (r"/scheduler/job/(?P<job>[^/]+)", {"GET": jobs.get_job, "PUT": jobs.put_job, "DELETE": jobs.delete_job}),
    (r"/scheduler/task/kill/(?P<job>[^/]+)", {"DELETE": jobs.delete_tasks}),
    (r"/scheduler/task/(?P<task>[^/]+)", {"PUT": jobs.put_task}),
    (r"/scheduler/stats/(?P<percentile>[^/]+)", {"GET": jobs.get_statistics_of_all}),
    (r"/scheduler/graph/dot", {"GET": graph.get_dot}),
    (r"/scheduler/graph/csv", {"GET": graph.get_csv}),
]
_COMPILED = [(re.compile(pattern), methods) for pattern, methods in _ROUTES]
NOT_SERVED = {
    r"/scheduler/job/[^/]+/task/[^/]+/progress": "progress of tasks needs Chronos' own tables in Cassandra",
}


def handle(api: Api, request: HttpRequest) -> HttpResponse:
    """The answer. Only here is a `Refusal` converted to its status and JSON."""
    try:
        handler, parts = _route(request)
        return handler(Call(api, request, parts))
    except Refusal as refusal:
        return HttpResponse.json({"message": refusal.message}, refusal.status)


def _route(request: HttpRequest) -> tuple[Handler, dict[str, str]]:
    path = request.path.rstrip("/").removeprefix("/v1")
    for pattern, methods in _COMPILED:
        if found := pattern.fullmatch(path):
            method = "GET" if request.method == "HEAD" else request.method
            if method not in methods:
                raise Refusal(405, f"{request.method} is not for {request.path}: {', '.join(methods)}")
            return methods[method], found.groupdict()
    for unserved, why in NOT_SERVED.items():
        if re.fullmatch(unserved, path):
            raise Refusal(501, why)
    raise Refusal(404, f"There is nothing at {request.path}")
