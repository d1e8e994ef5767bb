"""Whatever an event type takes: it is stored as it was sent, refused at once, or set aside; no stream stops."""

from __future__ import annotations

import json
import os
import uuid
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest
from confluent_kafka import Producer
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from smackbox.app.model import App
from smackbox.ingest.settings import IngestSettings
from smackbox.testing.fixtures import RunningApp, Smack

HUGE = 2**63


class Anything(msgspec.Struct, frozen=True):
    id: UUID
    whole: int | None = None
    exact: Decimal | None = None
    real: float | None = None
    text: str | None = None
    raw: bytes | None = None
    flag: bool | None = None
    at: datetime | None = None
    day: date | None = None
    clock: time | None = None
    many: list[int | None] | None = None
    tags: set[str] | None = None
    counts: dict[int, Decimal] | None = None
    deep: dict[str, list[datetime]] | None = None


def application() -> App:
    app = App("anything")
    events = app.topic("anything", Anything, key="text", unique="id")
    copies = app.table("copy", Anything, primary_key="id")
    texts = app.table("by_text", Anything, primary_key=("text", "whole"))
    sums = app.table(
        "sums", cql="CREATE TABLE sums (flag boolean PRIMARY KEY, whole int, exact decimal, events bigint)"
    )
    report = app.table("report", cql="CREATE TABLE report (id text PRIMARY KEY, whole bigint)")
    app.post("/", to=events)
    app.stream(events, to=copies)
    app.stream(events, to=texts)

    @app.stream(events, to=sums)
    def rollup(batch: Any) -> Any:
        return batch.where("flag IS NOT NULL").selectExpr(
            "flag", "CAST(whole AS INT) AS whole", "exact", "CAST(1 AS BIGINT) AS events"
        )

    @app.job(to=report)
    def everything(spark: Any) -> Any:
        return spark.sql("SELECT id, whole FROM copy WHERE whole IS NOT NULL")

    return app


integers = st.integers() | st.sampled_from([HUGE, HUGE - 1, -HUGE, -HUGE - 1, 10**25, 2**31])
decimals = st.one_of(
    st.decimals(allow_nan=True, allow_infinity=True).map(str),
    st.sampled_from(["1e-99999999999", "-1E+999999", "0e-99999999999", "1" * 5000, "0." + "1" * 19, "sNaN123"]),
    integers,
)
offsets = st.sampled_from(["", "Z", "+02:00", "-11:30", "+14:00"])
moments = st.builds(lambda moment, offset: moment.isoformat() + offset, st.datetimes(), offsets)
clocks = st.builds(lambda clock, offset: clock.isoformat() + offset, st.times(), offsets)
texts = st.text(max_size=8) | st.sampled_from(["", "\0", "x" * 65_535, "x" * 65_536, "é" * 40_000])

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "whole": integers,
    "exact": decimals,
    "real": st.floats(allow_nan=False, allow_infinity=False) | integers,
    "text": texts,
    "raw": st.sampled_from(["", "AAECAw==", "not base64!"]),
    "flag": st.booleans(),
    "at": moments,
    "day": st.dates().map(str) | st.just("9999-12-31"),
    "clock": clocks,
    "many": st.lists(integers | st.none(), max_size=3),
    "tags": st.lists(texts, max_size=3),
    "counts": st.dictionaries(integers.map(str), decimals, max_size=2),
    "deep": st.dictionaries(texts, st.lists(moments, max_size=2), max_size=2),
}
bodies = st.fixed_dictionaries({}, optional={name: st.none() | values for name, values in VALUES.items()})


@pytest.fixture
def running(smack: Smack) -> RunningApp:
    return smack.run(application())


