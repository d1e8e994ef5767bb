"""A disk that fails: what was acknowledged is there after a restart, and the server answers again when it can write."""

from __future__ import annotations

from pathlib import Path

import pytest
from kazoo.client import KazooClient
from tests.store.faults import survive
from tests.zookeeper.test_journal import create

from smackbox.base.clock import FakeClock
from smackbox.base.errors import StorageError
from smackbox.net.service import ServiceThread
from smackbox.store.fs import FaultyDisk
from smackbox.zookeeper.server import ZooKeeperServer
from smackbox.zookeeper.settings import ZooKeeperSettings
from smackbox.zookeeper.state import database as database_module
from smackbox.zookeeper.state.database import Database

TIMEOUT_S = 10


def test_what_a_flush_acknowledged_is_there_whatever_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "SNAPSHOT_EVERY_ENTRIES", 3)
    monkeypatch.setattr("smackbox.zookeeper.state.journal.SNAPSHOT_SLICE_NODES", 2)

    def workload(directory: Path, disk: FaultyDisk) -> dict[str, object]:
        acknowledged: dict[str, object] = {}
        waiting: dict[str, object] = {}
        try:
            database = Database(directory, FakeClock(), disk)
        except StorageError:
            return {}
        for number in range(10):
            create(database, f"/n{number}", b"%d" % number)
            waiting[f"/n{number}"] = b"%d" % number
            try:
                database.journal.flush()
                acknowledged |= waiting
                waiting.clear()
                if number % 4 == 3:
                    database.journal.sync()
                while database.snapshot_step():
                    pass
            except StorageError:
                continue
        return acknowledged

    def read(directory: Path) -> dict[str, object]:
        tree = Database(directory, FakeClock()).tree
        return {path: node.data for path, node in tree.nodes.items()}

    assert survive(tmp_path, workload, read) > 200


@pytest.mark.parametrize("sync", [False, True])
def test_nobody_hears_of_a_write_that_the_disk_refused(tmp_path: Path, sync: bool) -> None:
    disk = FaultyDisk()
    settings = ZooKeeperSettings(dir=tmp_path, sync=sync, tick_time_ms=100)
    with ServiceThread(ZooKeeperServer(settings, fs=disk)) as server:
        client = KazooClient(server.url, timeout=4.0)
        client.start(TIMEOUT_S)
        try:
            client.create("/before", b"1")
            disk.free_bytes = 3
            lost = client.create_async("/during", b"2")
            with pytest.raises(Exception):  # noqa: B017 - kazoo's connection loss
                lost.get(timeout=TIMEOUT_S)
            disk.free_bytes = None
            client.retry(client.ensure_path, "/after")
            assert client.retry(client.get, "/before")[0] == b"1"
        finally:
            client.stop()
            client.close()
    tree = Database(tmp_path, FakeClock()).tree
    assert {"/before", "/after"} <= tree.nodes.keys()


def test_after_a_failed_sync_no_write_is_acknowledged(tmp_path: Path) -> None:
    disk = FaultyDisk()
    settings = ZooKeeperSettings(dir=tmp_path, sync=True, tick_time_ms=100)
    with ServiceThread(ZooKeeperServer(settings, fs=disk)) as server:
        client = KazooClient(server.url, timeout=4.0)
        client.start(TIMEOUT_S)
        try:
            client.create("/before")
            disk.sync_fails = True
            refused = client.create_async("/during")
            with pytest.raises(Exception):  # noqa: B017 - kazoo's connection loss
                refused.get(timeout=TIMEOUT_S)
            disk.sync_fails = False
            late = client.create_async("/late")
            with pytest.raises(Exception):  # noqa: B017 - the log takes nothing until a restart
                late.get(timeout=1)
        finally:
            client.stop()
            client.close()
    assert "/before" in Database(tmp_path, FakeClock()).tree.nodes
