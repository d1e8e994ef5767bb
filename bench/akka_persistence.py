"""How many events a second do persistent actors store: on RocksDB, and on Cassandra beside the JVM's plugin?

RocksDB: commands are told at once; each is answered when its event is durable (in the kernel). `eventsourcing` on
SQLite is measured beside it where it is installed. Cassandra: our server in a process of its own; real
pekko-persistence-cassandra 1.1.0 and Python take turns on it, one actor and ten, without tags and with one.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from bench.engines.real_pekko_persistence import RealPekkoPersistence, missing
from smackbox.akka import ActorSystem
from smackbox.akka.persistence.cassandra import CassandraPersistence
from smackbox.akka.persistence.cassandra_settings import CassandraSettings
from smackbox.akka.persistence.effect import Effect
from smackbox.akka.persistence.event_sourced import EventSourcedBehavior
from smackbox.akka.persistence.extension import Persistence

ROUNDS = 3
ROCKS_EVENTS = 50_000
SQLITE_EVENTS = 5_000
CASSANDRA_EVENTS = 1_000
JVM_WARM_UP = 2_000


class Added(msgspec.Struct, frozen=True):
    amount: int


def counter(id_: str, tag: str | None, done: Callable[[], None]) -> EventSourcedBehavior[Any, Added, int]:
    def on_command(state: int, command: int) -> Effect[Added, int]:
        return Effect.persist(Added(command)).then_run(lambda _: done())

    base = EventSourcedBehavior(id_, 0, on_command, lambda state, event: state + event.amount)
    return base if tag is None else base.with_tagger(lambda event: (tag,))


async def rate(system: ActorSystem, actors: int, events: int, prefix: str, tag: str | None = None) -> float:
    """Events a second, from the first command to the last answer; the actors have recovered before."""
    left = actors * (events // actors) + actors
    warm, finished = asyncio.Event(), asyncio.Event()

    def done() -> None:
        nonlocal left
        left -= 1
        if left == actors * (events // actors):
            warm.set()
        if left == 0:
            finished.set()

    refs = [system.spawn(counter(f"{prefix}|{number}", tag, done)) for number in range(actors)]
    for ref in refs:
        ref.tell(1)
    await warm.wait()
    begun_s = time.perf_counter()
    for _ in range(events // actors):
        for ref in refs:
            ref.tell(1)
    await finished.wait()
    return actors * (events // actors) / (time.perf_counter() - begun_s)


def rocks(actors: int, *, sync: bool = False) -> float:
    async def main(directory: str) -> float:
        async with ActorSystem("bench") as system:
            persistence = Persistence.open(system, Path(directory) / "data", sync=sync)
            persistence.register("bench.Added", Added)
            return await rate(system, actors, ROCKS_EVENTS // (20 if sync else 1), "counter")

    with tempfile.TemporaryDirectory(prefix="smackbox-bench-") as directory:
        return uvloop.run(main(directory))


def sqlite() -> float | None:
    """The `eventsourcing` library, one aggregate saved after each event; None where it is not installed."""
    try:
        from eventsourcing.application import Application  # type: ignore[import-not-found, unused-ignore]
        from eventsourcing.domain import Aggregate, event  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        return None

    class Counter(Aggregate):  # type: ignore[misc, unused-ignore]
        total = 0

        @event("Added")  # type: ignore[untyped-decorator, unused-ignore]
        def add(self, amount: int) -> None:
            self.total += amount

    with tempfile.TemporaryDirectory(prefix="smackbox-bench-") as directory:
        environment = {"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": f"{directory}/events.db"}
        application: Any = Application(env=environment)
        aggregate = Counter()
        application.save(aggregate)
        begun_s = time.perf_counter()
        for _ in range(SQLITE_EVENTS):
            aggregate.add(1)
            application.save(aggregate)
        return SQLITE_EVENTS / (time.perf_counter() - begun_s)


@contextmanager
def cassandra_server() -> Iterator[tuple[str, int]]:
    command = [sys.executable, "-m", "smackbox", "cassandra", "serve", "--memory", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline().split()
            host, _, port = line[2].rpartition(":")
            yield host, int(port)
        finally:
            process.terminate()


def cassandra(session: Any, settings: CassandraSettings, actors: int, prefix: str, tag: str | None) -> float:
    async def main() -> float:
        async with ActorSystem("bench") as system:
            stores = await CassandraPersistence.open(session, settings)
            persistence = Persistence(system, stores.journal, stores.snapshots)
            stores.add_to(system)
            persistence.register("lab.Accounts$Added", Added)
            return await rate(system, actors, CASSANDRA_EVENTS, prefix, tag)

    return uvloop.run(main())


def show(what: str, figures: list[float], beside: list[float] | None = None) -> None:
    spread = f"{min(figures):,.0f} to {max(figures):,.0f}"
    ratio = f", {statistics.median(figures) / statistics.median(beside):.2f} times" if beside else ""
    print(f"{what:<52} {statistics.median(figures):>9,.0f} events/s ({spread}){ratio}", flush=True)


def side_by_side() -> None:
    from cassandra.cluster import Cluster

    settings = CassandraSettings()
    if reason := missing():
        print(f"the JVM cannot run here: {reason}")
        return
    with cassandra_server() as address:
        cluster = Cluster([address[0]], port=address[1], compression=False)
        session = cluster.connect()
        arguments = (address, "datacenter1", settings.keyspace, settings.snapshot_keyspace)
        with RealPekkoPersistence(*arguments) as jvm:
            jvm.say(f"rate warm|1 {JVM_WARM_UP}")
            for tag in (None, "red"):
                theirs, ours = [], []
                for number in range(ROUNDS):
                    said = f"rate jvm|{tag}{number} {CASSANDRA_EVENTS}" + (f" {tag}" if tag else "")
                    theirs.append(float(jvm.say(said)))
                    ours.append(cassandra(session, settings, 1, f"py|{tag}{number}", tag))
                label = "with a tag" if tag else "without tags"
                show(f"Cassandra, JVM plugin, one actor, {label}", theirs)
                show(f"Cassandra, Python, one actor, {label}", ours, theirs)
        show(
            "Cassandra, Python, 10 actors", [cassandra(session, settings, 10, f"ten|{n}", None) for n in range(ROUNDS)]
        )
        cluster.shutdown()


def main() -> int:
    library = sqlite()
    beside = None if library is None else [library]
    if library is None:
        print("eventsourcing is not installed; its figure on another run was 2,871 events/s")
    else:
        show("eventsourcing on SQLite, one aggregate", [library])
    for actors in (1, 100):
        show(f"RocksDB, {actors} actors", [rocks(actors) for _ in range(ROUNDS)], beside)
    show("RocksDB, each batch synced to the disk, 100 actors", [rocks(100, sync=True)])
    side_by_side()
    return 0


if __name__ == "__main__":
    sys.exit(main())
