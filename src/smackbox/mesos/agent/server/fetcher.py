"""The fetcher: it fetches a command's URIs into its sandbox before the command starts (docs/fetcher.md of Mesos).

`file`, a bare path, `http`, `https` and `s3` are supported. Archives are unpacked unless disabled. With `cache` the
agent keeps a copy for each user, and evicts the least recently used ones when there is no more room. The actions are
logged to the sandbox's `stderr`, as in Mesos.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import os
import shutil
import tarfile
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import aiohttp

from smackbox.base.shown_url import without_secrets
from smackbox.mesos.agent.server.wrapper import LaunchError, find_user
from smackbox.mesos.agent.state.container import ContainerSpec

if TYPE_CHECKING:
    from smackbox.mesos.wire.messages import CommandInfoURI


CHUNK = 1024 * 1024
STALL_TIMEOUT_S = 60.0
CACHE_LIMIT = 2 * 1024**3
_TAR = (".tar", ".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz")


class FetchError(Exception):
    """One URI could not be fetched."""


class Fetcher:
    """The fetcher of one agent. Its cache starts empty, as in Mesos."""

    def __init__(
        self, cache_dir: Path, *, cache_limit: int = CACHE_LIMIT, stall_timeout_s: float = STALL_TIMEOUT_S
    ) -> None:
        self._cache_dir = cache_dir
        self._cache_limit = cache_limit
        self._stall_timeout_s = stall_timeout_s
        self._entries: OrderedDict[str, Path] = OrderedDict()
        self._downloads: dict[str, asyncio.Future[Path]] = {}
        self._in_use: dict[str, int] = {}
        shutil.rmtree(cache_dir, ignore_errors=True)

    async def fetch(self, spec: ContainerSpec, stderr: int) -> None:
        """Fetch all URIs into the sandbox, one after another. Raises `LaunchError`."""
        try:
            for uri in spec.command.get("uris", []):
                await self._fetch_one(spec, uri, stderr)
        except (FetchError, OSError, tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
            _say(stderr, f"Failed to fetch: {error}")
            raise LaunchError(f"Failed to fetch all URIs for container '{spec.id}': {error}") from error

    async def _fetch_one(self, spec: ContainerSpec, uri: CommandInfoURI, stderr: int) -> None:
        value = uri["value"]
        _say(stderr, f"Fetching URI '{without_secrets(value)}'")
        target = spec.sandbox / _output_name(uri)
        target.parent.mkdir(parents=True, exist_ok=True)
        if uri.get("cache"):
            key = f"{spec.user or ''}\0{value}"
            self._in_use[key] = self._in_use.get(key, 0) + 1
            try:
                cached = await self._cached(key, value)
                await asyncio.to_thread(_place, cached, target, uri, stderr)
            finally:
                self._in_use[key] -= 1
        else:
            await self._download(value, target)
            await asyncio.to_thread(_place, target, target, uri, stderr)
        if spec.user is not None and os.geteuid() == 0:
            await asyncio.to_thread(_own_all, spec.sandbox, spec.user)
        _say(stderr, f"Fetched '{without_secrets(value)}' to '{target}'")

    # --- the cache

    async def _cached(self, key: str, value: str) -> Path:
        """The cached copy; concurrent requests wait for a download in progress."""
        path = self._entries.get(key)
        if path is not None and path.exists():
            self._entries.move_to_end(key)
            return path
        running = self._downloads.get(key)
        if running is None:
            running = self._downloads[key] = asyncio.ensure_future(self._fill(key, value))
            running.add_done_callback(lambda _: self._downloads.pop(key, None))
        return await asyncio.shield(running)

    async def _fill(self, key: str, value: str) -> Path:
        self._cache_dir.mkdir(parents=True, exist_ok=True)
        path = self._cache_dir / hashlib.sha256(key.encode()).hexdigest()
        try:
            await self._download(value, path)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        self._entries[key] = path
        self._make_room()
        return path

    def _make_room(self) -> None:
        size = sum(path.stat().st_size for path in self._entries.values() if path.exists())
        for key in list(self._entries):
            if size <= self._cache_limit:
                return
            if not self._in_use.get(key):
                path = self._entries.pop(key)
                size -= path.stat().st_size
                path.unlink(missing_ok=True)

    # --- sources

    async def _download(self, value: str, target: Path) -> None:
        scheme = urlsplit(value).scheme
        if scheme in {"http", "https"}:
            await self._download_http(value, target)
        elif scheme == "s3":
            await self._download_s3(value, target)
        elif scheme in {"", "file"}:
            source = Path(unquote(urlsplit(value).path) if scheme else value)
            if not source.is_absolute():
                raise FetchError(f"A relative path was passed for the resource: '{value}'")
            await asyncio.to_thread(_copy, source, target)
        else:
            raise FetchError(f"The scheme of '{value}' is not one of file, http, https, s3")

    async def _download_http(self, value: str, target: Path) -> None:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._stall_timeout_s, sock_read=self._stall_timeout_s)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session,
                session.get(value) as answer,
            ):
                if answer.status >= 400:
                    reason = f"received HTTP return code {answer.status}"
                    raise FetchError(f"Error downloading resource '{without_secrets(value)}', {reason}")
                with target.open("wb") as file:
                    async for chunk in answer.content.iter_chunked(CHUNK):
                        file.write(chunk)
        except TimeoutError as error:
            raise FetchError(
                f"'{without_secrets(value)}' gave nothing for {self._stall_timeout_s:g} s: it was given up"
            ) from error
        except aiohttp.ClientError as error:
            raise FetchError(f"Error downloading resource '{without_secrets(value)}': {error}") from error

    async def _download_s3(self, value: str, target: Path) -> None:
        """Download with the agent's credentials (`AWS_…` variables, or those of the machine)."""
        try:
            import obstore
            from obstore.exceptions import BaseError
            from obstore.store import S3Store
        except ImportError as error:
            raise FetchError(f"'{value}' needs smackbox[aws] on the agent") from error
        parts = urlsplit(value)
        try:
            store = S3Store(
                parts.netloc, client_options={"timeout": f"{self._stall_timeout_s:.0f}s", "allow_http": True}
            )
            answer = await obstore.get_async(store, parts.path.lstrip("/"))
            with target.open("wb") as file:
                async for chunk in answer.stream(min_chunk_size=CHUNK):
                    file.write(bytes(chunk))
        except (BaseError, FileNotFoundError, ValueError) as error:
            raise FetchError(f"Error downloading resource '{value}': {str(error).splitlines()[0]}") from error


