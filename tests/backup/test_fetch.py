"""Restoring: everything or nothing, and never over what is there."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smackbox.backup import fetch as module
from smackbox.backup.check import faults
from smackbox.backup.fetch import UNFINISHED, fetch, is_unfinished
from smackbox.backup.manifest import Manifest, SavedFile
from smackbox.backup.prune import prune
from smackbox.backup.repository import Repository
from smackbox.backup.save import save
from smackbox.base.errors import StorageError, UserError
from smackbox.store.objects import FolderObjects
from tests.backup.trees import contents, sources

NOW_MS = 1_769_860_800_000


@pytest.fixture
def manifest(repository: Repository, box: Path) -> Manifest:
    return save(repository, sources(box), box="b", taken_ms=NOW_MS).manifest


def test_a_box_is_as_it_was(repository: Repository, manifest: Manifest, box: Path, tmp_path: Path) -> None:
    shown: list[tuple[int, int]] = []
    assert fetch(repository, manifest, tmp_path / "new", progress=lambda *both: shown.append(both)) == 93
    assert contents(tmp_path / "new") == contents(box)
    assert shown[-1] == (93, 93)
    assert not is_unfinished(tmp_path / "new")


def test_one_part_alone(repository: Repository, manifest: Manifest, box: Path, tmp_path: Path) -> None:
    fetch(repository, manifest, tmp_path / "new", parts=("kafka",))
    assert contents(tmp_path / "new") == {name: data for name, data in contents(box).items() if "kafka" in name}
    fetch(repository, manifest, tmp_path / "new", parts=("cassandra",))
    assert contents(tmp_path / "new") == contents(box)


def test_what_is_there_is_not_written_over(repository: Repository, manifest: Manifest, tmp_path: Path) -> None:
    (tmp_path / "new/kafka").mkdir(parents=True)
    (tmp_path / "new/logs").mkdir()
    fetch(repository, manifest, tmp_path / "new", parts=("cassandra",))
    (tmp_path / "new/kafka/mine").write_text("dear")
    with pytest.raises(UserError, match="has cassandra, kafka already"):
        fetch(repository, manifest, tmp_path / "new")
    assert (tmp_path / "new/kafka/mine").read_text() == "dear"


@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_what_is_missing_is_named_before_anything_is_written(
    repository: Repository, manifest: Manifest, tmp_path: Path, damage: str
) -> None:
    (sst,) = (file for file in manifest.files if file.path == "cassandra/1.sst")
    name = sst.objects[-1]
    if damage == "missing":
        repository.drop(name)
    else:
        path = tmp_path / "repository/objects" / name[:2] / name
        path.write_bytes(path.read_bytes()[:-1])
    why = "missing" if damage == "missing" else "cut or changed"
    with pytest.raises(UserError, match=rf"is not whole: cassandra/1.sst \(the object {name[:16]} is {why}\)$"):
        fetch(repository, manifest, tmp_path / "new")
    assert not (tmp_path / "new").exists()
    assert [fault.path for fault in faults(repository, manifest, manifest.files, read=False)] == ["cassandra/1.sst"]
    fetch(repository, manifest, tmp_path / "new", parts=("kafka",))  # the rest can be had


def test_an_object_that_turns_out_damaged_leaves_nothing(
    repository: Repository, manifest: Manifest, tmp_path: Path
) -> None:
    (sst,) = (file for file in manifest.files if file.path == "cassandra/1.sst")
    path = tmp_path / "repository/objects" / sst.objects[-1][:2] / sst.objects[-1]
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert faults(repository, manifest, manifest.files, read=False) == []
    assert [fault.path for fault in faults(repository, manifest, manifest.files, read=True)] == ["cassandra/1.sst"]
    (tmp_path / "new").mkdir()
    with pytest.raises(StorageError, match="damaged"):
        fetch(repository, manifest, tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.parametrize("point", ["piece", "rename"])
def test_a_killed_restore_is_begun_again(
    repository: Repository, manifest: Manifest, box: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    class Killed(BaseException):
        pass

    def kill(*_: object) -> int:
        raise Killed

    with monkeypatch.context() as patched:
        if point == "piece":
            patched.setattr(module._Fetching, "_piece", kill)
        else:
            patched.setattr(module, "_remove", lambda path: kill() if path.name == "kafka" else None)
        with pytest.raises(Killed):
            fetch(repository, manifest, tmp_path / "new")
    assert is_unfinished(tmp_path / "new")
    assert (tmp_path / "new/cassandra").exists() == (point == "rename")
    fetch(repository, manifest, tmp_path / "new")
    assert contents(tmp_path / "new") == contents(box)


@pytest.mark.parametrize(
    "path", ["../outside", "/etc/passwd", "a/../../b", "", f"{UNFINISHED}/x", "./x", "a//b", "a\0"]
)
def test_a_manifest_that_names_a_place_outside_is_refused(repository: Repository, tmp_path: Path, path: str) -> None:
    forged = Manifest(id="i", box="b", taken_ms=0, files=(SavedFile(path, 0, ()),), objects={})
    with pytest.raises(StorageError, match="no place in a box"):
        fetch(repository, forged, tmp_path / "new")


@pytest.mark.parametrize("size", [-1, 16, 33, 1 << 40])
def test_a_file_that_its_objects_do_not_make_is_refused(repository: Repository, tmp_path: Path, size: int) -> None:
    names = [repository.cipher.name(bytes([number]) * 16) for number in range(2)]
    sizes = {name: repository.put(name, bytes([number]) * 16) for number, name in enumerate(names)}
    forged = Manifest(id="i", box="b", taken_ms=0, files=(SavedFile("kafka/x", size, tuple(names)),), objects=sizes)
    with pytest.raises(StorageError, match="of 2 objects, which is not their number"):
        fetch(repository, forged, tmp_path / "new")
    assert not (tmp_path / "new").exists()


NAMES = ("kafka/a.log", "kafka/b.log", "streams/s/state/1.sst", "zookeeper/log.1")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.sampled_from(NAMES), st.binary(max_size=40)),
        st.tuples(st.just("write"), st.sampled_from(NAMES), st.binary(max_size=40)),
        st.tuples(st.just("remove"), st.sampled_from(NAMES), st.just(b"")),
        st.tuples(st.just("save"), st.just(""), st.just(b"")),
        st.tuples(st.just("prune"), st.just(""), st.just(b"")),
    ),
    max_size=25,
)


@settings(max_examples=12, deadline=None)
@given(steps=STEPS, key=st.none() | st.just(b"key"))
def test_every_back_up_that_is_kept_is_the_box_of_its_moment(
    steps: list[tuple[str, str, bytes]], key: bytes | None
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        repository = Repository.create_or_open(FolderObjects(root / "repository"), key)
        box = root / "box"
        box.mkdir()
        model: dict[str, dict[str, bytes]] = {}
        now_ms = NOW_MS
        for step, name, data in steps:
            path = box / name
            if step == "append":
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("ab") as file:
                    file.write(data)
            elif step == "write":
                path.parent.mkdir(parents=True, exist_ok=True)
                path.with_name("fresh").write_bytes(data)
                path.with_name("fresh").rename(path)
            elif step == "remove":
                path.unlink(missing_ok=True)
            elif step == "save":
                now_ms += 1_000
                saved = save(repository, sources(box), box="b", taken_ms=now_ms)
                model[saved.manifest.id] = contents(box)
            else:
                for forgotten in prune(repository, 2, now_ms / 1000).forgotten:
                    del model[forgotten]
        assert [one.id for one in repository.backups()] == list(model)
        for id_, expected in model.items():
            fetch(repository, repository.find(id_), root / "new")
            assert contents(root / "new") == expected
            shutil.rmtree(root / "new", ignore_errors=True)
