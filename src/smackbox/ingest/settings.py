"""Settings of the HTTP endpoint, and the limits that bound its memory."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from smackbox.base.errors import SettingError
from smackbox.base.settings import ServerSettings

Policy = Literal["all_or_nothing", "per_event"]
Surrogates = Literal["replace", "refuse"]


class IngestSettings(ServerSettings, frozen=True, kw_only=True):
    """The listener, the Kafka to write to, and a bound for everything that could grow.

    A policy controls the valid events in a body that also has invalid ones: `all_or_nothing` accepts none of them,
    `per_event` accepts the valid ones and reports the invalid ones. Memory is bounded by `body_buffer_limit` (bodies
    being received) plus `queue_bytes_limit` (events not yet acknowledged by the broker).

    `reuse_port` lets processes share the port, as with `app.post(…, instances=…)`. `lone_surrogates` controls half of a
    character that UTF-16 writes in two (`"\\ud83d"`, a text cut inside an emoji), which is not valid Unicode: `replace`
    substitutes U+FFFD, `refuse` rejects the event. `auth_tokens` are bearer tokens and `auth_users` maps users to
    passwords; with either, every request except `/healthz` needs credentials. `cors_origins` are the origins of pages
    that may post, or `*`.
    """

    kafka: str = "127.0.0.1:9092"
    kafka_options: dict[str, str] = {}

    array_policy: Policy = "all_or_nothing"
    ndjson_policy: Policy = "per_event"
    lone_surrogates: Surrogates = "replace"

    auth_tokens: tuple[str, ...] = ()
    auth_users: dict[str, str] = {}
    cors_origins: tuple[str, ...] = ()
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None

    body_limit: int = 1024 * 1024
    head_limit: int = 16 * 1024
    events_per_request_limit: int = 10_000
    queue_events_limit: int = 100_000
    queue_bytes_limit: int = 32 * 1024 * 1024
    body_buffer_limit: int = 64 * 1024 * 1024
    connections_limit: int = 2_000
    pipeline_limit: int = 64

    request_timeout_s: int = 30
    keep_alive_timeout_s: int = 75
    delivery_timeout_s: float = 10.0
    topics_timeout_s: float = 5.0
    drain_timeout_s: float = 8.0
    linger_ms: float = 2.0
    reuse_port: bool = False
    retry_after_s: int = 1

    def check(self) -> None:
        """Raises `SettingError` if two settings contradict each other."""
        for field in msgspec.structs.fields(type(self)):
            value = getattr(self, field.name)
            positive = field.name.endswith(("_limit", "_timeout_s", "_after_s"))
            if positive and value <= 0:
                raise SettingError(f"ingest: {field.name} must be more than 0, not {value}")
        if self.ssl_keyfile is not None and self.ssl_certfile is None:
            raise SettingError("ingest: ssl_keyfile needs ssl_certfile")
        for origin in self.cors_origins:
            if origin != "*" and ("://" not in origin or "/" in origin.partition("://")[2].rstrip("/")):
                raise SettingError(
                    f"ingest: cors_origins: {origin!r} is not an origin; write it as https://host[:port], or *"
                )
        if self.body_limit > self.queue_bytes_limit:
            raise SettingError(
                f"ingest: body_limit ({self.body_limit}) must not exceed queue_bytes_limit ({self.queue_bytes_limit})"
            )
        if self.events_per_request_limit > self.queue_events_limit:
            raise SettingError(
                f"ingest: events_per_request_limit ({self.events_per_request_limit}) must not exceed "
                f"queue_events_limit ({self.queue_events_limit})"
            )
