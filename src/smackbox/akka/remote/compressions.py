"""The compression tables of all associations: advertised, acknowledged, and received from others."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from smackbox.akka.remote import control
from smackbox.akka.remote.association import Association
from smackbox.akka.remote.compression import (
    InboundTables,
    TableAck,
    TableAdvertisement,
    checked_table,
)
from smackbox.akka.remote.control import UniqueAddress
from smackbox.akka.remote.frames import Envelope
from smackbox.base.protobuf.message import decode, encode

ADVERTISE_S = 60.0
"""Between two advertisements (`advertisement-interval` of Pekko's settings)."""

MANIFESTS = frozenset(
    {control.ACTOR_REF_TABLE, control.ACTOR_REF_TABLE_ACK, control.MANIFEST_TABLE, control.MANIFEST_TABLE_ACK}
)


class Compressions:
    """Of one actor system. `tables` and `associations` are by the uids of the other systems."""

    def __init__(
        self, own: UniqueAddress, tables: dict[int, InboundTables], associations: Mapping[int, Association]
    ) -> None:
        self.every_s = ADVERTISE_S
        self._own = own
        self._tables = tables
        self._associations = associations
        self._advertised_s: float | None = None

    def seen(self, envelope: Envelope) -> None:
        """A message of a system whose handshake is done."""
        tables = self._tables.get(envelope.uid)
        if tables is None:
            tables = self._tables[envelope.uid] = InboundTables(
                partial(self._advertise, envelope.uid, control.ACTOR_REF_TABLE),
                partial(self._advertise, envelope.uid, control.MANIFEST_TABLE),
            )
        tables.seen(envelope.sender, envelope.recipient, envelope.manifest)

    def receive(self, manifest: str, body: bytes) -> None:
        """An advertisement, or the acknowledgement of ours. Raises `ValueError` or `WireError` for a malformed one."""
        if manifest in {control.ACTOR_REF_TABLE, control.MANIFEST_TABLE}:
            self._take(manifest, decode(TableAdvertisement, body))
            return
        ack = decode(TableAck, body)
        tables = self._tables.get(ack.from_.uid)
        if tables is not None:
            (tables.refs if manifest == control.ACTOR_REF_TABLE_ACK else tables.manifests).confirm(ack.version)

    def tick(self, now_s: float) -> None:
        """Advertise when it is time, and forget the tables of systems that are gone."""
        if self._advertised_s is None:
            self._advertised_s = now_s
        if now_s - self._advertised_s < self.every_s:
            return
        self._advertised_s = now_s
        for uid in [uid for uid in self._tables if self._association(uid) is None]:
            del self._tables[uid]
        for tables in self._tables.values():
            tables.tick()

    def _association(self, uid: int) -> Association | None:
        association = self._associations.get(uid)
        if association is None or association.uid != uid or uid in association.quarantined_uids:
            return None
        return association

    def _advertise(self, uid: int, manifest: str, version: int, texts: list[str]) -> None:
        association = self._association(uid)
        if association is not None:
            table = TableAdvertisement(self._own, uid, version, texts, list(range(len(texts))))
            association.tell_control(manifest, encode(table))

    def _take(self, manifest: str, advertisement: TableAdvertisement) -> None:
        association = self._association(advertisement.from_.uid)
        if association is None or advertisement.origin != self._own.uid:
            return  # of an earlier incarnation
        table = checked_table(advertisement)
        tables = association.tables
        tables.heads.clear()
        if manifest == control.ACTOR_REF_TABLE:
            tables.refs, tables.refs_version = table, advertisement.version
            ack = control.ACTOR_REF_TABLE_ACK
        else:
            tables.manifests, tables.manifests_version = table, advertisement.version
            ack = control.MANIFEST_TABLE_ACK
        association.tell_control(ack, encode(TableAck(self._own, advertisement.version)))
