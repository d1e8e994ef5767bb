"""Measures of vectors, in single precision as Cassandra has them."""

from __future__ import annotations

import math
import struct

import pytest

from smackbox.cassandra.values.similarity import UNROLLED, similarity, unsearchable
from smackbox.cassandra.wire.errors import Invalid


def single(value: float) -> float:
    return float(struct.unpack("f", struct.pack("f", value))[0])


@pytest.mark.parametrize(
    ("name", "left", "right", "expected"),
    [
        ("cosine", [1.0, 0.0], [0.0, 1.0], 0.5),
        ("cosine", [2.0, 0.0], [3.0, 0.0], 1.0),
        ("cosine", [1.0, 0.0], [-1.0, 0.0], 0.0),
        ("cosine", [3.0, 4.0], [4.0, 3.0], single(0.98)),
        ("euclidean", [0.0, 0.0], [3.0, 0.0], single(0.1)),
        ("euclidean", [1.0, 1.0], [1.0, 1.0], 1.0),
        ("dot_product", [1.0, 2.0], [3.0, 4.0], 6.0),
        ("dot_product", [0.0, 0.0], [0.0, 0.0], 0.5),
    ],
)
def test_measures(name: str, left: list[float], right: list[float], expected: float) -> None:
    measure = similarity(name)
    assert measure is not None
    assert measure(left, right) == expected
    assert measure(right, left) == expected


@pytest.mark.parametrize(("left", "right"), [([0.0, 0.0], [1.0, 0.0]), ([1.0, 0.0], [0.0, 0.0])])
def test_a_zero_vector_has_no_angle(left: list[float], right: list[float]) -> None:
    measure = similarity("cosine")
    assert measure is not None
    with pytest.raises(Invalid, match="similarity_cosine doesn't support all-zero vectors"):
        measure(left, right)


def test_vectors_whose_squares_vanish_have_an_endless_quotient() -> None:
    measure = similarity("cosine")
    assert measure is not None
    tiny = single(1e-30)
    assert measure([tiny], [tiny]) == math.inf


def test_short_sums_round_at_each_step_and_long_ones_once() -> None:
    """Of a large number and many small ones, each step loses the small one."""
    measure = similarity("dot_product")
    assert measure is not None
    for size, small in ((UNROLLED, 0), (UNROLLED + 1, UNROLLED)):
        left = [4096.0] + [1.0] * (size - 1)
        right = [4096.0] + [1.0] * (size - 1)
        assert measure(left, right) == single(single(1 + 4096.0**2 + small) / 2)


def test_no_other_measure() -> None:
    assert similarity("manhattan") is None


@pytest.mark.parametrize(
    ("vector", "measure", "reason"),
    [
        ([1.0, math.nan], "euclidean", "non-finite value at vector[1]=nan"),
        ([math.inf], "dot_product", "non-finite value at vector[0]=inf"),
        ([0.0, 0.0], "cosine", "Zero vectors cannot be indexed or queried with cosine similarity"),
        ([0.0, 0.0], "euclidean", None),
        ([0.0, 1.0], "cosine", None),
    ],
)
def test_what_an_index_cannot_hold(vector: list[float], measure: str, reason: str | None) -> None:
    assert unsearchable(vector, measure) == reason
