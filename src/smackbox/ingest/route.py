"""A route: the event type that a path accepts, and the topic for its events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from smackbox.base.errors import SettingError
from smackbox.base.settings import near
from smackbox.net.avro_topic import AvroTopic

RESERVED_PATHS = frozenset({"/healthz", "/metrics"})


@dataclass(frozen=True, slots=True)
class Route:
    """`POST path` accepts `event_type` and writes to `topic`; `key` is the field whose text is the record's key.

    Rejected originals go to `dead_letter` if it is set. Missing topics are created with `partitions` partitions (the
    dead-letter topic with one).
    """

    path: str
    topic: str
    event_type: type[msgspec.Struct]
    key: str | None = None
    dead_letter: str | None = None
    partitions: int = 1
    avro: AvroTopic | None = None
    """How the topic's values are written where they are not JSON."""


def check_routes(routes: Iterable[Route]) -> dict[str, Route]:
    """The routes by path. Raises `SettingError` for a route that could never serve an event."""
    by_path: dict[str, Route] = {}
    for route in routes:
        if not route.path.startswith("/") or "?" in route.path or not route.path.isascii():
            raise SettingError(f"the path {route.path!r} must start with / and hold neither ? nor non-ASCII characters")
        if route.path in RESERVED_PATHS:
            raise SettingError(f"the path {route.path} is the endpoint's own")
        if route.path in by_path:
            raise SettingError(f"two routes share the path {route.path}")
        if route.partitions < 1:
            raise SettingError(f"the topic {route.topic} needs at least one partition, not {route.partitions}")
        if route.key is not None and route.key not in route.event_type.__struct_fields__:
            fields = route.event_type.__struct_fields__
            raise SettingError(
                f"{route.event_type.__name__} has no field {route.key!r} to use as the key of {route.topic}"
                f"{near(route.key, fields)}"
            )
        by_path[route.path] = route
    return by_path
