"""The settings of `smack up` and `smack run`, and the directory of a box."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from smackbox.base.errors import StartError
from smackbox.store.data_dir import DataDir

DEFAULT_DIR = Path(".smackbox")
KAFKA_PORT = 9092
CASSANDRA_PORT = 9042
SPARK_PORT = 15002
ZOOKEEPER_PORT = 2181
INGEST_PORT = 8080
MESOS_PORT = 5050
MESOS_AGENT_PORT = 5051
MARATHON_PORT = 8081
CHRONOS_PORT = 4400
DISPATCHER_PORT = 6066
REGISTRY_PORT = 8085
"""Not 8081, Confluent's default: that is Marathon's."""


class BoxSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The box's directory and servers. Port 0 picks a free one; `spark` None starts Spark if it is installed.
    `registry` starts a schema registry.

    `cassandra_username` and `cassandra_password` are an application's login, if Cassandra requires one.
    """

    dir: Path = DEFAULT_DIR
    memory: bool = False
    host: str = "127.0.0.1"
    kafka_port: int = KAFKA_PORT
    cassandra_port: int = CASSANDRA_PORT
    spark_port: int = SPARK_PORT
    zookeeper_port: int = ZOOKEEPER_PORT
    ingest_port: int = INGEST_PORT
    mesos_port: int = MESOS_PORT
    mesos_agent_port: int = MESOS_AGENT_PORT
    marathon_port: int = MARATHON_PORT
    chronos_port: int = CHRONOS_PORT
    registry_port: int = REGISTRY_PORT
    spark: bool | None = None
    registry: bool = False
    sync: bool = False
    insecure: bool = False
    cassandra_username: str | None = None
    cassandra_password: str | None = None

    def with_free_ports(self) -> BoxSettings:
        """The same with each port 0, so that the system picks one."""
        ports = [name for name in self.__struct_fields__ if name.endswith("_port")]
        return msgspec.structs.replace(self, **dict.fromkeys(ports, 0))


class Urls(msgspec.Struct, frozen=True, kw_only=True):
    """The servers an application talks to; None means the box's own. `spark` None is an embedded session."""

    kafka: str | None = None
    cassandra: str | None = None
    spark: str | None = None
    zookeeper: str | None = None
    schema_registry: str | None = None
    """`http://host:port` of a schema registry."""

    akka: str | None = None
    """A cluster of actors to join instead of one of the application's own: `akka://system@host:port`."""

    def __or__(self, other: Urls) -> Urls:
        """These servers, with the other's in place of None."""
        return Urls(
            kafka=self.kafka or other.kafka,
            cassandra=self.cassandra or other.cassandra,
            spark=self.spark or other.spark,
            zookeeper=self.zookeeper or other.zookeeper,
            schema_registry=self.schema_registry or other.schema_registry,
            akka=self.akka or other.akka,
        )

    def flags(self) -> tuple[str, ...]:
        """As flags of `smack run`."""
        given = msgspec.structs.asdict(self).items()
        return tuple(part for name, url in given if url is not None for part in (f"--{name.replace('_', '-')}", url))


def refuse_unfinished(directory: Path) -> None:
    """Raises `StartError` for a directory with an unfinished restore."""
    from smackbox.backup.fetch import is_unfinished

    if is_unfinished(directory):
        raise StartError(f"a restore into {directory} was not finished: run `smack restore` again")


@contextmanager
def box_directory(settings: BoxSettings) -> Iterator[BoxSettings]:
    """The settings with a directory that exists while the block runs: a memory box gets one on tmpfs."""
    if not settings.memory:
        refuse_unfinished(settings.dir)
        yield msgspec.structs.replace(settings, dir=settings.dir.resolve())
        return
    directory = DataDir.open(None)
    try:
        yield msgspec.structs.replace(settings, dir=directory.path)
    finally:
        directory.close()
