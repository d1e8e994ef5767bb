"""What a client asks for when it starts a stream: mode, trigger, name, place of the checkpoint."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from smackbox.spark.front.errors import ILLEGAL_ARGUMENT, SparkError, not_there
from smackbox.spark.front.rewrite import legacy_analysis_error
from smackbox.spark.structured.checks import output_mode
from smackbox.spark.structured.durations import milliseconds
from smackbox.spark.structured.sinks.registry import needs_checkpoint
from smackbox.spark.structured.sources.source import lower_case

PROCESSING_TIME, AVAILABLE_NOW, ONCE = "processingTime", "availableNow", "once"
CHECKPOINT_SETTING = "spark.sql.streaming.checkpointLocation"


@dataclass(frozen=True)
class Trigger:
    """`interval_ms` 0: the next batch begins when there is something for it."""

    kind: str = PROCESSING_TIME
    interval_ms: int = 0


@dataclass(frozen=True)
class Definition:
    """`checkpoint` None: a directory of its own that goes with the query."""

    name: str | None
    mode: str
    trigger: Trigger
    checkpoint: Path | None


def definition_of(start: Any, settings: Mapping[str, str]) -> Definition:
    """Of a `WriteStreamOperationStart`. Raises `SparkError` for what Spark refuses."""
    name = start.query_name or None
    if start.format.lower() == "memory" and name is None and not start.HasField("foreach_batch"):
        raise SparkError("queryName must be specified for memory sink.", condition="_LEGACY_ERROR_TEMP_1194")
    return Definition(name, output_mode(start.output_mode), _trigger(start), _checkpoint(start, settings, name))


def _trigger(start: Any) -> Trigger:
    kind = start.WhichOneof("trigger")
    if kind in {None, "processing_time_interval"}:
        text = start.processing_time_interval
        return Trigger(PROCESSING_TIME, _interval_ms(text) if text else 0)
    if kind == "available_now":
        return Trigger(AVAILABLE_NOW)
    if kind == "once":
        return Trigger(ONCE)
    if kind == "continuous_checkpoint_interval":
        _interval_ms(start.continuous_checkpoint_interval)
        raise legacy_analysis_error(
            "Continuous processing is not supported by this server: use trigger(processingTime=...)."
        )
    raise not_there("the real-time mode of streams", "Use trigger(processingTime='0 seconds').")


def _interval_ms(text: str) -> int:
    """As a trigger parses it; the condition differs from that of other intervals."""
    try:
        return milliseconds(text)
    except SparkError as error:
        first = text.split(maxsplit=1)[0] if text.split() else text
        raise SparkError(
            f"Error parsing '{text}' to interval. Please ensure that the value provided is in a valid format for "
            "defining an interval. You can reference the documentation for the correct format. "
            f"Unrecognized number {first}.",
            condition="INVALID_INTERVAL_FORMAT.UNRECOGNIZED_NUMBER",
            classes=ILLEGAL_ARGUMENT,
            sql_state="22006",
            parameters={"input": text, "number": first},
        ) from error


def _checkpoint(start: Any, settings: Mapping[str, str], name: str | None) -> Path | None:
    given = lower_case(start.options).get("checkpointlocation")
    if given:
        return _local(given)
    root = settings.get(CHECKPOINT_SETTING)
    if root:
        return _local(root) / (name or str(uuid.uuid4()))
    if needs_checkpoint(start):
        raise SparkError(
            'checkpointLocation must be specified either through option("checkpointLocation", ...) or '
            f'SparkSession.conf.set("{CHECKPOINT_SETTING}", ...).',
            condition="_LEGACY_ERROR_TEMP_1298",
            parameters={"config": CHECKPOINT_SETTING},
        )
    return None


def _local(place: str) -> Path:
    parsed = urlparse(place)
    if parsed.scheme not in {"", "file"}:
        raise SparkError(
            f"a checkpoint is in a directory of this machine, not at {place!r} (for a temporary one, "
            f"{tempfile.gettempdir()})",
            classes=ILLEGAL_ARGUMENT,
        )
    return Path(unquote(parsed.path) if parsed.scheme else place).absolute()
