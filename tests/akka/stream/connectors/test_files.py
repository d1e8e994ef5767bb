"""Files and object stores: whole or not at all, in pieces, packed."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.store import LocalStore, MemoryStore

from smackbox.akka import ActorSystem
from smackbox.akka.stream import Compression, Framing, Source
from smackbox.akka.stream.connectors.files import Files, Objects

LINES = [b'{"id": %d}' % number for number in range(5_000)]


def run(work: Callable[[ActorSystem], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(60), ActorSystem("f") as system:
            await work(system)

    asyncio.run(main())


def test_a_file_is_read_and_written_in_pieces(tmp_path: Path) -> None:
    async def main(system: ActorSystem) -> None:
        packed = Source.from_iterable(LINES).map(lambda line: line + b"\n").via(Compression.gzip())
        written = await packed.run_with(Files.sink(tmp_path / "a.gz"), system)
        assert written == (tmp_path / "a.gz").stat().st_size
        assert gzip.decompress((tmp_path / "a.gz").read_bytes()).splitlines() == LINES
        source = Files.source(tmp_path / "a.gz", 100).via(Compression.gunzip()).via(Framing.lines())
        assert await source.run_list(system) == LINES
        assert await Source.empty().run_with(Files.sink(tmp_path / "empty"), system) == 0
        assert (tmp_path / "empty").read_bytes() == b""

    run(main)


def test_a_stream_that_fails_leaves_no_file(tmp_path: Path) -> None:
    async def main(system: ActorSystem) -> None:
        bad = Source.single(b"x").concat_lazy(Source.failed(KeyError("why")))
        with pytest.raises(KeyError):
            await bad.run_with(Files.sink(tmp_path / "a"), system)
        assert list(tmp_path.iterdir()) == []
        with pytest.raises(FileNotFoundError):
            await Files.source(tmp_path / "nothing").run_list(system)

    run(main)


@pytest.mark.parametrize("kind", ["memory", "local"])
def test_objects(tmp_path: Path, kind: str) -> None:
    store: Any = MemoryStore() if kind == "memory" else LocalStore(tmp_path)

    async def main(system: ActorSystem) -> None:
        pieces = Source.range(1, 20).map(lambda number: bytes([number]) * 1_000_000)
        assert await pieces.run_with(Objects.sink(store, "a/big"), system) == 20_000_000
        whole = b"".join(await Objects.source(store, "a/big").run_list(system))
        assert whole == b"".join(bytes([number]) * 1_000_000 for number in range(1, 21))
        await Source.single(b"small").run_with(Objects.sink(store, "a/small"), system)
        assert sorted(await Objects.listing(store, "a").run_list(system)) == ["a/big", "a/small"]
        bad = Source.single(b"x").concat_lazy(Source.failed(KeyError("why")))
        with pytest.raises(KeyError):
            await bad.run_with(Objects.sink(store, "a/bad"), system)
        with pytest.raises(FileNotFoundError):
            await obstore.get_async(store, "a/bad")
        with pytest.raises(FileNotFoundError):
            await Objects.source(store, "nothing").run_list(system)

    run(main)


@pytest.mark.skipif(find_spec("fsspec") is not None, reason="fsspec is installed")
def test_a_url_without_fsspec_says_what_to_install() -> None:
    async def main(system: ActorSystem) -> None:
        with pytest.raises(RuntimeError, match="pip install fsspec"):
            await Files.source("memory://a").run_list(system)

    run(main)


@pytest.mark.skipif(find_spec("fsspec") is None, reason="fsspec is not installed")
def test_a_url_is_opened_by_fsspec() -> None:
    async def main(system: ActorSystem) -> None:
        await Source.from_iterable([b"a", b"b"]).run_with(Files.sink("memory://x/y"), system)
        assert await Files.source("memory://x/y").run_list(system) == [b"ab"]

    run(main)
