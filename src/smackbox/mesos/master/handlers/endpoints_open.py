"""Endpoints that every master answers, whether or not it leads: health, version, flags, and the redirect to the
leader.
"""

from __future__ import annotations

from smackbox.mesos.master.handlers.context import MasterContext
from smackbox.mesos.version import BUILD
from smackbox.net.http import HttpRequest, HttpResponse


def health(_: MasterContext, __: HttpRequest, ___: str | None) -> HttpResponse:
    return HttpResponse(200)


def version(_: MasterContext, __: HttpRequest, ___: str | None) -> HttpResponse:
    return HttpResponse.json(BUILD)


def redirect(context: MasterContext, _: HttpRequest, __: str | None) -> HttpResponse:
    """A redirect to the leader's front page, even if this is the leader."""
    response = context.redirect("/").response()
    if response.status == 307:
        response.headers["Location"] = response.headers["Location"].rstrip("/")
    return response
