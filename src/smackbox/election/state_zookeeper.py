"""A leader's records in a folder of ZooKeeper, with fencing.

Each change is one multi operation that also checks that the writer's election node still exists: a leader that has been
succeeded cannot store anything, whatever it believes (`Fenced`).

Names may be any text; each is one node, percent-encoded. A node's data is one byte, `PLAIN` or `DEFLATED` (zlib), and
the record: definitions of many apps are large and repetitive.
"""

from __future__ import annotations

import zlib
from urllib.parse import quote, unquote

from kazoo.exceptions import KazooException, NoNodeError, RolledBackError, RuntimeInconsistency
from kazoo.handlers.threading import KazooTimeoutError

from smackbox.base.errors import StorageError
from smackbox.election.coordinator import Coordinator
from smackbox.election.serial_executor import SerialExecutor
from smackbox.election.state_store import ChangeTooLarge, Fenced

CHANGE_LIMIT = 1_000_000
"""Maximum bytes of one multi operation; ZooKeeper's `jute.maxbuffer` is 1 MiB."""


PLAIN, DEFLATED = b"\x00", b"\x01"
DEFLATE_FROM = 1024
"""Minimum bytes of a record worth compressing."""


class ZooKeeperStateStore:
    """A folder below the coordinator's path."""

    def __init__(self, coordinator: Coordinator, folder: str) -> None:
        self._coordinator = coordinator
        self._path = f"{coordinator.url.path}/{folder}"
        self._names: set[str] | None = None
        """The existing records; None, i.e. unknown, after a request without an answer."""
        self._executor = SerialExecutor()

    async def load(self) -> dict[str, bytes]:
        """All records by name. Raises `StorageError` when ZooKeeper does not answer."""
        try:
            return await self._executor.run(self._load)
        except (KazooException, KazooTimeoutError) as error:
            raise StorageError(f"cannot read {self._path} of ZooKeeper: {error!r}") from error

    async def store(self, changes: dict[str, bytes | None]) -> None:
        """Write and delete records while this process leads. Raises `Fenced`, `StorageError`."""
        fence = self._coordinator.leading_node
        if fence is None:
            raise Fenced("this process does not lead")
        try:
            await self._executor.run(lambda: self._store(fence, changes))
        except KazooException as error:
            raise StorageError(f"cannot write {self._path} of ZooKeeper: {error!r}") from error

    async def close(self) -> None:
        """Does nothing: the coordinator closes the connection."""

    def _load(self) -> dict[str, bytes]:
        client = self._coordinator.client
        client.ensure_path(self._path)
        names = client.get_children(self._path)
        reading = [(name, client.get_async(f"{self._path}/{name}")) for name in names]
        records: dict[str, bytes] = {}
        for name, result in reading:
            try:
                data = result.get(timeout=self._coordinator.session_timeout_s)[0]
            except NoNodeError:
                continue
            records[unquote(name)] = _unpacked(data)
        self._names = set(records)
        return records

    def _store(self, fence: str, changes: dict[str, bytes | None]) -> None:
        packed = {name: None if value is None else _packed(value) for name, value in changes.items()}
        size = sum(len(name) + len(value or b"") for name, value in packed.items())
        if size > CHANGE_LIMIT:
            raise ChangeTooLarge(f"a change of {size} bytes is larger than ZooKeeper's limit ({CHANGE_LIMIT})")
        client = self._coordinator.client
        names = {unquote(child) for child in client.get_children(self._path)} if self._names is None else self._names
        self._names = None
        transaction = client.transaction()
        transaction.check(fence, -1)
        for name, value in packed.items():
            path = f"{self._path}/{quote(name, safe='')}"
            if value is None:
                if name in names:
                    transaction.delete(path)
                names.discard(name)
            elif name in names:
                transaction.set_data(path, value)
            else:
                transaction.create(path, value)
                names.add(name)
        results = transaction.commit()
        failed = [result for result in results if isinstance(result, Exception)]
        if isinstance(results[0], NoNodeError):
            raise Fenced(f"{fence} is gone: another leader has taken over")
        if failed:
            cause = next(
                (error for error in failed if not isinstance(error, RolledBackError | RuntimeInconsistency)), failed[0]
            )
            raise StorageError(f"cannot write {self._path} of ZooKeeper: {cause!r}") from cause
        self._names = names


def _packed(value: bytes) -> bytes:
    return PLAIN + value if len(value) < DEFLATE_FROM else DEFLATED + zlib.compress(value)


def _unpacked(data: bytes) -> bytes:
    return zlib.decompress(data[1:]) if data[:1] == DEFLATED else data[1:]
