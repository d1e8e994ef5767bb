"""The archive of a topic: complete and each record once, over kill -9, a store that fails, and a restored topic."""

from __future__ import annotations

import gzip
import shutil
import signal
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.kills import run_killed

from smackbox.base.errors import StartError, StorageError
from smackbox.spark.streaming import archive as module
from smackbox.spark.streaming.archive import ArchiveRunner, ArchiveSettings
from smackbox.spark.streaming.errors import DataLossError, StoppedError
from smackbox.store.objects import FolderObjects

PROCESS_TIMEOUT_S = 60
RECORDS = 1_000
TEMPLATE = "{year}/{month}/{day}/{hour}-{partition}-{offset}.json.gz"
Make = Callable[..., ArchiveRunner]


@pytest.fixture
def make(topic: Any, tmp_path: Path) -> Make:
    def make(**changes: Any) -> ArchiveRunner:
        at = changes.pop("at", None)
        known: dict[str, Any] = {
            "name": "archive",
            "kafka": topic.kafka,
            "topic": topic.name,
            "to": str(tmp_path / "archive" / TEMPLATE),
            "checkpoint_dir": tmp_path / "checkpoint",
            "group": "g",
            "every_s": 0.1,
        }
        return ArchiveRunner(ArchiveSettings(**{**known, **changes}), at=at)

    return make


def lines(folder: Path) -> list[bytes]:
    return [line for path in sorted(folder.rglob("*.gz")) for line in gzip.decompress(path.read_bytes()).splitlines()]


def drain(runner: ArchiveRunner) -> list[str]:
    """Steps until something was put."""
    keys: list[str] = []
    while not keys:
        keys = runner.step()
    return keys


def test_what_comes_is_in_files_named_by_hour_partition_and_offset(topic: Any, make: Make, tmp_path: Path) -> None:
    with make() as runner:
        topic.put(b"one", b"two")
        (first,) = drain(runner)
        topic.put(b"three", None)
        (second,) = drain(runner)
        assert runner.step(0) == []
    assert first.endswith("-0-00000000000000000000.json.gz")
    assert second.endswith("-0-00000000000000000002.json.gz")
    assert lines(tmp_path / "archive") == [b"one", b"two", b"three"]


def run(topic: Any, tmp_path: Path, kill: str) -> int:
    where = (topic.kafka, topic.name, str(tmp_path / "checkpoint"), str(tmp_path / "archive" / TEMPLATE))
    return run_killed("tests.spark.archive_process", *where, str(RECORDS), kill, timeout_s=PROCESS_TIMEOUT_S)


def test_every_record_is_there_once_after_a_kill_at_each_step(make_topic: Any, tmp_path: Path) -> None:
    topic = make_topic(3)
    values = [b"%d" % number for number in range(RECORDS)]
    topic.put(*values)
    for step in ("planned:1", "put:1", "put:3", "committed:1"):
        assert run(topic, tmp_path, step) == -signal.SIGKILL
    assert run(topic, tmp_path, "none:0") == 0
    assert Counter(lines(tmp_path / "archive")) == Counter(values)
    assert not [
        path for path in (tmp_path / "archive").rglob("*") if path.is_file() and "json.gz" not in path.name[-7:]
    ]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_record_is_there_once_after_many_kills(make_topic: Any, tmp_path: Path) -> None:
    for number in range(30):
        topic = make_topic(2)
        values = [b"%d" % value for value in range(RECORDS)]
        topic.put(*values)
        folder = tmp_path / str(number)
        folder.mkdir()
        for times in range(1, 4):
            run(topic, folder, f"{('planned', 'put', 'committed')[number % 3]}:{times}")
        run(topic, folder, "none:0")
        assert Counter(lines(folder / "archive")) == Counter(values)


