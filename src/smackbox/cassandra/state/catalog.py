"""The current schema, kept in the store's `schema` column family; every change gives it a new version."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeVar
from uuid import UUID

import msgspec

from smackbox.cassandra.state.columns import ColumnRecord
from smackbox.cassandra.state.engine import SCHEMA_FAMILY, Engine
from smackbox.cassandra.state.indexes import index_targets, view_target
from smackbox.cassandra.state.rows import MARKER, bitmap_of, plain_form
from smackbox.cassandra.state.schema import Keyspace, KeyspaceRecord, Table, TableRecord, TypeRecord
from smackbox.cassandra.state.table_options import TABLE_DEFAULTS
from smackbox.cassandra.state.type_names import parse_type
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.types import CqlType, UserType
from smackbox.store.rocks import RocksStore

_SYSTEM_TABLES = Path(__file__).with_name("system_tables.txt")
_LOCAL = {"class": "org.apache.cassandra.locator.LocalStrategy"}
_VIRTUAL_KEYSPACES: Final = frozenset({"system_virtual_schema", "system_views"})
_SYSTEM_REPLICATION = {
    "system_auth": "1",
    "system_distributed": "3",
    "system_traces": "2",
}
_NAMESPACE = UUID("f0e7c1d2-0b6a-4b1f-9a57-0c9b4a3d5e11")
_VERSION_KEY = b"v"
_NUMBER_KEY = b"n"
FIRST_TABLE_NUMBER = 1024
R = TypeVar("R", bound=msgspec.Struct)


class Catalog:
    """All keyspaces. `generation` increases with each change, so that caches derived from the schema can be dropped."""

    def __init__(self, store: RocksStore, engine: Engine) -> None:
        self._store = store
        self._engine = engine
        self.keyspaces: dict[str, Keyspace] = {}
        self.generation = 0
        self.version = _NAMESPACE
        self._next_number = FIRST_TABLE_NUMBER
        self._load_system()
        self._load()

    # ---- look-ups ----------------------------------------------------------------------------------------------------

    def keyspace(self, name: str) -> Keyspace:
        """Look up a keyspace. Raises `Invalid` when it does not exist."""
        keyspace = self.keyspaces.get(name)
        if keyspace is None:
            raise Invalid(f"keyspace {name} does not exist")
        return keyspace

    def table(self, keyspace: str, name: str) -> Table:
        """Look up a table. Raises `Invalid` when it does not exist."""
        owner = self.keyspaces.get(keyspace)
        if owner is None:
            raise Invalid(f"keyspace {keyspace} does not exist")
        table = owner.tables.get(name)
        if table is None:
            raise Invalid(f"table {name} does not exist")
        return table

    def table_of(self, number: int) -> Table | None:
        """The stored table of that number; views store nothing."""
        for keyspace in self.user_keyspaces():
            for table in keyspace.tables.values():
                if table.number == number and not table.is_view:
                    return table
        return None

    def user_keyspaces(self) -> list[Keyspace]:
        """The keyspaces that are not the system's."""
        return [keyspace for keyspace in self.keyspaces.values() if not is_system(keyspace.name)]

    # ---- changes ----------------------------------------------------------------------------------------------------

    def put_keyspace(self, record: KeyspaceRecord) -> None:
        """Add a keyspace or change its record."""
        previous = self.keyspaces.get(record.name)
        keyspace = Keyspace(record)
        if previous is not None:
            keyspace.tables = previous.tables
            keyspace.types = previous.types
        self.keyspaces[record.name] = keyspace
        self._save(_key("k", record.name), record)

    def drop_keyspace(self, name: str) -> None:
        """Remove a keyspace with all in it."""
        keyspace = self.keyspaces.pop(name)
        for table in keyspace.tables.values():
            self._remove_table(table)
        for user_type in keyspace.types:
            self._engine.batch.delete(_key("u", name, user_type), self._store.family(SCHEMA_FAMILY))
        self._engine.batch.delete(_key("k", name), self._store.family(SCHEMA_FAMILY))
        self._changed(b"drop keyspace " + name.encode())

    def put_table(self, record: TableRecord) -> Table:
        """Add a table or change its record."""
        keyspace = self.keyspaces[record.keyspace]
        table = self._build(record, keyspace)
        keyspace.tables[record.name] = table
        self._link_views(keyspace)
        self._save(_key("t", record.keyspace, record.name), record)
        return table

    def drop_table(self, table: Table) -> None:
        """Remove a table with its rows."""
        keyspace = self.keyspaces[table.keyspace]
        del keyspace.tables[table.name]
        self._remove_table(table)
        self._link_views(keyspace)
        self._changed(b"drop table " + table.name.encode())

    def put_type(self, record: TypeRecord) -> None:
        """Add a user type or change it; tables that use it change too."""
        keyspace = self.keyspaces[record.keyspace]
        self._build_type(record, keyspace)
        self._rebuild(keyspace)
        self._save(_key("u", record.keyspace, record.name), record)

    def drop_type(self, keyspace: Keyspace, name: str) -> None:
        """Remove a user type."""
        del keyspace.types[name]
        self._engine.batch.delete(_key("u", keyspace.name, name), self._store.family(SCHEMA_FAMILY))
        self._changed(b"drop type " + name.encode())

    def new_number(self) -> int:
        """A number that no table or index ever had."""
        number = self._next_number
        self._next_number = number + 1
        self._engine.batch.put(_NUMBER_KEY, str(self._next_number).encode(), self._store.family(SCHEMA_FAMILY))
        self._engine.pending += 1
        return number

    def _remove_table(self, table: Table) -> None:
        self._engine.batch.delete(_key("t", table.keyspace, table.name), self._store.family(SCHEMA_FAMILY))
        self._engine.pending += 1
        self._engine.drop_rows(table.number)
        for index in table.indexes:
            self._engine.drop_rows(index.number)

    def _save(self, key: bytes, record: msgspec.Struct) -> None:
        body = msgspec.json.encode(record)
        self._engine.batch.put(key, body, self._store.family(SCHEMA_FAMILY))
        self._changed(body)

    def _changed(self, change: bytes) -> None:
        self.version = UUID(bytes=hashlib.md5(self.version.bytes + change, usedforsecurity=False).digest(), version=3)
        self.generation += 1
        self._engine.batch.put(_VERSION_KEY, self.version.bytes, self._store.family(SCHEMA_FAMILY))
        self._engine.pending += 1
        self._engine.flush()

    # ---- loading ----------------------------------------------------------------------------------------------------

    def _load(self) -> None:
        self.version = UUID(bytes=self._store.get(_VERSION_KEY, SCHEMA_FAMILY) or _NAMESPACE.bytes)
        self._next_number = int(self._store.get(_NUMBER_KEY, SCHEMA_FAMILY) or FIRST_TABLE_NUMBER)
        for record in self._records(b"k/", KeyspaceRecord):
            self.keyspaces[record.name] = Keyspace(record)
        waiting = list(self._records(b"u/", TypeRecord))
        while waiting:
            later = []
            for type_record in waiting:
                try:
                    self._build_type(type_record, self.keyspaces[type_record.keyspace])
                except Invalid:
                    later.append(type_record)  # it uses a type that comes later
            if len(later) == len(waiting):
                raise AssertionError(f"user types that cannot be resolved: {[record.name for record in later]}")
            waiting = later
        for table_record in self._records(b"t/", TableRecord):
            keyspace = self.keyspaces[table_record.keyspace]
            keyspace.tables[table_record.name] = self._build(table_record, keyspace)
        for keyspace in self.user_keyspaces():
            self._link_views(keyspace)

    def _records(self, prefix: bytes, kind: type[R]) -> Iterator[R]:
        end = prefix[:-1] + bytes([prefix[-1] + 1])
        for _, body in self._store.items(prefix, end, SCHEMA_FAMILY):
            yield msgspec.json.decode(body, type=kind)

    def _build(self, record: TableRecord, keyspace: Keyspace) -> Table:
        types = {column.name: parse_type(column.type, keyspace.types, keyspace.name) for column in record.columns}
        table = Table(record, types)
        table.index_targets = index_targets(table)
        table.plain_mask, table.plain_flags = plain_form(table)
        if not table.is_counter and not record.dropped:
            table.whole_head = bytes((MARKER,)) + bitmap_of(column.number for column in table.regulars)
        return table

    def _build_type(self, record: TypeRecord, keyspace: Keyspace) -> None:
        names = tuple(name for name, _ in record.fields)
        parts = tuple(parse_type(text, keyspace.types, keyspace.name) for _, text in record.fields)
        keyspace.types[record.name] = UserType(keyspace.name, record.name, names, parts, multi_cell=True)

    def _rebuild(self, keyspace: Keyspace) -> None:
        """Rebuild types and tables after a user type has changed."""
        for user_type in list(keyspace.types.values()):
            fields = tuple((name, part.cql) for name, part in zip(user_type.field_names, user_type.parts, strict=True))
            self._build_type(TypeRecord(keyspace.name, user_type.name, fields), keyspace)
        for name, table in keyspace.tables.items():
            keyspace.tables[name] = self._build(table.record, keyspace)
        self._link_views(keyspace)

    def _link_views(self, keyspace: Keyspace) -> None:
        for table in keyspace.tables.values():
            views = tuple(keyspace.views_of(table.name))
            table.views = tuple(view.name for view in views)
            targets = (view_target(table, view) for view in views)
            table.view_targets = tuple(target for target in targets if target is not None)
            table.written_targets = table.index_targets + table.view_targets

    def _load_system(self) -> None:
        known: dict[str, CqlType] = {}
        keyspace = Keyspace(KeyspaceRecord("", {}))
        number = 1
        for line in _SYSTEM_TABLES.read_text(encoding="utf-8").splitlines():
            if line.startswith("## "):
                name = line[3:]
                factor = _SYSTEM_REPLICATION.get(name)
                replication = _LOCAL if factor is None else {**_SIMPLE, "replication_factor": factor}
                keyspace = Keyspace(KeyspaceRecord(name, replication), virtual=name in _VIRTUAL_KEYSPACES)
                self.keyspaces[name] = keyspace
                continue
            table_record, types = _system_table(line, keyspace.name, number, known)
            number += 1
            keyspace.tables[table_record.name] = Table(table_record, types, virtual=True)


