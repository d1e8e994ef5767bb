"""Writes events and projects them until it is killed: `crash_projector.py DIRECTORY KAFKA CASSANDRA LAST`.

Its journal is RocksDB in DIRECTORY. One projection writes each event to the topic `results` exactly once; another one
the latest number of each account into `shop.balance`, with its offsets in Cassandra. It says `done` when event LAST of
every account is stored and both have handled all.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import msgspec
from cassandra.cluster import Cluster

from smackbox.akka import ActorSystem
from smackbox.akka.actor.supervision import BackOff
from smackbox.akka.persistence.effect import Effect
from smackbox.akka.persistence.event_sourced import EventSourcedBehavior
from smackbox.akka.persistence.extension import Persistence
from smackbox.akka.persistence.query import ReadJournal
from smackbox.akka.projection.behavior import ProjectionBehavior
from smackbox.akka.projection.cassandra_offsets import CassandraOffsets
from smackbox.akka.projection.cassandra_upserts import CassandraUpserts
from smackbox.akka.projection.kafka_target import KafkaRecord, KafkaTarget
from smackbox.akka.projection.management import ProjectionManagement
from smackbox.akka.projection.projection import Projection, ProjectionSettings, by_tag
from smackbox.akka.projection.projection_id import ProjectionId

ACCOUNTS = 3
SETTINGS = ProjectionSettings(save_after=20, save_after_s=0.05, back_off=BackOff(0.1, 1.0))


class Booked(msgspec.Struct, frozen=True):
    number: int


def account(id_: str, last: int) -> EventSourcedBehavior[Any, Booked, int]:
    """Books 1, 2, … up to `last`."""

    def on_command(state: int, ref: Any) -> Effect[Booked, int]:
        if state >= last:
            return Effect.none()
        return Effect.persist(Booked(state + 1)).then_run(lambda _: ref[0].tell(ref))

    base = EventSourcedBehavior(id_, 0, on_command, lambda state, event: event.number)
    return base.with_tagger(lambda event: ("booked",))


async def main(directory: str, kafka: str, cassandra: str, last: int) -> None:
    host, _, port = cassandra.rpartition(":")
    cluster = Cluster([host], port=int(port), compression=False)
    session = cluster.connect()
    upsert = session.prepare("INSERT INTO shop.balance (id, number) VALUES (?, ?)")
    async with ActorSystem("shop") as system:
        Persistence.open(system, Path(directory)).register("shop.Booked", Booked)
        offsets = await CassandraOffsets.open(session, "shop_projection")
        events = by_tag(ReadJournal.of(system), "booked")
        target = KafkaTarget(
            {"bootstrap.servers": kafka, "transaction.timeout.ms": 10_000},
            lambda one: [KafkaRecord("results", one.persistence_id, f"{one.persistence_id} {one.event.number}")],
        )
        upserts = CassandraUpserts(session, upsert, lambda one: (one.persistence_id, one.event.number))
        results = Projection.exactly_once(ProjectionId("results", "booked"), events, target)
        balances = Projection.grouped(ProjectionId("balances", "booked"), events, upserts, offsets)
        for projection in (results, balances):
            system.spawn(ProjectionBehavior.of(projection.with_settings(SETTINGS)), projection.id.name)
        for number in range(ACCOUNTS):
            ref = system.spawn(account(f"Account|{number}", last))
            ref.tell([ref])
        statuses = ProjectionManagement.of(system)
        print("ready", flush=True)
        while True:
            await asyncio.sleep(0.02)
            offsets_now = [one.offset for one in statuses.statuses]
            if len(offsets_now) == 2 and all(getattr(one, "value", 0) == ACCOUNTS * last for one in offsets_now):
                print("done", flush=True)
                await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4], int(sys.argv[4])))
