"""A process that persists as fast as it can and says what was acknowledged: `crash_writer.py DIRECTORY`, or
`crash_writer.py HOST:PORT KEYSPACE` for a journal in Cassandra.

Each event's amount is its sequence number, by the state that the actor has recovered. A line `ID NUMBER` is written for
each acknowledged event. It runs until it is killed.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import msgspec

from smackbox.akka import ActorSystem
from smackbox.akka.persistence.effect import Effect
from smackbox.akka.persistence.event_sourced import EventSourcedBehavior
from smackbox.akka.persistence.extension import Persistence

ACTORS = 8


class Counted(msgspec.Struct, frozen=True):
    amount: int


def behavior(id_: str) -> EventSourcedBehavior[Any, Counted, int]:
    def on_command(state: int, command: Any) -> Effect[Counted, int]:
        count = 3 if state % 5 == 0 else 1
        events = [Counted(state + 1 + extra) for extra in range(count)]
        return Effect.persist_all(events).then_run(lambda new: acknowledge(new, count, command))

    def acknowledge(new: int, count: int, ref: Any) -> None:
        lines = "".join(f"{id_} {number}\n" for number in range(new - count + 1, new + 1))
        os.write(1, lines.encode())
        ref[0].tell(ref)

    base = EventSourcedBehavior(id_, 0, on_command, lambda state, event: event.amount)
    return base.with_tagger(lambda event: ("all",)).with_retention(every=50, keep=2)


async def in_cassandra(system: ActorSystem, address: str, keyspace: str) -> Persistence:
    from cassandra.cluster import Cluster

    from smackbox.akka.persistence.cassandra import CassandraPersistence
    from smackbox.akka.persistence.cassandra_settings import CassandraSettings

    host, _, port = address.partition(":")
    session = Cluster([host], port=int(port), compression=False).connect()
    settings = CassandraSettings(keyspace=keyspace, snapshot_keyspace=f"{keyspace}_snapshots")
    stores = await CassandraPersistence.open(session, settings)
    stores.add_to(system)
    return Persistence(system, stores.journal, stores.snapshots)


async def main(place: str, *keyspace: str) -> None:
    async with ActorSystem("crash") as system:
        opened = await in_cassandra(system, place, *keyspace) if keyspace else Persistence.open(system, Path(place))
        opened.register("crash.Counted", Counted)
        for number in range(ACTORS):
            ref = system.spawn(behavior(f"counter|{number}"))
            ref.tell([ref])
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
