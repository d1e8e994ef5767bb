"""The options of keyspaces and tables, in the form in which Cassandra shows them."""

from __future__ import annotations

import pytest

from smackbox.cassandra.state.compaction_options import checked_compaction
from smackbox.cassandra.state.replication import boolean_option, keyspace_options
from smackbox.cassandra.state.retry_options import checked_retry
from smackbox.cassandra.state.table_options import TABLE_DEFAULTS, TTL_LIMIT, table_options
from smackbox.cassandra.wire.errors import ConfigFault, Invalid, SyntaxFault

LOCATOR = "org.apache.cassandra.locator."


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("95percentile", "95p"), ("99.90P", "99.9p"), ("10.7ms", "10ms"), ("NONE", "NEVER"), ("never", "NEVER"),
        ("always", "ALWAYS"), ("min(99p, 50ms)", "MIN(99p,50ms)"), ("MAX(20ms,99p)", "MAX(99p,20ms)"),
    ],
)  # fmt: skip
def test_a_retry_is_shown_in_its_short_form(given: str, shown: str) -> None:
    assert checked_retry(given) == shown
    assert checked_retry(shown) == shown


@pytest.mark.parametrize(
    "given", ["", "often", "0p", "100p", "1.2.3ms", "-5ms", "MIN(1p,2p)", "MIN(5ms,x)", "MED(1p,5ms)"]
)
def test_what_is_no_retry(given: str) -> None:
    with pytest.raises(ConfigFault, match="speculative_retry"):
        checked_retry(given)


@pytest.mark.parametrize(("given", "flag"), [("TRUE", True), ("yes", True), ("1", True), ("No", False), ("0", False)])
def test_a_boolean_has_three_words_for_each(given: str, flag: bool) -> None:
    assert boolean_option("cdc", given) is flag


def test_a_boolean_has_no_more_words() -> None:
    with pytest.raises(SyntaxFault, match="Invalid boolean value on for 'cdc'"):
        boolean_option("cdc", "on")


@pytest.mark.parametrize(
    ("given", "previous", "replication"),
    [
        ({"class": "SimpleStrategy"}, None, {"class": LOCATOR + "SimpleStrategy", "replication_factor": "1"}),
        (
            {"class": "NetworkTopologyStrategy", "replication_factor": "3"},
            None,
            {"class": LOCATOR + "NetworkTopologyStrategy", "dc1": "3"},
        ),
        # the data centre's own factor stays, whatever the general one says
        (
            {"class": "NetworkTopologyStrategy", "replication_factor": "3"},
            ({"class": LOCATOR + "NetworkTopologyStrategy", "dc1": "2"}, True),
            {"class": LOCATOR + "NetworkTopologyStrategy", "dc1": "2"},
        ),
    ],
)
def test_the_replication_that_is_kept(
    given: dict[str, str], previous: tuple[dict[str, str], bool] | None, replication: dict[str, str]
) -> None:
    assert keyspace_options({"replication": dict(given)}, "ks", "dc1", previous) == (replication, True)


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({}, "Missing mandatory replication strategy class"),
        ({"replication_factor": "1"}, "Missing replication strategy class"),
        ({"class": "NoStrategy"}, "Unable to find replication strategy class"),
        ({"class": "SimpleStrategy", "dc1": "1"}, "Unrecognized strategy option {dc1} passed to SimpleStrategy"),
        ({"class": "NetworkTopologyStrategy", "dc2": "1"}, "Unrecognized strategy option {dc2}"),
        ({"class": "SimpleStrategy", "replication_factor": "x"}, 'For input string: "x"'),
        ({"class": "SimpleStrategy", "replication_factor": "-1"}, "must be non-negative, found -1"),
        ({"class": "SimpleStrategy", "replication_factor": "3/1"}, "Transient replication is not enabled"),
    ],
)
def test_what_is_no_replication(given: dict[str, str], fault: str) -> None:
    with pytest.raises(ConfigFault) as refusal:
        keyspace_options({"replication": dict(given)}, "ks", "dc1")
    assert fault in str(refusal.value)


def test_a_keyspace_needs_replication_when_it_is_made_and_keeps_it_afterwards() -> None:
    with pytest.raises(Invalid, match="Missing mandatory option 'replication'"):
        keyspace_options({}, "ks", "dc1")
    kept = {"class": LOCATOR + "SimpleStrategy", "replication_factor": "1"}
    assert keyspace_options({"durable_writes": "false"}, "ks", "dc1", (kept, True)) == (kept, False)


def test_compaction_is_shown_with_its_thresholds_and_the_whole_name_of_its_class() -> None:
    assert checked_compaction({"class": "SizeTieredCompactionStrategy", "min_threshold": "5"}) == {
        "class": "org.apache.cassandra.db.compaction.SizeTieredCompactionStrategy",
        "max_threshold": "32",
        "min_threshold": "5",
    }


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({}, "Missing sub-option 'class'"),
        ({"class": "NoStrategy"}, "Unable to find compaction strategy class"),
        ({"class": "LeveledCompactionStrategy", "compaction_window_unit": "DAYS"}, "compaction_window_unit"),
        ({"class": "SizeTieredCompactionStrategy", "tombstone_threshold": "-1"}, "tombstone_threshold must be greater"),
    ],
)
def test_what_is_no_compaction(given: dict[str, str], fault: str) -> None:
    with pytest.raises(ConfigFault, match=fault):
        checked_compaction(given)


def test_options_that_are_not_given_stay() -> None:
    options = table_options({"comment": "x", "caching": {"keys": "none"}}, TABLE_DEFAULTS)
    assert options == {**TABLE_DEFAULTS, "comment": "x", "caching": {"keys": "NONE", "rows_per_partition": "NONE"}}


def test_leveled_compaction_brings_its_own_chance_of_false_positives() -> None:
    leveled = {"compaction": {"class": "LeveledCompactionStrategy"}}
    assert table_options(dict(leveled), TABLE_DEFAULTS)["bloom_filter_fp_chance"] == "0.1"
    given = {**leveled, "bloom_filter_fp_chance": "0.5"}
    assert table_options(given, TABLE_DEFAULTS)["bloom_filter_fp_chance"] == "0.5"


@pytest.mark.parametrize(
    ("option", "value", "fault"),
    [
        ("no_option", "1", SyntaxFault),
        ("caching", "ALL", SyntaxFault),
        ("comment", {"a": "b"}, SyntaxFault),
        ("gc_grace_seconds", "x", SyntaxFault),
        ("gc_grace_seconds", "-1", ConfigFault),
        ("default_time_to_live", str(TTL_LIMIT + 1), ConfigFault),
        ("bloom_filter_fp_chance", "0", ConfigFault),
        ("crc_check_chance", "1.1", ConfigFault),
        ("max_index_interval", "127", ConfigFault),
        ("read_repair", "SOMETIMES", ConfigFault),
        ("memtable", "fast", ConfigFault),
        ("compression", {"class": "NoCompressor"}, ConfigFault),
        ("compression", {"class": "LZ4Compressor", "chunk_length_in_kb": "3"}, ConfigFault),
        ("compression", {"class": "ZstdCompressor", "compression_level": "23"}, ConfigFault),
        ("compression", {"enabled": "false", "class": "LZ4Compressor"}, ConfigFault),
    ],
)
def test_what_is_no_option(option: str, value: str | dict[str, str], fault: type[Exception]) -> None:
    with pytest.raises(fault):
        table_options({option: value}, TABLE_DEFAULTS)
