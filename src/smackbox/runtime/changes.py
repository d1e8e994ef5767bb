"""Differences between an application and its existing tables and topics: columns, partitions and keys.

Tables are compared with the server's schema. Facts that no server stores (a topic's key field, the fields of its
events) are compared with the application's declarations at its last start here, in `DIR/applications/NAME.json`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, get_type_hints

import msgspec

from smackbox.app.model import App, Table, Topic
from smackbox.base.errors import StartError, StorageError
from smackbox.store.fs import Disk

if TYPE_CHECKING:
    from cassandra.cluster import Session


class Changes(msgspec.Struct, frozen=True):
    """The changes that the user who starts an application accepts."""

    accept: bool = False
    add_partitions: bool = False

    def flags(self) -> tuple[str, ...]:
        """As flags of `smack run`."""
        return ("--accept-changes",) * self.accept + ("--add-partitions",) * self.add_partitions


class _TopicRecord(msgspec.Struct, frozen=True):
    key: str | None
    unique: str | None
    fields: dict[str, str]


class _Record(msgspec.Struct, frozen=True):
    topics: dict[str, _TopicRecord]


class TableChange(NamedTuple):
    """A difference between a declared table and the existing one, and the statement that fixes it, if any.

    `is_needed` is False for a column that only the server has, with which the application runs.
    """

    problem: str
    statement: str | None = None
    is_needed: bool = True


def check_tables(session: Session, app: App) -> None:
    """Raises `StartError` that names every difference between a declared table and the existing one."""
    changes = [change for table in app.tables for change in table_changes(session, app.keyspace, table)]
    problems = [
        f"{change.problem}: add it with smack cql -k {app.keyspace} '{change.statement}', or all with `smack migrate`"
        if change.statement is not None
        else change.problem
        for change in changes
        if change.is_needed
    ]
    if problems:
        raise StartError("; ".join(problems))


def check_topics(app: App, directory: Path, *, accept: bool) -> None:
    """Raises `StartError` if existing events do not match changed keys or fields, unless `accept`."""
    problems = [] if accept else topic_changes(app, directory)
    if problems:
        raise StartError("; ".join(problems) + ". Start once with --accept-changes to go on with it")
    file = _record_file(app, directory)
    disk = Disk()
    try:
        disk.make_directory(file.parent)
        disk.replace(file, msgspec.json.format(msgspec.json.encode(_record(app))))
    except StorageError as error:
        raise StartError(f"cannot write {file}: {error}") from error


def topic_changes(app: App, directory: Path) -> list[str]:
    """Changes of topics that existing events do not match, each with its fix."""
    former, current = _former(app, directory), _record(app)
    return [
        problem
        for topic in app.topics
        if topic.name in former.topics
        for problem in _topic_changes(topic, former.topics[topic.name], current.topics[topic.name])
    ]


def topic_news(app: App, directory: Path) -> list[str]:
    """Compatible changes of event types: new fields with defaults, and removed fields."""
    former, current = _former(app, directory), _record(app)
    found: list[str] = []
    for name, topic in current.topics.items():
        if name not in former.topics:
            continue
        before = former.topics[name].fields
        found += [
            f"topic {name}: field {field} is new, and events that are there have its default"
            for field in topic.fields
            if field not in before
        ]
        found += [
            f"topic {name}: field {field} is gone, and is left out of events that have it. Was it renamed? Then keep "
            f'its name in JSON: new_name: … = msgspec.field(name="{field}")'
            for field in before
            if field not in topic.fields
        ]
    return found


def _record_file(app: App, directory: Path) -> Path:
    return directory / "applications" / f"{app.name}.json"


def _record(app: App) -> _Record:
    return _Record({topic.name: _topic_record(topic) for topic in app.topics})


def _former(app: App, directory: Path) -> _Record:
    file = _record_file(app, directory)
    try:
        return msgspec.json.decode(file.read_bytes(), type=_Record)
    except FileNotFoundError:
        return _Record({})
    except msgspec.DecodeError as error:
        raise StartError(f"{file} is damaged: {error}; remove it to go on without this check") from error


def table_changes(session: Session, keyspace: str, table: Table) -> Iterator[TableChange]:
    """The differences between a declared table and the existing one; empty if the table does not exist."""
    from smackbox.cassandra.wire.cql import ast
    from smackbox.cassandra.wire.cql.parser import parse
    from smackbox.cassandra.wire.errors import SyntaxFault

    try:
        declared, _ = parse(table.cql)
    except SyntaxFault:
        return  # the server accepts more than our parser does
    assert isinstance(declared, ast.CreateTable)
    rows = list(
        session.execute(
            "SELECT column_name, kind, position, type FROM system_schema.columns "
            "WHERE keyspace_name = %s AND table_name = %s",
            (keyspace, declared.name),
        )
    )
    name = f"table {keyspace}.{declared.name}"
    present = {row.column_name: row.type for row in rows}
    if not present:
        return
    for kind, columns in (("partition_key", declared.partition_key), ("clustering", declared.clustering)):
        key = tuple(row.column_name for row in sorted(rows, key=lambda row: int(row.position)) if row.kind == kind)
        if key != columns:
            yield TableChange(
                f"{name}: its {kind.replace('_', ' ')} is ({', '.join(key)}), the application says "
                f"({', '.join(columns)}): a primary key cannot be changed, give the table another name. A new stream "
                "into it begins with the topic's first event"
            )
            return
    for column in declared.columns:
        wanted = _type_text(column.type)
        if column.name not in present:
            yield TableChange(
                f"{name} has no column {column.name}", f'ALTER TABLE "{declared.name}" ADD "{column.name}" {wanted}'
            )
        elif _plain(present[column.name]) != _plain(wanted):
            yield TableChange(
                f"{name}: column {column.name} is {present[column.name]}, the application says {wanted}: a type cannot "
                "be changed, give the column another name and fill it with `smack patch`"
            )
    declared_names = {column.name for column in declared.columns}
    added = [column.name for column in declared.columns if column.name not in present]
    for column_name in present:
        if column_name not in declared_names:
            renamed = f" (was it renamed to {added[0]}? `smack patch` copies it first)" if len(added) == 1 else ""
            yield TableChange(
                f"{name}: the application has no column {column_name}{renamed}",
                f'ALTER TABLE "{declared.name}" DROP "{column_name}"',
                is_needed=False,
            )


def _type_text(kind: Any) -> str:
    inner = ", ".join([*map(_type_text, kind.parameters), *([str(kind.dimension)] if kind.dimension else [])])
    text = f"{kind.name}<{inner}>" if inner else str(kind.name)
    return f"frozen<{text}>" if kind.frozen else text


def _plain(kind: str) -> list[str]:
    """A type's words without `frozen<…>`, which does not change a column's values."""
    words: list[str] = []
    written: list[bool] = []
    after_frozen = False
    for word in re.findall(r"[^<>,\s]+|[<>,]", kind.lower()):
        if word == "frozen":
            after_frozen = True
            continue
        if word == "<":
            written.append(not after_frozen)
        if (word != ">" or written.pop()) and not (word == "<" and after_frozen):
            words.append("text" if word == "varchar" else word)
        after_frozen = False
    return words


def _topic_record(topic: Topic) -> _TopicRecord:
    hints = get_type_hints(topic.event)
    fields = {name: hint.__name__ if isinstance(hint, type) else str(hint) for name, hint in hints.items()}
    return _TopicRecord(topic.key, topic.unique, fields)


def _topic_changes(topic: Topic, former: _TopicRecord, current: _TopicRecord) -> Iterator[str]:
    name = f"topic {topic.name}"
    if former.key != current.key:
        yield (
            f"{name}: its key was {former.key} and is {current.key}: events that are there lie in partitions of the "
            "former key, so events of one key lose their order. A topic of another name avoids that"
        )
    if former.unique != current.unique:
        yield (
            f"{name}: unique= was {former.unique} and is {current.unique}: an event that is sent again may count twice "
            "where it was first counted by the former identity"
        )
    removed = [field for field in former.fields if field not in current.fields]
    for field in msgspec.structs.fields(topic.event):
        kind = current.fields[field.name]
        if field.name in former.fields and former.fields[field.name] != kind:
            yield (
                f"{name}: field {field.name} was {former.fields[field.name]} and is {kind}: events that are there and "
                "do not fit become dead letters"
            )
        elif field.name not in former.fields and field.required:
            was = f" (was it called {removed[0]}?)" if len(removed) == 1 else ""
            yield (
                f"{name}: field {field.name} was added without a default{was}: events that are there lack it "
                f"and become dead letters. Give it a default, such as {field.name}: … | None = None"
            )
