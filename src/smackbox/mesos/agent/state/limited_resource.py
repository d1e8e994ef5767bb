"""The resources of a task with its limits, for its container."""

from __future__ import annotations

from typing import NotRequired

from smackbox.mesos.wire.messages import Resource


class LimitedResource(Resource):
    """A resource, with its task's limit above the request."""

    limit: NotRequired[float]
