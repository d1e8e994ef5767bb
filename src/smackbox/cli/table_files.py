"""A table's rows as a file and back: CSV, JSON lines, Parquet; over the CQL protocol, so with any Cassandra.

Rows travel as the documents of `SELECT JSON` and `INSERT JSON`, which have a form for every type. A JSON line is such a
document. In CSV and Parquet a column is a field: text as it is, other scalars in their text form (in Parquet: numbers,
booleans, bytes, dates and timestamps as such), collections, tuples and user types as JSON. Nulls are left out of
documents, empty fields of CSV are nulls. NaN and infinities have no form in JSON: Cassandra writes null for them.
Timestamps and TTLs of cells are not in the file. A file is a path or a URL (`store/object_files`), packed where its
name ends in `.gz` or `.zst`; it appears whole or not at all.
"""

from __future__ import annotations

import csv
import datetime
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from smackbox.base.errors import UserError
from smackbox.store.object_files import reading, reading_text, suffix_of, writing, writing_text

if TYPE_CHECKING:
    from cassandra.cluster import Session

FORMATS = ("csv", "jsonl", "parquet")
PAGE_ROWS = 1_000
CHUNK_ROWS = 10_000
CONCURRENCY = 64
_SUFFIXES = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".parquet": "parquet"}
_SCALARS = frozenset({
    "ascii", "bigint", "blob", "boolean", "counter", "date", "decimal", "double", "duration", "float", "inet", "int",
    "smallint", "text", "time", "timestamp", "timeuuid", "tinyint", "uuid", "varchar", "varint",
})  # fmt: skip
Document = dict[str, Any]
Told = Callable[[int], None]
# columns' names, as JSON documents have them, and their CQL types
Columns = dict[str, str]


def format_of(file: str, given: str | None) -> str:
    """Raises `UserError` when neither the option nor the file's name gives the format."""
    found = given or _SUFFIXES.get(suffix_of(file))
    if found is None:
        raise UserError(f"what is {file} to be? name it .csv, .jsonl or .parquet, or give --format")
    return found


def columns_of(session: Session, name: str) -> Columns:
    """The columns of `keyspace.table` in order. Raises `UserError` when there is no such table."""
    keyspace, dot, table = name.partition(".")
    if not dot:
        raise UserError(f"a table is like keyspace.table, not {name!r}")
    found = session.cluster.metadata.keyspaces.get(keyspace)
    if found is None or table not in found.tables:
        raise UserError(f"there is no table {name}")
    return {
        column if column == column.lower() else f'"{column}"': definition.cql_type
        for column, definition in found.tables[table].columns.items()
    }


def export(session: Session, name: str, file: str, form: str, told: Told = lambda _rows: None) -> int:
    """Write all rows of the table; returns their number. `told` is called with the number done. Raises `UserError`."""
    columns = columns_of(session, name)
    from cassandra.query import SimpleStatement

    query = f"SELECT JSON * FROM {_quoted(name)}"  # noqa: S608 - the name was found in the schema
    statement = SimpleStatement(query, fetch_size=PAGE_ROWS)
    rows = _counted(session.execute(statement, timeout=None), told)
    documents = (json.loads(row[0], parse_float=str) for row in rows)
    return _WRITERS[form](documents, columns, file)


def load(session: Session, name: str, file: str, form: str, told: Told = lambda _rows: None) -> int:
    """Insert all rows of the file; returns their number. Raises `UserError` at the first refused row."""
    from cassandra import InvalidRequest
    from cassandra.concurrent import execute_concurrent_with_args

    columns = columns_of(session, name)
    if "counter" in columns.values():
        raise UserError(f"{name} holds counters, which cannot be inserted")
    insert = session.prepare(f"INSERT INTO {_quoted(name)} JSON ? DEFAULT UNSET")
    documents = enumerate(_READERS[form](file, columns), start=1)
    count = 0
    while chunk := list(islice(documents, CHUNK_ROWS)):
        arguments = [(json.dumps(document, ensure_ascii=False),) for _, document in chunk]
        results = execute_concurrent_with_args(session, insert, arguments, CONCURRENCY, raise_on_first_error=False)
        for (number, _), (is_done, result) in zip(chunk, results, strict=True):
            if not is_done:
                what = result if isinstance(result, InvalidRequest) else f"{type(result).__name__}: {result}"
                raise UserError(f"row {number} of {file} was refused (rows around it may be in): {what}")
        count += len(chunk)
        told(count)
    return count


def _counted(rows: Iterable[Any], told: Told) -> Iterator[Any]:
    for number, row in enumerate(rows, start=1):
        if number % PAGE_ROWS == 0:
            told(number)
        yield row


def _quoted(name: str) -> str:
    return ".".join(f'"{part}"' for part in name.split(".", 1))


# ---- JSON lines -----------------------------------------------------------------------------------------------------


def _write_lines(documents: Iterable[Document], columns: Columns, file: str) -> int:
    del columns
    count = 0
    with writing_text(file) as output:
        for document in documents:
            output.write(json.dumps(document, ensure_ascii=False) + "\n")
            count += 1
    return count