def test_a_redone_plan_puts_the_same_file_and_touches_none_that_is_there(
    topic: Any, make: Make, tmp_path: Path
) -> None:
    class Killed(BaseException):
        pass

    def kill(step: str) -> None:
        if step == "put":
            raise Killed

    topic.put(b"one", b"two")
    with pytest.raises(Killed), make(at=kill) as runner:
        drain(runner)
    (file,) = (tmp_path / "archive").rglob("*.gz")
    before = file.stat()
    topic.put(b"three")
    with make() as runner:
        assert len(runner.step()) == 1  # the planned batch, without the third
        drain(runner)
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert lines(tmp_path / "archive") == [b"one", b"two", b"three"]


def test_a_restored_topic_loses_nothing_of_either_time(topic: Any, make: Make, tmp_path: Path) -> None:
    topic.put(b"a", b"lost")
    with make() as runner:
        drain(runner)
    topic.make_anew()  # the same offsets are other records
    topic.put(b"a", b"other")
    shutil.rmtree(tmp_path / "checkpoint")
    for _ in range(2):
        with make() as runner:
            drain(runner)
        shutil.rmtree(tmp_path / "checkpoint")
    names = sorted(path.name for path in (tmp_path / "archive").rglob("*.gz"))
    assert [name.partition("-")[2] for name in names] == [
        "0-00000000000000000000-2.json.gz",
        "0-00000000000000000000.json.gz",
    ]
    assert sorted(lines(tmp_path / "archive")) == [b"a", b"a", b"lost", b"other"]


def test_a_store_that_fails_is_tried_again_and_nothing_is_skipped(
    topic: Any, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = 3

    class Failing(FolderObjects):
        def put(self, key: str, data: bytes) -> None:
            nonlocal left
            if left:
                left -= 1
                raise StorageError("500 Internal Server Error")
            super().put(key, data)

    monkeypatch.setattr(module, "open_objects", lambda place: Failing(Path(place)))
    topic.put(b"one", b"two")
    with make() as runner:
        drain(runner)
    assert left == 0
    assert lines(tmp_path / "archive") == [b"one", b"two"]


def test_a_stop_ends_a_wait_for_the_store_and_the_batch_comes_first_after_it(
    topic: Any, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = threading.Event()

    class Away(FolderObjects):
        def put(self, key: str, data: bytes) -> None:
            stop.set()
            raise StorageError("away")

    topic.put(b"one")
    with monkeypatch.context() as patched:
        patched.setattr(module, "open_objects", lambda place: Away(Path(place)))
        make().run(stop)
    topic.put(b"two")
    with make() as runner:
        assert len(runner.step()) == 1
        drain(runner)
    assert lines(tmp_path / "archive") == [b"one", b"two"]


def test_a_damaged_file_of_that_name_stops_it_with_a_reason(topic: Any, make: Make, tmp_path: Path) -> None:
    topic.put(b"one")
    with make() as runner:
        (key,) = drain(runner)
    (tmp_path / "archive" / key).write_bytes(b"damaged")
    shutil.rmtree(tmp_path / "checkpoint")
    runner = make()
    runner._stop.set()
    with pytest.raises(StoppedError, match="is damaged"), runner:
        drain(runner)


def test_records_that_retention_took_are_said(topic: Any, make: Make) -> None:
    topic.put(b"one", b"two")
    with make() as runner:
        drain(runner)
    topic.make_anew()
    with pytest.raises(DataLossError), make() as runner:
        drain(runner)


def test_two_runners_exclude_each_other(make: Make) -> None:
    with make(), pytest.raises(StartError, match="is held by process"), make():
        raise AssertionError


def test_metrics_are_served(topic: Any, make: Make) -> None:
    import urllib.request

    with make(metrics_port=0) as runner:
        topic.put(b"one")
        drain(runner)
        assert runner.metrics_url is not None
        with urllib.request.urlopen(runner.metrics_url) as answer:
            assert b'smack_stream_rows_total{stream="archive"} 1.0' in answer.read()
    assert runner.metrics_url is None
