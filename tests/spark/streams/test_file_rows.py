"""Rows of files: formats, packed or not, torn or not; whole lines, and what is no row."""

from __future__ import annotations

import gzip
import io
import json
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from smackbox.base.errors import SettingError
from smackbox.spark.streaming.inputs import file_rows
from smackbox.spark.streaming.inputs.file_rows import UnreadableRowError, format_of, rows_of

LINES = b'\xef\xbb\xbf{"a": 1}\n\n{"a": 2}\r\n{"a": 3}'
PACK: dict[str, Any] = {"": bytes, ".gz": gzip.compress, ".zst": zstandard.compress}


def rows(data: bytes, path: str) -> list[Any]:
    found = list(rows_of(io.BytesIO(data), path, format_of(path)))
    return [str(row) if isinstance(row, UnreadableRowError) else json.loads(row) for row in found]


@pytest.mark.parametrize("packed", PACK)
def test_lines_are_rows_and_members_follow_each_other(packed: str) -> None:
    pack = PACK[packed]
    assert rows(pack(LINES), f"x.jsonl{packed}") == [{"a": 1}, {"a": 2}, {"a": 3}]
    twice = pack(LINES + b"\n") + pack(b'{"a": 4}\n')
    assert rows(twice, f"s3://b/x.ndjson{packed}") == [{"a": n} for n in (1, 2, 3, 4)]
    assert rows(pack(b""), f"x.json{packed}") == []


@pytest.mark.parametrize("packed", [".gz", ".zst"])
def test_a_torn_file_gives_its_whole_rows_and_then_says_that_it_is_torn(packed: str) -> None:
    lines = b"".join(b'{"a": "%d"}\n' % (number * 7919) for number in range(20_000))
    data = PACK[packed](lines)
    for cut in (len(data) // 2, len(data) - 3):
        *whole, last = rows(data[:cut], f"x.json{packed}")
        assert "ends in the middle, or is not what its name says" in last
        assert [row["a"] for row in whole] == [str(number * 7919) for number in range(len(whole))]
        assert whole or packed == ".zst"
    assert "not what its name says" in rows(b"no such thing", f"x.json{packed}")[0]


def test_csv_has_a_header_empty_fields_are_null_and_bad_rows_are_named() -> None:
    text = '\ufeffid,name\n1,"a ""b"", c"\n2,\n3\n\n4,x,y\n5,é\n'
    assert rows(text.encode(), "x.csv") == [
        {"id": "1", "name": 'a "b", c'},
        {"id": "2", "name": None},
        "the row has 1 fields, the header 2",
        "the row has 3 fields, the header 2",
        {"id": "5", "name": "é"},
    ]
    assert rows(b"", "x.csv") == []


def test_parquet_rows_have_their_types() -> None:
    file = io.BytesIO()
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    pq.write_table(pa.table({"id": [1, 2], "at": [moment, None], "tags": [["x"], []]}), file)
    assert rows(file.getvalue(), "x.parquet") == [
        {"id": 1, "at": "2026-01-01T00:00:00Z", "tags": ["x"]},
        {"id": 2, "at": None, "tags": []},
    ]
    assert "not a whole Parquet file" in rows(file.getvalue()[:-10], "x.parquet")[0]


def test_a_line_that_is_too_long_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_rows, "LINE_BYTES", 10)
    assert rows(b'{"a": 1}\n' + b"x" * 35 + b'\n{"a": 2}\n' + b"y" * 11, "x.json") == [
        {"a": 1},
        "a line is longer than 10 bytes",
        {"a": 2},
        "a line is longer than 10 bytes",
    ]


def test_a_line_of_just_the_longest_length_does_not_take_the_next_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_rows, "LINE_BYTES", 10)
    assert rows(b'{"a": 123}\n{"a": 2}\n', "x.json") == [{"a": 123}, {"a": 2}]


def test_a_csv_whose_header_is_none_is_a_bad_row_and_no_server_that_is_away() -> None:
    (found,) = rows(b'"id"x,name\n1,a\n', "x.csv")
    assert "the header is not CSV" in found


def test_a_csv_without_line_ends_is_not_taken_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_rows, "LINE_BYTES", 10)
    assert rows(b"id\n1\n" + b"x" * 50 + b"\n2\n", "x.csv") == [
        {"id": "1"},
        "a line is longer than 10 characters; the rest of the file is not read",
    ]
    assert "the header is not CSV" in rows(b"x" * 50, "x.csv")[0]


class Flaky(io.BytesIO):
    """Bytes of which those at the front cannot be read just now."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() < 1_000:
            raise OSError("connection reset")
        return super().read(size)


def test_a_parquet_file_that_cannot_be_read_just_now_is_not_taken_for_a_torn_one() -> None:
    file = io.BytesIO()
    pq.write_table(pa.table({"id": [number * 7919 % 1_000_003 for number in range(50_000)]}), file)
    with pytest.raises(OSError, match="connection reset"):
        list(rows_of(Flaky(file.getvalue()), "x.parquet", "parquet"))


def test_a_name_that_does_not_tell_its_format_is_refused() -> None:
    with pytest.raises(SettingError, match="say format="):
        format_of("s3://bucket/2015/x.gz")
    assert format_of("A.CSV.GZ") == "csv"
