"""The talk's stream on DStreams: raw events of Kafka or Kinesis into the tables of `ads.py`, each 10 seconds.

python examples/talk/stream.py kafka --servers localhost:9092
python examples/talk/stream.py kinesis --stream events --region eu-west-1

Events go to the table `event` as they are, totals of each campaign's day to `campaign`. Totals are state: a program
that is killed and started again with the same --checkpoint writes the same ones.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import Literal, NamedTuple
from uuid import UUID

import msgspec

from smackbox.spark import SparkContext
from smackbox.spark.dstreams import (
    DStream,
    InitialPositionInStream,
    KafkaUtils,
    KinesisUtils,
    Seconds,
    StreamingContext,
)

KEYSPACE = "ads"


class Event(msgspec.Struct, frozen=True):
    """An event as it was published."""

    id: UUID
    ad_id: UUID
    campaign: UUID
    ts: int
    type: Literal["view", "click"]


class Day(NamedTuple):
    """A campaign's day."""

    id: UUID
    year: int
    month: int
    day: int


class Total(NamedTuple):
    """What was counted of it."""

    views: int
    clicks: int


def parse(text: str) -> list[Event]:
    try:
        return [msgspec.json.decode(text, type=Event)]
    except msgspec.MsgspecError:
        return []


def of_day(event: Event) -> tuple[Day, Total]:
    moment = datetime.fromtimestamp(event.ts / 1000, UTC)
    day = Day(event.campaign, moment.year, moment.month, moment.day)
    return day, Total(int(event.type == "view"), int(event.type == "click"))


def add_up(new: list[Total], total: Total | None) -> Total:
    known = [total, *new] if total is not None else new
    return Total(sum(one.views for one in known), sum(one.clicks for one in known))


def declare(texts: DStream) -> None:
    """Both tables from a stream of events as text."""
    events = texts.flatMap(parse).cache()
    events.saveToCassandra(KEYSPACE, "event")
    totals = events.map(of_day).updateStateByKey(add_up)
    totals.map(lambda pair: (*pair[0], *pair[1])).saveToCassandra(
        KEYSPACE, "campaign", ["id", "year", "month", "day", "views", "clicks"]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", choices=["kafka", "kinesis"])
    parser.add_argument("--servers", default="localhost:9092", help="Kafka's brokers")
    parser.add_argument("--topic", default="raw_events")
    parser.add_argument("--stream", default="events", help="Kinesis' stream")
    parser.add_argument("--region")
    parser.add_argument("--endpoint", help="of a Kinesis that is not Amazon's")
    parser.add_argument("--every", type=float, default=10, help="seconds of a batch")
    parser.add_argument("--checkpoint", default="stream-checkpoint")
    parser.add_argument("--master", default="local[*]")
    asked = parser.parse_args()
    sc = SparkContext(asked.master, "stream")
    ssc = StreamingContext(sc, Seconds(asked.every))
    ssc.checkpoint(asked.checkpoint)
    if asked.source == "kafka":
        params = {"bootstrap.servers": asked.servers, "auto.offset.reset": "smallest"}
        declare(KafkaUtils.createDirectStream(ssc, [asked.topic], params).map(lambda record: record[1]))
    else:
        start = InitialPositionInStream.TRIM_HORIZON
        declare(KinesisUtils.createStream(ssc, "stream", asked.stream, asked.endpoint, asked.region, start))
    ssc.start()
    print(f"running, a batch each {asked.every:g} s", flush=True)
    try:
        ssc.awaitTermination()
    except KeyboardInterrupt:
        print("finishing the batch under way")
    finally:
        ssc.stop()


if __name__ == "__main__":
    main()
