"""A declared stream as a micro-batch runner of the Spark room, or as one of several that share its partitions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from smackbox.app.model import App, Stream, Table, Topic
from smackbox.app.sources import Files, Kinesis, Mqtt, Rate, Socket, WebSocket
from smackbox.app.streams import check_copy
from smackbox.app.targets import FileTarget, FunctionTarget, HttpTarget, StatementTarget
from smackbox.flow.steps import Branch, Join, Lookup
from smackbox.runtime.avro_topics import avro_topic
from smackbox.runtime.settings import BoxSettings, Urls
from smackbox.spark.streaming import MicroBatchRunner, StreamSettings
from smackbox.spark.streaming.engine import StreamEngine
from smackbox.spark.streaming.feed import InputsFeed
from smackbox.spark.streaming.inputs.input import Input
from smackbox.spark.streaming.instances import SharedRunner
from smackbox.spark.streaming.outputs.output import Output
from smackbox.spark.streaming.runner import Parts, TableReader, kafka_source


def stream_runner(
    app: App, stream: Stream, urls: Urls, settings: BoxSettings, *, metrics_port: int | None
) -> MicroBatchRunner | SharedRunner:
    """The runner of a stream; its checkpoint is in the box's directory."""
    check_copy(stream)
    own = stream_settings(app, stream, urls, settings, metrics_port)
    if stream.instances is None:
        return _runner(app, stream, own, urls.schema_registry)

    def make(divided: StreamSettings, number: int, engine: StreamEngine, metrics: Any) -> MicroBatchRunner:
        return _runner(app, stream, divided, urls.schema_registry, part=f".{number}", engine=engine, metrics=metrics)

    keyed = stream.function is not None or stream.flow is not None
    return SharedRunner(own, make, keyed=keyed)


def stream_settings(
    app: App, stream: Stream, urls: Urls, settings: BoxSettings, metrics_port: int | None
) -> StreamSettings:
    """The runner's settings, other than its sources and targets."""
    assert urls.kafka is not None and urls.cassandra is not None
    divided = stream.instances is not None and stream.function is not None
    divided |= stream.instances is not None and stream.flow is not None
    return StreamSettings(
        name=stream.name,
        kafka=urls.kafka,
        topic="+".join(source.name for source in stream.sources),
        group=group_of(app, stream),
        cassandra=urls.cassandra,
        keyspace=app.keyspace,
        table=stream.table.name if stream.table is not None else "",
        checkpoint_dir=settings.dir / "streams" / app.name / stream.name,
        cassandra_user=settings.cassandra_username,
        cassandra_password=settings.cassandra_password,
        spark=urls.spark,
        every_s=stream.every.total_seconds(),
        delivery=stream.delivery,
        unique=stream.source.unique,
        merge=dict(stream.merge),
        dead_letter=stream.source.dead_letter,
        divided_by=stream.source.key if divided and isinstance(stream.source, Topic) else None,
        sync=settings.sync,
        metrics_port=metrics_port,
    )


def group_of(app: App, stream: Stream) -> str:
    """The consumer group under which a stream's progress shows."""
    return f"{app.name}.{stream.name}"


def _runner(
    app: App,
    stream: Stream,
    settings: StreamSettings,
    registry: str | None,
    *,
    part: str = "",
    engine: StreamEngine | None = None,
    metrics: Any = None,
) -> MicroBatchRunner:
    """`part` distinguishes the names of one partition's targets from those of other partitions."""
    name = f"{app.name}.{stream.name}{part}"
    only_topic = len(stream.sources) == 1 and isinstance(stream.source, Topic)
    inputs = [] if only_topic else [_input(source, settings) for source in stream.sources]
    outputs = [_output(target, settings, name) for target in stream.targets if not isinstance(target, Table)]
    flow = stream.flow
    late = None
    if flow is not None and flow.late_to is not None:
        target = flow.late_to if hasattr(flow.late_to, "name") else FunctionTarget("late", flow.late_to)
        late = _output(target, settings, f"{name}.late")
    parts = Parts(
        feed=InputsFeed(inputs) if inputs else None,
        events={source.name: source.event for source in stream.sources},
        read=readings(stream, registry),
        loose=frozenset(source.name for source in inputs if not source.strict),
        outputs=outputs,
        table=stream.table is not None,
        flow=flow,
        late=late,
        readers=flow_readers(flow.branch, settings) if flow is not None else {},
    )
    return MicroBatchRunner(settings, stream.source.event, stream.function, parts=parts, engine=engine, metrics=metrics)


