"""Percentiles, as the estimation of Dropwizard Metrics that Chronos shows: position p * (n + 1)."""

from __future__ import annotations

import pytest

from smackbox.chronos.state.statistics import NAMES, figure


@pytest.mark.parametrize(
    ("durations", "name", "value"),
    [
        ([], "median", 0.0),
        ([], "mean", 0.0),
        ([4.0], "median", 4.0),
        ([4.0], "999thPercentile", 4.0),
        ([3.0, 1.0], "median", 2.0),
        ([5.0, 1.0, 3.0], "median", 3.0),
        ([1.0, 2.0, 3.0, 4.0], "median", 2.5),
        ([1.0, 2.0, 3.0, 4.0], "75thPercentile", 3.75),
        ([1.0, 2.0, 3.0, 4.0], "99thPercentile", 4.0),
        ([float(n) for n in range(1, 100)], "95thPercentile", 95.0),
        ([float(n) for n in range(1, 100)], "98thPercentile", 98.0),
        ([float(n) for n in range(1, 100)], "99thPercentile", 99.0),
        ([float(n) for n in range(1, 1000)], "999thPercentile", 999.0),
        ([1.0, 2.0, 6.0], "mean", 3.0),
    ],
)
def test_a_figure(durations: list[float], name: str, value: float) -> None:
    assert figure(durations, name) == pytest.approx(value)


def test_every_name_has_a_figure() -> None:
    for name in NAMES:
        assert 1.0 <= figure([1.0, 2.0], name) <= 2.0
