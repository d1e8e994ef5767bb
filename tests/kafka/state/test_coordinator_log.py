"""Which partition a group belongs to must be what a real Kafka says, or it would not find our groups."""

from __future__ import annotations

import pytest

from smackbox.kafka.state.coordinator_log import java_hash


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("a", 97),
        ("hello", 99162322),
        ("polygenelubricants", 0),  # its hash is -2^31, which has no absolute value
        ("console-consumer", 648006740),  # of a negative hash the absolute value
        ("漢字", 905333),
    ],
)
def test_java_hash(text: str, expected: int) -> None:
    assert java_hash(text) == expected
