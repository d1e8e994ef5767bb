"""A stream's checkpoint: offsets, plan, totals and identities seen, in one RocksDB that one runner at a time holds.

    default  `stream`       JSON: name and topic, so that a checkpoint is not used for another stream
             `id`           what this checkpoint is called in files and transactions: another one is another stream
             `position`     JSON: last batch, its timestamp, each partition's next offset, the identities' generation,
                            and where each source that is not a topic alone goes on
             `plan`         JSON: the batch under way: id, ranges, timestamp; deleted when it is committed
             `replay`       which replay's totals were put in last
    totals   primary key    MessagePack map: column -> total
    seen     generation (8 bytes) + identity -> empty
    inputs   source, 0, item -> empty: what a source takes once only, as the names of files
    flow     the state of a program over event time, as its operators say

A commit is one `WriteBatch`: all of it or nothing. Identities are kept in generations: the newest is written, this and
the one before are looked up; when the newest holds `unique_horizon` identities another is begun and the oldest is
deleted with one range deletion. So an identity is remembered over at least `unique_horizon` later events, at most
about twice as many.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from smackbox.flow.state import StateView
from smackbox.spark.streaming.control import STORE_DIR, copy_store, serve_copies
from smackbox.spark.streaming.errors import StreamError
from smackbox.spark.streaming.inputs.input import Done
from smackbox.spark.streaming.source import Ranges
from smackbox.store.data_dir import DataDir
from smackbox.store.rocks import RocksStore, open_store

FAMILIES = ("totals", "seen", "inputs", "flow")
DIVISION_FILE = "division.json"
MEMTABLE_BYTES = 4 * 1024 * 1024
CACHE_BYTES = 16 * 1024 * 1024
ID_LENGTH = 12
Change = tuple[bytes, bytes | None]
"""A key and its value; None removes it."""

_STREAM, _ID, _POSITION, _PLAN, _REPLAY = b"stream", b"id", b"position", b"plan", b"replay"


class Plan(msgspec.Struct, frozen=True):
    """A batch: the ranges that it reads and the timestamp that its writes carry.

    `inputs` are the plans of sources that are not a topic alone; `now_ms` is the processing time, and `since_ms` when
    the stream was started that planned it: both are the same in a repeat.
    """

    batch: int
    ranges: Ranges
    timestamp_us: int
    inputs: dict[str, Any] = {}
    now_ms: int = 0
    since_ms: int = 0


class _Position(msgspec.Struct):
    batch: int = 0
    timestamp_us: int = 0
    offsets: dict[int, int] = {}
    generation: int = 1
    generation_size: int = 0
    inputs: dict[str, Any] = {}


class _FlowState:
    """The committed state of a flow."""

    def __init__(self, store: RocksStore) -> None:
        self._store = store
        self._view = store.view("flow")

    def get_many(self, keys: list[bytes]) -> list[bytes | None]:
        return list(self._view.get(keys)) if keys else []

    def items(self, start: bytes, end: bytes) -> Iterable[tuple[bytes, bytes]]:
        return self._store.items(start, end, "flow")


class Checkpoint:
    """Open it with `open`; raises `StartError` when another runner holds the directory."""

    def __init__(self, data: DataDir, store: RocksStore, unique_horizon: int, control: Any, *, sync: bool) -> None:
        self._data = data
        self._store = store
        self._control = control
        self._horizon = unique_horizon
        self._sync = sync
        saved = store.get(_POSITION)
        self._position = msgspec.json.decode(saved, type=_Position) if saved else _Position()
        self.id = (store.get(_ID) or b"").decode()
        self.began_ms = 0
        """When this runner began to listen to its sources, or again after one of them did not answer."""

    @classmethod
    def open(cls, path: Path, *, stream: str, topic: str, unique_horizon: int, sync: bool) -> Checkpoint:
        if (path / DIVISION_FILE).exists():
            raise StreamError(
                f"the checkpoint {path} is divided among instances: keep instances=, or remove it to begin again"
            )
        data = DataDir.open(path)
        try:
            store = open_store(
                data.path / STORE_DIR, families=FAMILIES, memtable_bytes=MEMTABLE_BYTES, cache_bytes=CACHE_BYTES
            )
            owner = msgspec.json.encode({"stream": stream, "topic": topic})
            saved = store.get(_STREAM)
            if saved is not None and saved != owner:
                store.close()
                raise StreamError(f"the checkpoint {path} is another stream's: {saved.decode()}")
            if saved is None or store.get(_ID) is None:
                batch = store.batch()
                batch.put(_STREAM, owner)
                batch.put(_ID, uuid.uuid4().hex[:ID_LENGTH].encode())
                store.write(batch)
            control = serve_copies(data.path, stream, store)
        except BaseException:
            data.close()
            raise
        return cls(data, store, unique_horizon, control, sync=sync)

    @property
    def last_batch(self) -> int:
        return self._position.batch

    @property
    def offsets(self) -> dict[int, int]:
        """The next offset of each partition, as committed."""
        return dict(self._position.offsets)

    @property
    def inputs(self) -> dict[str, Any]:
        """Where each source goes on that is not a topic alone, as committed."""
        return dict(self._position.inputs)

    @property
    def timestamp_us(self) -> int:
        """No write so far carries a later one."""
        return self._position.timestamp_us

    @property
    def installed(self) -> str:
        """The replay whose totals were put in last."""
        return (self._store.get(_REPLAY) or b"").decode()

    def begin_at(self, offsets: Mapping[int, int]) -> None:
        """Where the first batch begins. Not for a checkpoint that has committed one."""
        assert self._position.batch == 0, "a stream begins once"
        self._position.offsets = dict(offsets)
        batch = self._store.batch()
        batch.put(_POSITION, msgspec.json.encode(self._position))
        self._write(batch)

    def items(self, family: str) -> Iterator[tuple[bytes, bytes]]:
        """What is kept in `totals` or `flow`, by key."""
        return self._store.items(family=family)

    def install(
        self, replay: str, timestamp_us: int, totals: Iterable[Change], flow: Iterable[Change] | None = None
    ) -> None:
        """Change totals, and with `flow` all of its state, together: the change of `replay`, which is made once.

        Later batches write with later timestamps than `timestamp_us`.
        """
        batch = self._store.batch()
        if self.installed != replay:
            _apply(batch, totals, self._store.family("totals"))
            if flow is not None:
                family = self._store.family("flow")
                for key, _ in self.items("flow"):
                    batch.delete(key, family)
                _apply(batch, flow, family)
        self._position.timestamp_us = max(self._position.timestamp_us, timestamp_us)
        batch.put(_POSITION, msgspec.json.encode(self._position))
        batch.put(_REPLAY, replay.encode())
        self._write(batch)
        self._store.sync()

    def drop_plan(self) -> None:
        """Forget the batch under way: its records are read again with what follows."""
        batch = self._store.batch()
        batch.delete(_PLAN)
        self._write(batch)

    def change_flow(self, changes: Mapping[bytes, bytes | None]) -> None:
        """Change the state of the stream's program outside a batch."""
        batch = self._store.batch()
        _apply(batch, changes.items(), self._store.family("flow"))
        self._write(batch)

    def copy_to(self, target: Path) -> None:
        """Copy all of it to `target`, which is not there yet. Raises `StorageError`."""
        copy_store(self._store, target)

    def save_inputs(self, states: Mapping[str, Any]) -> None:
        """Where sources begin that were not read before."""
        self._position.inputs = {**self._position.inputs, **states}
        batch = self._store.batch()
        batch.put(_POSITION, msgspec.json.encode(self._position))
        self._write(batch)

    def taken(self, source: str, items: Sequence[bytes]) -> list[bool]:
        """Which items of a source were committed by an earlier batch."""
        if not items:
            return []
        keys = [_item(source, item) for item in items]
        return [value is not None for value in self._store.view("inputs").get(keys)]

    def flow_state(self) -> StateView:
        """The state of the stream's program as committed, to be changed by a batch."""
        return StateView(_FlowState(self._store))

    def plan(self) -> Plan | None:
        """The batch that a killed runner had under way."""
        saved = self._store.get(_PLAN)
        return msgspec.json.decode(saved, type=Plan) if saved else None

    def write_plan(self, ranges: Ranges, now_us: int, rows: int, inputs: Mapping[str, Any] | None = None) -> Plan:
        """Plan the next batch, or plan the same one again with a later timestamp.

        The batch may use `rows` timestamps beginning with its own; no later batch or attempt uses them again.
        """
        position = self._position
        former = self.plan()
        times = (now_us // 1000, self.began_ms) if former is None else (former.now_ms, former.since_ms)
        plan = Plan(position.batch + 1, ranges, max(now_us, position.timestamp_us + 1), dict(inputs or {}), *times)
        position.timestamp_us = plan.timestamp_us + max(rows, 1)
        batch = self._store.batch()
        batch.put(_PLAN, msgspec.json.encode(plan))
        batch.put(_POSITION, msgspec.json.encode(position))
        self._write(batch)
        return plan

    def seen(self, identities: Sequence[bytes]) -> list[bool]:
        """Which identities were committed by an earlier batch."""
        if not identities:
            return []
        view = self._store.view("seen")
        newest = self._position.generation
        known = [False] * len(identities)
        for generation in (newest, newest - 1):
            if generation < 1:
                continue
            prefix = generation.to_bytes(8, "big")
            for index, value in enumerate(view.get([prefix + identity for identity in identities])):
                if value is not None:
                    known[index] = True
        return known

    def totals(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return list(self._store.view("totals").get(list(keys))) if keys else []

    def commit(
        self,
        plan: Plan,
        offsets: Mapping[int, int],
        totals: Mapping[bytes, bytes],
        identities: Sequence[bytes],
        inputs: Mapping[str, Done] | None = None,
        changes: Mapping[bytes, bytes | None] | None = None,
    ) -> None:
        """The batch is done: its offsets, totals, identities and the changes of the flow's state, together."""
        assert plan.batch == self._position.batch + 1, (plan.batch, self._position.batch)
        batch = self._store.batch()
        position = self._position
        if totals:
            family = self._store.family("totals")
            for key, value in totals.items():
                batch.put(key, value, family)
        if identities:
            self._remember(batch, identities)
        if changes:
            _apply(batch, changes.items(), self._store.family("flow"))
        for source, done in (inputs or {}).items():
            position.inputs[source] = done.state
            for item in done.items:
                batch.put(_item(source, item), b"", self._store.family("inputs"))
        position.batch = plan.batch
        position.offsets = {**position.offsets, **offsets}
        batch.put(_POSITION, msgspec.json.encode(position))
        batch.delete(_PLAN)
        self._write(batch)

    def close(self) -> None:
        self._control.close()
        self._store.close()
        self._data.close()

    def _remember(self, batch: Any, identities: Sequence[bytes]) -> None:
        position = self._position
        family = self._store.family("seen")
        if position.generation_size >= self._horizon:
            oldest = position.generation - 1
            batch.delete_range(oldest.to_bytes(8, "big"), (oldest + 1).to_bytes(8, "big"), family)
            position.generation += 1
            position.generation_size = 0
        prefix = position.generation.to_bytes(8, "big")
        for identity in identities:
            batch.put(prefix + identity, b"", family)
        position.generation_size += len(identities)

    def _write(self, batch: Any) -> None:
        self._store.write(batch)
        if self._sync:
            self._store.sync()


def _apply(batch: Any, changes: Iterable[Change], family: Any) -> None:
    for key, value in changes:
        if value is None:
            batch.delete(key, family)
        else:
            batch.put(key, value, family)


def _item(source: str, item: bytes) -> bytes:
    return source.encode() + b"\x00" + item
