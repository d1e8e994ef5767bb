"""Streaming in Direct micro-batches: offset ranges chosen here, totals and offsets committed together.

Names are loaded when they are first used: a stream that only copies needs neither pyspark nor pyarrow.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smackbox.spark.streaming.runner import BatchReport as BatchReport
    from smackbox.spark.streaming.runner import MicroBatchRunner as MicroBatchRunner
    from smackbox.spark.streaming.settings import StreamSettings as StreamSettings

_LAZY = {
    "BatchReport": "smackbox.spark.streaming.runner",
    "MicroBatchRunner": "smackbox.spark.streaming.runner",
    "StreamSettings": "smackbox.spark.streaming.settings",
}

__all__ = ["BatchReport", "MicroBatchRunner", "StreamSettings"]


def __getattr__(name: str) -> Any:
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(module), name)
