"""The vectors of one index in memory: a matrix, and an HNSW graph of its rows once there are many.

A vector gets a permanent label when it is put: another vector of the same row gets another label, and the old one is
dead. The graph follows the matrix (`extend`, in its own thread). Vectors that are not yet in the graph are compared one
by one, so a search never waits for it. A matrix of mostly dead vectors is rewritten without them.

Needs numpy and usearch, the extra `vector`; without them `vectors_available` is false and searches read the rows.
"""

from __future__ import annotations

import importlib
import importlib.util
from contextlib import AbstractContextManager, nullcontext
from typing import Any

# checked without importing: a server without vectors does not load them
vectors_available = all(importlib.util.find_spec(name) is not None for name in ("numpy", "usearch"))
np: Any = None

EXACT_LIMIT = 4096
EXTEND_STEP = 16
MIN_DEAD = 1024
FIRST_CAPACITY = 256
CONNECTIVITY = 24
EXPANSION_ADD = 192
EXPANSION_SEARCH = 512
_METRICS = {"cosine": "cos", "euclidean": "l2sq", "dot_product": "ip"}


class VectorIndex:
    """Vectors by label; `keys` has the row of each label."""

    def __init__(self, dimension: int, similarity: str, lock: AbstractContextManager[object] | None = None) -> None:
        """`lock` is held while the graph is used, as `extend` may run in another thread."""
        global np
        np = importlib.import_module("numpy")
        self.dimension = dimension
        self.similarity = similarity
        self.keys: list[bytes] = []
        self._labels: dict[bytes, int] = {}
        self._matrix: Any = np.empty((FIRST_CAPACITY, dimension), np.float32)
        self._squares: Any = np.empty(FIRST_CAPACITY, np.float32)
        self._alive: Any = np.zeros(FIRST_CAPACITY, np.bool_)
        self._graph: Any = None
        self._graphed = 0
        self._lock = lock or nullcontext()

    def __len__(self) -> int:
        """The number of live vectors."""
        return len(self._labels)

    @property
    def is_lagging(self) -> bool:
        """Whether there are vectors that still have to be added to the graph."""
        return len(self._labels) > EXACT_LIMIT and self._graphed < len(self.keys)

    def put(self, row_key: bytes, value: bytes | None) -> None:
        """Set the row's vector, in wire form; None when it has none."""
        label = self._labels.get(row_key)
        if label is not None:
            if value is not None and self.value(label) == value:
                return
            self.remove(label)
        if value is None:
            return
        label = len(self.keys)
        if label == len(self._matrix):
            self._grow(2 * label)
        vector = np.frombuffer(value, ">f4").astype(np.float32)
        self._matrix[label] = vector
        self._squares[label] = vector @ vector
        self._alive[label] = True
        self.keys.append(row_key)
        self._labels[row_key] = label

    def remove(self, label: int) -> None:
        """Remove a vector that its row no longer has."""
        if self._alive[label]:
            self._alive[label] = False
            del self._labels[self.keys[label]]

    def value(self, label: int) -> bytes:
        """The vector in wire form."""
        return bytes(self._matrix[label].astype(">f4").tobytes())

    def nearest(self, query: bytes, count: int) -> list[int]:
        """The labels of the `count` live vectors that are most similar to the query, best first; ties are ordered by
        key.
        """
        vector = np.frombuffer(query, ">f4").astype(np.float32)
        size = len(self.keys)
        start = 0
        chosen = np.empty(0, np.int64)
        if self._graph is not None and len(self._labels) > EXACT_LIMIT:
            start = self._graphed
            chosen = self._walk(vector, count)
        if start < size:
            scores = self._rank(self._matrix[start:size], self._squares[start:size], vector)
            scores[~self._alive[start:size]] = -np.inf
            best = np.argpartition(scores, -count)[-count:] if count < size - start else np.arange(size - start)
            chosen = np.concatenate((chosen, best + start))
        chosen = chosen[self._alive[chosen]]
        scores = self._score(self._matrix[chosen], self._squares[chosen], vector)
        ranked = sorted(zip((-scores).tolist(), [self.keys[label] for label in chosen], chosen.tolist(), strict=True))
        return [label for _, _, label in ranked[:count]]

    def _walk(self, vector: Any, count: int) -> Any:
        """The labels of live vectors that the graph finds. Dead ones are still in it, so more results are requested."""
        requested = count
        while True:
            with self._lock:
                self._graph.expansion_search = max(EXPANSION_SEARCH, 2 * requested)
                labels = self._graph.search(vector, min(requested, self._graphed)).keys.astype(np.int64)
            living = labels[self._alive[labels]]
            if len(living) >= count or requested >= self._graphed:
                return living
            requested *= 2

    def extend(self) -> None:
        """Add some vectors to the graph. Runs in a thread, and holds the lock only for a few vectors at a time."""
        end = min(self._graphed + EXTEND_STEP, len(self.keys))
        rows = self._matrix[self._graphed : end]
        with self._lock:
            if self._graph is None:
                self._graph = importlib.import_module("usearch.index").Index(
                    ndim=self.dimension, metric=_METRICS[self.similarity], dtype="f32", connectivity=CONNECTIVITY,
                    expansion_add=EXPANSION_ADD, expansion_search=EXPANSION_SEARCH,
                )  # fmt: skip
            self._graph.add(np.arange(self._graphed, end, dtype=np.uint64), rows, threads=1)
            self._graphed = end

    def compact(self) -> None:
        """Rewrite the matrix when most of it is dead. Not while `extend` runs."""
        dead = len(self.keys) - len(self._labels)
        if dead < max(MIN_DEAD, len(self._labels)):
            return
        kept = np.flatnonzero(self._alive[: len(self.keys)])
        self.keys = [self.keys[label] for label in kept]
        self._labels = {key: label for label, key in enumerate(self.keys)}
        self._matrix = self._matrix[kept]
        self._squares = self._squares[kept]
        self._alive = np.ones(len(kept), np.bool_)
        self._graph = None
        self._graphed = 0
        self._grow(max(FIRST_CAPACITY, 2 * len(kept)))

    def _grow(self, capacity: int) -> None:
        for name in ("_matrix", "_squares", "_alive"):
            old = getattr(self, name)
            new = np.zeros((capacity, *old.shape[1:]), old.dtype)
            new[: len(old)] = old
            setattr(self, name, new)

    def _rank(self, rows: Any, squares: Any, vector: Any) -> Any:
        """Scores that sort by similarity, computed with one matrix product."""
        products = rows @ vector
        if self.similarity == "dot_product":
            return products
        if self.similarity == "euclidean":
            return 2 * products - squares
        with np.errstate(divide="ignore", invalid="ignore"):
            return products / np.sqrt(squares)

    def _score(self, rows: Any, squares: Any, vector: Any) -> Any:
        """Like `_rank`, but without the rounding errors of large squares."""
        if self.similarity == "euclidean":
            difference = rows - vector
            return -np.einsum("ij,ij->i", difference, difference)
        return self._rank(rows, squares, vector)
