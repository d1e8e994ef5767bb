"""The files that an RDD reads and writes: paths of this machine, and objects by URL (`s3://`, `gs://`, `az://`).

`s3n://` and `s3a://` mean `s3://`. Where a store is and who asks come from the context's settings in Hadoop's names
(`fs.s3a.access.key`, `fs.s3a.secret.key`, `fs.s3a.endpoint`, `fs.s3a.endpoint.region`, also behind `spark.hadoop.`),
else from the environment, as `obstore` finds them.
"""

from __future__ import annotations

import glob
import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

from smackbox.base.errors import SettingError
from smackbox.spark.rdd.errors import JobError
from smackbox.store.object_files import READ_AHEAD_BYTES, ObjectReader
from smackbox.store.objects import Storage as ObjectStorage
from smackbox.store.objects import folder_of, is_url, open_bucket

Storage = ObjectStorage
"""Settings of a store, pickled with each job."""

_HADOOP = {
    "access.key": "access_key_id",
    "secret.key": "secret_access_key",
    "session.token": "session_token",
    "endpoint": "endpoint",
    "endpoint.region": "region",
    "awsAccessKeyId": "access_key_id",
    "awsSecretAccessKey": "secret_access_key",
}
_KEY = re.compile(r"(?:spark\.hadoop\.)?fs\.s3[an]?\.(.+)")
_BRACES = re.compile(r"\{([^{}]*)\}")


class FileSize(NamedTuple):
    """A file or object, and its size in bytes."""

    path: str
    size: int


def storage_of(settings: Mapping[str, str]) -> Storage:
    """The settings of object stores among those of a context."""
    found = {}
    for key, value in settings.items():
        match = _KEY.fullmatch(key)
        if match is not None and match.group(1) in _HADOOP:
            found[_HADOOP[match.group(1)]] = value
    return tuple(sorted(found.items()))


def local(path: str) -> Path:
    """The path of a `file:` URL, or of a path."""
    return folder_of(path)


def is_remote(path: str) -> bool:
    """Whether it is the URL of an object store."""
    return is_url(path)


def expand(name: str, storage: Storage) -> list[FileSize]:
    """The files that paths and globs name, with commas between them: sorted, hidden ones and `_SUCCESS` left out.

    Raises `JobError` for a path that is not there.
    """
    found: list[FileSize] = []
    for pattern in alternatives(name):
        found += _remote(pattern, storage) if is_remote(pattern) else _local(pattern)
    return found


def open_binary(path: str, storage: Storage) -> IO[bytes]:
    """A file or an object to read; it can seek."""
    if not is_remote(path):
        return local(path).open("rb")
    import obstore

    store, key = _store_of(path, storage)
    return io.BufferedReader(ObjectReader(obstore.open_reader(store, key)), READ_AHEAD_BYTES)


def write_whole(path: str, data: bytes, storage: Storage) -> None:
    """Put an object, at once and whole."""
    import obstore

    store, key = _store_of(path, storage)
    obstore.put(store, key, data)


def put_file(path: str, source: Path, storage: Storage) -> None:
    """Put a file of this machine as an object, in parts where it is large."""
    import obstore

    store, key = _store_of(path, storage)
    obstore.put(store, key, source)


def exists(path: str, storage: Storage) -> bool:
    """Whether there is such a file or directory, or an object at or below it."""
    if not is_remote(path):
        return local(path).exists()
    store, key = _store_of(path, storage)
    return any(True for _ in _listed(store, key))


def _local(pattern: str) -> list[FileSize]:
    path = str(local(pattern))
    matches = sorted(glob.glob(path)) if glob.has_magic(path) else [path]  # noqa: PTH207 - absolute ones too
    if not matches or not Path(matches[0]).exists():
        raise JobError(f"Input path does not exist: {pattern}")
    files: list[Path] = []
    for match in map(Path, matches):
        files += sorted(match.iterdir()) if match.is_dir() else [match]
    return [FileSize(str(file), file.stat().st_size) for file in files if file.is_file() and _is_shown(file.name)]


def alternatives(name: str) -> list[str]:
    """The patterns between commas, with `{a,b}` written out."""
    parts = re.split(r",(?![^{]*\})", name)
    while (at := next((number for number, part in enumerate(parts) if _BRACES.search(part)), None)) is not None:
        match = _BRACES.search(parts[at])
        assert match is not None
        before, after = parts[at][: match.start()], parts[at][match.end() :]
        parts[at : at + 1] = [before + choice + after for choice in match.group(1).split(",")]
    return parts


def _remote(pattern: str, storage: Storage) -> list[FileSize]:
    store, key = _store_of(pattern.rstrip("/"), storage)
    fixed = re.split(r"[*?\[]", key, maxsplit=1)[0]
    wanted = re.compile(f"({_as_regex(key)})(/[^/]*)?" if key else "[^/]*")
    base = pattern.rstrip("/").removesuffix(key)
    found = sorted(
        FileSize(base + path, size)
        for path, size in _listed(store, key if fixed == key else fixed.rpartition("/")[0])
        if wanted.fullmatch(path) and _is_shown(path.rpartition("/")[2])
    )
    if not found:
        raise JobError(f"Input path does not exist: {pattern}")
    return found


def _listed(store: Any, prefix: str) -> Iterator[tuple[str, int]]:
    """The object of that name, and those below it."""
    import obstore

    if prefix:
        try:
            yield prefix, obstore.head(store, prefix)["size"]
        except FileNotFoundError:
            pass
    for page in obstore.list(store, prefix=prefix or None):
        for entry in page:
            yield entry["path"], entry["size"]


def _as_regex(key: str) -> str:
    """Hadoop's globs: `*` and `?` within a name, and `[…]`."""
    parts: list[str] = []
    for piece in re.findall(r"\[[^\]]*\]|.", key, re.DOTALL):
        if piece.startswith("[") and len(piece) > 1:
            parts.append(piece.replace("[!", "[^").replace("\\", r"\\"))
        else:
            parts.append({"*": "[^/]*", "?": "[^/]"}.get(piece) or re.escape(piece))
    return "".join(parts)


def _is_shown(name: str) -> bool:
    return bool(name) and not name.startswith(("_", "."))


def _store_of(url: str, storage: Storage) -> tuple[Any, str]:
    try:
        return open_bucket(url, storage)
    except SettingError as error:
        raise JobError(str(error)) from error
