"""A repository of back-ups in a folder or a bucket.

    smackbox-backups.json      JSON: the format, and for an encrypted one the salt and a check of the key
    objects/ab/abcd…           contents by their names (see `cipher`), each kept once however many back-ups have it
    backups/ID                 SHA-256 of what follows (32 bytes), then a manifest (see `manifest`), sealed as an object
    locks/save-ID, prune-ID    the processes that work on it

A killed `save` leaves objects that no manifest names: the next one uses them, or `prune` removes them.

`prune` must not remove an object that a running `save` relies on. Each writes its lock first and then looks for the
other's: at least one of the two sees the other and gives up. A lock is renewed each hour; it is valid for
`LOCK_LIMIT_S` after that, or until its process is known to be gone. A process that has lost its lock stops.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

from smackbox.backup.cipher import SALT_BYTES, Cipher, KeyCipher, PlainCipher, checked
from smackbox.backup.manifest import Listed, Manifest, decode, encode, listed
from smackbox.base.errors import StorageError, UserError
from smackbox.store.objects import MissingObjectError, Objects

MARKER = "smackbox-backups.json"
OBJECTS = "objects"
BACKUPS = "backups"
LOCKS = "locks"
FORMAT = 1
LOCK_LIMIT_S = 24 * 3600
LOCK_RENEWED_S = 3600.0
LATEST_READ = 20
"""So many of the latest back-ups are looked at to see whether several boxes save here."""
_CHECK = b"smackbox"
_DIGEST_BYTES = 32
_HEX = frozenset("0123456789abcdef")


class Marker(msgspec.Struct, frozen=True):
    """The repository's own file. `salt` and `check` are hex digits, None without encryption."""

    format: int = FORMAT
    salt: str | None = None
    check: str | None = None


class Lock(msgspec.Struct, frozen=True):
    """The holder of a lock, and its start (seconds since 1970)."""

    host: str
    pid: int
    since_s: float


