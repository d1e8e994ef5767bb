"""Topics, tables, and the streams that connect them, checked when they are declared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import msgspec

from smackbox.app.repeatable import check_table
from smackbox.app.sources import Source
from smackbox.app.targets import FileTarget, FunctionTarget, HttpTarget, StatementTarget
from smackbox.base.errors import SettingError
from smackbox.flow.builder import Flow
from smackbox.flow.steps import Aggregation, Branch, Distinct, Join, Lookup, Stateful

MAX_STREAM_INSTANCES = 100

Delivery = Literal["exactly_once", "at_least_once"]
Merge = Literal["sum", "min", "max", "last"]


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic of one event type. `key` routes an event to its partition; `unique` is the event's identity."""

    name: str
    event: type[msgspec.Struct]
    key: str | None
    unique: str | None
    partitions: int
    dead_letter: str | None
    format: Literal["json", "avro"] = "json"


@dataclass(frozen=True, slots=True)
class Table:
    """A table, created with `cql` in the application's keyspace if it does not exist."""

    name: str
    cql: str
    event: type[msgspec.Struct] | None = None


Target = Table | Topic | FileTarget | HttpTarget | StatementTarget | FunctionTarget


@dataclass(frozen=True, slots=True)
class Stream:
    """`sources` into `targets`: through `function` batch by batch, through `flow`, or as they are.

    `source` and `target` are the first of each. `instances` None is one process with one checkpoint; a number is so
    many processes that share the topic's partitions.
    """

    name: str
    source: Topic | Source
    target: Target
    every: timedelta
    function: Callable[[Any], Any] | None
    delivery: Delivery
    merge: tuple[tuple[str, Merge], ...]
    sources: tuple[Topic | Source, ...] = ()
    targets: tuple[Target, ...] = ()
    flow: Flow | None = None
    instances: int | None = None

    @property
    def table(self) -> Table | None:
        """The table among the targets."""
        return next((target for target in self.targets if isinstance(target, Table)), None)


def check_stream(stream: Stream) -> None:
    """Raises `SettingError`, with an alternative, for a stream that could not be exact or could not run."""
    name = f"stream {stream.name}"
    if stream.every < timedelta(0):
        raise SettingError(f"{name}: every= must not be negative")
    _check_targets(name, stream)
    if stream.flow is not None:
        _check_lookups(name, stream.flow.branch)
    if stream.flow is None:
        Flow.of(stream.sources)
    elif stream.function is not None:
        raise SettingError(f"{name}: a flow has its own functions (map, filter, stateful); leave out the decorated one")
    if stream.merge and (stream.table is None or stream.flow is not None):
        raise SettingError(f"{name}: merge= is for the totals of a function in a table")
    others = any(not isinstance(target, Table) for target in stream.targets)
    if stream.delivery != "exactly_once" and (others or stream.flow is not None):
        raise SettingError(
            f"{name}: only a table can take at_least_once batches: other targets tell batches by their number, and the "
            "state of a flow is committed with them"
        )
    if len({source.unique for source in stream.sources}) > 1:
        raise SettingError(f"{name}: its sources differ in unique=: use drop_duplicates_within_watermark of a flow")
    if len({source.dead_letter for source in stream.sources}) > 1:
        raise SettingError(f"{name}: its sources differ in dead_letter=: name one for all")
    if stream.instances is not None:
        _check_instances(name, stream)


def check_copy(stream: Stream) -> None:
    """Raises `SettingError` for a copy into a topic of another event type: checked once no function can follow."""
    if stream.function is None and stream.flow is None:
        for target in stream.targets:
            if isinstance(target, Topic):
                _check_topic_target(f"stream {stream.name}", target, stream.source.event)


