"""A repository: its key, its manifests, and who works on it."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import msgspec
import pytest

from smackbox.backup.manifest import Manifest, id_of
from smackbox.backup.repository import LOCK_LIMIT_S, Lock, Repository
from smackbox.base.errors import StorageError, UserError
from smackbox.store.objects import FolderObjects, MissingObjectError

NOW_S = 1_769_860_800.0


def manifest(taken_s: float) -> Manifest:
    taken_ms = round(taken_s * 1000)
    return Manifest(id=id_of(taken_ms), box="b", taken_ms=taken_ms, files=(), objects={})


def test_it_is_made_once_and_opened_again(tmp_path: Path) -> None:
    objects = FolderObjects(tmp_path)
    with pytest.raises(MissingObjectError):
        Repository.open(objects)
    Repository.create_or_open(objects).write(manifest(NOW_S))
    assert [one.taken_s for one in Repository.create_or_open(objects).backups()] == [NOW_S]


def test_a_key_is_asked_for_and_checked(tmp_path: Path) -> None:
    objects = FolderObjects(tmp_path)
    made = Repository.create_or_open(objects, b"right")
    made.write(manifest(NOW_S))
    with pytest.raises(UserError, match="are encrypted: give their key"):
        Repository.create_or_open(objects)
    with pytest.raises(UserError, match="the key is not that of the back-ups"):
        Repository.open(objects, b"wrong")
    assert Repository.open(objects, b"right").find() == manifest(NOW_S)
    assert all(b"taken_ms" not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_a_key_for_back_ups_that_are_not_encrypted_is_refused(tmp_path: Path) -> None:
    Repository.create_or_open(FolderObjects(tmp_path))
    with pytest.raises(UserError, match="not encrypted: leave the key out"):
        Repository.open(FolderObjects(tmp_path), b"key")


def test_back_ups_without_the_marker_are_not_overwritten_by_another_key(tmp_path: Path) -> None:
    Repository.create_or_open(FolderObjects(tmp_path)).write(manifest(NOW_S))
    (tmp_path / "smackbox-backups.json").unlink()
    with pytest.raises(UserError, match="is damaged"):
        Repository.create_or_open(FolderObjects(tmp_path), b"key")


@pytest.mark.parametrize(
    ("marker", "said"), [(b"{", "damaged"), (b'{"format": 9}', "format 9"), (b'{"salt": "x"}', "damaged")]
)
def test_a_marker_that_cannot_be_used_says_so(tmp_path: Path, marker: bytes, said: str) -> None:
    (tmp_path / "smackbox-backups.json").write_bytes(marker)
    with pytest.raises((StorageError, UserError), match=said):
        Repository.open(FolderObjects(tmp_path), b"key")


def test_the_latest_by_then_is_found(tmp_path: Path) -> None:
    repository = Repository.create_or_open(FolderObjects(tmp_path))
    with pytest.raises(UserError, match="has no back-up; there is none"):
        repository.find()
    for age_s in (30, 20, 10):
        repository.write(manifest(NOW_S - age_s))
    assert repository.find() == manifest(NOW_S - 10)
    assert repository.find(until_s=NOW_S - 15) == manifest(NOW_S - 20)
    assert repository.find(until_s=NOW_S - 20) == manifest(NOW_S - 20)
    assert repository.find(manifest(NOW_S - 30).id) == manifest(NOW_S - 30)
    with pytest.raises(UserError, match="no back-up as old as that; there is 2026"):
        repository.find(until_s=NOW_S - 31)
    with pytest.raises(UserError, match="no back-up nothing; there is 2026"):
        repository.find("nothing")


def test_a_manifest_with_a_changed_byte_is_refused(tmp_path: Path) -> None:
    repository = Repository.create_or_open(FolderObjects(tmp_path))
    repository.write(manifest(NOW_S))
    path = tmp_path / "backups" / manifest(NOW_S).id
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(StorageError, match="is damaged"):
            repository.find()
    path.write_bytes(whole[:-1])
    with pytest.raises(StorageError, match="is damaged"):
        repository.find()


def test_a_save_and_a_prune_exclude_each_other(tmp_path: Path) -> None:
    repository = Repository.create_or_open(FolderObjects(tmp_path))
    with repository.locked("save", against="prune", now_s=NOW_S):
        with repository.locked("save", against="prune", now_s=NOW_S):
            pass
        with (
            pytest.raises(UserError, match=f"a save of .* by process {os.getpid()} .* is under way since 2026-01-31"),
            repository.locked("prune", against="save", now_s=NOW_S),
        ):
            raise AssertionError
    with repository.locked("prune", against="save", now_s=NOW_S):
        pass
    assert not list((tmp_path / "locks").iterdir())


def test_a_lock_of_a_process_that_is_gone_or_of_long_ago_counts_no_more(tmp_path: Path) -> None:
    objects = FolderObjects(tmp_path)
    repository = Repository.create_or_open(objects)
    gone = Lock(socket.gethostname(), 2**22 + 7, NOW_S)
    old = Lock("elsewhere", 1, NOW_S - LOCK_LIMIT_S - 1)
    for number, lock in enumerate((gone, old)):
        objects.put(f"locks/save-{number}", msgspec.json.encode(lock))
    with repository.locked("prune", against="save", now_s=NOW_S):
        pass
    objects.put("locks/save-3", msgspec.json.encode(Lock("elsewhere", 1, NOW_S - LOCK_LIMIT_S + 1)))
    with pytest.raises(UserError, match="of elsewhere"), repository.locked("prune", against="save", now_s=NOW_S):
        raise AssertionError


def test_a_lock_is_renewed_and_one_that_was_removed_ends_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smackbox.backup.repository.LOCK_RENEWED_S", 0.01)
    repository = Repository.create_or_open(FolderObjects(tmp_path))
    with repository.locked("save", against="prune", now_s=NOW_S) as check:
        (lock,) = (tmp_path / "locks").iterdir()
        deadline = time.monotonic() + 30
        while msgspec.json.decode(lock.read_bytes(), type=Lock).since_s == NOW_S:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        check()
    assert not list((tmp_path / "locks").iterdir())
    monkeypatch.setattr("smackbox.backup.repository.LOCK_RENEWED_S", 60.0)
    with repository.locked("save", against="prune", now_s=NOW_S) as check:
        (lock,) = (tmp_path / "locks").iterdir()
        lock.unlink()
        with pytest.raises(UserError, match=r"removed the lock locks/save-\w+ of this save: begin again"):
            check()


def test_the_latest_of_several_boxes_is_not_taken_for_the_one_that_is_meant(tmp_path: Path) -> None:
    repository = Repository.create_or_open(FolderObjects(tmp_path))

    def save(box: str, age_s: float) -> Manifest:
        made = msgspec.structs.replace(manifest(NOW_S - age_s), box=box)
        repository.write(made)
        return made

    save("lost", 50)
    save("lost", 40)
    after = [save("restored", 30), save("restored", 20)]
    assert repository.find() == after[1], "a restored box goes on alone"
    lost = save("lost", 15)
    with pytest.raises(UserError, match=f"several boxes are saved to .* {lost.id}, {after[1].id}: give --id"):
        repository.find()
    assert repository.find(after[0].id) == after[0]
    assert repository.find(until_s=NOW_S - 20) == after[1]
