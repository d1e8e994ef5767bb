"""The talk's restore: the raw log's zipped files, in a bucket or a folder, back into the table `event`.

python examples/talk/restore.py 's3n://bucket/2015/*/*.gz' --broken broken-lines
python examples/talk/restore.py 'archive/2015/*/*.gz'

A line that is no event is counted and kept aside in `--broken`. Running it again writes the same rows again.
Keys of a store: `--conf fs.s3a.access.key=…`, or the environment.
"""

from __future__ import annotations

import argparse
from typing import Literal, NamedTuple
from uuid import UUID

import msgspec

from smackbox.spark import SparkContext

KEYSPACE = "ads"


class Event(msgspec.Struct, frozen=True):
    """An event as it was published."""

    id: UUID
    ad_id: UUID
    campaign: UUID
    ts: int
    type: Literal["view", "click"]


class Parsed(NamedTuple):
    """A line, and its event where it is one."""

    line: str
    event: Event | None
    reason: str


class Restored(NamedTuple):
    """How many events were saved, and how many lines were none."""

    events: int
    broken: int


def parse(line: str) -> Parsed:
    try:
        return Parsed(line, msgspec.json.decode(line, type=Event), "")
    except msgspec.MsgspecError as error:
        return Parsed(line, None, str(error))


def restore(sc: SparkContext, path: str, broken: str | None = None) -> Restored:
    """Save the events of the files; lines that are none go to the folder or bucket `broken`, with the reason."""
    lines = sc.textFile(path).map(parse).cache()
    events = lines.filter(lambda parsed: parsed.event is not None).map(lambda parsed: parsed.event)
    events.saveToCassandra(KEYSPACE, "event")
    failed = lines.filter(lambda parsed: parsed.event is None)
    found = Restored(events.count(), failed.count())
    if found.broken and broken is not None:
        failed.map(lambda parsed: f"{parsed.reason}\t{parsed.line}").saveAsTextFile(broken)
    lines.unpersist()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path")
    parser.add_argument("--broken", help="where lines that are no events are kept")
    parser.add_argument("--master", default="local[*]")
    parser.add_argument("--conf", action="append", default=[], metavar="KEY=VALUE")
    asked = parser.parse_args()
    with SparkContext(asked.master, "restore", dict(pair.split("=", 1) for pair in asked.conf)) as sc:
        found = restore(sc, asked.path, asked.broken)
    print(f"{found.events} events restored, {found.broken} lines are no events")


if __name__ == "__main__":
    main()
