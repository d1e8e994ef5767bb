"""The similarity of two vectors, from 0 to 1: the measures of storage-attached indexes and similarity functions."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from ctypes import c_float

from smackbox.cassandra.wire.errors import Invalid


def similarity(name: str) -> Callable[[list[float], list[float]], float] | None:
    """The similarity functions, scaled to 0..1 like Cassandra's."""
    return {"cosine": _cosine, "euclidean": _euclidean, "dot_product": _dot_product}.get(name)


UNROLLED = 32


def _cosine(left: list[float], right: list[float]) -> float:
    if not any(left) or not any(right):
        raise Invalid("Function system.similarity_cosine doesn't support all-zero vectors.")
    product, first, second = _dot(left, right), _dot(left, left), _dot(right, right)
    size = math.sqrt(_single(first * second))
    return _single(_single(1 + _single(product / size if size else math.copysign(math.inf, product))) / 2)


def _euclidean(left: list[float], right: list[float]) -> float:
    differences = [_single(a - b) for a, b in zip(left, right, strict=True)]
    return _single(1 / _single(1 + _dot(differences, differences)))


def _dot_product(left: list[float], right: list[float]) -> float:
    return _single(_single(1 + _dot(left, right)) / 2)


def _dot(left: list[float], right: list[float]) -> float:
    """The dot product in single precision, like Cassandra's for short vectors; it sums long ones in its own order."""
    if len(left) > UNROLLED:
        return _single(sum(map(operator.mul, left, right)))
    total = 0.0
    for a, b in zip(left, right, strict=True):
        total = _single(total + _single(a * b))
    return total


def _single(value: float) -> float:
    return c_float(value).value


def unsearchable(vector: Sequence[float], measure: str) -> str | None:
    """Why an index cannot hold that vector, None when it can."""
    for position, value in enumerate(vector):
        if not math.isfinite(value):
            return f"non-finite value at vector[{position}]={value}"
    if measure == "cosine" and not any(vector):
        return "Zero vectors cannot be indexed or queried with cosine similarity"
    return None
