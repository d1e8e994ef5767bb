"""A declared stream as a micro-batch runner of the Spark room."""

from __future__ import annotations

from smackbox.app.model import App, Stream
from smackbox.runtime.settings import BoxSettings, Urls
from smackbox.spark.streaming import MicroBatchRunner, StreamSettings


def stream_runner(
    app: App, stream: Stream, urls: Urls, settings: BoxSettings, *, metrics_port: int | None
) -> MicroBatchRunner:
    """The runner of a stream; its checkpoint is in the box's directory."""
    assert urls.kafka is not None and urls.cassandra is not None
    return MicroBatchRunner(
        StreamSettings(
            name=stream.name,
            kafka=urls.kafka,
            topic=stream.source.name,
            group=group_of(app, stream),
            cassandra=urls.cassandra,
            keyspace=app.keyspace,
            table=stream.target.name,
            checkpoint_dir=settings.dir / "streams" / app.name / stream.name,
            cassandra_user=settings.cassandra_username,
            cassandra_password=settings.cassandra_password,
            spark=urls.spark,
            every_s=stream.every.total_seconds(),
            delivery=stream.delivery,
            unique=stream.source.unique,
            merge=dict(stream.merge),
            dead_letter=stream.source.dead_letter,
            sync=settings.sync,
            metrics_port=metrics_port,
        ),
        stream.source.event,
        stream.function,
    )


def group_of(app: App, stream: Stream) -> str:
    """The consumer group under which a stream's progress shows."""
    return f"{app.name}.{stream.name}"
