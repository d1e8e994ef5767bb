"""The talk's two reports as it has them: RDDs of Cassandra's tables, `filter`, `map`, `reduceByKey`, `join`.

python examples/talk/reports.py views --year 2015 --month 9       views of each campaign, from the raw events
python examples/talk/reports.py lambda                            totals of `campaign` joined with the raw events

The tables are those of `ads.py`. `--master local[4]`, or `mesos://127.0.0.1:5050`. Where Cassandra is:
`SMACK_CASSANDRA`.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from operator import add
from typing import Literal
from uuid import UUID

import msgspec

from smackbox.spark import SparkContext

KEYSPACE = "ads"


class Event(msgspec.Struct, frozen=True):
    """A row of `event`. `ts` is milliseconds since 1970."""

    campaign: UUID
    ts: int
    type: Literal["view", "click"]


class CampaignDay(msgspec.Struct, frozen=True):
    """A row of `campaign`: what the stream counted of a day."""

    id: UUID
    views: int
    clicks: int


def is_view_of(event: Event, year: int, month: int) -> bool:
    moment = datetime.fromtimestamp(event.ts / 1000, UTC)
    return event.type == "view" and (moment.year, moment.month) == (year, month)


def views_by_campaign(sc: SparkContext, year: int, month: int) -> dict[UUID, int]:
    """The views of each campaign in a month, counted from the raw events."""
    events = sc.cassandraTable(KEYSPACE, "event", Event)
    views = events.filter(lambda event: is_view_of(event, year, month)).map(lambda event: (event.campaign, 1))
    return dict(views.reduceByKey(add).collect())


def both(left: tuple[int, int], right: tuple[int, int]) -> tuple[int, int]:
    return left[0] + right[0], left[1] + right[1]


def naive_lambda(sc: SparkContext) -> None:
    """The talk's naive Lambda into `campaign_report`: what is pre-aggregated, plus the raw events counted by type."""
    days = sc.cassandraTable(KEYSPACE, "campaign", CampaignDay)
    batch = days.map(lambda day: (day.id, (day.views, day.clicks))).reduceByKey(both)
    events = sc.cassandraTable(KEYSPACE, "event", Event)
    speed = events.map(lambda event: (event.campaign, (event.type == "view", event.type == "click"))).reduceByKey(both)
    totals = batch.join(speed).map(lambda row: (row[0], *both(*row[1])))
    totals.saveToCassandra(KEYSPACE, "campaign_report", ["id", "views", "clicks"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", choices=["views", "lambda"])
    parser.add_argument("--year", type=int, default=2015)
    parser.add_argument("--month", type=int, default=9)
    parser.add_argument("--master", default="local[*]")
    asked = parser.parse_args()
    with SparkContext(asked.master, "reports") as sc:
        if asked.report == "lambda":
            naive_lambda(sc)
        else:
            for campaign, views in sorted(views_by_campaign(sc, asked.year, asked.month).items()):
                print(campaign, views)


if __name__ == "__main__":
    main()
