"""What the front changes in a plan before Sail sees it.

- References to what the front keeps: batches of streams (`CachedRemoteRelation`), uploaded local data
  (`CachedLocalRelation` and the chunked one, which Sail does not take), views of streams.
- Reads of our sources get the option `prune`: the only columns that the query names.
- Rows written to a Python source are repartitioned: Sail writes all rows of a plan that ends in GROUP BY, DISTINCT or a
  join of aggregates, and then fails ("Invalid partition id").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from smackbox.spark.front.errors import SPARK, SparkError
from smackbox.spark.front.relation import children, fill_local, put, relations, to_bytes
from smackbox.spark.front.session import FrontSession

WRITE_PARTITIONS = 4
LOCAL_BYTES_LIMIT = 32 * 1024 * 1024
"""Larger local data go to Sail through a Parquet file: a message takes 128 MB at most."""
OWN_NAMES = frozenset({"cassandra", "org.apache.spark.sql.cassandra", "kafka", "smack_kafka"})
"""The sources of `smackbox.spark.sources`, without importing them."""
KAFKA_NAMES = frozenset({"kafka", "smack_kafka"})
FIRST_PLAN_ID = 2**40
"""Plan ids of relations that the front adds; those of a client count from 0."""
UNSPECIFIED, APPEND, OVERWRITE, ERROR_IF_EXISTS = range(4)
"""`WriteOperation.SaveMode`."""

_WORD = re.compile(r"\w+")
_NAME = re.compile(r"\s*`?(\w+)`?")
_JOIN = re.compile(r"\b(?:JOIN|TABLE)\s+`?(\w+)`?", re.IGNORECASE)
_FROM = re.compile(
    r"\bFROM\s+(.*?)(?=\bWHERE\b|\bGROUP\b|\bORDER\b|\bHAVING\b|\bLIMIT\b|\bJOIN\b|\bFROM\b|\(|\)|\Z)",
    re.IGNORECASE | re.DOTALL,
)
_TRANSPARENT = frozenset({"filter", "sort", "limit", "offset", "subquery_alias", "repartition", "sample", "tail"})
_BOUNDING = frozenset({"project", "aggregate"})
STREAMING_ACTION = (
    "Queries with streaming sources must be executed with writeStream.start(), or from a streaming table or flow "
    "definition within a Spark Declarative Pipeline."
)


def legacy_analysis_error(message: str) -> SparkError:
    """Spark's `_LEGACY_ERROR_TEMP_3102`, the condition of its checks of streaming plans."""
    return SparkError(message, condition="_LEGACY_ERROR_TEMP_3102", parameters={"msg": message})


def is_streaming(message: Any) -> bool:
    """Whether a message has a streaming read."""
    return any(
        relation.WhichOneof("rel_type") == "read" and relation.read.is_streaming for relation in relations(message)
    )


def resolve(message: Any, session: FrontSession) -> bool:
    """Replace references to what the front keeps, and prune. True when something was changed."""
    changed = False
    # as a list: what replaces a relation is resolved already, and is not to be walked
    for relation in list(relations(message)):
        kind = relation.WhichOneof("rel_type")
        if kind == "cached_remote_relation":
            changed |= _remote(relation, session)
        elif kind == "cached_local_relation":
            _uploaded(relation, session, [relation.cached_local_relation.hash])
            changed = True
        elif kind == "chunked_cached_local_relation":
            node = relation.chunked_cached_local_relation
            _uploaded(relation, session, list(node.dataHashes), node.schemaHash)
            changed = True
        elif kind == "sql":
            changed |= _named_in_sql(relation, session)
        elif kind == "read" and relation.read.WhichOneof("read_type") == "named_table":
            changed |= _named(relation, session)
        elif kind in _BOUNDING:
            changed |= _prune(relation)
    return changed


def _remote(relation: Any, session: FrontSession) -> bool:
    kept = session.remote.get(relation.cached_remote_relation.relation_id)
    if kept is None:
        return False
    put(relation, kept)
    return True


def kept_names(text: str, session: FrontSession) -> list[str]:
    """The names in SQL text that the front answers for: views of streams and tables of memory sinks."""
    if not (session.views or session.tables):
        return []
    named = set(tables_in(text))
    return [name for name in dict.fromkeys((*session.views, *session.tables)) if name in named]


def tables_in(text: str) -> Iterator[str]:
    """The names after FROM (also behind commas), JOIN and TABLE."""
    for clause in _FROM.finditer(text):
        for item in clause[1].split(","):
            name = _NAME.match(item)
            if name is not None:
                yield name[1]
    for join in _JOIN.finditer(text):
        yield join[1]


def _kept(name: str, session: FrontSession) -> Any:
    """The relation that such a name stands for; None for any other name."""
    if name in session.views:
        return session.views[name]
    return session.tables[name]() if name in session.tables else None


def _named(relation: Any, session: FrontSession) -> bool:
    name = relation.read.named_table.unparsed_identifier
    kept = _kept(name, session)
    if kept is None:
        return False
    alias = type(relation)()
    alias.subquery_alias.alias = name
    alias.subquery_alias.input.CopyFrom(kept)
    put(relation, alias)
    return True


