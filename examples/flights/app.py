"""Every departure from New York in 2013: raw events, daily totals a carrier, and a report with the airlines' names.

smack run examples/flights/app.py                        the servers, the endpoint and the streams
smack run examples/flights/app.py --job carrier_report   the report, by Spark SQL
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

import smackbox as sb

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

app = sb.App("flights")


class Departure(msgspec.Struct, frozen=True):
    """One scheduled flight. `departed` (local time, hhmm) and `delay` (minutes) are missing when it was cancelled."""

    id: UUID
    carrier: str
    flight: int
    origin: str
    dest: str
    day: date
    departed: int | None
    delay: int | None


class Airline(msgspec.Struct, frozen=True):
    carrier: str
    name: str


departures = app.topic("departures", Departure, key="carrier", unique="id", partitions=2, dead_letter="departures.dlq")
app.post("/departures", to=departures)

departure = app.table("departure", Departure, primary_key="id")
app.stream(departures, to=departure)

airline = app.table("airline", Airline, primary_key="carrier")
daily = app.table(
    "carrier_day",
    cql="""CREATE TABLE carrier_day (
        carrier text, day date, flights bigint, cancelled bigint, delayed bigint, delay_minutes bigint,
        PRIMARY KEY (carrier, day))""",
)
report = app.table(
    "carrier_report",
    cql="""CREATE TABLE carrier_report (
        carrier text PRIMARY KEY, name text, flights bigint, cancelled bigint, delayed bigint, delay_minutes bigint)""",
)


@app.stream(departures, to=daily, every=timedelta(seconds=1))
def totals(batch: DataFrame) -> DataFrame:
    from pyspark.sql import functions as F

    return batch.groupBy("carrier", "day").agg(
        F.expr("count(*) AS flights"),
        F.expr("count_if(departed IS NULL) AS cancelled"),
        F.expr("count_if(delay > 15) AS delayed"),
        F.expr("coalesce(sum(delay), 0) AS delay_minutes"),
    )


@app.job(to=report)
def carrier_report(spark: SparkSession) -> DataFrame:
    return spark.sql(
        """SELECT carrier, name, sum(flights) AS flights, sum(cancelled) AS cancelled, sum(delayed) AS delayed,
                  sum(delay_minutes) AS delay_minutes
           FROM carrier_day JOIN airline USING (carrier) GROUP BY carrier, name"""
    )
