"""How a partition is computed: the nodes below an RDD, as they are pickled and sent to executors.

Nodes that need no shuffle compute their parents' partitions by iterating them, one row through the whole chain. A
`Shuffled` node reads the files of a shuffle; what is above it is known to the driver alone, so a stage's pickled nodes
end there.
"""

from __future__ import annotations

import gzip
import os
import pickle
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice, product
from pathlib import Path
from typing import Any

from smackbox.spark.rdd.driver_files import on_this_machine
from smackbox.spark.rdd.files import Storage, is_remote, open_binary
from smackbox.spark.rdd.seen.call_site import call_site
from smackbox.spark.rdd.shuffle_files import read_shuffle
from smackbox.spark.rdd.task import Task, read_chunks


@dataclass(slots=True, eq=False)
class Node:
    """One RDD's plan. `partitions` is how many it has; `level` (disk, memory) is set while it is persisted."""

    rdd_id: int
    partitions: int
    level: tuple[bool, bool] | None = field(default=None, init=False)

    def parents(self) -> list[Node]:
        """The nodes whose partitions this one reads within the same task."""
        return []

    def compute(self, index: int, task: Task) -> Iterable[Any]:
        raise NotImplementedError

    def pieces_of(self, index: int) -> Iterable[tuple[Node, int]]:
        """The parents' partitions that a partition is made of."""
        return [(parent, index) for parent in self.parents()]

    def hosts(self, index: int) -> Sequence[str]:
        """The hosts, by name or address, that have this node's own data of a partition; empty where it is anywhere."""
        return ()

    def rows(self, index: int, task: Task) -> Iterator[Any]:
        """A partition's rows: from the cache, or computed and put there."""
        if self.level is None:
            return iter(self.compute(index, task))
        key = (self.rdd_id, index)
        held = task.blocks.get(key)
        if held is None:
            disk, memory = self.level
            uncached = task.blocks.put(key, self.compute(index, task), memory=memory, disk=disk)
            if uncached is not None:
                return uncached
            task.cached.append(key)
            held = task.blocks.get(key)
            assert held is not None
        return held


@dataclass(slots=True, eq=False)
class Slices(Node):
    """A collection of the driver: each slice pickled, in memory or, when they are large, in one file."""

    slices: list[bytes]
    path: Path | None
    offsets: list[tuple[int, int]]

    def compute(self, index: int, task: Task) -> Iterable[Any]:
        if self.path is None:
            return pickle.loads(self.slices[index])  # type: ignore[no-any-return]  # noqa: S301 - our own bytes
        offset, length = self.offsets[index]
        with on_this_machine(self.path).open("rb") as file:
            file.seek(offset)
            return pickle.loads(file.read(length))  # type: ignore[no-any-return]  # noqa: S301 - our own bytes


@dataclass(slots=True, eq=False)
class Lines(Node):
    """Text files: a partition is a list of (path, start, end). A line belongs to the split in which it starts."""

    splits: list[list[tuple[str, int, int]]]
    use_unicode: bool
    storage: Storage

    def compute(self, index: int, task: Task) -> Iterator[Any]:
        for path, start, end in self.splits[index]:
            for line in _lines(path, start, end, self.storage):
                yield line.decode("utf-8", "replace") if self.use_unicode else line


def _lines(path: str, start: int, end: int, storage: Storage) -> Iterator[bytes]:
    if path.endswith(".gz"):
        with open_binary(path, storage) as file, gzip.open(file, "rb") as zipped:
            yield from (line.rstrip(b"\r\n") for line in zipped)
        return
    with open_binary(path, storage) as file:
        if start:
            file.seek(start - 1)
            file.readline()
        while file.tell() < end and (line := file.readline()):
            yield line[:-2] if line.endswith(b"\r\n") else line.removesuffix(b"\n")


@dataclass(slots=True, eq=False)
class WholeFiles(Node):
    """Files as (path, contents); a partition is a list of paths."""

    paths: list[list[str]]
    decode: Callable[[bytes], Any]
    storage: Storage

    def compute(self, index: int, task: Task) -> Iterator[Any]:
        for path in self.paths[index]:
            with open_binary(path, self.storage) as file:
                data = file.read()
            yield (
                path if is_remote(path) else f"file:{path}",
                self.decode(gzip.decompress(data) if path.endswith(".gz") else data),
            )


@dataclass(slots=True, eq=False)
class PickledFiles(Node):
    """Files of pickled lists of rows: what `saveAsPickleFile` and `checkpoint` write. One is a partition."""

    paths: list[Path]

    def compute(self, index: int, task: Task) -> Iterator[Any]:
        return read_chunks(self.paths[index])


@dataclass(slots=True, eq=False)
class Mapped(Node):
    """`function(index, rows)` over each partition of the parent."""

    parent: Node
    function: Callable[[int, Iterator[Any]], Iterable[Any]]

    def parents(self) -> list[Node]:
        return [self.parent]

    def compute(self, index: int, task: Task) -> Iterable[Any]:
        return self.function(index, self.parent.rows(index, task))