def _copy(source: Path, target: Path) -> None:
    if not source.is_file():
        raise FetchError(f"Failed to copy '{source}': No such file")
    shutil.copyfile(source, target)


def _output_name(uri: CommandInfoURI) -> Path:
    """Raises `FetchError` for a name outside the sandbox."""
    name = uri.get("output_file") or unquote(urlsplit(uri["value"]).path).rstrip("/").rpartition("/")[2]
    path = Path(name)
    if not name or path.is_absolute() or ".." in path.parts:
        raise FetchError(f"'{uri['value']}' cannot be stored as '{name}' in the sandbox")
    return path


def _place(source: Path, target: Path, uri: CommandInfoURI, stderr: int) -> None:
    """Unpack `target` if its name is that of an archive, otherwise put the file there."""
    name = target.name
    if not uri.get("executable") and uri.get("extract", True):
        if name.endswith(_TAR):
            with tarfile.open(source) as archive:
                archive.extractall(target.parent, filter="data")
            _say(stderr, f"Extracted '{name}' into '{target.parent}'")
            return
        if name.endswith(".zip"):
            with zipfile.ZipFile(source) as packed:
                packed.extractall(target.parent)  # noqa: S202 - zipfile keeps members within
            _say(stderr, f"Extracted '{name}' into '{target.parent}'")
            return
        if name.endswith(".gz"):
            with gzip.open(source) as stream, target.with_suffix("").open("wb") as file:
                shutil.copyfileobj(stream, file)
            _say(stderr, f"Extracted '{name}' into '{target.parent}'")
            return
    if source != target:
        shutil.copyfile(source, target)
    if uri.get("executable"):
        target.chmod(target.stat().st_mode | 0o111)


def _own_all(directory: Path, user: str) -> None:
    entry = find_user(user)
    for path in [directory, *directory.rglob("*")]:
        os.chown(path, entry.pw_uid, entry.pw_gid, follow_symlinks=False)


def _say(stderr: int, line: str) -> None:
    os.write(stderr, f"{line}\n".encode())
