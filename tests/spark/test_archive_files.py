"""What of a batch goes into which file."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from smackbox.base.archive_name import HOUR_MS, ArchiveName
from smackbox.base.errors import StorageError
from smackbox.spark.streaming.archive_files import files_of, line_of, pack, unpack


@dataclass(frozen=True)
class Message:
    where: int
    at: int
    time_ms: int
    data: bytes | None

    def partition(self) -> int:
        return self.where

    def offset(self) -> int:
        return self.at

    def timestamp(self) -> tuple[int, int]:
        return (1, self.time_ms)

    def value(self) -> bytes | None:
        return self.data


def test_a_file_is_of_one_partition_and_one_hour_in_the_order_of_offsets() -> None:
    messages = [
        Message(0, 5, HOUR_MS - 1, b"a"),
        Message(1, 9, HOUR_MS - 1, b"b"),
        Message(0, 6, HOUR_MS, b"c"),
        Message(0, 7, HOUR_MS - 2, b"d"),  # later, of the hour before
        Message(0, 8, HOUR_MS, None),
    ]
    found = [(file.partition, file.hour_ms, file.first, file.lines) for file in files_of(messages)]
    assert found == [(0, 0, 5, [b"a", b"d"]), (1, 0, 9, [b"b"]), (0, HOUR_MS, 6, [b"c"])]


def test_a_record_without_a_time_is_of_the_first_hour() -> None:
    assert files_of([Message(0, 0, -1, b"x")])[0].hour_ms == 0


def test_a_record_of_a_time_beyond_all_years_has_a_file_too() -> None:
    (file,) = files_of([Message(0, 7, 2**62, b"x")])
    name = ArchiveName("s3://b/{year}/{month}/{day}/{hour}-{partition}-{offset}.json")
    assert name.key("t", file.hour_ms, 0, file.first) == "9999/12/31/23-0-00000000000000000007.json"


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3 * HOUR_MS), st.none() | st.binary(max_size=8)), max_size=40)
)
def test_every_value_is_in_one_file_and_no_two_files_have_one_name(rows: list[tuple[int, int, bytes | None]]) -> None:
    messages = [Message(where, at, time_ms, data) for at, (where, time_ms, data) in enumerate(rows)]
    files = files_of(messages)
    lines = sorted(line for file in files for line in file.lines)
    assert lines == sorted(line_of(data) for _, _, data in rows if data is not None)
    assert len({(file.partition, file.first) for file in files}) == len(files)
    assert files_of(messages) == files


@given(st.binary(max_size=30))
def test_a_line_is_one_line(value: bytes) -> None:
    line = line_of(value)
    assert b"\n" not in line and b"\r" not in line
    if b"\n" not in value and b"\r" not in value:
        assert line == value


def test_json_over_several_lines_becomes_compact_and_other_bytes_base64() -> None:
    assert json.loads(line_of(b'{\n  "a": [1,\r\n 2]\n}')) == {"a": [1, 2]}
    assert line_of(b"no\njson") == b'{"base64":"bm8KanNvbg=="}'


@pytest.mark.parametrize("key", ["a.json", "a.json.gz", "a.jsonl.zst"])
def test_what_is_packed_is_unpacked(key: str) -> None:
    data = pack([b"one", b"two"], key)
    assert unpack(data, key) == b"one\ntwo\n"
    assert pack([b"one", b"two"], key) == data


def test_packed_files_are_those_of_the_usual_tools() -> None:
    assert gzip.decompress(pack([b"x"], "a.json.gz")) == b"x\n"
    assert zstandard.ZstdDecompressor().decompress(pack([b"x"], "a.json.zst")) == b"x\n"


@pytest.mark.parametrize("key", ["a.json.gz", "a.json.zst"])
def test_a_cut_file_is_refused(key: str) -> None:
    with pytest.raises(StorageError, match="is damaged"):
        unpack(pack([b"x" * 100], key)[:-3], key)
