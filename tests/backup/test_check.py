"""Faults of a back-up that is not whole, by file."""

from __future__ import annotations

from pathlib import Path

import pytest

from smackbox.backup.check import Fault, faults, refuse_faults
from smackbox.backup.manifest import Manifest
from smackbox.backup.repository import Repository
from smackbox.backup.save import save
from smackbox.base.errors import UserError
from tests.backup.trees import sources


@pytest.fixture
def manifest(repository: Repository, box: Path) -> Manifest:
    return save(repository, sources(box), box="b", taken_ms=1_769_860_800_000).manifest


def test_a_whole_one_has_no_faults(repository: Repository, manifest: Manifest) -> None:
    for read in (False, True):
        assert faults(repository, manifest, manifest.files, read=read) == []
    refuse_faults(repository, manifest, [])


def test_each_file_that_needs_a_lost_object_is_named_once(repository: Repository, manifest: Manifest) -> None:
    for name in manifest.objects:
        repository.drop(name)
    for read in (False, True):
        found = faults(repository, manifest, manifest.files, read=read)
        assert [fault.path for fault in found] == ["cassandra/1.sst", "kafka/empty", "kafka/t-0/0.log"]
        assert all("is missing" in fault.why for fault in found)


def test_many_faults_are_counted(repository: Repository, manifest: Manifest) -> None:
    many = [Fault(f"f{number}", "gone") for number in range(8)]
    with pytest.raises(UserError, match=r"f0 \(gone\); .*f4 \(gone\); and 3 more files"):
        refuse_faults(repository, manifest, many)
