"""How many records the next batch takes, so that it is done in its time: Spark Streaming's PID rate estimator.

    error = rate of the batch before - rate at which the last one was processed
    history = records that piled up because the last one took too long, a second
    next rate = rate - proportional * error - integral * history - derivative * (error - error before) / time between

Names, defaults and the rule are those of `spark.streaming.backpressure.pid.*`. Batches without records teach nothing.
"""

from __future__ import annotations

PROPORTIONAL, INTEGRAL, DERIVED = 1.0, 0.2, 0.0
MIN_RATE = 100.0
MIN_ROWS = 1_000
"""A batch of so many rows is always taken: smaller ones would measure what a batch costs, not what a row does."""


class PidRate:
    """`interval_s` is the time of a batch. Rates are records a second."""

    def __init__(
        self,
        interval_s: float,
        *,
        proportional: float = PROPORTIONAL,
        integral: float = INTEGRAL,
        derived: float = DERIVED,
        min_rate: float = MIN_RATE,
    ) -> None:
        self._interval_s = interval_s
        self._proportional = proportional
        self._integral = integral
        self._derived = derived
        self._min_rate = min_rate
        self._time_s: float | None = None
        self._error = 0.0
        self.rate: float | None = None
        """None before the first batch."""

    def rows(self, limit: int) -> int:
        """How many records the next batch may take, at most `limit`."""
        if self.rate is None:
            return limit
        return min(limit, max(MIN_ROWS, int(self.rate * self._interval_s)))

    def completed(self, now_s: float, records: int, processing_s: float) -> None:
        """A batch has ended at `now_s`; it was processed in `processing_s`."""
        if records <= 0 or processing_s <= 0:
            return
        processing_rate = records / processing_s
        if self.rate is None or self._time_s is None:
            self._time_s, self.rate = now_s, max(processing_rate, self._min_rate)
            return
        between_s = now_s - self._time_s
        if between_s <= 0:
            return
        error = self.rate - processing_rate
        # the next batch begins later than it should by what this one took beyond its time
        late_s = max(0.0, processing_s - self._interval_s)
        history = late_s * processing_rate / self._interval_s
        change = (error - self._error) / between_s
        rate = self.rate - self._proportional * error - self._integral * history - self._derived * change
        self.rate = max(rate, self._min_rate)
        self._error, self._time_s = error, now_s