def _read_lines(file: str, columns: Columns) -> Iterator[Document]:
    del columns
    with reading_text(file) as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                document = json.loads(line, parse_float=str)
            except ValueError as error:
                raise UserError(f"line {number} of {file} is not JSON: {error}") from error
            if not isinstance(document, dict):
                raise UserError(f"line {number} of {file} is not a JSON object")
            yield _without_nulls(document)


# ---- CSV ------------------------------------------------------------------------------------------------------------


def _write_csv(documents: Iterable[Document], columns: Columns, file: str) -> int:
    count = 0
    with writing_text(file) as output:
        writer = csv.writer(output)
        writer.writerow(columns)
        for document in documents:
            writer.writerow([_field(document.get(name), kind) for name, kind in columns.items()])
            count += 1
    return count


def _read_csv(file: str, columns: Columns) -> Iterator[Document]:
    csv.field_size_limit(2**31 - 1)
    with reading_text(file) as lines:
        reader = csv.reader(lines)
        names = _known(next(reader, []), columns, file)
        for row in reader:
            if len(row) != len(names):
                raise UserError(f"line {reader.line_num} of {file} has {len(row)} fields, not {len(names)}")
            place = f"line {reader.line_num} of {file}"
            yield _without_nulls(
                {name: _value(text, columns[name], place) for name, text in zip(names, row, strict=True) if text}
            )


def _known(names: Sequence[str], columns: Columns, file: str) -> Sequence[str]:
    unknown = [name for name in names if name not in columns]
    if unknown or not names:
        raise UserError(f"{file} has columns that the table has not: {', '.join(unknown) or 'none at all'}")
    return names


def _field(value: Any, kind: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if kind in _SCALARS else json.dumps(value, ensure_ascii=False)


def _value(text: str, kind: str, place: str) -> Any:
    if kind in _SCALARS:
        return text
    try:
        return json.loads(text, parse_float=str)
    except ValueError as error:
        raise UserError(f"{place}: {text[:80]!r} is not JSON, as a {kind} is written: {error}") from error


def _without_nulls(document: Document) -> Document:
    """A null would be a deletion."""
    return {name: value for name, value in document.items() if value is not None}


# ---- Parquet --------------------------------------------------------------------------------------------------------


def _write_parquet(documents: Iterable[Document], columns: Columns, file: str) -> int:
    pyarrow, parquet = _pyarrow()
    kinds = {
        "tinyint": pyarrow.int8(), "smallint": pyarrow.int16(), "int": pyarrow.int32(), "bigint": pyarrow.int64(),
        "counter": pyarrow.int64(), "float": pyarrow.float32(), "double": pyarrow.float64(),
        "boolean": pyarrow.bool_(), "blob": pyarrow.binary(), "date": pyarrow.date32(),
        "timestamp": pyarrow.timestamp("ms", tz="UTC"),
    }  # fmt: skip
    schema = pyarrow.schema([(_bare(name), kinds.get(kind, pyarrow.string())) for name, kind in columns.items()])
    count = 0
    rows = iter(documents)
    with writing(file) as output, parquet.ParquetWriter(output, schema) as writer:
        while chunk := list(islice(rows, CHUNK_ROWS)):
            values = [[_cell(document.get(name), kind) for document in chunk] for name, kind in columns.items()]
            writer.write_table(pyarrow.table(values, schema=schema))
            count += len(chunk)
    return count


def _read_parquet(file: str, columns: Columns) -> Iterator[Document]:
    _, parquet = _pyarrow()
    by_bare_name = {_bare(name): name for name in columns}
    with reading(file) as plain, parquet.ParquetFile(plain) as source:
        bare = _known(source.schema_arrow.names, {name: columns[by_bare_name[name]] for name in by_bare_name}, file)
        names = [by_bare_name[name] for name in bare]
        for batch in source.iter_batches(batch_size=CHUNK_ROWS):
            for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                yield _without_nulls(
                    {name: _from_cell(value, columns[name], file) for name, value in zip(names, row, strict=True)}
                )


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise UserError("Parquet needs pyarrow: pip install pyarrow") from error
    return pyarrow, parquet


def _bare(name: str) -> str:
    return name.strip('"')


def _cell(value: Any, kind: str) -> Any:
    if value is None:
        return None
    convert = _TO_CELL.get(kind)
    if convert is not None:
        return convert(value)
    return _field(value, kind)


def _from_cell(value: Any, kind: str, file: str) -> Any:
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).strftime("%Y-%m-%d %H:%M:%S.") + f"{value.microsecond // 1000:03d}Z"
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, str):
        return _value(value, kind, file)
    return value


_TO_CELL: dict[str, Callable[[Any], Any]] = {
    "tinyint": int,
    "smallint": int,
    "int": int,
    "bigint": int,
    "counter": int,
    "float": float,
    "double": float,
    "boolean": bool,
    "blob": lambda text: bytes.fromhex(text[2:]),
    "date": datetime.date.fromisoformat,
    "timestamp": datetime.datetime.fromisoformat,
}
_WRITERS = {"csv": _write_csv, "jsonl": _write_lines, "parquet": _write_parquet}
_READERS = {"csv": _read_csv, "jsonl": _read_lines, "parquet": _read_parquet}
