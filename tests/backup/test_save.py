"""Saving: what is new and nothing else, the manifest last, and no back-up where anything went wrong."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from smackbox.backup import save as module
from smackbox.backup.repository import Repository
from smackbox.backup.save import SourceFile, save
from smackbox.base.errors import StorageError, UserError
from smackbox.store.objects import FolderObjects
from tests.backup.trees import sources

NOW_MS = 1_769_860_800_000


def test_a_second_back_up_writes_only_what_has_changed(repository: Repository, box: Path) -> None:
    first = save(repository, sources(box), box="b", taken_ms=NOW_MS)
    assert first.new_objects == len(first.manifest.objects) == 5  # 3 + 1 + 4 pieces, of which some are the same
    unchanged = save(repository, sources(box), box="b", taken_ms=NOW_MS + 1)
    assert (unchanged.new_objects, unchanged.new_bytes) == (0, 0)
    with (box / "kafka/t-0/0.log").open("ab") as log:
        log.write(b"0123456789" * 4)
    grown = save(repository, sources(box), box="b", taken_ms=NOW_MS + 2)
    assert grown.new_objects == 4  # the piece that was not whole, and what follows
    assert [one.id for one in repository.backups()] == [one.manifest.id for one in (first, unchanged, grown)]


def test_a_file_that_is_known_is_not_read_again(repository: Repository, box: Path) -> None:
    saved = save(repository, sources(box), box="b", taken_ms=NOW_MS)
    path = box / "cassandra/1.sst"
    status = path.stat()
    with path.open("r+b") as file:  # behind the back of its inode and times: only a reader would see it
        file.write(b"X")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    again = save(repository, sources(box), box="b", taken_ms=NOW_MS + 1)
    assert again.manifest.objects == saved.manifest.objects
    other = save(repository, sources(box), box="another box", taken_ms=NOW_MS + 2)
    assert other.new_objects == 1


def test_a_known_file_whose_object_is_gone_is_read_again(repository: Repository, box: Path) -> None:
    save(repository, sources(box), box="b", taken_ms=NOW_MS)
    lost = next(iter(repository.stored()))
    repository.drop(lost)
    assert save(repository, sources(box), box="b", taken_ms=NOW_MS + 1).new_objects == 1
    assert lost in repository.stored()


def test_only_the_size_that_was_said_is_saved(repository: Repository, box: Path) -> None:
    path = box / "kafka/t-0/0.log"
    saved = save(repository, [SourceFile("log", path, 20)], box="b", taken_ms=NOW_MS)
    (file,) = saved.manifest.files
    assert b"".join(repository.get(name) for name in file.objects) == path.read_bytes()[:20]


def test_a_file_that_became_shorter_or_is_gone_makes_no_back_up(repository: Repository, box: Path) -> None:
    path = box / "kafka/t-0/0.log"
    with pytest.raises(StorageError, match="shorter than it was"):
        save(repository, [SourceFile("log", path, 1000)], box="b", taken_ms=NOW_MS)
    with pytest.raises(StorageError, match="cannot read what is to be saved"):
        save(repository, [SourceFile("log", box / "gone", 1)], box="b", taken_ms=NOW_MS)
    assert repository.backups() == []


class Failing(FolderObjects):
    """Refuses to put objects after some, or keeps the half of them."""

    def __init__(self, root: Path, after: int, *, torn: bool = False) -> None:
        super().__init__(root)
        self._left = after
        self._torn = torn
        self._lock = threading.Lock()

    def put(self, key: str, data: bytes) -> None:
        with self._lock:
            if key.startswith("objects/"):
                self._left -= 1
            bad = self._left < 0 and key.startswith("objects/")
        if bad and not self._torn:
            raise StorageError(f"no room for {key}")
        super().put(key, data[: len(data) // 2] if bad else data)


@pytest.mark.parametrize("after", range(5))
def test_a_refused_object_makes_no_back_up_and_the_next_goes_on(tmp_path: Path, box: Path, after: int) -> None:
    with pytest.raises(StorageError, match="no room"):
        save(Repository.create_or_open(Failing(tmp_path / "r", after)), sources(box), box="b", taken_ms=NOW_MS)
    repository = Repository.create_or_open(FolderObjects(tmp_path / "r"))
    assert repository.backups() == []
    kept = len(repository.stored())
    assert save(repository, sources(box), box="b", taken_ms=NOW_MS).new_objects == 5 - kept


@pytest.mark.parametrize("after", [0, 3])
def test_a_torn_upload_that_the_store_took_makes_no_back_up(tmp_path: Path, box: Path, after: int) -> None:
    repository = Repository.create_or_open(Failing(tmp_path / "r", after, torn=True))
    with pytest.raises(StorageError, match="is not there whole: the back-up is not made"):
        save(repository, sources(box), box="b", taken_ms=NOW_MS)
    assert repository.backups() == []


def test_nothing_is_saved_while_somebody_prunes(repository: Repository, box: Path) -> None:
    with (
        repository.locked("prune", against="save", now_s=NOW_MS / 1000),
        pytest.raises(UserError, match="a prune of"),
    ):
        save(repository, sources(box), box="b", taken_ms=NOW_MS)
    assert repository.stored() == {}


def test_memory_is_bounded_by_the_queue(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    big = tmp_path / "big"
    big.write_bytes(os.urandom(16 * 400))
    waiting, most = 0, 0
    lock = threading.Lock()
    piece = module._Saving._piece

    def counted(self: module._Saving, content: bytes) -> str:
        nonlocal waiting
        try:
            return piece(self, content)
        finally:
            with lock:
                waiting -= 1

    submit = module.ThreadPoolExecutor.submit

    def submitted(self, function, *arguments):  # type: ignore[no-untyped-def]
        nonlocal waiting, most
        with lock:
            waiting += 1
            most = max(most, waiting)
        return submit(self, function, *arguments)

    monkeypatch.setattr(module._Saving, "_piece", counted)
    monkeypatch.setattr(module.ThreadPoolExecutor, "submit", submitted)
    save(repository, [SourceFile("big", big, big.stat().st_size)], box="b", taken_ms=NOW_MS)
    assert 1 < most <= module.QUEUE_PIECES + 1


def test_progress_ends_at_the_total(repository: Repository, box: Path) -> None:
    shown: list[tuple[int, int]] = []
    for taken_ms in (NOW_MS, NOW_MS + 1):
        save(repository, sources(box), box="b", taken_ms=taken_ms, progress=lambda *both: shown.append(both))
        assert shown[-1] == (93, 93)
        shown.clear()


def test_boxes_that_are_saved_in_the_same_millisecond_have_a_back_up_each(repository: Repository, box: Path) -> None:
    made = [save(repository, sources(box), box=name, taken_ms=1_769_860_800_000).manifest for name in "ab"]
    assert [repository.read(one.id).box for one in repository.backups()] == ["a", "b"]
    assert [manifest.taken_ms for manifest in made] == [1_769_860_800_000, 1_769_860_800_001]
