"""The RocksDB floor: atomic batches over families, ranges, what survives a close, a kill and a torn log."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from smackbox.base.errors import StartError
from smackbox.store.rocks import open_store


def test_a_batch_reaches_all_families_and_survives_reopening(tmp_path: Path) -> None:
    store = open_store(tmp_path / "db", families=("a", "b"))
    batch = store.batch()
    batch.put(b"k", b"1")
    batch.put(b"k", b"2", store.family("a"))
    batch.put(b"k", b"3", store.family("b"))
    store.write(batch)
    store.close()
    again = open_store(tmp_path / "db", families=("a",))  # "b" is found by itself
    assert (again.get(b"k"), again.get(b"k", "a"), again.get(b"k", "b")) == (b"1", b"2", b"3")
    assert again.get(b"nothing") is None
    again.close()


def test_items_are_in_order_within_bounds(tmp_path: Path) -> None:
    store = open_store(tmp_path / "db")
    batch = store.batch()
    for number in range(10):
        batch.put(bytes([number]), str(number).encode())
    batch.delete_range(bytes([4]), bytes([6]))
    batch.delete(bytes([7]))
    store.write(batch)
    assert [key[0] for key, _ in store.items(bytes([2]), bytes([9]))] == [2, 3, 6, 8]
    assert [key[0] for key, _ in store.items(bytes([8]))] == [8, 9]
    store.close()


def test_the_sequence_never_goes_back(tmp_path: Path) -> None:
    store = open_store(tmp_path / "db")
    first = store.next_sequence()
    batch = store.batch()
    batch.put(b"a", b"")
    batch.put(b"b", b"")
    store.write(batch)
    store.close()
    again = open_store(tmp_path / "db")
    assert again.next_sequence() >= first + 2
    again.close()


def test_a_second_opening_is_refused_with_one_line(tmp_path: Path) -> None:
    store = open_store(tmp_path / "db")
    with pytest.raises(StartError, match="cannot open the store"):
        open_store(tmp_path / "db")
    store.close()


def test_a_directory_that_cannot_be_made_is_a_start_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match="cannot use the store"):
        open_store(tmp_path / "file" / "db")


def test_a_checkpoint_is_a_store_of_its_own(tmp_path: Path) -> None:
    store = open_store(tmp_path / "db", families=("a",))
    batch = store.batch()
    batch.put(b"k", b"v", store.family("a"))
    store.write(batch)
    store.checkpoint(tmp_path / "copy")
    store.close()
    copy = open_store(tmp_path / "copy", families=("a",))
    assert copy.get(b"k", "a") == b"v"
    copy.close()


_WRITER = """
import os, sys
from pathlib import Path
from smackbox.store.rocks import open_store
store = open_store(Path(sys.argv[1]))
for number in range(100):
    batch = store.batch()
    batch.put(b"%03d" % number, b"v")
    store.write(batch)
os.write(1, b"written")
import signal; signal.pause()
"""


def test_what_was_written_survives_kill_9(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path / "db")], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.read(7) == b"written"
        os.kill(writer.pid, signal.SIGKILL)
    store = open_store(tmp_path / "db")
    assert len(list(store.items())) == 100
    store.close()


def test_a_torn_log_is_cut_to_whole_batches(tmp_path: Path) -> None:
    store = open_store(tmp_path / "db")
    for number in range(10):
        batch = store.batch()
        batch.put(b"%d" % number, b"a" * 100)
        batch.put(b"%d+" % number, b"b" * 100)
        store.write(batch)
    store.sync()
    log = max((tmp_path / "db").glob("*.log"), key=lambda path: path.stat().st_mtime)
    body = log.read_bytes()
    store.close()
    # what a crash leaves: the log with its end missing, and nothing flushed
    for cut in range(len(body) - 400, len(body), 37):
        torn = tmp_path / f"torn{cut}"
        fresh = open_store(torn)
        fresh.close()
        target = max(torn.glob("*.log"), key=lambda path: path.stat().st_mtime)
        target.write_bytes(body[:cut])
        again = open_store(torn)
        keys = {key for key, _ in again.items()}
        assert all((key + b"+" in keys) for key in keys if not key.endswith(b"+"))
        assert len(keys) >= 14
        again.close()