@dataclass(slots=True, eq=False)
class Joined(Node):
    """Each partition is made of partitions of several parents: `pieces[index]` lists (parent, its partition)."""

    above: list[Node]
    pieces: list[list[tuple[int, int]]]

    def parents(self) -> list[Node]:
        return self.above

    def pieces_of(self, index: int) -> Iterable[tuple[Node, int]]:
        return [(self.above[number], part) for number, part in self.pieces[index]]

    def compute(self, index: int, task: Task) -> Iterable[Any]:
        return chain.from_iterable(self.above[number].rows(part, task) for number, part in self.pieces[index])


@dataclass(slots=True, eq=False)
class Zipped(Node):
    """Pairs of the rows at equal places of two nodes with equal partitions."""

    left: Node
    right: Node

    def parents(self) -> list[Node]:
        return [self.left, self.right]

    def compute(self, index: int, task: Task) -> Iterator[Any]:
        end = object()
        left, right = self.left.rows(index, task), self.right.rows(index, task)
        for row in left:
            other = next(right, end)
            if other is end:
                raise ValueError("Can only zip RDDs with same number of elements in each partition")
            yield row, other
        if next(right, end) is not end:
            raise ValueError("Can only zip RDDs with same number of elements in each partition")


@dataclass(slots=True, eq=False)
class Product(Node):
    """Every pair of rows of two nodes; partition i is (i // right, i % right)."""

    left: Node
    right: Node

    def parents(self) -> list[Node]:
        return [self.left, self.right]

    def pieces_of(self, index: int) -> Iterable[tuple[Node, int]]:
        left, right = divmod(index, self.right.partitions)
        return [(self.left, left), (self.right, right)]

    def compute(self, index: int, task: Task) -> Iterator[Any]:
        left, right = divmod(index, self.right.partitions)
        return product(self.left.rows(left, task), self.right.rows(right, task))


@dataclass(slots=True, eq=False, weakref_slot=True)
class Shuffle:
    """A stage's boundary: the parent's pairs dealt out by `partition_of(key) % partitions`. Known to the driver only.

    `files` holds each map task's file once it has run; a later job that needs the shuffle reads the same ones.
    """

    shuffle_id: int
    parent: Node
    partitions: int
    partition_of: Callable[[Any], int]
    files: list[str | None]
    counted: set[int] = field(default_factory=set)
    """Map tasks whose accumulators were added: running one again for a lost file does not count again."""
    made_at: str = field(default_factory=call_site)
    """The transformation that needs it, and where it stands in the program."""

    def forget(self, is_gone: Callable[[str], bool] = lambda _: True) -> list[str]:
        """Take out the files that are gone, by default all; they are returned."""
        found = [path for path in self.files if path is not None and is_gone(path)]
        if found:
            gone = set(found)
            self.files[:] = [None if path in gone else path for path in self.files]
        return found


@dataclass(slots=True, eq=False)
class Shuffled(Node):
    """Reads one bucket of a shuffle."""

    shuffle: Shuffle | None
    shuffle_id: int

    def compute(self, index: int, task: Task) -> Iterator[Any]:
        return read_shuffle(self.shuffle_id, task.shuffles[self.shuffle_id], index)

    def __getstate__(self) -> Any:
        return (self.rdd_id, self.partitions, self.level, self.shuffle_id)

    def __setstate__(self, state: Any) -> None:
        self.rdd_id, self.partitions, self.level, self.shuffle_id = state
        self.shuffle = None


def stage_of(node: Node) -> Iterator[Node]:
    """The nodes of the stage that ends in `node`, the nearest first, each once."""
    waiting, seen = deque([node]), {node}
    while waiting:
        node = waiting.popleft()
        yield node
        for parent in node.parents():
            if parent not in seen:
                seen.add(parent)
                waiting.append(parent)


def shuffles_of(node: Node) -> list[Shuffle]:
    """The shuffles that the stage of `node` reads."""
    found = {each.shuffle_id: each.shuffle for each in stage_of(node) if isinstance(each, Shuffled)}
    return [shuffle for shuffle in found.values() if shuffle is not None]


def data_of(node: Node, index: int) -> Iterator[tuple[Node, int]]:
    """The nodes and partitions that a task of `node`'s stage reads, the nearest first, each once."""
    waiting, seen = deque([(node, index)]), {(node.rdd_id, index)}
    while waiting:
        node, index = waiting.popleft()
        yield node, index
        for parent, part in node.pieces_of(index):
            if (parent.rdd_id, part) not in seen:
                seen.add((parent.rdd_id, part))
                waiting.append((parent, part))


def write_rows(path: Path, rows: Iterable[Any]) -> None:
    """Rows as a file of pickled lists; it appears under its name when it is whole."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    iterator = iter(rows)
    with draft.open("wb") as file:
        while batch := list(islice(iterator, 10_000)):
            pickle.dump(batch, file, pickle.HIGHEST_PROTOCOL)
    draft.replace(path)
