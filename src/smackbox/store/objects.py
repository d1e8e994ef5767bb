"""Objects by key: in a folder, or in a bucket given by a URL (`s3://`, `gs://`, `az://`) through `obstore`.

`s3n://` and `s3a://` mean `s3://`. The endpoint and the credentials of a store come from options (with `obstore`'s
names), from the URL's query (`s3://bucket/prefix?endpoint=http://localhost:9000&region=eu-central-1`), or else from the
environment (`AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_ACCESS_KEY_ID`, …, `GOOGLE_SERVICE_ACCOUNT`,
`AZURE_STORAGE_ACCOUNT_NAME`, …).

An object is put whole or not at all. After `put` returns, it survives the process; after `sync`, power loss. In a
bucket it always does. Errors of a server and broken connections are retried for `RETRY_LIMIT_S`; one request takes
`REQUEST_LIMIT_S` at most.
"""

from __future__ import annotations

import os
import re
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qsl

from smackbox.base.errors import SettingError, StartError, StorageError
from smackbox.store.fs import Disk

Storage = tuple[tuple[str, str], ...]
"""Options of a store, with `obstore`'s names; hashable, and pickled with a job."""

CONNECT_LIMIT_S = 10
REQUEST_LIMIT_S = 120
RETRY_LIMIT_S = 120
RETRIES = 8
KEPT_STORES = 16
SCHEMES = ("s3", "gs", "az")
URL_OPTIONS = ("endpoint", "region")
_ENDPOINT_NAMES = {"gs": "base_url", "az": "endpoint"}
_ALIASES = {"s3n": "s3", "s3a": "s3"}
_URL = re.compile(r"(\w+)://([^/]*)/?(.*)", re.DOTALL)
_TEMPORARY = re.compile(r".+\.[0-9a-f]{8}\.part", re.DOTALL)
"""The name of a file that is being written; `sweep` removes only such files."""


class ObjectInfo(NamedTuple):
    """An object's key below the store's root, and its size in bytes."""

    key: str
    size: int


class MissingObjectError(StorageError):
    """There is no object with that key."""


class Objects(Protocol):
    """A store of objects. Keys have `/` between their parts; every failure is a `StorageError` that names the key."""

    url: str

    def put(self, key: str, data: bytes) -> None:
        """Store `data` whole under the key, replacing any previous object."""
        ...

    def get(self, key: str) -> bytes:
        """The object. Raises `MissingObjectError`."""
        ...

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """The objects in the folder `prefix` and the folders below it, in no particular order."""
        ...

    def delete(self, key: str) -> None:
        """Remove the object, if it exists."""
        ...

    def sync(self) -> None:
        """Return when everything put so far survives power loss."""
        ...

    def sweep(self, prefix: str) -> None:
        """Remove incomplete objects of killed writers in the folder `prefix`; nobody may write there meanwhile."""
        ...


class FolderObjects:
    """A folder: an object is a file."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.url = str(root)
        self._lock = threading.Lock()
        self._unsynced: set[Path] = set()

    def put(self, key: str, data: bytes) -> None:
        """Write the file under a temporary name, then rename it."""
        path = self.root / key
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"cannot make {path.parent}: {error.strerror or error}") from error
        unfinished = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.part")
        disk = Disk()
        try:
            file = disk.open(unfinished)
            try:
                file.append(data)
            finally:
                file.close()
            disk.rename(unfinished, path)
            with self._lock:
                self._unsynced.add(path)
        except StorageError:
            unfinished.unlink(missing_ok=True)
            raise

    def get(self, key: str) -> bytes:
        """The file's bytes. Raises `MissingObjectError`."""
        try:
            return (self.root / key).read_bytes()
        except FileNotFoundError as error:
            raise MissingObjectError(f"{self.url} has no object {key}") from error
        except OSError as error:
            raise StorageError(f"cannot read {self.root / key}: {error.strerror or error}") from error

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """The files below the folder, without incomplete ones of killed writers."""
        for folder, _, names in os.walk(self.root / prefix):
            for name in names:
                path = Path(folder, name)
                with suppress(FileNotFoundError):  # removed between the listing and the stat
                    if not _TEMPORARY.fullmatch(name):
                        yield ObjectInfo(path.relative_to(self.root).as_posix(), path.stat().st_size)

    def delete(self, key: str) -> None:
        """Remove the file."""
        with self._lock:
            self._unsynced.discard(self.root / key)
        Disk().remove(self.root / key)

    def sweep(self, prefix: str) -> None:
        """Remove files that were never renamed."""
        for path in (self.root / prefix).rglob("*.part"):
            if _TEMPORARY.fullmatch(path.name):
                path.unlink(missing_ok=True)

    def sync(self) -> None:
        """Sync the files, then the folders that contain them, up to the root itself."""
        with self._lock:
            files, self._unsynced = self._unsynced, set()
        folders = {folder for file in files for folder in file.parents if folder.is_relative_to(self.root)}
        try:
            for path in (*sorted(files), *sorted(folders), *((self.root.parent,) if files else ())):
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
        except OSError as error:
            raise StorageError(f"cannot sync {error.filename or self.root}: {error.strerror or error}") from error


