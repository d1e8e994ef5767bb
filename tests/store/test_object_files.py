"""Files and objects as streams: whole or not at all, packed by their names."""

from __future__ import annotations

from pathlib import Path

import pytest
import zstandard

from smackbox.base.errors import UserError
from smackbox.store.object_files import reading, reading_text, suffix_of, writing, writing_text

DATA = bytes(range(256)) * 1_000


@pytest.mark.parametrize(
    ("place", "suffix"),
    [
        ("a.csv", ".csv"),
        ("a.CSV.gz", ".csv"),
        ("s3://b/x.jsonl.zst?endpoint=http://h.csv", ".jsonl"),
        ("a.gz", ""),
        ("x", ""),
    ],
)
def test_the_suffix_is_that_of_the_content(place: str, suffix: str) -> None:
    assert suffix_of(place) == suffix


@pytest.mark.parametrize("name", ["plain", "packed.gz", "packed.zst"])
def test_what_is_written_is_read(tmp_path: Path, name: str) -> None:
    place = str(tmp_path / name)
    with writing(place) as output:
        for at in range(0, len(DATA), 7_000):
            output.write(DATA[at : at + 7_000])
    with reading(place) as source:
        assert source.read() == DATA
    with writing_text(place) as text:
        text.write("one\r\ntwo\n")
    with reading_text(place) as text:
        assert list(text) == ["one\r\n", "two\n"]


@pytest.mark.parametrize("name", ["plain", "packed.gz", "packed.zst"])
def test_a_failure_leaves_what_was_there(tmp_path: Path, name: str) -> None:
    place = tmp_path / name
    with writing(str(place)) as output:
        output.write(b"first")
    before = place.read_bytes()
    with pytest.raises(ValueError, match="in the middle"), writing(str(place)) as output:
        output.write(DATA)
        raise ValueError("in the middle")
    assert place.read_bytes() == before
    assert list(tmp_path.iterdir()) == [place]


def test_the_same_content_is_the_same_file(tmp_path: Path) -> None:
    for name in ("a.gz", "b.gz"):
        with writing(str(tmp_path / name)) as output:
            output.write(DATA)
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


@pytest.mark.parametrize("name", ["packed.gz", "packed.zst"])
def test_a_cut_file_is_refused(tmp_path: Path, name: str) -> None:
    place = tmp_path / name
    with writing(str(place)) as output:
        output.write(DATA)
    place.write_bytes(place.read_bytes()[:-5])
    with pytest.raises(UserError, match="cannot read"), reading(str(place)) as source:
        source.read()
    place.write_bytes(b"neither")
    with pytest.raises(UserError, match="cannot read"), reading(str(place)) as source:
        source.read()


def test_frames_one_behind_the_other_are_one_content(tmp_path: Path) -> None:
    frame = zstandard.compress(DATA)
    (tmp_path / "x.zst").write_bytes(frame + zstandard.compress(b"") + frame)
    with reading(str(tmp_path / "x.zst")) as source:
        assert source.read() == DATA + DATA


def test_what_is_no_text_says_so(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\xff")
    with pytest.raises(UserError, match="is not UTF-8"), reading_text(str(tmp_path / "x")) as text:
        text.read()


def test_a_place_that_cannot_be_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot write"), writing(str(tmp_path / "none" / "x")):
        pass
    with pytest.raises(UserError, match="cannot read"), reading(str(tmp_path / "none")):
        pass
