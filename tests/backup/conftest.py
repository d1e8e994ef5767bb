"""Trees of files, and repositories whose objects are small."""

from __future__ import annotations

from pathlib import Path

import pytest

from smackbox.backup import cipher, fetch, save
from smackbox.backup.repository import Repository
from smackbox.store.objects import FolderObjects

PIECE_BYTES = 16


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cipher, "SCRYPT_N", 2)
    monkeypatch.setattr(save, "PIECE_BYTES", PIECE_BYTES)
    monkeypatch.setattr(fetch, "PIECE_BYTES", PIECE_BYTES)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.create_or_open(FolderObjects(tmp_path / "repository"))


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """Two parts of three files."""
    folder = tmp_path / "box"
    for name, data in (("kafka/t-0/0.log", b"k" * 40 + b"end"), ("kafka/empty", b""), ("cassandra/1.sst", b"c" * 50)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder
