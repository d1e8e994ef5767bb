"""Pruning: what is old goes, what is needed stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from smackbox.backup.check import faults
from smackbox.backup.prune import age_s, prune
from smackbox.backup.repository import Repository
from smackbox.backup.save import save
from smackbox.base.errors import SettingError, StorageError, UserError
from tests.backup.trees import sources

NOW_MS = 1_769_860_800_000
DAY_S = 86_400


@pytest.mark.parametrize(
    ("text", "seconds"), [("7d", 7 * DAY_S), ("90m", 5_400), ("10s", 10), ("2h", 7_200), ("1w", 7 * DAY_S)]
)
def test_an_age(text: str, seconds: int) -> None:
    assert age_s(text) == seconds


@pytest.mark.parametrize("text", ["", "7", "d", "7 d", "-1d", "1.5h", "7y", "٧d"])
def test_what_is_no_age(text: str) -> None:
    with pytest.raises(SettingError, match="such as 7d"):
        age_s(text)


def test_what_is_old_goes_and_what_another_needs_stays(repository: Repository, box: Path) -> None:
    old = save(repository, sources(box), box="b", taken_ms=NOW_MS - 8 * DAY_S * 1000).manifest
    (box / "cassandra/1.sst").unlink()
    kept = save(repository, sources(box), box="b", taken_ms=NOW_MS - 6 * DAY_S * 1000).manifest
    latest = save(repository, sources(box), box="b", taken_ms=NOW_MS).manifest
    pruned = prune(repository, 7 * DAY_S, NOW_MS / 1000)
    assert pruned.forgotten == (old.id,)
    assert pruned.objects == len(old.objects.keys() - kept.objects.keys()) == 2
    assert [one.id for one in repository.backups()] == [kept.id, latest.id]
    assert faults(repository, kept, kept.files, read=True) == []
    assert set(repository.stored()) == set(kept.objects)


def test_the_latest_is_kept_however_old(repository: Repository, box: Path) -> None:
    only = save(repository, sources(box), box="b", taken_ms=0).manifest
    assert prune(repository, 1, NOW_MS / 1000).forgotten == ()
    assert repository.find() == only


def test_the_latest_of_each_box_is_kept(repository: Repository, box: Path) -> None:
    asleep = [save(repository, sources(box), box="asleep", taken_ms=number).manifest for number in (0, 1)]
    (box / "kafka/t-0/0.log").write_bytes(b"of the other box")
    other = save(repository, sources(box), box="other", taken_ms=NOW_MS).manifest
    assert prune(repository, 1, NOW_MS / 1000).forgotten == (asleep[0].id,)
    assert [one.id for one in repository.backups()] == [asleep[1].id, other.id]
    assert faults(repository, asleep[1], asleep[1].files, read=True) == []


def test_exactly_at_the_age_it_is_kept(repository: Repository, box: Path) -> None:
    for taken_ms in (NOW_MS - 10_001, NOW_MS - 10_000, NOW_MS):
        save(repository, sources(box), box="b", taken_ms=taken_ms)
    assert len(prune(repository, 10, NOW_MS / 1000).forgotten) == 1


def test_what_a_killed_save_left_is_dropped(repository: Repository, box: Path) -> None:
    save(repository, sources(box), box="b", taken_ms=NOW_MS)
    name = repository.cipher.name(b"left over")
    repository.put(name, b"left over")
    assert prune(repository, 10, NOW_MS / 1000).objects == 1
    assert name not in repository.stored()


def test_a_file_that_a_killed_save_left_half_is_removed(repository: Repository, tmp_path: Path) -> None:
    half = tmp_path / "repository/objects/ab/abcd.0123abcd.part"
    strange = [tmp_path / "repository" / name for name in ("film.part", "objects/film.part", "x.0123abcd.part")]
    half.parent.mkdir(parents=True)
    for path in (half, *strange):
        path.write_bytes(b"half")
    prune(repository, 10, NOW_MS / 1000)
    assert not half.exists()
    assert all(path.exists() for path in strange), "somebody else's"


def test_nothing_is_dropped_where_a_manifest_cannot_be_read(repository: Repository, box: Path, tmp_path: Path) -> None:
    old = save(repository, sources(box), box="b", taken_ms=NOW_MS - 10_000_000).manifest
    save(repository, sources(box), box="b", taken_ms=NOW_MS)
    before = repository.stored()
    (tmp_path / "repository/backups" / repository.find().id).write_bytes(b"damaged")
    with pytest.raises(StorageError, match="is damaged"):
        prune(repository, 10, NOW_MS / 1000)
    assert repository.stored() == before
    assert repository.read(old.id) == old


def test_nothing_is_dropped_while_somebody_saves(repository: Repository) -> None:
    with repository.locked("save", against="prune", now_s=1.0), pytest.raises(UserError, match="a save of"):
        prune(repository, 10, 1.0)
