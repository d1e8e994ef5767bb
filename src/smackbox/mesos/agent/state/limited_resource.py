"""The resources of a task, with its limits: what containers are made with."""

from __future__ import annotations

from typing import NotRequired

from smackbox.mesos.wire.messages import Resource


class LimitedResource(Resource):
    """A resource, with the limit of its task above what the task asked for."""

    limit: NotRequired[float]
