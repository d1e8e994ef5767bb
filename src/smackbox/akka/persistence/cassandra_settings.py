"""Settings of the journal in Cassandra. The names and defaults are those of pekko-persistence-cassandra 1.1."""

from __future__ import annotations

import re

from smackbox.akka.actor.record import record

NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")

BUCKET_MS = {"Day": 86_400_000, "Hour": 3_600_000, "Minute": 60_000}


@record
class CassandraSettings:
    """`partition_size`, `bucket_size` and the keyspaces must be those of all other programs on the same journal.

    `eventual_consistency_delay_s` is how far a query by tag stays behind the clock, so that events of writers whose
    clocks differ come in order; below 2 s events may be missed where there are several writers. `gap_timeout_s` is how
    long such a query waits for an event that it knows to be missing. With `create` keyspaces and tables are made where
    they are missing.
    """

    keyspace: str = "pekko"
    snapshot_keyspace: str = "pekko_snapshot"
    replication_factor: int = 1
    create: bool = True
    partition_size: int = 500_000
    bucket_size: str = "Hour"
    batch_size: int = 100
    tag_batch_size: int = 150
    tag_write_timeout_s: float = 4.0
    scanning_flush_s: float = 30.0
    eventual_consistency_delay_s: float = 5.0
    gap_timeout_s: float = 10.0
    max_concurrent_deletes: int = 10
    request_timeout_s: float = 10.0

    def __post_init__(self) -> None:
        for name in (self.keyspace, self.snapshot_keyspace):
            if not NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no keyspace: small letters, digits and _, at most 48")
        if self.bucket_size not in BUCKET_MS:
            raise ValueError(f"bucket_size is one of {', '.join(BUCKET_MS)}, not {self.bucket_size!r}")
        if self.partition_size < 1 or self.replication_factor < 1:
            raise ValueError("partition_size and replication_factor are at least 1")

    @property
    def bucket_ms(self) -> int:
        """How long a time bucket of `tag_views` is."""
        return BUCKET_MS[self.bucket_size]

    def bucket_of(self, ms: int) -> int:
        """The time bucket of a moment: its first millisecond."""
        return ms // self.bucket_ms * self.bucket_ms

    def partition_of(self, sequence_nr: int) -> int:
        """The `partition_nr` of a sequence number."""
        return (sequence_nr - 1) // self.partition_size if sequence_nr > 0 else 0
