"""The tables of pekko-persistence-cassandra 1.1, so that JVMs and Python share a journal, and their statements.

messages             the events: a partition holds `partition_size` sequence numbers of one id
tag_views            the events again, by tag and time bucket, numbered for each id and tag
tag_write_progress   which event of an id is the last in `tag_views` for a tag, and its number there
tag_scanning         up to which event of an id `tag_views` is complete for all tags
metadata             up to which event of an id all were deleted
all_persistence_ids  every id
snapshots            in a keyspace of their own
"""

from __future__ import annotations

from smackbox.akka.persistence.cassandra_settings import CassandraSettings

_GRACE = "gc_grace_seconds = 864000 AND compaction = {'class': 'SizeTieredCompactionStrategy'}"


def ddl(settings: CassandraSettings) -> list[str]:
    """What makes keyspaces and tables, in order."""
    journal, snapshots = settings.keyspace, settings.snapshot_keyspace
    replication = f"{{'class': 'SimpleStrategy', 'replication_factor': {settings.replication_factor}}}"
    keyspaces = [
        f"CREATE KEYSPACE IF NOT EXISTS {name} WITH replication = {replication}" for name in (journal, snapshots)
    ]
    return [*keyspaces, *(text.format(j=journal, s=snapshots, grace=_GRACE) for text in _TABLES)]


_EVENT = """writer_uuid text, ser_id int, ser_manifest text, event_manifest text, event blob,
    meta_ser_id int, meta_ser_manifest text, meta blob"""

_TABLES = (
    """CREATE TABLE IF NOT EXISTS {j}.messages (
    persistence_id text, partition_nr bigint, sequence_nr bigint, timestamp timeuuid, timebucket text,
    """
    + _EVENT
    + """, tags set<text>,
    PRIMARY KEY ((persistence_id, partition_nr), sequence_nr, timestamp)) WITH {grace}""",
    """CREATE TABLE IF NOT EXISTS {j}.tag_views (
    tag_name text, persistence_id text, sequence_nr bigint, timebucket bigint, timestamp timeuuid,
    tag_pid_sequence_nr bigint, """
    + _EVENT
    + """,
    PRIMARY KEY ((tag_name, timebucket), timestamp, persistence_id, tag_pid_sequence_nr)) WITH {grace}""",
    """CREATE TABLE IF NOT EXISTS {j}.tag_write_progress (
    persistence_id text, tag text, sequence_nr bigint, tag_pid_sequence_nr bigint, offset timeuuid,
    PRIMARY KEY (persistence_id, tag))""",
    "CREATE TABLE IF NOT EXISTS {j}.tag_scanning (persistence_id text PRIMARY KEY, sequence_nr bigint)",
    """CREATE TABLE IF NOT EXISTS {j}.metadata (
    persistence_id text PRIMARY KEY, deleted_to bigint, properties map<text, text>)""",
    "CREATE TABLE IF NOT EXISTS {j}.all_persistence_ids (persistence_id text PRIMARY KEY)",
    """CREATE TABLE IF NOT EXISTS {s}.snapshots (
    persistence_id text, sequence_nr bigint, timestamp bigint, ser_id int, ser_manifest text, snapshot_data blob,
    snapshot blob, meta_ser_id int, meta_ser_manifest text, meta blob,
    PRIMARY KEY (persistence_id, sequence_nr)) WITH CLUSTERING ORDER BY (sequence_nr DESC) AND {grace}""",
)

WRITE = """INSERT INTO {j}.messages (persistence_id, partition_nr, sequence_nr, timestamp, timebucket, writer_uuid,
    ser_id, ser_manifest, event_manifest, event, tags) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
READ = """SELECT sequence_nr, timestamp, writer_uuid, ser_id, ser_manifest, event_manifest, event, tags
    FROM {j}.messages WHERE persistence_id = ? AND partition_nr = ? AND sequence_nr >= ? AND sequence_nr <= ?"""
HIGHEST = """SELECT sequence_nr FROM {j}.messages WHERE persistence_id = ? AND partition_nr = ?
    ORDER BY sequence_nr DESC LIMIT 1"""
DELETE = """DELETE FROM {j}.messages
    WHERE persistence_id = ? AND partition_nr = ? AND sequence_nr >= 0 AND sequence_nr <= ?"""
DELETED_TO = "SELECT deleted_to FROM {j}.metadata WHERE persistence_id = ?"
SET_DELETED_TO = "INSERT INTO {j}.metadata (persistence_id, deleted_to) VALUES (?, ?)"
ADD_ID = "INSERT INTO {j}.all_persistence_ids (persistence_id) VALUES (?)"
IDS = "SELECT persistence_id FROM {j}.all_persistence_ids"

WRITE_TAG = """INSERT INTO {j}.tag_views (tag_name, timebucket, timestamp, tag_pid_sequence_nr, event, event_manifest,
    persistence_id, sequence_nr, ser_id, ser_manifest, writer_uuid) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
READ_TAG = """SELECT timestamp, persistence_id, tag_pid_sequence_nr, sequence_nr, writer_uuid, ser_id, ser_manifest,
    event_manifest, event FROM {j}.tag_views
    WHERE tag_name = ? AND timebucket = ? AND timestamp > ? AND timestamp <= ?"""
BUCKETS = "SELECT DISTINCT tag_name, timebucket FROM {j}.tag_views"
WRITE_PROGRESS = """INSERT INTO {j}.tag_write_progress (persistence_id, tag, sequence_nr, tag_pid_sequence_nr, offset)
    VALUES (?, ?, ?, ?, ?)"""
READ_PROGRESS = "SELECT tag, sequence_nr, tag_pid_sequence_nr FROM {j}.tag_write_progress WHERE persistence_id = ?"
WRITE_SCANNING = "INSERT INTO {j}.tag_scanning (persistence_id, sequence_nr) VALUES (?, ?)"
READ_SCANNING = "SELECT sequence_nr FROM {j}.tag_scanning WHERE persistence_id = ?"

SAVE_SNAPSHOT = """INSERT INTO {s}.snapshots (persistence_id, sequence_nr, timestamp, ser_manifest, ser_id,
    snapshot_data) VALUES (?, ?, ?, ?, ?, ?)"""
READ_SNAPSHOTS = """SELECT sequence_nr, timestamp, ser_id, ser_manifest, snapshot_data FROM {s}.snapshots
    WHERE persistence_id = ? AND sequence_nr <= ? AND sequence_nr >= ?"""
SNAPSHOT_TIMES = """SELECT sequence_nr, timestamp FROM {s}.snapshots
    WHERE persistence_id = ? AND sequence_nr <= ? AND sequence_nr >= ?"""
DELETE_SNAPSHOTS = "DELETE FROM {s}.snapshots WHERE persistence_id = ? AND sequence_nr >= ? AND sequence_nr <= ?"
DELETE_SNAPSHOT = "DELETE FROM {s}.snapshots WHERE persistence_id = ? AND sequence_nr = ?"

JOURNAL_STATEMENTS = (
    WRITE, READ, HIGHEST, DELETE, DELETED_TO, SET_DELETED_TO, ADD_ID, IDS, WRITE_TAG, READ_TAG, BUCKETS,
    WRITE_PROGRESS, READ_PROGRESS, WRITE_SCANNING, READ_SCANNING,
)  # fmt: skip
SNAPSHOT_STATEMENTS = (SAVE_SNAPSHOT, READ_SNAPSHOTS, SNAPSHOT_TIMES, DELETE_SNAPSHOTS, DELETE_SNAPSHOT)
