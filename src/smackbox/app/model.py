"""The declarative application: topics, endpoints, tables, streams and jobs, as pure data.

Nothing here opens a socket or knows a room. An `App` is filled by its module when that is imported; the box reads it
and starts what it names. Every declaration is checked when it is made, so that a mistake is reported at its own line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Literal, TypeVar

import msgspec

from smackbox.app.keeping import Archive, BackUp, KeepingDeclarations
from smackbox.app.names import check_name as _check_name
from smackbox.app.names import check_topic_name
from smackbox.app.names import check_unique as _check_unique
from smackbox.app.patches import Patch, PatchDeclarations
from smackbox.app.schema import check_event, cql_columns
from smackbox.app.sources import Source, SourceDeclarations, as_sources
from smackbox.app.streams import Delivery, Merge, Stream, Table, Target, Topic, check_stream
from smackbox.app.targets import TargetDeclarations, as_targets
from smackbox.base.avro_events import avro_schema
from smackbox.base.errors import SettingError
from smackbox.base.settings import near
from smackbox.flow.builder import Flow

__all__ = ["Actors", "App", "Job", "Post", "Stream", "Table", "Topic"]

MAX_PARTITIONS = 10_000
MAX_INSTANCES = 100
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Post:
    """An HTTP endpoint whose accepted events go to `topic`."""

    path: str
    topic: Topic
    instances: int = 1


@dataclass(frozen=True, slots=True)
class Job:
    """A batch job: `function(spark)`; its result is written to `target`, if there is one."""

    name: str
    function: Callable[[Any], Any]
    target: Table | None
    schedule: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Actors:
    """An actor system on `instances` nodes that form one cluster: `setup(node)` runs on each."""

    name: str
    setup: Callable[[Any], Any]
    instances: int
    roles: tuple[str, ...]


@dataclass(slots=True)
class App(KeepingDeclarations, PatchDeclarations, SourceDeclarations, TargetDeclarations):
    """One application.

    `keyspace` is where its tables live (default: its name); `replication` is the keyspace's replication factor, used
    when it is created.
    """

    name: str
    keyspace: str = ""
    replication: int = 1
    topics: list[Topic] = field(default_factory=list, init=False)
    posts: list[Post] = field(default_factory=list, init=False)
    tables: list[Table] = field(default_factory=list, init=False)
    streams: list[Stream] = field(default_factory=list, init=False)
    sources: list[Any] = field(default_factory=list, init=False)
    jobs: list[Job] = field(default_factory=list, init=False)
    actor_systems: list[Actors] = field(default_factory=list, init=False)
    archives: list[Archive] = field(default_factory=list, init=False)
    backups: list[BackUp] = field(default_factory=list, init=False)
    patches: list[Patch] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        _check_name("application", self.name)
        self.keyspace = self.keyspace or self.name
        _check_name("keyspace", self.keyspace)

    def topic(
        self,
        name: str,
        event: type[msgspec.Struct],
        *,
        key: str | None = None,
        unique: str | None = None,
        partitions: int = 1,
        dead_letter: str | None = None,
        format: Literal["json", "avro"] = "json",  # noqa: A002
    ) -> Topic:
        """Declare a topic of `event`s.

        `key` names the field that chooses the partition; `unique` the field that identifies an event: if a client
        posts an event again because it got no answer, it is counted once. Refused originals go to `dead_letter`.
        `format="avro"` writes Confluent's wire format, with the schema of `event` in a schema registry.
        """
        for topic_name in filter(None, (name, dead_letter)):
            check_topic_name(topic_name)
        check_event(event)
        for option, chosen in (("key", key), ("unique", unique)):
            if chosen is not None and chosen not in event.__struct_fields__:
                hint = near(chosen, event.__struct_fields__)
                raise SettingError(f"topic {name}: {option}={chosen!r} is not a field of {event.__name__}{hint}")
        if not 1 <= partitions <= MAX_PARTITIONS:
            raise SettingError(f"topic {name}: partitions must be 1 to {MAX_PARTITIONS}, not {partitions}")
        _check_unique("topic", name, self.topics)
        _check_unique("source", name, self.sources)
        if format not in {"json", "avro"}:
            raise SettingError(f"topic {name}: format is 'json' or 'avro', not {format!r}")
        if format == "avro":
            avro_schema(event)
        topic = Topic(name, event, key, unique, partitions, dead_letter, format)
        self.topics.append(topic)
        return topic

    def post(self, path: str, *, to: Topic, instances: int = 1) -> Post:
        """Declare the HTTP endpoint `POST path`, whose events go `to` a topic.

        All endpoints share a port. The largest of their `instances` is the number of processes that serve it; where one
        of them dies the others go on.
        """
        if not path.startswith("/") or "?" in path or path in {"/healthz", "/metrics"}:
            raise SettingError(f"endpoint {path!r}: a path begins with / and is neither /healthz nor /metrics")
        if any(post.path == path for post in self.posts):
            raise SettingError(f"endpoint {path} is declared twice")
        if not 1 <= instances <= MAX_INSTANCES:
            raise SettingError(f"endpoint {path}: instances must be 1 to {MAX_INSTANCES}, not {instances}")
        post = Post(path, to, instances)
        self.posts.append(post)
        return post

    def table(
        self,
        name: str,
        event: type[msgspec.Struct] | None = None,
        *,
        primary_key: str | tuple[str, ...] | None = None,
        cql: str | None = None,
    ) -> Table:
        """Declare a table, either by an event type and its `primary_key`, or by the `cql` that creates it.

        In a tuple the first name is the partition key and the rest are clustering columns.
        """
        _check_name("table", name)
        _check_unique("table", name, self.tables)
        if (cql is None) == (event is None):
            raise SettingError(f"table {name}: give an event type with primary_key=…, or cql=…, and not both")
        if cql is None:
            assert event is not None
            key = (primary_key,) if isinstance(primary_key, str) else primary_key
            if not key:
                raise SettingError(f"table {name}: primary_key= must name a field of {event.__name__}")
            for column in key:
                if column not in event.__struct_fields__:
                    hint = near(column, event.__struct_fields__)
                    raise SettingError(f"table {name}: {column!r} is not a field of {event.__name__}{hint}")
            columns = ", ".join(f'"{column}" {cql_type}' for column, cql_type in cql_columns(event))
            names = ", ".join(f'"{column}"' for column in key)
            cql = f'CREATE TABLE "{name}" ({columns}, PRIMARY KEY ({names}))'
        elif not re.match(rf'(?i)\s*CREATE\s+TABLE\s+(IF\s+NOT\s+EXISTS\s+)?"?{name}"?\s*\(', cql):
            raise SettingError(f"table {name}: its cql must begin with CREATE TABLE {name} (")
        table = Table(name, cql, event)
        self.tables.append(table)
        return table

    def stream(
        self,
        source: Topic | Source | Flow | Sequence[Topic | Source],
        *,
        to: Target | Callable[..., Any] | Sequence[Target | Callable[..., Any]],
        every: timedelta = timedelta(seconds=1),
        delivery: Delivery = "exactly_once",
        merge: dict[str, Merge] | None = None,
        instances: int | None = None,
    ) -> Callable[[F], F]:
        """Declare a stream from a source, or several of one type, to a target or several.

        As a statement it copies, or runs a flow (`app.flow`); as a decorator it aggregates. A decorated function gets
        each micro-batch as a Spark DataFrame and returns one row per key: the table's primary key columns and what the
        batch adds to its other columns. The runner keeps the totals (`merge` says how for each column, sum being the
        default) and writes those; without a table among the targets they get what the function made of the batch.

        `every=timedelta(0)` begins a batch as soon as there are records. A target is a table, a topic, a folder, an
        endpoint, a statement, or a function `f(batch, rows)`. `instances` processes share the partitions of a topic.
        """
        flow = source if isinstance(source, Flow) else None
        sources = flow.all_sources if flow is not None else as_sources(source)
        targets = as_targets(to)
        for target in targets:
            if isinstance(target, Topic) and target.format != "json":
                raise SettingError(f"topic {target.name} is in Avro: a stream writes to topics in JSON")
        name = f"{sources[0].name}_to_{targets[0].name}".replace(".", "_").replace("-", "_")
        copy = Stream(
            name, sources[0], targets[0], every, None, delivery, tuple((merge or {}).items()), sources, targets, flow,
            instances,
        )  # fmt: skip
        check_stream(copy)
        _check_unique("stream", name, self.streams)
        position = len(self.streams)
        self.streams.append(copy)

        def aggregate(function: F) -> F:
            _check_unique("stream", function.__name__, self.streams)
            stream = replace(copy, name=function.__name__, function=function)
            check_stream(stream)
            self.streams[position] = stream
            return function

        return aggregate

    def job(
        self,
        *,
        to: Table | None = None,
        schedule: str | None = None,
        after: Callable[[Any], Any] | None = None,
    ) -> Callable[[F], F]:
        """Declare a batch job: the decorated function gets a Spark session in which every table is a view.

        The DataFrame that it returns is written `to` a table. `schedule` is an ISO 8601 repeating interval; `after`
        another job.
        """
        after_name = None
        if after is not None:
            after_name = next((job.name for job in self.jobs if job.function is after), None)
            if after_name is None:
                raise SettingError("after= must be a job of this application, declared before")

        def declare(function: F) -> F:
            _check_unique("job", function.__name__, self.jobs)
            self.jobs.append(Job(function.__name__, function, to, schedule, after_name))
            return function

        return declare

    def actors(self, *, instances: int = 1, roles: tuple[str, ...] = ()) -> Callable[[F], F]:
        """Declare an actor system: the decorated function, plain or `async`, spawns its actors on a node.

        It gets the node (`smackbox.runtime.actors.ActorNode`: `system`, `cluster`, `sharding`, `urls`, `routes`) once
        it is a member of the cluster that `instances` processes form. A process that dies comes back as another node.
        """
        if not 1 <= instances <= MAX_INSTANCES:
            raise SettingError(f"actors: instances must be 1 to {MAX_INSTANCES}, not {instances}")

        def declare(function: F) -> F:
            _check_unique("actor system", function.__name__, self.actor_systems)
            self.actor_systems.append(Actors(function.__name__, function, instances, tuple(roles)))
            return function

        return declare

    def find_actors(self, name: str) -> Actors:
        """The actor system of that name. Raises `SettingError` that names the near one."""
        return _find("actor system", name, self.actor_systems)

    def find_job(self, name: str) -> Job:
        """The job of that name. Raises `SettingError` that names the near one."""
        return _find("job", name, self.jobs)

    def find_stream(self, name: str) -> Stream:
        """The stream of that name. Raises `SettingError` that names the near one."""
        return _find("stream", name, self.streams)


N = TypeVar("N", Topic, Table, Stream, Job, Actors)


def _find(kind: str, name: str, declared: list[N]) -> N:
    for item in declared:
        if item.name == name:
            return item
    names = [item.name for item in declared]
    raise SettingError(f"no {kind} {name!r}{near(name, names)}; there is {', '.join(names) or 'none'}")
