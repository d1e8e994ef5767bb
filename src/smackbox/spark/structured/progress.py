"""What a query tells of itself: `StreamingQueryProgress` and the events of listeners, as JSON in Spark's names."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from smackbox.spark.structured.batch import EventTimes
from smackbox.spark.structured.operator import Metrics


def timestamp(ms: float) -> str:
    """`2026-01-01T00:00:00.000Z`."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def event_times(found: dict[int, EventTimes], watermark_us: int) -> dict[str, str]:
    """The times of all watermark columns of a batch together, and the watermark that held in it."""
    shown = {"watermark": timestamp(watermark_us // 1000)}
    if found:
        times = list(found.values())
        shown["min"] = timestamp(min(time.least for time in times) // 1000)
        shown["max"] = timestamp(max(time.greatest for time in times) // 1000)
        shown["avg"] = timestamp(sum(time.average for time in times) / len(times) // 1000)
    return shown


def operator(metrics: Metrics, commit_ms: float) -> dict[str, Any]:
    """`StateOperatorProgress` of one operator."""
    custom = {} if metrics.dropped_duplicates is None else {"numDroppedDuplicateRows": metrics.dropped_duplicates}
    return {
        "operatorName": metrics.name,
        "numRowsTotal": metrics.total,
        "numRowsUpdated": metrics.updated,
        "allUpdatesTimeMs": round(metrics.updates_ms),
        "numRowsRemoved": metrics.removed,
        "allRemovalsTimeMs": round(metrics.removals_ms),
        "commitTimeMs": round(commit_ms),
        "memoryUsedBytes": 0,
        "numRowsDroppedByWatermark": metrics.dropped_by_watermark,
        "numShufflePartitions": 1,
        "numStateStoreInstances": 1,
        "customMetrics": custom,
    }


def source(
    description: str, start: Any, end: Any, latest: Any, rows: int, since_s: float | None, seconds: float
) -> dict[str, Any]:
    """`SourceProgress` of one source; `since_s` are the seconds since the trigger before."""
    return {
        "description": description,
        "startOffset": start,
        "endOffset": end,
        "latestOffset": latest,
        "numInputRows": rows,
        "inputRowsPerSecond": rows / since_s if since_s else 0.0,
        "processedRowsPerSecond": rows / seconds if seconds else 0.0,
    }


def progress(
    *,
    query_id: str,
    run_id: str,
    name: str | None,
    batch: int,
    began_ms: float,
    durations_ms: dict[str, float],
    event_time: dict[str, str] | None,
    operators: Sequence[dict[str, Any]],
    sources: Sequence[dict[str, Any]],
    sink: str,
    rows_out: int,
) -> str:
    """The JSON of one batch's progress."""
    found: dict[str, Any] = {
        "id": query_id,
        "runId": run_id,
        "name": name,
        "timestamp": timestamp(began_ms),
        "batchId": batch,
        "batchDuration": round(durations_ms.get("triggerExecution", 0)),
        "numInputRows": sum(source["numInputRows"] for source in sources),
        "inputRowsPerSecond": sum(source["inputRowsPerSecond"] for source in sources),
        "processedRowsPerSecond": sum(source["processedRowsPerSecond"] for source in sources),
        "durationMs": {key: round(value) for key, value in sorted(durations_ms.items())},
    }
    if event_time is not None:
        found["eventTime"] = event_time
    found |= {
        "stateOperators": list(operators),
        "sources": list(sources),
        "sink": {"description": sink, "numOutputRows": rows_out},
    }
    return json.dumps(found)


def started(query_id: str, run_id: str, name: str | None, now_ms: float) -> str:
    """`QueryStartedEvent`."""
    return json.dumps({"id": query_id, "runId": run_id, "name": name, "timestamp": timestamp(now_ms), "jobTags": []})


def in_event(progress_json: str) -> str:
    """`QueryProgressEvent` of a progress."""
    return f'{{"progress":{progress_json}}}'


def idle(query_id: str, run_id: str, now_ms: float) -> str:
    """`QueryIdleEvent`."""
    return json.dumps({"id": query_id, "runId": run_id, "timestamp": timestamp(now_ms)})


def terminated(query_id: str, run_id: str, error: str | None, condition: str | None) -> str:
    """`QueryTerminatedEvent`; `error` None when the query was stopped or came to its end."""
    return json.dumps({"id": query_id, "runId": run_id, "exception": error, "errorClassOnException": condition})
