"""What a stream can be told, and the limits that keep a batch small."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import msgspec

from smackbox.base.errors import SettingError
from smackbox.spark.streaming.errors import StreamError

Delivery = Literal["exactly_once", "at_least_once"]
Merge = Literal["sum", "min", "max", "last"]


class StreamSettings(msgspec.Struct, frozen=True, kw_only=True):
    """From `topic` on `kafka` into `keyspace.table` on `cassandra`, a batch every `every_s` seconds.

    `checkpoint_dir` holds offsets, totals and the identities seen; one runner at a time holds it. `unique` names the
    event's identity field: an event whose identity was seen within the last `unique_horizon` to twice as many events
    is dropped, which is what makes totals exact although a sender repeats what it got no answer for.
    `merge` says how a batch's value joins the total of a column (default: sum).
    `delivery="at_least_once"` plans nothing ahead and remembers no identities: cheaper, and a repeated event counts
    again.
    `every_s=0` begins a batch as soon as there is something. With `backpressure` the next batch is as large as the
    measured rate lets it be done within `every_s`. `partitions` are those that are read, None is all; `divided_by` is
    the field that divides events among runners, which must be a part of every total's key.
    `cassandra` and `kafka` are `host:port`, several separated by commas. `spark` None is an embedded session.
    """

    name: str
    kafka: str
    topic: str
    cassandra: str
    keyspace: str
    table: str
    checkpoint_dir: Path
    group: str = ""
    spark: str | None = None
    every_s: float = 1.0
    delivery: Delivery = "exactly_once"
    unique: str | None = None
    merge: dict[str, Merge] = {}
    dead_letter: str | None = None
    starting_offsets: Literal["earliest", "latest"] = "earliest"
    on_data_loss: Literal["fail", "skip"] = "fail"
    sync: bool = False
    metrics_port: int | None = None
    backpressure: bool = True
    partitions: frozenset[int] | None = None
    divided_by: str | None = None

    max_rows_per_batch: int = 20_000
    max_bytes_per_batch: int = 64 * 1024 * 1024
    unique_horizon: int = 5_000_000
    write_concurrency: int = 16
    write_timeout_s: float = 10.0
    read_timeout_s: float = 30.0
    kafka_options: dict[str, str] = {}
    cassandra_datacenter: str | None = None
    cassandra_user: str | None = None
    cassandra_password: str | None = None
    consistency: str = "LOCAL_QUORUM"

    @property
    def group_id(self) -> str:
        """The group under which offsets show for others; the truth is the checkpoint."""
        return self.group or self.name

    def check_division(self, key: Iterable[str]) -> None:
        """Raises `StreamError` where rows of one key could come from several runners, and overwrite each other."""
        names = list(key)
        if self.divided_by is not None and self.divided_by not in names:
            raise StreamError(
                f"stream {self.name}: its instances divide the events by {self.divided_by}, which is not in the "
                f"primary key of {self.keyspace}.{self.table} ({', '.join(names)}): run it as one instance"
            )

    def check(self) -> None:
        """Raises `SettingError` for a value out of range."""
        if self.every_s < 0:
            raise SettingError(f"stream {self.name}: every_s must be 0 or more")
        for name in ("max_rows_per_batch", "max_bytes_per_batch", "unique_horizon", "write_concurrency"):
            if getattr(self, name) <= 0:
                raise SettingError(f"stream {self.name}: {name} must be more than 0")
