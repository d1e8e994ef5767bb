"""The file-system seam: the disk, and the disk that fails on purpose."""

from __future__ import annotations

from pathlib import Path

import pytest

from smackbox.base.errors import StorageError
from smackbox.store.fs import Disk, DiskFile, FaultyDisk


@pytest.fixture(params=[Disk, FaultyDisk])
def disk(request: pytest.FixtureRequest) -> Disk:
    made: Disk = request.param()
    return made


def test_a_file_grows_and_is_read_by_position(disk: Disk, tmp_path: Path) -> None:
    file = disk.open(tmp_path / "f")
    file.append(b"abc")
    file.append(memoryview(b"defg"))
    assert file.size == 7
    assert file.read(3, 2) == b"cde"
    assert file.read(100, 5) == b"fg"
    file.truncate(4)
    file.append(b"!")
    file.sync()
    file.close()
    assert (tmp_path / "f").read_bytes() == b"abcd!"
    assert disk.open(tmp_path / "f").size == 5


def test_replacing_a_file_leaves_no_other(disk: Disk, tmp_path: Path) -> None:
    disk.replace(tmp_path / "f", b"one")
    disk.replace(tmp_path / "f", b"two", sync=True)
    assert disk.read(tmp_path / "f") == b"two"
    assert [entry.name for entry in disk.entries(tmp_path)] == ["f"]


def test_a_file_that_is_not_there_reads_as_empty_and_may_be_removed(disk: Disk, tmp_path: Path) -> None:
    assert disk.read(tmp_path / "none") == b""
    disk.remove(tmp_path / "none")
    disk.remove_tree(tmp_path / "none")


def test_directories(disk: Disk, tmp_path: Path) -> None:
    disk.make_directory(tmp_path / "a" / "b")
    disk.replace(tmp_path / "a" / "b" / "f", b"x")
    disk.rename(tmp_path / "a", tmp_path / "c")
    disk.remove_tree(tmp_path / "c")
    assert list(disk.entries(tmp_path)) == []


@pytest.mark.parametrize(
    "use",
    [
        lambda disk, path: disk.open(path / "no" / "f"),
        lambda disk, path: disk.replace(path / "no" / "f", b""),
        lambda disk, path: disk.rename(path / "no", path / "other"),
        lambda disk, path: list(disk.entries(path / "no")),
        lambda disk, path: disk.read(path),
        lambda disk, path: disk.remove(path),
    ],
)
def test_every_refusal_is_a_storage_error_that_names_the_file(disk: Disk, tmp_path: Path, use: object) -> None:
    with pytest.raises(StorageError, match=str(tmp_path)):
        use(disk, tmp_path)  # type: ignore[operator]


def test_a_failed_append_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"abc")
    with path.open("rb") as readonly:
        file = DiskFile(path, readonly.fileno(), 3)
        with pytest.raises(StorageError):
            file.append(b"d")
    assert path.read_bytes() == b"abc"
    assert file.size == 3


def test_a_full_disk_refuses_and_takes_again(tmp_path: Path) -> None:
    disk = FaultyDisk(free_bytes=5)
    file = disk.open(tmp_path / "f")
    file.append(b"abc")
    with pytest.raises(StorageError, match="No space left"):
        file.append(b"def")
    file.append(b"de")
    assert file.read(10, 0) == b"abcde"


def test_a_power_cut_takes_what_was_not_synced(tmp_path: Path) -> None:
    disk = FaultyDisk()
    file = disk.open(tmp_path / "f")
    file.append(b"abc")
    file.sync()
    file.append(b"def")
    other = disk.open(tmp_path / "never-synced")
    other.append(b"x")
    disk.drop_unsynced()
    assert (tmp_path / "f").read_bytes() == b"abc"
    assert (tmp_path / "never-synced").read_bytes() == b""


def test_a_disk_may_refuse_to_sync(tmp_path: Path) -> None:
    disk = FaultyDisk()
    file = disk.open(tmp_path / "f")
    disk.sync_fails = True
    with pytest.raises(StorageError, match="cannot sync"):
        file.sync()


@pytest.mark.parametrize("fail_byte", range(4))
@pytest.mark.parametrize("once", [True, False])
def test_an_append_that_fails_at_any_byte_is_undone(tmp_path: Path, fail_byte: int, once: bool) -> None:
    disk = FaultyDisk(fail_at=2, fail_byte=fail_byte, once=once)
    file = disk.open(tmp_path / "f")
    file.append(b"abc")
    with pytest.raises(StorageError, match="cannot append"):
        file.append(b"defg")
    assert (tmp_path / "f").read_bytes() == b"abc"
    if once:
        file.append(b"hi")
        assert (tmp_path / "f").read_bytes() == b"abchi"
    else:
        with pytest.raises(StorageError):
            file.append(b"hi")


def test_a_file_whose_failed_append_could_not_be_undone_takes_nothing_more(tmp_path: Path) -> None:
    disk = FaultyDisk(fail_at=2, fail_byte=2, once=True)
    file = disk.open(tmp_path / "f")
    file.append(b"abc")
    disk.undo_fails = True
    with pytest.raises(StorageError, match="cannot undo"):
        file.append(b"defg")
    disk.undo_fails = False
    for use in (lambda: file.append(b"h"), file.sync):
        with pytest.raises(StorageError, match="accepts no more writes until a restart"):
            use()


def test_a_file_that_could_not_be_synced_takes_nothing_more(tmp_path: Path) -> None:
    disk = FaultyDisk()
    file = disk.open(tmp_path / "f")
    file.append(b"abc")
    disk.sync_fails = True
    with pytest.raises(StorageError, match="cannot sync"):
        file.sync()
    disk.sync_fails = False
    for use in (lambda: file.append(b"h"), file.sync):
        with pytest.raises(StorageError, match="accepts no more writes until a restart"):
            use()
    disk.open(tmp_path / "f").append(b"h")


@pytest.mark.parametrize("fail_byte", range(5))
def test_replacing_a_file_fails_as_a_whole(tmp_path: Path, fail_byte: int) -> None:
    Disk().replace(tmp_path / "f", b"before")
    disk = FaultyDisk(fail_at=0, fail_byte=fail_byte, once=True)
    with pytest.raises(StorageError, match="cannot write"):
        disk.replace(tmp_path / "f", b"after")
    assert disk.read(tmp_path / "f") == b"before"
    disk.replace(tmp_path / "f", b"after")
    assert disk.read(tmp_path / "f") == b"after"
