"""Offsets in a store of durable states: RocksDB or memory, beside the journal of the process.

Each save has a revision, so that of two instances of one projection the older one fails with `StaleRevisionError`.
"""

from __future__ import annotations

import msgspec

from smackbox.akka.persistence.offset import Offset
from smackbox.akka.persistence.state_store import StateStore, StoredState
from smackbox.akka.projection.offset_store import OffsetStore, offset_of, offset_text
from smackbox.akka.projection.projection_id import ProjectionId
from smackbox.base.errors import StorageError

PREFIX = "$projection"


class _Kept(msgspec.Struct, frozen=True):
    manifest: str = ""
    offset: str = ""
    paused: bool = False


class StateOffsets(OffsetStore):
    """One durable state for each projection id."""

    def __init__(self, states: StateStore) -> None:
        self._states = states
        self._revisions: dict[str, int] = {}

    async def read(self, id_: ProjectionId) -> Offset | None:
        kept = await self._read(id_)
        return offset_of(kept.manifest, kept.offset) if kept.manifest else None

    async def save(self, id_: ProjectionId, offset: Offset) -> None:
        manifest, text = offset_text(offset)
        await self._change(id_, manifest=manifest, offset=text)

    async def clear(self, id_: ProjectionId) -> None:
        await self._change(id_, manifest="", offset="")

    async def read_paused(self, id_: ProjectionId) -> bool:
        return (await self._read(id_)).paused

    async def save_paused(self, id_: ProjectionId, paused: bool) -> None:
        await self._change(id_, paused=paused)

    async def _read(self, id_: ProjectionId) -> _Kept:
        kept, revision = await self._load(id_)
        self._revisions[_key(id_)] = revision
        return kept

    async def _load(self, id_: ProjectionId) -> tuple[_Kept, int]:
        stored, revision = await self._states.get(_key(id_))
        if stored is None:
            return _Kept(), revision
        try:
            return msgspec.json.decode(stored.data, type=_Kept), revision
        except msgspec.MsgspecError as error:
            raise StorageError(f"the stored offset of {id_.text} is damaged: {error}") from error

    async def _change(self, id_: ProjectionId, **fields: object) -> None:
        key = _key(id_)
        kept, stored = await self._load(id_)
        revision = self._revisions.get(key, stored) + 1
        data = msgspec.json.encode(msgspec.structs.replace(kept, **fields))
        await self._states.put(StoredState(key, revision, 0, "", data))
        self._revisions[key] = revision


def _key(id_: ProjectionId) -> str:
    return f"{PREFIX}|{id_.name}|{id_.key}"