def _check_targets(name: str, stream: Stream) -> None:
    for target in stream.targets:
        if not isinstance(target, Target):
            raise SettingError(f"{name}: {target!r} is no target: give a table, a topic, a folder, or a function")
        if target in stream.sources:
            raise SettingError(f"{name}: {target.name} is its source as well, and would be read without end")
        if isinstance(target, Table):
            check_table(target.name, target.cql)
        if isinstance(target, Topic) and stream.flow is not None:
            _check_topic_target(name, target, stream.flow.rows)
    tables = [target.name for target in stream.targets if isinstance(target, Table)]
    if len(tables) > 1:
        raise SettingError(f"{name}: {', '.join(tables)}: one table for a stream; declare a stream for each")
    late = stream.flow.late_to if stream.flow is not None else None
    if late is not None:
        if callable(late) and not hasattr(late, "name"):
            return
        if isinstance(late, Table) or not isinstance(late, Target):
            raise SettingError(f"{name}: late events go to a topic, a folder, an endpoint or a function, not {late!r}")
        if isinstance(late, Topic):
            assert stream.flow is not None
            for rows in _late_rows(stream.flow.branch):
                _check_topic_target(name, late, rows)


def _late_rows(branch: Branch) -> list[type[msgspec.Struct]]:
    """The types of the rows that can be late: the inputs of steps that keep rows for a time."""
    found: list[type[msgspec.Struct]] = []
    for step in branch.steps:
        if isinstance(step, Join):
            found += [step.left, step.right, *_late_rows(step.right_branch)]
        elif isinstance(step, Distinct | Stateful) or (isinstance(step, Aggregation) and step.window is not None):
            found.append(step.rows)
    return list(dict.fromkeys(found))


def _check_lookups(name: str, branch: Branch) -> None:
    for step in branch.steps:
        if isinstance(step, Join):
            _check_lookups(name, step.right_branch)
        elif isinstance(step, Lookup) and isinstance(step.table, Topic):
            columns = [column for column, _ in step.on]
            if columns != [step.table.key]:
                raise SettingError(
                    f"{name}: the topic {step.table.name} is a table by its key ({step.table.key}), and cannot be "
                    f"looked up by {', '.join(columns)}: give it that key=, or look up a table"
                )


def _check_topic_target(name: str, topic: Topic, rows: type[msgspec.Struct]) -> None:
    missing = [
        found.name
        for found in msgspec.structs.fields(topic.event)
        if found.required and found.name not in rows.__struct_fields__
    ]
    if missing:
        raise SettingError(
            f"{name}: {topic.name} takes {topic.event.__name__}, and {rows.__name__} has no {', '.join(missing)}"
        )


def _check_instances(name: str, stream: Stream) -> None:
    assert stream.instances is not None
    if not 1 <= stream.instances <= MAX_STREAM_INSTANCES:
        raise SettingError(f"{name}: instances must be 1 to {MAX_STREAM_INSTANCES}, not {stream.instances}")
    source = stream.source
    if len(stream.sources) > 1 or not isinstance(source, Topic):
        raise SettingError(
            f"{name}: instances share the partitions of one topic; copy other sources into a topic first"
        )
    if stream.delivery != "exactly_once":
        raise SettingError(f"{name}: instances need delivery='exactly_once'")
    keyed = stream.function is not None or (stream.flow is not None and stream.flow.keys is not None)
    if keyed and source.key is None:
        raise SettingError(f"{name}: give {source.name} a key=, so that what is added up together is in one partition")
    if stream.flow is not None and stream.flow.keys is not None and source.key not in stream.flow.keys:
        raise SettingError(
            f"{name}: it groups by {', '.join(stream.flow.keys)}, and {source.name} is divided by {source.key}: a "
            f"group would be in several instances. Group by {source.key} as well, or copy into a topic with that key"
        )
    late = stream.flow.late_to if stream.flow is not None else None
    for target in (*stream.targets, late):
        if isinstance(target, FunctionTarget) or (callable(target) and not hasattr(target, "name")):
            raise SettingError(
                f"{name}: a function knows a batch by its number, and each partition counts its own: write into a "
                "topic, and let another stream bring that to the function"
            )
