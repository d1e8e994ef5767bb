"""The parts of an application that a scheduler would place, each run in the calling process."""

from __future__ import annotations

import logging
import os
import signal
import time
from pathlib import Path

import msgspec

from smackbox.app.model import Actors, App, Job, Stream
from smackbox.base.errors import StartError
from smackbox.base.garbage import few_collections
from smackbox.base.settings import load
from smackbox.ingest.route import Route
from smackbox.net.service import at_end_of, say
from smackbox.runtime.avro_topics import avro_topic, register_schemas
from smackbox.runtime.changes import Changes, check_topics
from smackbox.runtime.prepare import prepare
from smackbox.runtime.process import LIFELINE
from smackbox.runtime.settings import BoxSettings, Urls

log = logging.getLogger(__name__)


def prepare_part(app: App, urls: Urls, settings: BoxSettings, changes: Changes) -> None:
    """Create the topics and tables that are missing. Raises `StartError` for changes that are not accepted."""
    check_topics(app, settings.dir, accept=changes.accept)
    register_schemas(app, urls.schema_registry)
    assert urls.kafka is not None and urls.cassandra is not None
    prepare(
        app,
        kafka=urls.kafka,
        cassandra=urls.cassandra,
        username=settings.cassandra_username,
        password=settings.cassandra_password,
        add_partitions=changes.add_partitions,
    )


def ingest_instances(app: App) -> int:
    """The number of processes that serve the application's endpoints on one port."""
    return max((post.instances for post in app.posts), default=0)


def ingest_part(app: App, number: int, urls: Urls, settings: BoxSettings, config: Path | None) -> None:
    """Serve the application's endpoints until stopped, as the `number`-th instance (from 1)."""
    from smackbox.ingest.server import IngestServer
    from smackbox.ingest.settings import IngestSettings
    from smackbox.net.service import run

    flags = {"kafka": urls.kafka, "host": settings.host, "insecure": settings.insecure, "port": settings.ingest_port}
    loaded = load(IngestSettings, "ingest", flags, file=config)
    if ingest_instances(app) > 1:
        metrics_port = loaded.metrics_port + number - 1 if loaded.metrics_port else loaded.metrics_port
        loaded = msgspec.structs.replace(loaded, reuse_port=True, metrics_port=metrics_port)
    run(IngestServer(loaded, routes(app, urls.schema_registry)), lifeline=os.environ.get(LIFELINE))


def routes(app: App, registry: str | None = None) -> list[Route]:
    """The endpoints, in the ingest room's form."""
    return [
        Route(
            path=post.path,
            topic=post.topic.name,
            event_type=post.topic.event,
            key=post.topic.key,
            dead_letter=post.topic.dead_letter,
            partitions=post.topic.partitions,
            avro=avro_topic(post.topic, registry),
        )
        for post in app.posts
    ]


def stream_part(app: App, stream: Stream, urls: Urls, settings: BoxSettings) -> None:
    """Run one stream until told to stop; ready when it has its checkpoint, its servers and its session.

    It stops while a replay of it is installed; then it restarts with the current program.
    """
    from smackbox.runtime.stream_gate import StreamGate
    from smackbox.runtime.streams import stream_runner

    started = time.monotonic()
    gate = StreamGate(app, stream, urls, settings)
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, lambda *_: gate.stop())
    if lifeline := os.environ.get(LIFELINE):
        at_end_of(lifeline, gate.stop)
    gate.wait()
    runner = stream_runner(app, stream, urls, settings, metrics_port=settings.ingest_port)

    def ready() -> None:
        say(f"ready {stream.name} {runner.metrics_url} in {(time.monotonic() - started) * 1000:.0f} ms")

    with gate.watched() as leave, few_collections():
        runner.run(leave, ready)
    gate.wait(restart=True)


def actors_part(app: App, actors: Actors, urls: Urls, settings: BoxSettings) -> None:
    """Run one node of an actor system until told to stop."""
    from smackbox.runtime.actors import actors_part as run_node

    if urls.zookeeper is None and urls.akka is None:
        raise StartError(
            "the nodes of actors find each other in ZooKeeper: give --zookeeper, or --akka to join a cluster"
        )
    run_node(app, actors, urls, settings)


def job_part(app: App, job: Job, urls: Urls, settings: BoxSettings) -> int:
    """Run one job to completion; returns the number of rows written to its target."""
    from smackbox.runtime.jobs import run_job

    assert urls.cassandra is not None
    return run_job(
        app,
        job,
        cassandra=urls.cassandra,
        spark_url=urls.spark,
        username=settings.cassandra_username,
        password=settings.cassandra_password,
    )
