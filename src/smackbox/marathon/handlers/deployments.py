"""/v2/deployments: list and cancel deployments."""

from __future__ import annotations

from smackbox.marathon.handlers.api import Call, deployed, flag
from smackbox.net.http import HttpResponse


def get_deployments(call: Call) -> HttpResponse:
    """The running deployments."""
    readiness = call.marathon.health.readiness()
    return HttpResponse.json([deployment.render(readiness) for deployment in call.marathon.deployments.values()])


def delete_deployment(call: Call) -> HttpResponse:
    """Roll back with another deployment (200), or with `force` stop it where it is (202)."""
    back = call.marathon.cancel(call.parts["deployment"], force=flag(call.request, "force"))
    return HttpResponse(202) if back is None else deployed(back)