class BucketObjects:
    """The objects of a bucket whose keys begin with a prefix."""

    def __init__(self, url: str, store: Any, prefix: str) -> None:
        self.url = url
        self._store = store
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    def put(self, key: str, data: bytes) -> None:
        """One request: the store has either the whole object or the previous one."""
        import obstore

        try:
            obstore.put(self._store, self._prefix + key, data, use_multipart=False)
        except failures() as error:
            raise self._failed("write", key, error) from error

    def get(self, key: str) -> bytes:
        """The object's bytes. Raises `MissingObjectError`."""
        import obstore

        try:
            return bytes(obstore.get(self._store, self._prefix + key).bytes())
        except FileNotFoundError as error:
            raise MissingObjectError(f"{self.url} has no object {key}") from error
        except failures() as error:
            raise self._failed("read", key, error) from error

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Page by page, as the store returns them."""
        import obstore

        at = f"{self._prefix}{prefix}".rstrip("/")
        try:
            for page in obstore.list(self._store, prefix=at or None):
                for entry in page:
                    yield ObjectInfo(entry["path"].removeprefix(self._prefix), entry["size"])
        except failures() as error:
            raise self._failed("list", prefix, error) from error

    def delete(self, key: str) -> None:
        """Remove the object."""
        import obstore

        try:
            obstore.delete(self._store, self._prefix + key)
        except FileNotFoundError:
            pass
        except failures() as error:
            raise self._failed("delete", key, error) from error

    def sync(self) -> None:
        """Does nothing: a bucket is always durable."""

    def sweep(self, prefix: str) -> None:
        """Does nothing: an interrupted put leaves nothing."""

    def _failed(self, what: str, key: str, error: Exception) -> StorageError:
        return StorageError(f"cannot {what} {key or 'the objects'} of {self.url}: {reason(error)}")


def is_url(place: str) -> bool:
    """Whether it is a URL of an object store rather than a path."""
    return "://" in place and not place.startswith("file:")


def folder_of(place: str) -> Path:
    """The path in a `file:` URL, or the path itself."""
    return Path(place.removeprefix("file://").removeprefix("file:"))


def open_objects(place: str, options: Storage = ()) -> Objects:
    """The store at a folder or a URL. Raises `SettingError` for an invalid URL, `StartError` without `obstore`."""
    if not is_url(place):
        return FolderObjects(folder_of(place).absolute())
    url, found = with_options(place, options)
    store, prefix = open_bucket(url, found)
    return BucketObjects(url.rstrip("/"), store, prefix)


def with_options(place: str, options: Storage = ()) -> tuple[str, Storage]:
    """A URL without its query, and the options with those of the query. Raises `SettingError`."""
    url, _, query = place.partition("?")
    merged = dict(options)
    for name, value in parse_qsl(query):
        if name not in URL_OPTIONS:
            raise SettingError(f"{url}: no option {name!r}; a URL takes {' and '.join(URL_OPTIONS)}")
        if name == "region" and not url.startswith("s3"):
            raise SettingError(f"{url}: only s3:// has a region")
        merged[name] = value
    return url, tuple(sorted(merged.items()))


def open_bucket(url: str, options: Storage = ()) -> tuple[Any, str]:
    """`obstore`'s store for the bucket of a URL, and the key after it. Raises `SettingError` and `StartError`."""
    match = _URL.fullmatch(url)
    if match is None:
        raise SettingError(f"{url} is not a URL")
    scheme, bucket, key = match.groups()
    scheme = _ALIASES.get(scheme, scheme)
    if scheme not in SCHEMES:
        raise SettingError(
            f"{url}: an object store's URL begins with {', '.join(f'{scheme}://' for scheme in SCHEMES)}"
        )
    if not bucket:
        raise SettingError(f"{url}: the bucket is missing, write {scheme}://BUCKET/PATH")
    return _opened(scheme, bucket, options, _endpoint_of(dict(options), os.environ)), key


def reason(error: Exception) -> str:
    """The first line of an error of `obstore`, without the dump of the request."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0].strip() if lines else type(error).__name__


def _endpoint_of(options: Mapping[str, str], environ: Mapping[str, str]) -> str:
    named = (options.get("endpoint"), *(environ.get(name) for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT")))
    return next(filter(None, named), "")


@lru_cache(maxsize=KEPT_STORES)
def _opened(scheme: str, bucket: str, options: Storage, endpoint: str) -> Any:
    try:
        from obstore.store import from_url
    except ImportError as error:
        raise StartError(f"{scheme}:// needs obstore: pip install 'smackbox[aws]'") from error
    config = dict(options)
    if scheme != "s3":
        config = {_ENDPOINT_NAMES[scheme]: config["endpoint"]} if "endpoint" in config else {}
    client_options = {
        "allow_http": endpoint.startswith("http://"),
        "connect_timeout": timedelta(seconds=CONNECT_LIMIT_S),
        "timeout": timedelta(seconds=REQUEST_LIMIT_S),
    }
    retry = {"max_retries": RETRIES, "retry_timeout": timedelta(seconds=RETRY_LIMIT_S)}
    try:
        return from_url(
            f"{scheme}://{bucket}", config=config or None, client_options=client_options, retry_config=retry
        )
    except failures() as error:
        raise SettingError(f"{scheme}://{bucket} cannot be opened: {reason(error)}") from error


def failures() -> tuple[type[Exception], ...]:
    """The exceptions that `obstore` raises."""
    from obstore.exceptions import BaseError

    return BaseError, ValueError, OSError
