"""A job as in GET, and its state in a few words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from smackbox.chronos.state import entry as states
from smackbox.chronos.state.chronos import Chronos
from smackbox.chronos.state.entry import Entry

Json = dict[str, Any]

_HIDDEN_WHEN_NONE = {"schedule", "container", "maxCompletionTime", "missedRuns", "networkName", "hostPath", "mode"}


def shown_job(entry: Entry) -> Json:
    """A job as in the API, with the results of its runs."""
    shown: Json = _without_none(msgspec.to_builtins(entry.job))
    shown.update(
        successCount=entry.success_count,
        errorCount=entry.error_count,
        errorsSinceLastSuccess=entry.errors_since_last_success,
        lastSuccess=moment(entry.last_success_ms),
        lastError=moment(entry.last_error_ms),
    )
    if entry.job.parents:
        shown.pop("scheduleTimeZone", None)
    else:
        shown.pop("parents", None)
        shown["schedule"] = entry.left
    return shown


def moment(milliseconds: int) -> str:
    """A time in ISO 8601; an empty text for never."""
    if not milliseconds:
        return ""
    at = datetime.fromtimestamp(milliseconds // 1000, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"


def last_status(entry: Entry) -> str:
    """`fresh`, `success` or `failure`, by the job's last run."""
    if not entry.last_success_ms and not entry.last_error_ms:
        return "fresh"
    return "success" if entry.last_success_ms >= entry.last_error_ms else "failure"


def state(chronos: Chronos, name: str) -> str:
    """`idle`, `queued`, or the number of active runs."""
    runs = chronos.runs_of(name)
    on = sum(run.state != states.WAITING for run in runs)
    if on:
        return f"{on} running"
    return "queued" if runs else "idle"


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _without_none(one) for key, one in value.items() if one is not None or key not in _HIDDEN_WHEN_NONE
        }
    return [_without_none(item) for item in value] if isinstance(value, list) else value
