"""The stores that write by themselves, RocksDB and SQLite, on a file system that cuts a file off at any byte.

The limit on the size of files (RLIMIT_FSIZE) stands for it: the kernel writes up to that byte and refuses the rest. It
is lifted later, or not; then the process dies without a stop, and every acknowledged write must be there.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from smackbox.store.rocks import open_store

ROCKS = """
from smackbox.store.rocks import open_store
store = open_store(directory)

def write(number):
    batch = store.batch()
    batch.put(b"%d" % number, b"v" * 300)
    store.write(batch)
"""
SQLITE = """
import asyncio
from smackbox.election.state_file import FileStateStore
store = FileStateStore(directory)
loop = asyncio.new_event_loop()

def write(number):
    loop.run_until_complete(store.store({str(number): b"v" * 300}))
"""
WORKLOAD = """
import json, os, resource, signal, sys
from pathlib import Path
from smackbox.base.errors import StorageError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
directory, limit, heals = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "True"
%s
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
acknowledged, refused = [], 0
for number in range(120):
    if number == 5:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    if heals and refused == 3:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    try:
        write(number)
        acknowledged.append(number)
    except StorageError:
        refused += 1
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
print(json.dumps([acknowledged, refused]))
sys.stdout.flush()
os._exit(0)
"""


def run(program: str, directory: Path, limit: int, heals: bool) -> tuple[list[int], int]:
    command = [sys.executable, "-c", WORKLOAD % program, str(directory), str(limit), str(heals)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    acknowledged, refused = json.loads(done.stdout)
    return acknowledged, refused


@pytest.mark.parametrize("heals", [True, False])
@pytest.mark.parametrize("limit", [12_000, 12_007, 20_001])
def test_rocksdb_keeps_what_it_acknowledged(tmp_path: Path, limit: int, heals: bool) -> None:
    acknowledged, refused = run(ROCKS, tmp_path, limit, heals)
    assert refused
    store = open_store(tmp_path)
    assert [number for number in acknowledged if store.get(b"%d" % number) is None] == []
    store.close()


@pytest.mark.parametrize("heals", [True, False])
@pytest.mark.parametrize("limit", [40_000, 40_961, 80_007])
def test_the_state_file_keeps_what_it_acknowledged(tmp_path: Path, limit: int, heals: bool) -> None:
    import sqlite3

    acknowledged, refused = run(SQLITE, tmp_path, limit, heals)
    assert refused
    connection = sqlite3.connect(tmp_path / "state.sqlite")
    found = {int(name) for (name,) in connection.execute("SELECT name FROM record")}
    connection.close()
    assert set(acknowledged) <= found
