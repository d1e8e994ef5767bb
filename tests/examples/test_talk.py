"""The listings of the talk, running: HTTP publishing with validation, the data model, and the two reports."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid5

import pytest

from smackbox.app.load import load_app
from smackbox.testing.fixtures import Smack

ADS = Path(__file__).parents[2] / "examples" / "talk" / "ads.py"
CAMPAIGNS = [UUID(int=number) for number in (1, 2)]
NAMESPACE = UUID(int=99)


def at(day: str) -> int:
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1000)


def event(number: int, campaign: UUID, day: str, kind: str) -> dict[str, object]:
    return {
        "id": uuid5(NAMESPACE, str(number)),
        "ad_id": UUID(int=7),
        "campaign": campaign,
        "ts": at(day),
        "type": kind,
    }


# campaign, day, views, clicks
DAYS = [
    (CAMPAIGNS[0], "2015-08-31", 2, 0),
    (CAMPAIGNS[0], "2015-09-01", 3, 1),
    (CAMPAIGNS[0], "2015-09-30", 1, 1),
    (CAMPAIGNS[0], "2015-10-01", 4, 2),
    (CAMPAIGNS[1], "2015-09-10", 5, 0),
]


@pytest.fixture(scope="module")
def events() -> list[dict[str, object]]:
    kinds = [
        (campaign, day, kind) for campaign, day, views, clicks in DAYS for kind in ["view"] * views + ["click"] * clicks
    ]
    return [event(number, *kind) for number, kind in enumerate(kinds)]


@pytest.mark.xdist_group("spark")
def test_the_talk(smack: Smack, events: list[dict[str, object]], capfd: pytest.CaptureFixture[str]) -> None:
    ads = smack.run(load_app(ADS))

    assert ads.post("/event", events[0]) == (202, {"accepted": 1})
    assert ads.post("/event", events[1:]) == (202, {"accepted": len(events) - 1})
    assert ads.post("/event", events[:3]) == (202, {"accepted": 3})  # a client that saw no answer
    status, answer = ads.post("/event", {**events[0], "type": "hover"})
    assert (status, answer["accepted"]) == (400, 0)
    assert answer["errors"] == [{"index": 0, "path": "$.type", "reason": "Invalid enum value 'hover'"}]
    status, answer = ads.post("/event", [events[0], {"id": "no uuid"}])
    assert (status, answer["accepted"], [(bad["index"], bad["path"]) for bad in answer["errors"]]) == (
        400, 0, [(1, "$.id")],
    )  # fmt: skip

    ads.settle()
    cql = smack.cassandra.connect("ads")
    rows = cql.execute(f"SELECT * FROM campaign WHERE id={CAMPAIGNS[0]} AND year=2015 AND month>8")
    assert [(row.month, row.day, row.views, row.clicks) for row in rows] == [(9, 1, 3, 1), (9, 30, 1, 1), (10, 1, 4, 2)]
    assert cql.execute("SELECT count(*) FROM event").one()[0] == len(events)
    stored = cql.execute(f"SELECT * FROM event WHERE id={events[0]['id']}").one()
    assert (stored.campaign, stored.ts, stored.type) == (CAMPAIGNS[0], at("2015-08-31"), "view")

    ads.job("month_views")
    shown = capfd.readouterr().out
    assert [line.split("|")[1:3] for line in sorted(shown.splitlines()) if "0000-" in line] == [
        [str(CAMPAIGNS[0]), "4    "],
        [str(CAMPAIGNS[1]), "5    "],
    ]

    assert ads.job("naive_lambda") == 2
    report = {row.id: (row.views, row.clicks) for row in cql.execute("SELECT * FROM campaign_report")}
    # as in the talk, the pre-aggregated part and the raw part are added up
    assert report == {CAMPAIGNS[0]: (20, 8), CAMPAIGNS[1]: (10, 0)}