def _named_in_sql(relation: Any, session: FrontSession) -> bool:
    """SQL text that names what the front keeps gets it as references, as `spark.sql(…, df=df)` sends them."""
    names = kept_names(relation.sql.query, session)
    if not names:
        return False
    whole = type(relation)()
    whole.with_relations.root.sql.CopyFrom(relation.sql)
    for number, name in enumerate(names):
        reference = whole.with_relations.references.add()
        reference.common.plan_id = FIRST_PLAN_ID + number
        reference.subquery_alias.alias = name
        reference.subquery_alias.input.CopyFrom(_kept(name, session))
    put(relation, whole)
    return True


def _uploaded(relation: Any, session: FrontSession, hashes: Iterable[str], schema_hash: str = "") -> None:
    """Data that a client uploaded in pieces, each an Arrow stream; a cached relation is a `LocalRelation` message."""
    paths = [session.artifact(f"cache/{name}") for name in hashes]
    schema_path = session.artifact(f"cache/{schema_hash}") if schema_hash else None
    if None in paths or (schema_hash and schema_path is None):
        raise SparkError(
            "Not found any cached local relation with the hash; upload it again with AddArtifacts.", classes=SPARK
        )
    schema = schema_path.read_text() if schema_path is not None else ""
    if relation.WhichOneof("rel_type") == "cached_local_relation":
        kept = type(relation)()
        kept.local_relation.ParseFromString(paths[0].read_bytes())  # type: ignore[union-attr]
        schema = kept.local_relation.schema
        table = pa.ipc.open_stream(kept.local_relation.data).read_all()
    else:
        pieces = [pa.ipc.open_stream(path.read_bytes()).read_all() for path in paths]  # type: ignore[union-attr]
        table = pa.concat_tables(pieces)
    put(relation, local(type(relation), table, session, schema))


def local(kind: Any, table: pa.Table, session: FrontSession, schema: str = "") -> Any:
    """A relation (of the message type `kind`) of `table`'s rows: in the message, or in a file when they are large.

    The file is an artifact of the session, and named by its contents.
    """
    relation = kind()
    if table.nbytes <= LOCAL_BYTES_LIMIT:
        fill_local(relation, table)
        if schema:
            relation.local_relation.schema = schema
        return relation
    name = f"{hash(to_bytes(table)) & (2**64 - 1):x}.parquet"

    def write(path: Any) -> int:
        parquet.write_table(table, path, compression="lz4")
        return path.stat().st_size  # type: ignore[no-any-return]

    session.store(name, write)
    relation.read.data_source.format = "parquet"
    relation.read.data_source.paths.append(str(session.artifact(name)))
    return relation


def _prune(relation: Any) -> bool:
    """The reads below a SELECT or GROUP BY, with only filters and the like between, give what is named."""
    nodes = [relation]
    below = children(relation)
    while len(below) == 1 and below[0].WhichOneof("rel_type") in _TRANSPARENT:
        nodes.append(below[0])
        below = children(below[0])
    if len(below) != 1 or below[0].WhichOneof("rel_type") != "read":
        return False
    read = below[0].read
    if read.is_streaming or read.WhichOneof("read_type") != "data_source":
        return False
    source = read.data_source
    if source.format.lower() not in OWN_NAMES or source.schema or "prune" in source.options:
        return False
    names: set[str] = set()
    for node in nodes:
        part = getattr(node, node.WhichOneof("rel_type"))
        for field, value in part.ListFields():
            if field.message_type is not None and field.message_type.full_name != "spark.connect.Relation":
                for item in value if field.is_repeated else [value]:
                    if not _names(item, names):
                        return False
    source.options["prune"] = ",".join(sorted(names))
    return True


def _names(message: Any, names: set[str]) -> bool:
    """Add the names of all columns in an expression, and more; False where it may mean any column."""
    kind = message.DESCRIPTOR.name
    if kind in {"UnresolvedStar", "UnresolvedRegex", "SubqueryExpression", "Relation"}:
        # count(*) comes as a literal or a star; a star within a function is rare and reads everything
        return False
    if kind == "UnresolvedAttribute":
        names.update(_WORD.findall(message.unparsed_identifier))
        return True
    if kind == "ExpressionString":
        names.update(_WORD.findall(message.expression))
        return "*" not in message.expression
    for field, value in message.ListFields():
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            continue
        for item in value if field.is_repeated else [value]:
            if not _names(item, names):
                return False
    return True


def check_mode(write: Any) -> bool:
    """True where the mode was changed. Raises `SparkError` for one that Spark refuses here; Sail would append.

    Spark's own kafka appends in the default mode as well.
    """
    if write.source.lower() in KAFKA_NAMES and write.mode in {UNSPECIFIED, ERROR_IF_EXISTS}:
        write.mode = APPEND
        return True
    if write.source.lower() in OWN_NAMES and write.mode not in {APPEND, OVERWRITE}:
        raise SparkError(
            f"{write.source} cannot be written with mode error or ignore (error is the default), for it does "
            'not look for rows that are there: use mode("append"), which upserts, or mode("overwrite")'
        )
    return False


def spread(write: Any) -> bool:
    """Repartition the rows of a `WriteOperation` to a Python source. True when it was changed."""
    if write.input.WhichOneof("rel_type") in {"repartition", "local_relation"}:
        return False
    rows = type(write.input)()
    rows.CopyFrom(write.input)
    write.input.Clear()
    write.input.repartition.input.CopyFrom(rows)
    write.input.repartition.num_partitions = WRITE_PARTITIONS
    write.input.repartition.shuffle = True
    return True