_SIMPLE = {"class": "org.apache.cassandra.locator.SimpleStrategy"}


def is_system(keyspace: str) -> bool:
    """Whether a keyspace is a system keyspace."""
    return keyspace in {
        "system", "system_schema", "system_auth", "system_distributed", "system_traces", "system_views",
        "system_virtual_schema",
    }  # fmt: skip


def _key(*parts: str) -> bytes:
    return "/".join(parts).encode()


def _system_table(
    line: str, keyspace: str, number: int, known: dict[str, CqlType]
) -> tuple[TableRecord, dict[str, CqlType]]:
    """`name: **partition type, *clustering type, regular type  # comment`."""
    head, _, comment = line.partition("  #")
    name, _, body = head.partition(": ")
    columns: list[ColumnRecord] = []
    types = {}
    for part in _split(body):
        bare = part.lstrip("*")
        stars = len(part) - len(bare)
        column, _, text = bare.partition(" ")
        kind = ("regular", "clustering", "partition_key")[stars]
        if text not in known:
            known[text] = parse_type(text, {}, keyspace)
        types[column] = known[text]
        columns.append(ColumnRecord(column, kind, text, number=-1 if stars else len(columns)))
    options = {**TABLE_DEFAULTS, "comment": comment.strip()}
    table_id = UUID(bytes=hashlib.md5(f"{keyspace}.{name}".encode(), usedforsecurity=False).digest(), version=3)
    return TableRecord(keyspace, name, table_id, number, tuple(columns), options, len(columns)), types


def _split(body: str) -> Iterator[str]:
    """Split at the commas that are not inside a type's parameters."""
    depth = 0
    start = 0
    for index, character in enumerate(body):
        if character == "<":
            depth += 1
        elif character == ">":
            depth -= 1
        elif character == "," and not depth:
            yield body[start:index].strip()
            start = index + 1
    yield body[start:].strip()
