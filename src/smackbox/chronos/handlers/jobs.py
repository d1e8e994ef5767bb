"""/v1/scheduler/…: add, list, run, mark and remove jobs."""

from __future__ import annotations

import msgspec

from smackbox.chronos.handlers.api import Call, no_content
from smackbox.chronos.handlers.job_info import last_status, moment, shown_job, state
from smackbox.chronos.state.statistics import NAMES, figure
from smackbox.chronos.wire.errors import Refusal
from smackbox.chronos.wire.job import read_job
from smackbox.net.http import HttpRequest, HttpResponse


def get_jobs(call: Call) -> HttpResponse:
    """All jobs by name."""
    return HttpResponse.json([shown_job(entry) for _, entry in sorted(call.chronos.entries.items())])


def get_job(call: Call) -> HttpResponse:
    """One job; 404 if it does not exist."""
    return HttpResponse.json(shown_job(call.chronos.entry(call.parts["job"])))


def search_jobs(call: Call) -> HttpResponse:
    """`name`, `command` and `any` are substrings to search for; `offset` and `limit` select a part of the list."""
    request = call.request
    name = (request.parameter("name") or "").lower()
    command = (request.parameter("command") or "").lower()
    anywhere = (request.parameter("any") or "").lower()
    jobs = [
        entry
        for _, entry in sorted(call.chronos.entries.items())
        if name in entry.job.name.lower()
        and command in entry.job.command.lower()
        and (anywhere in entry.job.name.lower() or anywhere in entry.job.command.lower())
    ]
    offset, limit = _number(request, "offset", 0), _number(request, "limit", len(jobs))
    return HttpResponse.json([shown_job(entry) for entry in jobs[offset : offset + limit]])


def get_summary(call: Call) -> HttpResponse:
    """A line for each job: its state, and when it is due next."""
    chronos = call.chronos
    jobs = []
    for name, entry in sorted(chronos.entries.items()):
        due_ms = chronos.next_due_ms(name)
        jobs.append(
            {
                "name": name,
                "status": last_status(entry),
                "state": state(chronos, name),
                "schedule": entry.left or "",
                "parents": list(entry.job.parents),
                "disabled": entry.job.disabled,
                "nextExpected": moment(due_ms) if due_ms is not None else "",
            }
        )
    return HttpResponse.json({"jobs": jobs})


def post_scheduled(call: Call) -> HttpResponse:
    """Add or replace a job with a schedule."""
    return _post(call, dependent=False)


def post_dependent(call: Call) -> HttpResponse:
    """Add or replace a job that depends on others."""
    return _post(call, dependent=True)


def _post(call: Call, *, dependent: bool) -> HttpResponse:
    chronos = call.chronos
    chronos.add(read_job(call.request.body, call.api.defaults, chronos.clock.wall_ms(), dependent=dependent))
    return no_content()


def delete_job(call: Call) -> HttpResponse:
    """Remove a job and kill its runs."""
    call.chronos.remove(call.parts["job"])
    return no_content()


def put_job(call: Call) -> HttpResponse:
    """Start a run now; `arguments` are appended to the command."""
    call.chronos.run_now(call.parts["job"], call.request.parameter("arguments") or "")
    return no_content()


def put_success(call: Call) -> HttpResponse:
    """Count the job's last run as a success, so that its children run."""
    try:
        call.chronos.mark_success(call.parts["job"])
    except Refusal:
        return HttpResponse.json(False)
    return HttpResponse.json(True)


def get_statistics(call: Call) -> HttpResponse:
    """The durations of the job's runs in seconds, and its last runs."""
    entry = call.chronos.entry(call.parts["job"])
    durations = [finished.duration_ms / 1000 for finished in entry.history]
    return HttpResponse.json(
        {
            "histogram": {**{name: figure(durations, name) for name in NAMES}, "count": len(durations)},
            "taskStatHistory": [
                {
                    "taskStartTs": moment(finished.started_ms),
                    "taskEndTs": moment(finished.started_ms + finished.duration_ms),
                    "taskDuration": finished.duration_ms / 1000,
                    "status": "success" if finished.succeeded else "failure",
                }
                for finished in reversed(entry.history)
            ],
            "numSuccesses": entry.success_count,
            "numFailures": entry.error_count,
        }
    )


def get_statistics_of_all(call: Call) -> HttpResponse:
    """One percentile of every job, slowest first."""
    name = call.parts["percentile"]
    if name not in NAMES:
        raise Refusal(404, f"there is no percentile '{name}': {', '.join(NAMES)}")
    metrics = [
        {"jobNameLabel": job, "time": figure([finished.duration_ms / 1000 for finished in entry.history], name)}
        for job, entry in call.chronos.entries.items()
    ]
    return HttpResponse.json(sorted(metrics, key=lambda one: (-float(one["time"]), one["jobNameLabel"])))


def delete_tasks(call: Call) -> HttpResponse:
    """Kill the runs of a job."""
    call.chronos.kill_tasks(call.parts["job"])
    return no_content()


def put_task(call: Call) -> HttpResponse:
    """An async job's run reports `{"statusCode": n}`."""
    try:
        body = msgspec.json.decode(call.request.body)
    except msgspec.DecodeError as error:
        raise Refusal(400, f"the body is not JSON: {error}") from error
    code = body.get("statusCode") if isinstance(body, dict) else None
    if not isinstance(code, int):
        raise Refusal(400, 'the body must be {"statusCode": number}')
    call.chronos.report(call.parts["task"], code)
    return no_content()


def _number(request: HttpRequest, name: str, default: int) -> int:
    text = request.parameter(name)
    if text is None:
        return default
    if not text.isdigit():
        raise Refusal(400, f"{name}: {text!r} is not a number")
    return int(text)
