"""The limits of an HTTP server, and the settings that set them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class LimitSettings(Protocol):
    """The limits among a server's settings, with their names for users."""

    @property
    def head_limit(self) -> int:
        """Maximum bytes of a request line and its headers; 431 beyond."""
        ...

    @property
    def body_limit(self) -> int:
        """Maximum bytes of a decompressed body; 413 beyond."""
        ...

    @property
    def body_buffer_limit(self) -> int:
        """Maximum bytes of the bodies of all connections together; 503 beyond."""
        ...

    @property
    def connections_limit(self) -> int:
        """Maximum open connections; a further one is answered with 503."""
        ...

    @property
    def pipeline_limit(self) -> int:
        """Maximum unanswered requests of one connection; no more are read."""
        ...

    @property
    def request_timeout_s(self) -> int:
        """Seconds from the first byte of a request to its last; 408 after that."""
        ...

    @property
    def keep_alive_timeout_s(self) -> int:
        """Seconds for which a connection may be idle."""
        ...

    @property
    def retry_after_s(self) -> int:
        """Seconds in the `Retry-After` of a 503."""
        ...


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Bytes, counts and seconds. `body_buffer` bounds the bodies of all connections together."""

    head: int
    body: int
    body_buffer: int
    connections: int
    pipeline: int
    request_timeout_s: int
    keep_alive_timeout_s: int
    retry_after_s: int

    @classmethod
    def of(cls, settings: LimitSettings) -> HttpLimits:
        """The limits in a server's settings."""
        return cls(
            settings.head_limit,
            settings.body_limit,
            settings.body_buffer_limit,
            settings.connections_limit,
            settings.pipeline_limit,
            settings.request_timeout_s,
            settings.keep_alive_timeout_s,
            settings.retry_after_s,
        )