class Repository:
    """An opened repository. Methods may be called from any thread."""

    def __init__(self, objects: Objects, cipher: Cipher) -> None:
        self.objects = objects
        self.cipher = cipher

    @property
    def url(self) -> str:
        """Where it is."""
        return self.objects.url

    @classmethod
    def create_or_open(cls, objects: Objects, key: bytes | None = None) -> Repository:
        """The repository there, created if there is none. Raises `UserError` for a wrong key, `StorageError`."""
        try:
            return cls.open(objects, key)
        except MissingObjectError:
            pass
        if any(True for _ in objects.list(BACKUPS)):
            raise UserError(f"{objects.url} has back-ups but no {MARKER}: it is damaged")
        marker = Marker()
        if key is not None:
            salt = os.urandom(SALT_BYTES)
            marker = Marker(salt=salt.hex(), check=KeyCipher(key, salt).name(_CHECK))
        objects.put(MARKER, msgspec.json.encode(marker))
        return cls.open(objects, key)

    @classmethod
    def open(cls, objects: Objects, key: bytes | None = None) -> Repository:
        """The repository there.

        Raises `MissingObjectError` if there is none, `UserError` for a wrong or missing key, `StorageError`.
        """
        try:
            marker = msgspec.json.decode(objects.get(MARKER), type=Marker)
        except msgspec.DecodeError as error:
            raise StorageError(f"{MARKER} of {objects.url} is damaged: {error}") from error
        if marker.format != FORMAT:
            raise UserError(f"{objects.url} has format {marker.format}, this smackbox reads {FORMAT}: update it")
        if marker.salt is None:
            if key is not None:
                raise UserError(f"the back-ups in {objects.url} are not encrypted: leave the key out")
            return cls(objects, PlainCipher())
        if key is None:
            raise UserError(f"the back-ups in {objects.url} are encrypted: give their key (--key-file)")
        try:
            salt = bytes.fromhex(marker.salt)
        except ValueError as error:
            raise StorageError(f"{MARKER} of {objects.url} is damaged: {error}") from error
        cipher = KeyCipher(key, salt)
        if cipher.name(_CHECK) != marker.check:
            raise UserError(f"the key is not that of the back-ups in {objects.url}")
        return cls(objects, cipher)

    # --- objects

    def stored(self) -> dict[str, int]:
        """The stored objects, and their sizes in bytes as stored."""
        return {
            name: info.size
            for info in self.objects.list(OBJECTS)
            if len(name := info.key.rpartition("/")[2]) == 2 * _DIGEST_BYTES and set(name) <= _HEX
        }

    def put(self, name: str, content: bytes) -> int:
        """Seal and store a content under its name; gives the stored bytes."""
        sealed = self.cipher.seal(content, name)
        self.objects.put(_key(name), sealed)
        return len(sealed)

    def get(self, name: str) -> bytes:
        """The content of that name. Raises `StorageError` where it is missing or damaged."""
        return checked(self.cipher, self.objects.get(_key(name)), name)

    def drop(self, name: str) -> None:
        """Remove an object."""
        self.objects.delete(_key(name))

    # --- back-ups

    def backups(self) -> list[Listed]:
        """Those that are complete, the oldest first."""
        found = (listed(info.key.rpartition("/")[2]) for info in self.objects.list(BACKUPS))
        return sorted(one for one in found if one is not None)

    def find(self, id_: str | None = None, until_s: float | None = None) -> Manifest:
        """The back-up of that id, or the latest, or the latest that was begun at `until_s` or before.

        Raises `UserError` if there is none, or without an id if several boxes save here in turn, so that the
        latest may be another's; `StorageError` for a damaged one.
        """
        known = self.backups()
        wanted = [one for one in known if until_s is None or one.taken_s <= until_s]
        if id_ is not None:
            wanted = [one for one in known if one.id == id_]
        if not wanted:
            what = f"no back-up {id_}" if id_ else "no back-up" if until_s is None else "no back-up as old as that"
            there = ", ".join(one.id for one in known) or "none"
            raise UserError(f"{self.url} has {what}; there is {there}")
        latest = self.read(wanted[-1].id)
        if id_ is None:
            self._check_one_box(latest, wanted)
        return latest

    def _check_one_box(self, latest: Manifest, known: list[Listed]) -> None:
        """A box that was restored is another one and goes on alone; two that save in turn are two."""
        others: dict[str, str] = {}
        for one in reversed(known[-LATEST_READ:-1]):
            manifest = self.read(one.id)
            if manifest.box != latest.box:
                others.setdefault(manifest.box, one.id)
            elif others:
                there = ", ".join((latest.id, *others.values()))
                raise UserError(f"several boxes are saved to {self.url}, their latest back-ups are {there}: give --id")

    def read(self, id_: str) -> Manifest:
        """The manifest of a back-up. Raises `StorageError`."""
        stored = self.objects.get(f"{BACKUPS}/{id_}")
        digest, sealed = stored[:_DIGEST_BYTES], stored[_DIGEST_BYTES:]
        if hashlib.sha256(sealed).digest() != digest:
            raise StorageError(f"the manifest of the back-up {id_} is damaged")
        return decode(self.cipher.open(sealed, id_), id_)

    def write(self, manifest: Manifest) -> None:
        """Store the manifest, after the objects that it names: this makes the back-up exist."""
        sealed = self.cipher.seal(encode(manifest), manifest.id)
        self.objects.sync()
        self.objects.put(f"{BACKUPS}/{manifest.id}", hashlib.sha256(sealed).digest() + sealed)
        self.objects.sync()

    def forget(self, id_: str) -> None:
        """Remove a manifest; its objects stay until `prune` deletes them."""
        self.objects.delete(f"{BACKUPS}/{id_}")

    # --- locks

    @contextmanager
    def locked(self, kind: str, against: str, now_s: float) -> Iterator[Callable[[], None]]:
        """Hold a lock of `kind` while the block runs. Raises `UserError` while somebody holds one of `against`.

        What is given raises `UserError` when the lock is not held any more.
        """
        key = f"{LOCKS}/{kind}-{os.urandom(8).hex()}"
        lock = Lock(socket.gethostname(), os.getpid(), now_s)
        self.objects.put(key, msgspec.json.encode(lock))
        over = threading.Event()
        renewing = threading.Thread(target=self._renew, args=(key, lock, over), name=f"{kind}-lock", daemon=True)
        renewing.start()

        def check() -> None:
            try:
                self.objects.get(key)
            except MissingObjectError:
                raise UserError(f"somebody has removed the lock {key} of this {kind}: begin again") from None

        try:
            for other, lock in self._locks(against):
                if now_s - lock.since_s > LOCK_LIMIT_S or _is_gone(lock):
                    self.objects.delete(other)
                    continue
                since = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(lock.since_s))
                raise UserError(
                    f"a {against} of {self.url} by process {lock.pid} of {lock.host} is under way since {since} UTC; "
                    f"where that was killed, remove {other}"
                )
            yield check
        finally:
            over.set()
            renewing.join()
            with contextlib.suppress(StorageError):
                self.objects.delete(key)

    def _renew(self, key: str, lock: Lock, over: threading.Event) -> None:
        began_s = time.monotonic()
        while not over.wait(LOCK_RENEWED_S):
            with contextlib.suppress(StorageError):  # the next try comes long before the lock expires
                self.objects.get(key)  # a lock that was removed is not re-created
                renewed = msgspec.structs.replace(lock, since_s=lock.since_s + time.monotonic() - began_s)
                self.objects.put(key, msgspec.json.encode(renewed))

    def _locks(self, kind: str) -> Iterator[tuple[str, Lock]]:
        for info in self.objects.list(LOCKS):
            if info.key.startswith(f"{LOCKS}/{kind}-"):
                with contextlib.suppress(MissingObjectError, msgspec.DecodeError):
                    yield info.key, msgspec.json.decode(self.objects.get(info.key), type=Lock)


def _key(name: str) -> str:
    return f"{OBJECTS}/{name[:2]}/{name}"


def _is_gone(lock: Lock) -> bool:
    if lock.host != socket.gethostname():
        return False
    try:
        os.kill(lock.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
