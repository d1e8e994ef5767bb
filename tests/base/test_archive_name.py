"""Names of files in an archive."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smackbox.base.archive_name import ArchiveName, beside
from smackbox.base.errors import SettingError

HOUR_MS = 1_441_112_400_000  # 2015-09-01T13:00Z
TEMPLATE = "s3://bucket/raw/{year}/{month}/{day}/{hour}-{partition}-{offset}.json.gz"


def test_a_name_has_the_hour_the_partition_and_the_offset() -> None:
    name = ArchiveName(TEMPLATE)
    assert (name.root, name.place) == ("s3://bucket/raw/", "s3://bucket/raw/")
    assert name.key("t", HOUR_MS, 3, 17) == "2015/09/01/13-3-00000000000000000017.json.gz"


@pytest.mark.parametrize(
    ("template", "root", "key"),
    [
        ("s3://b/{topic}/{partition}-{offset}.jsonl", "s3://b/", "t/0-00000000000000000001.jsonl"),
        ("s3://b/x-{partition}/{offset}.json.zst", "s3://b/", "x-0/00000000000000000001.json.zst"),
        ("/var/archive/{partition}/{offset}.json", "/var/archive/", "0/00000000000000000001.json"),
        ("archive/{partition}/{offset}.json", "archive/", "0/00000000000000000001.json"),
    ],
)
def test_the_root_is_what_comes_before_the_first_field(template: str, root: str, key: str) -> None:
    name = ArchiveName(template)
    assert (name.root, name.key("t", 0, 0, 1)) == (root, key)


def test_options_of_the_url_stay_with_the_place() -> None:
    name = ArchiveName(TEMPLATE + "?endpoint=http://h:1")
    assert name.place == "s3://bucket/raw/?endpoint=http://h:1"
    assert name.key("t", 0, 0, 0).endswith(".json.gz")


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("s3://b/{yaer}-{partition}-{offset}.json", "no field 'yaer' .did you mean 'year'"),
        ("s3://b/{partition}.json", r"needs \{offset\}"),
        ("s3://b/{offset}.json", r"needs \{partition\}"),
        ("s3://b/{partition}-{offset}", "a file ends in .json"),
        ("s3://b/{partition}-{offset}.csv", "a file ends in .json"),
        ("s3://{partition}/{offset}.json", "a folder or bucket comes first"),
        ("{partition}-{offset}.json", "a folder or bucket comes first"),
        ("s3://b/{partition}-{offset:x}.json", "no field 'offset'"),
        ("s3://b/{partition-{offset}.json", "archive"),
    ],
)
def test_a_template_that_cannot_be_says_why(template: str, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        ArchiveName(template)


@given(
    st.tuples(*[st.integers(0, 2**40)] * 2, st.integers(0, 500_000)),
    st.tuples(*[st.integers(0, 2**40)] * 2, st.integers(0, 500_000)),
)
def test_two_files_have_two_names_and_offsets_sort(one: tuple[int, int, int], two: tuple[int, int, int]) -> None:
    name = ArchiveName(TEMPLATE)
    keys = [name.key("t", hours * 3_600_000, partition, offset) for partition, offset, hours in (one, two)]
    assert (keys[0] == keys[1]) == (one == two)
    if one[0] == two[0] and one[2] == two[2]:
        assert (keys[0] < keys[1]) == (one[1] < two[1])


def test_beside_keeps_the_suffix() -> None:
    assert beside("a/0-7.json.gz", 2) == "a/0-7-2.json.gz"
    assert beside("a/0-7.json", 3) == "a/0-7-3.json"


@pytest.mark.parametrize(
    "template",
    [
        "s3://b/{year}/{month}/{day}/{hour}-{partition}-{offset}.json.gz",
        "/a/{topic}/{hour}/{partition}/{offset}.jsonl",
        "/a/{partition}.{offset}.{partition}.json.zst",
    ],
)
def test_a_name_is_parsed_as_it_was_made(template: str) -> None:
    name = ArchiveName(template)
    key = name.key("a-topic.x", 1_441_065_600_000, 12, 345)
    found = name.parse(key)
    assert found is not None
    assert (found.partition, found.first, found.beside) == (12, 345, False)
    assert found.topic == ("a-topic.x" if "{topic}" in template else None)
    assert found.hour_ms == (1_441_065_600_000 if "{year}" in template else None)
    second = name.parse(beside(key, 2))
    assert second is not None
    assert second.beside
    assert name.parse(f"x/{key}") is None
    assert name.parse("other.json") is None
