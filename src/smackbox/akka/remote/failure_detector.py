"""The phi accrual failure detector: how unlikely it is that a heartbeat is only late.

phi = -log10(probability that a later heartbeat still comes), from the mean and deviation of the intervals so far. Above
the threshold the other one is unreachable.
Source: Hayashibara et al., "The φ accrual failure detector", and Pekko's `PhiAccrualFailureDetector`, whose numbers
these are.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DetectorSettings:
    """Seconds, but for `threshold` and `samples`."""

    threshold: float = 8.0
    samples: int = 1_000
    min_deviation_s: float = 0.1
    acceptable_pause_s: float = 3.0
    first_estimate_s: float = 1.0


class PhiAccrualDetector:
    """Of one other system. Time comes in as an argument."""

    def __init__(self, settings: DetectorSettings | None = None) -> None:
        self._settings = settings or DetectorSettings()
        first_s = self._settings.first_estimate_s
        # two guesses whose deviation is a quarter of their mean
        self._intervals: deque[float] = deque([first_s * 0.75, first_s * 1.25], maxlen=self._settings.samples)
        self._sum = sum(self._intervals)
        self._squares = sum(interval * interval for interval in self._intervals)
        self._last_s: float | None = None

    @property
    def is_monitoring(self) -> bool:
        """Whether a heartbeat was ever received."""
        return self._last_s is not None

    def heartbeat(self, now_s: float) -> None:
        """Record a heartbeat. The interval before it counts only if the other one was available."""
        if self._last_s is not None and self.is_available(now_s):
            self._add(now_s - self._last_s)
        self._last_s = now_s

    def is_available(self, now_s: float) -> bool:
        return self.phi(now_s) < self._settings.threshold

    def phi(self, now_s: float) -> float:
        """0 before the first heartbeat."""
        if self._last_s is None:
            return 0.0
        mean_s = self._sum / len(self._intervals)
        variance = max(0.0, self._squares / len(self._intervals) - mean_s * mean_s)
        deviation_s = max(math.sqrt(variance), self._settings.min_deviation_s)
        return _phi(now_s - self._last_s, mean_s + self._settings.acceptable_pause_s, deviation_s)

    def _add(self, interval_s: float) -> None:
        if len(self._intervals) == self._intervals.maxlen:
            oldest = self._intervals[0]
            self._sum -= oldest
            self._squares -= oldest * oldest
        self._intervals.append(interval_s)
        self._sum += interval_s
        self._squares += interval_s * interval_s


def _phi(elapsed_s: float, mean_s: float, deviation_s: float) -> float:
    """By a logistic approximation of the normal distribution, as Pekko's."""
    y = (elapsed_s - mean_s) / deviation_s
    exponent = -y * (1.5976 + 0.070566 * y * y)
    if exponent < -700:
        return math.inf
    e = math.exp(min(exponent, 700))
    if elapsed_s > mean_s:
        return -math.log10(e / (1.0 + e))
    return -math.log10(1.0 - 1.0 / (1.0 + e))
