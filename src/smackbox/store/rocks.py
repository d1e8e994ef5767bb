"""RocksDB through rocksdict, opened in raw mode (keys and values are bytes) and tuned for small memory.

A `RocksStore` is one database with named column families. Writes go through a `WriteBatch`, which is atomic over all
families. Once `write` returns, the batch is in the write-ahead log, written to the kernel, and survives the death of
the process. `sync` makes all previous writes survive power loss.

Memory: the memtables of all families share one budget, and all blocks read share one cache, so an idle store costs a
few MB and a busy one stays within `memtable_bytes * 3 + cache_bytes` plus RocksDB's own bookkeeping.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rocksdict import (
    BlockBasedOptions,
    Cache,
    Checkpoint,
    DBCompressionType,
    DBRecoveryMode,
    Options,
    Rdict,
    WriteBatch,
)

from smackbox.base.errors import StartError, StorageError

DEFAULT_FAMILY = "default"
MEMTABLE_BYTES = 16 * 1024 * 1024
CACHE_BYTES = 32 * 1024 * 1024
MAX_OPEN_FILES = 256
MAX_WAL_BYTES = 128 * 1024 * 1024
BLOOM_BITS = 10
INFO_LOG_BYTES = 1024 * 1024


class RocksStore:
    """An open database. Only one process may open it; methods may be called from any thread."""

    def __init__(self, db: Rdict, families: dict[str, Any]) -> None:
        self.db = db
        self._families = families

    def batch(self) -> WriteBatch:
        """An atomic batch: `put(key, value, family)`, `delete(key, family)`, `delete_range(low, high, family)`."""
        return WriteBatch(raw_mode=True)

    def family(self, name: str) -> Any:
        """The handle that a batch takes as its last argument. Do not keep it: the store cannot close while one
        is held.
        """
        return self.db.get_column_family_handle(name)

    def view(self, name: str) -> Rdict:
        """Reads of one family: `get(key)`, `iter()`, `items(...)`."""
        return self._families[name] if name != DEFAULT_FAMILY else self.db

    def write(self, batch: WriteBatch) -> None:
        """Apply `batch` atomically. Raises `StorageError` when the disk rejects the write."""
        try:
            self.db.write(batch)
        except Exception as error:  # rocksdict raises bare Exception for every RocksDB status
            if type(error) is not Exception:
                raise
            raise StorageError(f"the store rejected a write: {error}") from error

    def sync(self) -> None:
        """Wait until everything written so far is on the disk. Raises `StorageError` when that fails."""
        try:
            self.db.flush_wal(True)
        except Exception as error:
            if type(error) is not Exception:
                raise
            raise StorageError(f"the store refused to sync: {error}") from error

    def get(self, key: bytes, family: str = DEFAULT_FAMILY) -> bytes | None:
        """The value of a key, or None."""
        return self.view(family).get(key)  # type: ignore[no-any-return]

    def items(
        self, start: bytes = b"", end: bytes | None = None, family: str = DEFAULT_FAMILY
    ) -> Iterator[tuple[bytes, bytes]]:
        """Key and value in key order, from `start` up to, but excluding, `end`, as of this moment."""
        # rocksdict's own upper bound points into freed memory, so the bound is checked here
        pairs = self.view(family).items(from_key=start)
        return pairs if end is None else _until(pairs, end)

    def flush(self) -> None:
        """Write the memtables to files, after which their log is no longer needed. Raises `StorageError`."""
        try:
            for family in (self.db, *self._families.values()):
                family.flush()
        except Exception as error:
            if type(error) is not Exception:
                raise
            raise StorageError(f"the store could not flush: {error}") from error

    def compact(self, start: bytes, end: bytes) -> None:
        """Rewrite the files of these keys, so that deleted data takes no space; this may take long."""
        self.db.compact_range(start, end)

    def files(self) -> list[tuple[bytes, bytes, int, int]]:
        """The first and last key of each file, its size in bytes and number of entries; for all families."""
        return [
            (file["start_key"], file["end_key"], file["size"], file["num_entries"]) for file in self.db.live_files()
        ]

    def cached_bytes(self) -> int:
        """The size of the block cache's content in bytes."""
        return int(self.db.property_int_value("rocksdb.block-cache-usage") or 0)

    def next_sequence(self) -> int:
        """A number larger than the count of all writes ever made to this store."""
        return int(self.db.latest_sequence_number()) + 1

    def checkpoint(self, path: Path) -> None:
        """Make a consistent copy in `path`, which must not exist; files are hard-linked if the file system allows."""
        Checkpoint(self.db).create_checkpoint(str(path))

    def close(self) -> None:
        """Close the database; its memtables are kept by the log."""
        # the database's lock is released when the last handle to it is closed
        for family in self._families.values():
            family.close()
        self._families.clear()
        self.db.close()


def open_store(
    path: Path,
    *,
    families: Sequence[str] = (),
    memtable_bytes: int = MEMTABLE_BYTES,
    cache_bytes: int = CACHE_BYTES,
) -> RocksStore:
    """Open the database in directory `path`, created if it is missing, with the named column families.

    The write-ahead log is replayed up to the first incomplete record: after power loss, what follows the last `sync`
    may be incomplete, have gaps or be zeros. Records after an incomplete one are not replayed. Raises `StartError` when
    the directory is unusable or contains something else.
    """
    cache = Cache(cache_bytes)
    options = _options(cache, memtable_bytes)
    try:
        path.mkdir(parents=True, exist_ok=True)
        # families that an earlier version or another user of the directory created must be opened as well
        existing = Rdict.list_cf(str(path), options) if (path / "CURRENT").exists() else []
        names = dict.fromkeys([*families, *(name for name in existing if name != DEFAULT_FAMILY)])
        db = Rdict(str(path), options, column_families={name: _options(cache, memtable_bytes) for name in names})
        return RocksStore(db, {name: db.get_column_family(name) for name in names})
    except OSError as error:
        raise StartError(f"cannot use the store in {path}: {error.strerror or error}") from error
    except Exception as error:
        if type(error) is not Exception:
            raise
        raise StartError(f"cannot open the store in {path}: {error}") from error


def _until(found: Iterator[tuple[bytes, bytes]], end: bytes) -> Iterator[tuple[bytes, bytes]]:
    for pair in found:
        if pair[0] >= end:
            return
        yield pair


def _options(cache: Cache, memtable_bytes: int) -> Options:
    table = BlockBasedOptions()
    table.set_block_cache(cache)
    table.set_bloom_filter(BLOOM_BITS, False)
    table.set_cache_index_and_filter_blocks(True)
    table.set_pin_l0_filter_and_index_blocks_in_cache(True)
    table.set_format_version(5)
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.create_missing_column_families(True)
    options.set_block_based_table_factory(table)
    options.set_write_buffer_size(memtable_bytes)
    options.set_max_write_buffer_number(3)
    options.set_db_write_buffer_size(memtable_bytes * 2)
    options.set_max_open_files(MAX_OPEN_FILES)
    options.set_max_total_wal_size(MAX_WAL_BYTES)
    options.set_wal_recovery_mode(DBRecoveryMode.point_in_time())
    options.set_compression_type(DBCompressionType.lz4())
    options.set_level_compaction_dynamic_level_bytes(True)
    options.set_max_background_jobs(2)
    options.set_keep_log_file_num(2)
    options.set_max_log_file_size(INFO_LOG_BYTES)
    options.set_stats_dump_period_sec(0)
    options.set_stats_persist_period_sec(0)
    return options
