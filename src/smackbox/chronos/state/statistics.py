"""The durations of a job's runs in seconds, and their percentiles."""

from __future__ import annotations

import math
from collections.abc import Sequence

PERCENTILES = {"median": 50.0, "75thPercentile": 75.0, "95thPercentile": 95.0, "98thPercentile": 98.0,
               "99thPercentile": 99.0, "999thPercentile": 99.9}  # fmt: skip
NAMES = (*PERCENTILES, "mean")


def figure(durations: Sequence[float], name: str) -> float:
    """One of `NAMES`; 0 if nothing has run."""
    if not durations:
        return 0.0
    if name == "mean":
        return sum(durations) / len(durations)
    ordered = sorted(durations)
    at = PERCENTILES[name] / 100 * (len(ordered) + 1) - 1
    low = min(max(math.floor(at), 0), len(ordered) - 1)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * min(max(at - low, 0.0), 1.0)
