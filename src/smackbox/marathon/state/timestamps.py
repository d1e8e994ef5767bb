"""Times in Marathon's form: `2026-01-31T12:00:00.000Z`."""

from __future__ import annotations

from datetime import UTC, datetime


def timestamp(milliseconds: int) -> str:
    """The text for milliseconds since 1970-01-01 UTC."""
    moment = datetime.fromtimestamp(milliseconds // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"


def milliseconds(text: str) -> int:
    """The inverse. Raises `ValueError`."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)
