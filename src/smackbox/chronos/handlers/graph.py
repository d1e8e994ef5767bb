"""/v1/scheduler/graph/…: the dependencies of jobs, for Graphviz and as CSV for Chronos' web UI."""

from __future__ import annotations

from smackbox.chronos.handlers.api import Call
from smackbox.chronos.handlers.job_info import last_status, state
from smackbox.chronos.state import job_graph
from smackbox.net.http import HttpResponse


def get_dot(call: Call) -> HttpResponse:
    """The graph of the jobs in Graphviz' DOT language."""
    return HttpResponse.text(job_graph.dot(call.chronos.parents()))


def get_csv(call: Call) -> HttpResponse:
    """`node,NAME,success|failure|fresh,STATE` and `link,PARENT,CHILD`."""
    chronos = call.chronos
    lines = [
        f"node,{name},{last_status(entry)},{state(chronos, name)}" for name, entry in sorted(chronos.entries.items())
    ]
    lines += [f"link,{parent},{name}" for name, parents in sorted(chronos.parents().items()) for parent in parents]
    return HttpResponse.text("".join(f"{line}\n" for line in lines))
