"""`smack topics`: the topics of the running box or of any Kafka, through its own admin API."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from smackbox.base.address import host_ports
from smackbox.base.errors import SettingError, UserError
from smackbox.cli.backup_options import moment_of, until_option
from smackbox.cli.progress import record_progress
from smackbox.runtime.settings import DEFAULT_DIR, KAFKA_PORT

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient, ClusterMetadata

TIMEOUT_S = 10.0
PRODUCE_FLUSH_S = 30.0
T = TypeVar("T")


@click.group("topics")
@click.option("--kafka", envvar="SMACK_KAFKA", help="host:port.  [default: the running box's, else port 9092]")
@click.option("--dir", "directory", type=click.Path(path_type=Path), default=DEFAULT_DIR, show_default=True)
@click.pass_context
def command(ctx: click.Context, kafka: str | None, directory: Path) -> None:
    """Topics: list, create, describe, delete, produce, consume, export, import; and the lag of groups."""
    from smackbox.runtime.run import running_urls

    ctx.obj = kafka or running_urls(directory).kafka or f"127.0.0.1:{KAFKA_PORT}"
    host_ports(ctx.obj, KAFKA_PORT)


@command.command("list")
@click.pass_obj
def list_command(bootstrap: str) -> None:
    """List every topic with its number of partitions."""
    with kafka_errors(bootstrap):
        topics = _metadata(bootstrap).topics
        for name in sorted(topics):
            click.echo(f"{name}\t{len(topics[name].partitions)}")


@command.command("create")
@click.argument("name")
@click.option("--partitions", "-p", type=click.IntRange(1), default=1, show_default=True)
@click.option("--config", "-c", multiple=True, metavar="KEY=VALUE", help="A topic setting; may be repeated.")
@click.pass_obj
def create_command(bootstrap: str, name: str, partitions: int, config: tuple[str, ...]) -> None:
    """Create topic NAME."""
    from confluent_kafka.admin import NewTopic

    settings = dict(_key_value(pair) for pair in config)
    with kafka_errors(bootstrap):
        admin = _admin(bootstrap)
        _all(admin.create_topics([NewTopic(name, partitions, config=settings)]))
    click.echo(f"created {name}")


@command.command("alter")
@click.argument("name")
@click.option(
    "--partitions",
    "-p",
    type=click.IntRange(1),
    required=True,
    help="The new number of partitions, larger than the current one.",
)
@click.pass_obj
def alter_command(bootstrap: str, name: str, partitions: int) -> None:
    """Add partitions to topic NAME. Later events of a key may go to another partition."""
    from confluent_kafka.admin import NewPartitions

    with kafka_errors(bootstrap):
        admin = _admin(bootstrap)
        _all(admin.create_partitions([NewPartitions(name, partitions)]))
    click.echo(f"{name} has {partitions} partitions")


@command.command("describe")
@click.argument("name")
@click.pass_obj
def describe_command(bootstrap: str, name: str) -> None:
    """Show the offsets of each partition of topic NAME, and its non-default settings."""
    from confluent_kafka import TopicPartition
    from confluent_kafka.admin import ConfigResource, ConfigSource, ResourceType

    with kafka_errors(bootstrap), _consumer(bootstrap) as consumer:
        for partition in sorted(_partitions(bootstrap, name)):
            low, high = consumer.get_watermark_offsets(TopicPartition(name, partition), timeout=TIMEOUT_S)
            click.echo(f"partition {partition}\tfirst {low}\tend {high}\trecords {high - low}")
        resource = ConfigResource(ResourceType.TOPIC, name)
        admin = _admin(bootstrap)
        for entries in _all(admin.describe_configs([resource])):
            for entry in entries.values():
                if entry.source == ConfigSource.DYNAMIC_TOPIC_CONFIG.value:
                    click.echo(f"{entry.name}={entry.value}")


@command.command("delete")
@click.argument("names", nargs=-1, required=True)
@click.confirmation_option("--yes", prompt="Delete these topics and all their records?")
@click.pass_obj
def delete_command(bootstrap: str, names: tuple[str, ...]) -> None:
    """Delete topics NAMES and all their records."""
    with kafka_errors(bootstrap):
        admin = _admin(bootstrap)
        _all(admin.delete_topics(list(names)))
    click.echo(f"deleted {', '.join(names)}")


@command.command("produce")
@click.argument("name")
@click.option("--key-separator", help="Separator of key and value in a line.  [default: no keys]")
@click.pass_obj
def produce_command(bootstrap: str, name: str, key_separator: str | None) -> None:
    """Send each line of standard input to topic NAME."""
    from confluent_kafka import KafkaError, Producer

    failures: list[KafkaError] = []
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "linger.ms": 5, "log_level": 2})
    sent = 0
    with kafka_errors(bootstrap):
        _metadata(bootstrap)
        for line in sys.stdin.buffer:
            text = line.rstrip(b"\r\n")
            key: bytes | None = None
            if key_separator is not None and key_separator.encode() in text:
                key, _, text = text.partition(key_separator.encode())
            _produce(producer, name, key, text, lambda error, _: failures.append(error) if error else None)
            sent += 1
        left = producer.flush(PRODUCE_FLUSH_S)
    if failures or left:
        reason = failures[0].str() if failures else "no answer"
        raise UserError(f"{len(failures) + left} of {sent} records were not acknowledged: {reason}")
    click.echo(f"{sent} records acknowledged", err=True)


@command.command("consume")
@click.argument("name")
@click.option("--from", "start", type=click.Choice(["earliest", "latest"]), default="earliest", show_default=True)
@click.option("--max", "limit", type=click.IntRange(1), help="Stop after this many records.")
@click.option("--follow", "-f", is_flag=True, help="Wait for more records at the end of the topic.")
@click.option("--keys", is_flag=True, help="Print key, a tab, value.")
@click.pass_obj
def consume_command(bootstrap: str, name: str, start: str, limit: int | None, follow: bool, keys: bool) -> None:
    """Print the records of topic NAME, one per line."""
    from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, KafkaError, KafkaException, TopicPartition

    offset = OFFSET_BEGINNING if start == "earliest" else OFFSET_END
    with kafka_errors(bootstrap), _consumer(bootstrap) as consumer:
        unread = set(_partitions(bootstrap, name))
        consumer.assign([TopicPartition(name, partition, offset) for partition in unread])
        shown = 0
        while (unread or follow) and shown != limit:
            message = consumer.poll(TIMEOUT_S)
            if message is None:
                if not follow:
                    raise UserError(f"no answer from {bootstrap} within {TIMEOUT_S:.0f} s")
                continue
            if error := message.error():
                if error.code() != KafkaError._PARTITION_EOF:
                    raise KafkaException(error)
                unread.discard(message.partition())
                continue
            key = (message.key() or b"") + b"\t" if keys else b""
            sys.stdout.buffer.write(key + (message.value() or b"") + b"\n")
            sys.stdout.buffer.flush()
            shown += 1


@command.command("lag")
@click.argument("group")
@click.pass_obj
def lag_command(bootstrap: str, group: str) -> None:
    """Show how far GROUP is behind the end of each partition for which it has committed an offset."""
    from confluent_kafka import TopicPartition

    with kafka_errors(bootstrap), _consumer(bootstrap, group) as consumer:
        topics = _metadata(bootstrap).topics.values()
        asked = [TopicPartition(topic.topic, partition) for topic in topics for partition in topic.partitions]
        for place in consumer.committed(asked, timeout=TIMEOUT_S):
            if place.offset >= 0:
                _, end = consumer.get_watermark_offsets(place, timeout=TIMEOUT_S)
                click.echo(
                    f"{place.topic}\tpartition {place.partition}\tcommitted {place.offset}\tend {end}"
                    f"\tlag {end - place.offset}"
                )


@command.command("reset")
@click.argument("group")
@click.argument("name")
@click.option("--to", "target", type=click.Choice(["earliest", "latest"]), required=True)
@click.pass_obj
def reset_command(bootstrap: str, group: str, name: str, target: str) -> None:
    """Set the committed offsets of GROUP on topic NAME; the group must have no members."""
    from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition

    with kafka_errors(bootstrap), _consumer(bootstrap, group) as consumer:
        places = []
        for partition in _partitions(bootstrap, name):
            low, high = consumer.get_watermark_offsets(TopicPartition(name, partition), timeout=TIMEOUT_S)
            places.append(TopicPartition(name, partition, low if target == "earliest" else high))
        request = ConsumerGroupTopicPartitions(group, places)
        admin = _admin(bootstrap)
        for result in _all(admin.alter_consumer_group_offsets([request])):
            for place in result.topic_partitions:
                click.echo(f"{place.topic}\tpartition {place.partition}\tcommitted {place.offset}")


@command.command("export")
@click.argument("name")
@click.argument("file")
@until_option
@click.pass_obj
def export_command(bootstrap: str, name: str, file: str, until: str | None) -> None:
    """Write the records of topic NAME to FILE as JSON lines; a path, s3://, gs:// or az://.

    If the name ends in .gz or .zst, the file is compressed. With --until, only records of that time or earlier.
    """
    from smackbox.cli.topic_files import export

    until_s = moment_of(until)
    with kafka_errors(bootstrap), _consumer(bootstrap) as consumer, record_progress("exporting") as told:
        partitions = _partitions(bootstrap, name)
        until_ms = None if until_s is None else round(until_s * 1000)
        count = export(consumer, name, partitions, file, until_ms, told)
    click.echo(f"{count} records of {name} written to {file}")


@command.command("import")
@click.argument("name")
@click.argument("file")
@click.option("--append", is_flag=True, help="Import even if the topic already has records.")
@click.pass_obj
def import_command(bootstrap: str, name: str, file: str, append: bool) -> None:
    """Produce the records of FILE, as written by `export`, to topic NAME, which is created if missing.

    Partitions, keys, values, headers and timestamps are kept.
    """
    from confluent_kafka import Producer, TopicPartition
    from confluent_kafka.admin import NewTopic

    from smackbox.cli.topic_files import load, partitions_in

    with kafka_errors(bootstrap):
        if name not in _metadata(bootstrap).topics:
            admin = _admin(bootstrap)
            _all(admin.create_topics([NewTopic(name, partitions_in(file))]))
        partitions = _partitions(bootstrap, name)
        with _consumer(bootstrap) as consumer:
            places = [TopicPartition(name, partition) for partition in partitions]
            ends = [consumer.get_watermark_offsets(place, timeout=TIMEOUT_S) for place in places]
        if not append and any(low < high for low, high in ends):
            raise UserError(f"{name} has records already: give --append, or import into another topic")
        producer = Producer(
            {"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 5, "log_level": 2}
        )
        with record_progress("importing") as told:
            count = load(producer, name, len(partitions), file, told)
    click.echo(f"{count} records of {file} produced to {name}")


def _admin(bootstrap: str) -> AdminClient:
    """An admin client; it must be kept while its futures are waited for."""
    from confluent_kafka.admin import AdminClient

    return AdminClient({"bootstrap.servers": bootstrap, "log_level": 2})


def _metadata(bootstrap: str) -> ClusterMetadata:
    return _admin(bootstrap).list_topics(timeout=TIMEOUT_S)


def _partitions(bootstrap: str, name: str) -> list[int]:
    topics = _metadata(bootstrap).topics
    if name not in topics:
        raise UserError(f"no topic {name!r} at {bootstrap}; `smack topics list` shows them")
    return list(topics[name].partitions)


@contextmanager
def _consumer(bootstrap: str, group: str = "smack-topics") -> Iterator[Any]:
    from confluent_kafka import Consumer

    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "log_level": 2,
        }
    )
    try:
        yield consumer
    finally:
        consumer.close()


@contextmanager
def kafka_errors(bootstrap: str) -> Iterator[None]:
    """Turns a Kafka client's error into a `UserError` of one line."""
    from confluent_kafka import KafkaError, KafkaException

    no_answer = {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT, KafkaError._RESOLVE}
    try:
        yield
    except (KafkaException, FutureTimeoutError) as error:
        reason = error.args[0] if error.args else None
        if not isinstance(reason, KafkaError) or reason.code() in no_answer:
            raise UserError(
                f"no Kafka answers at {bootstrap}: start one with `smack up`, or say where it is (--kafka host:port)"
            ) from error
        raise UserError(f"Kafka at {bootstrap}: {reason.str()}") from error


def _all(futures: dict[Any, Future[T]]) -> list[T]:
    return [future.result(TIMEOUT_S) for future in futures.values()]


def _produce(producer: Any, name: str, key: bytes | None, value: bytes, done: Callable[[Any, Any], None]) -> None:
    """Wait for room in the bounded queue rather than fail: the pipe on standard input is the back-pressure."""
    deadline = time.monotonic() + PRODUCE_FLUSH_S
    while True:
        try:
            producer.produce(name, value, key, on_delivery=done)
            producer.poll(0)
            return
        except BufferError:
            if time.monotonic() > deadline:
                raise UserError(f"the broker took no record for {PRODUCE_FLUSH_S:.0f} s") from None
            producer.poll(0.1)


def _key_value(pair: str) -> tuple[str, str]:
    key, separator, value = pair.partition("=")
    if not separator:
        raise SettingError(f"--config {pair}: write it as KEY=VALUE")
    return key, value
