"""Names and values of the options of `format("cassandra")`, without a server."""

from __future__ import annotations

from typing import Any

import pytest
from cassandra.util import Duration

from smackbox.base.errors import SettingError
from smackbox.spark.cassandra_options import CONNECTOR, OPTIONS, REFUSED, WITHOUT_EFFECT, Options
from smackbox.spark.cql_binding import _duration
from smackbox.spark.cql_throttle import BURST_S, Throttle

TABLE = {"keyspace": "ks", "table": "t"}


def test_both_spellings_of_the_connector_in_any_case() -> None:
    for name in ("spark.cassandra.input.fetch.sizeInRows", "SPARK.CASSANDRA.INPUT.FETCH.SIZE_IN_ROWS", "FetchSize"):
        assert Options({**TABLE, name: "7"}).fetch_size == 7
    assert Options({**TABLE, "spark.cassandra.output.throughputMBPerSec": "0.5"}).bytes_per_s == 524_288


def test_hosts_get_the_port() -> None:
    options = Options({**TABLE, "spark.cassandra.connection.host": "a, b:1", "spark.cassandra.connection.port": "9"})
    assert options._contact() == "a:9,b:1"


def test_every_known_name_is_taken_or_refused_with_a_reason() -> None:
    numbers = {"output.ttl", "output.timestamp", "splitCount", "query.retry.count"}
    for name in (*CONNECTOR, *WITHOUT_EFFECT):
        flag = name.endswith("ignoreNulls")
        value = "true" if flag else "1" if name in numbers or name[-1] in "sc" or "size" in name else "x"
        Options({**TABLE, f"spark.cassandra.{name}": value})
    for name, why in REFUSED.items():
        with pytest.raises(SettingError, match=why.split(";")[0]):
            Options({**TABLE, f"spark.cassandra.{name}": "true"})
    assert len({name.lower() for name in OPTIONS}) == len(OPTIONS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"spark.cassandra.output.concurent.writes": "1"}, "did you mean 'spark.cassandra.output.concurrent.writes'"),
        ({"pushdown": "yes"}, "pushdown must be true or false"),
        ({"ttl": "-1"}, "ttl must be 0 to 630720000 or a column"),
        ({"ttl": "999999999"}, "ttl must be 0 to 630720000 or a column"),
        ({"readsPerSec": "none"}, "readsPerSec must be a number above 0"),
        ({"retries": "x"}, "retries must be a number of at least 0"),
        ({"splits": "²"}, "splits must be a number of at least 1"),
    ],
)
def test_a_bad_option_is_named(options: dict[str, str], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        Options({**TABLE, **options})


def test_a_ttl_of_nought_is_none() -> None:
    assert Options({**TABLE, "ttl": "0"}).ttl is None
    assert (Options({**TABLE, "ttl": "5"}).ttl, Options({**TABLE, "ttl": "left"}).ttl) == (5, "left")
    assert Options({**TABLE, "ttl": "--5"}).ttl == "--5"  # a column, though an odd one


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1y2mo3w4d5h6m7s8ms9us10ns", Duration(14, 25, 18_367_008_009_010)),
        ("-1mo2d3ns", Duration(-1, -2, -3)),
        ("0mo0d0ns", Duration(0, 0, 0)),
        ("3600000000001ns", Duration(0, 0, 3_600_000_000_001)),
    ],
)
def test_durations_are_read_from_cqls_text(text: str, value: Duration) -> None:
    assert _duration(text) == value
    assert _duration(str(value)) == value


@pytest.mark.parametrize("text", ["", "1", "1x", "P1D", "1d 2h", "-"])
def test_a_duration_in_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a duration is written as"):
        _duration(text)


def test_a_throttle_waits_for_what_is_too_much() -> None:
    now = [100.0]
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        now[0] += seconds

    throttle = Throttle(10.0, lambda: now[0], sleep)
    for _ in range(4):
        throttle.take(5)
    assert sum(waits) == pytest.approx(3 * 0.5)
    now[0] += 1000  # what was not used is kept for a moment only
    waits.clear()
    for _ in range(3):
        throttle.take(5)
    assert sum(waits) == pytest.approx(2 * 0.5 - BURST_S)


def test_without_a_rate_nothing_waits() -> None:
    def sleep(_: Any) -> None:
        raise AssertionError("waited")

    for _ in range(3):
        Throttle(None, sleep=sleep).take(10**12)
