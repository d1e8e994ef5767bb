"""A server in this process that counts the rows of prepared INSERTs by how they were executed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from smackbox.cassandra.execution import batch, modify, writes
from smackbox.cassandra.execution.binder import Binder
from smackbox.cassandra.server import CassandraServer
from smackbox.cassandra.settings import CassandraSettings
from smackbox.net.service import ServiceThread


@dataclass
class BoundRows:
    """`bound`: rows that a binder took; `general`: modifications that were executed by their plans."""

    address: tuple[str, int]
    bound: int = 0
    general: int = 0


@contextmanager
def counting_server() -> Iterator[BoundRows]:
    rows_of, write = Binder.rows, writes.write
    with ServiceThread(CassandraServer(CassandraSettings())) as thread:
        host, _, port = thread.url.rpartition(":")
        counts = BoundRows((host, int(port)))

        def counted_rows(self: Binder, *arguments: Any) -> Any:
            found = rows_of(self, *arguments)
            counts.bound += len(found[0]) if found is not None else 0
            return found

        def counted_write(*arguments: Any, **options: Any) -> None:
            counts.general += 1
            write(*arguments, **options)

        with (
            patch.object(Binder, "rows", counted_rows),
            patch.object(modify, "write", counted_write),
            patch.object(batch, "write", counted_write),
        ):
            yield counts