@settings(
    max_examples=int(os.environ.get("SMACK_FUZZ_EXAMPLES", "12")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@example(batch=[{"text": "x" * 65_535}] * 20, past_the_endpoint=False)  # more than the endpoint takes in one body
@given(batch=st.lists(bodies, min_size=1, max_size=30), past_the_endpoint=st.booleans())
def test_any_event_is_stored_whole_refused_or_set_aside(
    running: RunningApp, smack: Smack, batch: list[dict[str, Any]], past_the_endpoint: bool
) -> None:
    events = [{"id": str(uuid.uuid4()), **body} for body in batch]
    good = {"id": str(uuid.uuid4()), "flag": True, "text": "good", "whole": 1}
    lines = [json.dumps(event, ensure_ascii=False).encode() for event in [*events, good]]
    body = b"\n".join(lines)
    if len(body) > IngestSettings().body_limit:
        assert running.post("/", body)[0] == 413
        past_the_endpoint = True
    if past_the_endpoint:
        producer = Producer({"bootstrap.servers": smack.kafka.bootstrap})
        for line in lines:
            producer.produce("anything", line)
        assert producer.flush(20) == 0
        refused = None
    else:
        status, answer = running.post("/", body)
        assert status in {202, 400}
        refused = {error["index"] for error in answer.get("errors", ())}
        assert answer["accepted"] == len(lines) - len(refused)
        assert len(events) not in refused
    running.settle()
    session = smack.cassandra.connect("anything")
    for index, line in enumerate(lines):
        event_id = UUID(json.loads(line)["id"])
        row = session.execute("SELECT * FROM copy WHERE id = %s", (event_id,)).one()
        if refused is not None:
            assert (row is None) == (index in refused), line
        if row is not None:
            assert_same(row, msgspec.json.decode(line, type=Anything))
    assert session.execute("SELECT * FROM by_text WHERE text = 'good' AND whole = 1").one() is not None
    assert session.execute("SELECT events FROM sums WHERE flag = true").one().events >= 1


def assert_same(row: Any, event: Anything) -> None:
    assert (row.whole, row.exact, row.real, row.text) == (event.whole, event.exact, event.real, event.text)
    assert (row.raw, row.flag) == (event.raw, event.flag)
    assert (row.at and read(row.at)) == (None if event.at is None else stored(event.at))
    assert (row.day and row.day.date()) == event.day
    assert (row.clock and row.clock.time()) == event.clock
    assert (row.many or []) == (event.many or [])
    assert set(row.tags or ()) == (event.tags or set())
    assert dict(row.counts or {}) == (event.counts or {})
    deep = {name: list(map(stored, values)) for name, values in (event.deep or {}).items()}
    assert {name: list(map(read, values)) for name, values in (row.deep or {}).items()} == deep


def stored(moment: datetime) -> datetime:
    """As a timestamp column keeps it: milliseconds, rounded down, in UTC."""
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def read(moment: datetime) -> datetime:
    """As it is stored: the driver computes with floats, which are off by microseconds for distant years."""
    return datetime(1970, 1, 1) + timedelta(
        milliseconds=round((moment - datetime(1970, 1, 1)) / timedelta(milliseconds=1))
    )


def test_a_job_reads_whatever_was_stored(running: RunningApp, smack: Smack) -> None:
    extremes = [
        {"whole": HUGE - 1, "exact": "9" * 20 + "." + "9" * 18, "at": "9999-12-31T23:59:59.999Z", "day": "9999-12-31"},
        {
            "whole": -HUGE,
            "exact": "-0E+20",
            "at": "0001-01-01T00:00:00Z",
            "day": "0001-01-01",
            "clock": "23:59:59.999999",
        },
        {"whole": 0, "real": 1.7976931348623157e308, "raw": "AA==", "tags": ["", "x"], "counts": {"-1": "1e-18"}},
    ]
    bodies = [{"id": str(uuid.uuid4()), **event} for event in extremes]
    assert running.post("/", bodies) == (202, {"accepted": 3})
    running.settle()
    assert running.job("everything") == 3
    rows = smack.cassandra.connect("anything").execute("SELECT id, whole FROM report")
    assert {row.id: row.whole for row in rows} == {body["id"]: body["whole"] for body in bodies}


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("whole", HUGE, "between -9223372036854775808 and 9223372036854775807"),
        ("exact", "NaN", "finite"),
        ("exact", "1e-99999999999", "18 after it"),
        ("clock", "12:00:00+02:00", "without an offset"),
        ("many", [1, None], "no null"),
        ("at", "0001-01-01T00:00:00+02:00", "the years 1 to 9999 in UTC"),
    ],
)
def test_what_no_column_holds_is_refused_at_the_endpoint(
    running: RunningApp, field: str, value: Any, reason: str
) -> None:
    status, answer = running.post("/", {"id": str(uuid.uuid4()), field: value})
    assert status == 400
    assert answer["errors"][0]["path"].startswith(f"$.{field}")
    assert reason in answer["errors"][0]["reason"]
