"""The application of the SMACK talk: ad events over HTTP, daily totals a campaign, and two reports.

smack run examples/talk/ads.py                       endpoint and streams
smack run examples/talk/ads.py --job month_views     total views of each campaign in a month, from the raw events
smack run examples/talk/ads.py --job naive_lambda    pre-aggregated totals joined with raw events

curl -i localhost:8080/event -d '{"id": "…", "ad_id": "…", "campaign": "…", "ts": 1443657600000, "type": "view"}'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal
from uuid import UUID

import msgspec

import smackbox as sb

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

app = sb.App("ads")


class Event(msgspec.Struct, frozen=True):
    """A view of an ad, or a click on it. `ts` is milliseconds since 1970."""

    id: UUID
    ad_id: UUID
    campaign: UUID
    ts: int
    type: Literal["view", "click"]


raw_events = app.topic("raw_events", Event, key="campaign", unique="id", partitions=4, dead_letter="raw_events.dlq")
app.post("/event", to=raw_events)

# The data model of the talk: a report reads a slice of one partition, `WHERE id = … AND year = 2015 AND month > 8`.
campaign = app.table(
    "campaign",
    cql="""CREATE TABLE campaign (id uuid, year int, month int, day int, views bigint, clicks bigint,
           PRIMARY KEY (id, year, month, day))""",
)
event = app.table(
    "event",
    cql="CREATE TABLE event (id uuid, ad_id uuid, campaign uuid, ts bigint, type text, PRIMARY KEY(id))",
)
campaign_report = app.table(
    "campaign_report",
    cql="CREATE TABLE campaign_report (id uuid PRIMARY KEY, views bigint, clicks bigint)",
)

app.stream(raw_events, to=event)


@app.stream(raw_events, to=campaign)
def daily_totals(batch: DataFrame) -> DataFrame:
    """What the batch adds to each campaign's day."""
    from pyspark.sql import functions as F

    days = batch.selectExpr("campaign AS id", "type", "to_date(timestamp_millis(ts)) AS at")
    return days.groupBy("id", F.expr("year(at) AS year"), F.expr("month(at) AS month"), F.expr("day(at) AS day")).agg(
        F.expr("count_if(type = 'view') AS views"), F.expr("count_if(type = 'click') AS clicks")
    )


@app.job()
def month_views(spark: SparkSession) -> DataFrame:
    """The views of each campaign in September 2015, counted from the raw events."""
    return spark.sql(
        """SELECT campaign, count(*) AS views FROM event
           WHERE type = 'view' AND date_trunc('MONTH', timestamp_millis(ts)) = TIMESTAMP '2015-09-01'
           GROUP BY campaign"""
    )


@app.job(to=campaign_report)
def naive_lambda(spark: SparkSession) -> DataFrame:
    """The talk's naive Lambda: what is pre-aggregated in `campaign`, plus the raw events counted by type."""
    return spark.sql(
        """WITH batch AS (SELECT id, sum(views) AS views, sum(clicks) AS clicks FROM campaign GROUP BY id),
                speed AS (SELECT campaign AS id, count_if(type = 'view') AS views, count_if(type = 'click') AS clicks
                          FROM event GROUP BY campaign)
           SELECT id, batch.views + speed.views AS views, batch.clicks + speed.clicks AS clicks
           FROM batch JOIN speed USING (id)"""
    )