def readings(stream: Stream, registry: str | None) -> dict[str, Callable[[bytes], Any]]:
    """How the values of topics in Avro are decoded."""
    topics = [source for source in stream.sources if isinstance(source, Topic)]
    return {topic.name: codec.decode for topic in topics if (codec := avro_topic(topic, registry)) is not None}


def _input(source: Any, settings: StreamSettings) -> Input:
    """A source in the Spark room's form. The imports of each kind are loaded on demand."""
    match source:
        case Topic():
            from smackbox.spark.streaming.inputs.topic import TopicInput

            return TopicInput(source.name, partial(kafka_source, settings, source.name))
        case Kinesis():
            from smackbox.spark.streaming.inputs.kinesis import KinesisInput, client_maker

            return KinesisInput(source.name, client_maker(source.region, source.endpoint), source.start)
        case Files():
            from smackbox.spark.streaming.inputs.files import FilesInput

            return FilesInput(source.name, source.url, source.format, source.options)
        case Rate():
            from smackbox.spark.streaming.inputs.rate import RateInput

            return RateInput(source.name, source.rows_per_second, source.limit)
        case Socket():
            from smackbox.spark.streaming.inputs.socket import SocketInput

            return SocketInput(source.name, source.host, source.port)
        case WebSocket():
            from smackbox.spark.streaming.inputs.websocket import WebSocketInput

            return WebSocketInput(source.name, source.url, dict(source.headers), source.subscribe)
        case Mqtt():
            from smackbox.spark.streaming.inputs.mqtt import MqttInput

            return MqttInput(
                source.name,
                source.host,
                source.port,
                source.topic,
                source.client_id,
                username=source.username,
                password=source.password,
                tls=source.tls,
            )
    raise AssertionError(source)


def _output(target: Any, settings: StreamSettings, name: str) -> Output:
    match target:
        case Topic():
            from smackbox.spark.streaming.outputs.topic import TopicOutput

            return TopicOutput(settings.kafka, target.name, name, target.event, target.key, settings.kafka_options)
        case FileTarget():
            from smackbox.spark.streaming.outputs.files import FileOutput

            return FileOutput(target.url, target.format, target.compression, target.options, prefix=name)
        case HttpTarget():
            from smackbox.spark.streaming.outputs.http import HttpOutput

            sender = f"{name}.{target.name}"  # a server may keep one set of keys for all its paths
            return HttpOutput(target.url, sender, dict(target.headers), rows=target.rows, timeout_s=target.timeout_s)
        case StatementTarget():
            from smackbox.spark.streaming.outputs.statement import StatementOutput

            return StatementOutput(settings, target.cql)
        case FunctionTarget():
            from smackbox.spark.streaming.outputs.function import FunctionOutput

            return FunctionOutput(target.function)
    raise AssertionError(target)


def flow_readers(branch: Branch, settings: StreamSettings) -> dict[str, TableReader]:
    """The readers of the tables that a flow looks up, by table name."""
    from smackbox.spark.streaming.lookup_readers import CassandraReader, TopicReader

    found: dict[str, TableReader] = {}
    for step in branch.steps:
        if isinstance(step, Join):
            found |= flow_readers(step.right_branch, settings)
        elif isinstance(step, Lookup):
            table, columns = step.table, [column for column, _ in step.on]
            if isinstance(table, Topic):
                found[table.name] = TopicReader(settings, table.name, table.event, columns[0], step.cache_rows)
            else:
                found[table.name] = CassandraReader(settings, table.name, columns)
    return found
