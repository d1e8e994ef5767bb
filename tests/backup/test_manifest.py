"""Manifests and the ids of back-ups."""

from __future__ import annotations

import pytest

from smackbox.backup.manifest import Manifest, SavedFile, decode, encode, id_of, listed
from smackbox.base.errors import StorageError, UserError

TAKEN_MS = 1_769_860_800_007  # 2026-01-31T12:00:00.007Z
MANIFEST = Manifest(
    id=id_of(TAKEN_MS),
    box="b",
    taken_ms=TAKEN_MS,
    files=(SavedFile("kafka/t-0/0.log", 7, ("aa", "bb"), 1, 2), SavedFile("streams/s", 1, ("aa",))),
    objects={"aa": 3, "bb": 4},
)


def test_an_id_is_the_moment_in_utc_and_ids_sort_by_time() -> None:
    assert id_of(TAKEN_MS) == "20260131T120000.007Z"
    assert id_of(TAKEN_MS) < id_of(TAKEN_MS + 1) < id_of(TAKEN_MS + 1_000)
    found = listed(id_of(TAKEN_MS))
    assert found is not None
    assert found.taken_s == pytest.approx(TAKEN_MS / 1000)


@pytest.mark.parametrize("name", ["", "x", "20261301T000000.000Z", "README.md", "20260131T120000.007Z.0123abcd.part"])
def test_a_name_that_is_no_id_is_no_back_up(name: str) -> None:
    assert listed(name) is None


def test_a_manifest_is_read_as_it_was_written() -> None:
    assert decode(encode(MANIFEST), "m") == MANIFEST
    assert (MANIFEST.size, MANIFEST.stored) == (8, 7)
    assert list(MANIFEST.parts) == ["kafka", "streams"]


def test_parts_are_selected_by_name() -> None:
    assert [file.path for file in MANIFEST.select(("streams",))] == ["streams/s"]
    assert len(list(MANIFEST.select(()))) == 2
    with pytest.raises(UserError, match="has no cassandra; it has kafka, streams"):
        list(MANIFEST.select(("cassandra",)))


def test_a_later_format_and_a_damaged_manifest_are_refused() -> None:
    with pytest.raises(StorageError, match="format 2, this smackbox reads 1"):
        decode(b'{"format": 2}', "m")
    for damaged in (b"", b"{}", b'{"format": 1}', encode(MANIFEST)[:-1]):
        with pytest.raises(StorageError, match="damaged"):
            decode(damaged, "m")
