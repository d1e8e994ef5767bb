"""Events and states as bytes, by serializer id and manifest, as the remoting room has them; never pickle.

Texts (20), bytes (4), integers (18), booleans (35) and references need nothing. A msgspec struct needs a manifest:
`persistence.register("shop.Added", Added)`; it is stored as Jackson's JSON (31), which a JVM with a class of that name
reads. Fields with defaults may be added at any time. A larger change of the schema has a version and an upgrade:

    persistence.register("shop.Added", Added, version=2, upgrade=lambda version, fields: {**fields, "count": 1})

The version follows the manifest as `shop.Added#2`, as Jackson's migrations write it. An old name of a type is an alias:
`persistence.register("shop.Add", Added, alias=True)` is read and never written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from smackbox.akka.actor.ref import ActorRef
from smackbox.akka.remote.serialization import (
    GZIP_MAGIC,
    JACKSON_JSON,
    Reader,
    Serialization,
    SerializationError,
    Serialized,
    Writer,
    gunzip,
)

__all__ = ["EventSerialization", "SerializationError", "Serialized"]

Upgrade = Callable[[int, dict[str, Any]], dict[str, Any]]
"""From the version that is stored and its fields to the fields of the current version."""

SEPARATOR = "#"


class EventSerialization:
    """Of one actor system. `resolve` and `path_of` are for references in events."""

    def __init__(self, resolve: Callable[[str], ActorRef[Any]], path_of: Callable[[ActorRef[Any]], str]) -> None:
        self._own = Serialization(resolve, path_of)
        self._versions: dict[str, tuple[int, Upgrade]] = {}
        self._aliases: dict[str, str] = {}
        self._encoder = msgspec.json.Encoder()
        self._known: dict[type, str] = {}

    def register(
        self,
        manifest: str,
        event_type: type[msgspec.Struct],
        *,
        version: int = 1,
        upgrade: Upgrade | None = None,
        alias: bool = False,
    ) -> None:
        """Store structs of this type under `manifest`. Raises `ValueError` for one that is taken, and for a version
        above 1 without `upgrade`.
        """
        if SEPARATOR in manifest or version < 1 or (version > 1 and upgrade is None):
            raise ValueError(
                f"a manifest is a name without {SEPARATOR!r}, and a version above 1 needs `upgrade`; "
                f"got {manifest!r}, version {version}"
            )
        if alias:
            current = self._known.get(event_type)
            if current is None:
                raise ValueError(f"register {event_type.__name__} under its own manifest before its alias {manifest!r}")
            self._aliases[manifest] = current.partition(SEPARATOR)[0]
            return
        self._own.register(manifest, event_type)
        if upgrade is not None:
            self._versions[manifest] = (version, upgrade)
        self._known[event_type] = f"{manifest}{SEPARATOR}{version}" if version > 1 else manifest

    def add(self, writers: dict[type, Writer], readers: dict[tuple[int, str | None], Reader]) -> None:
        """Serializers of a part of the room that is loaded only where it is used."""
        self._own.add(writers, readers)

    def write(self, value: Any) -> Serialized:
        """Raises `SerializationError`."""
        serializer, manifest, data = self._own.write(value)
        return serializer, self._known.get(type(value), manifest), data

    def read(self, serializer: int, manifest: str, data: bytes) -> Any:
        """Raises `SerializationError`."""
        if serializer == JACKSON_JSON:
            name, _, version = manifest.partition(SEPARATOR)
            name = self._aliases.get(name, name)
            if name in self._versions:
                return self._upgraded(name, version, data)
            manifest = name
        return self._own.read(serializer, manifest, data)

    def _upgraded(self, name: str, stored: str, data: bytes) -> Any:
        version, upgrade = self._versions[name]
        try:
            old = int(stored or 1)
            if old == version:
                return self._own.read(JACKSON_JSON, name, data)
            if old > version:
                raise SerializationError(f"{name} is stored as version {old}, and this program knows {version}")
            fields = msgspec.json.decode(gunzip(data) if data.startswith(GZIP_MAGIC) else data, type=dict[str, Any])
            upgraded = self._encoder.encode(upgrade(old, fields))
        except (ValueError, TypeError, KeyError) as error:
            raise SerializationError(f"{name} of version {stored or 1} cannot be upgraded: {error}") from error
        return self._own.read(JACKSON_JSON, name, upgraded)
