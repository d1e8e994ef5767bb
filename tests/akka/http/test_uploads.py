"""Files of a form as streams: read while they arrive, bounded, stored whole or not at all."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smackbox.akka import ActorSystem
from smackbox.akka.http import (
    Directive,
    FileInfo,
    Route,
    StreamedFile,
    StreamedResponse,
    complete,
    decode_request,
    extract_actor_system,
    file_upload,
    form_field,
    path,
    post,
    store_uploaded_file,
    store_uploaded_files,
    streamed_file_upload,
    streamed_file_upload_all,
    with_size_limit,
)
from smackbox.akka.http.bodies import EntityStreamError
from smackbox.akka.http.control import RequestControl
from smackbox.akka.http.forms import parse_form
from smackbox.akka.http.route import RequestContext
from smackbox.akka.http.uploads import FormParts, _Unreadable
from smackbox.net.http import HttpRequest
from tests.akka.http.server import TIMEOUT_S, Client, serving
from tests.akka.http.test_forms import BODY, MULTIPART
from tests.akka.http.test_request_bodies import Sender

KIND = f"Content-Type: {MULTIPART['Content-Type']}\r\n"
START = b'--AaB03x\r\nContent-Disposition: form-data; name="photo"; filename="a.png"\r\n\r\n'
END = b"\r\n--AaB03x--\r\n"
PHOTO = b"\x89PNG\r\n--AaB0\r\n\x00\xff"


def form_of(*files: bytes) -> bytes:
    return b"\r\n".join(START + file for file in files) + END


async def ask(client: Client, body: bytes, target: str = "/", *, whole: bool, kind: str = KIND) -> tuple[int, bytes]:
    """The answer to a form that comes with its head, or after it."""
    sender = await Sender.begin(client, target, f"{kind}Content-Length: {len(body)}\r\n")
    if not whole:
        await sender.writer.drain()
        await asyncio.sleep(0.05)
    sender.writer.write(body)
    try:
        return await sender.answer()
    finally:
        sender.writer.close()


arrives = pytest.mark.parametrize("whole", [True, False], ids=["with its head", "after its head"])


async def size_of(file: StreamedFile, system: ActorSystem) -> int:
    return await file.source.run_fold(0, lambda size, piece: size + len(piece), system)


@arrives
def test_each_directive_gives_the_same_files(tmp_path: Path, *, whole: bool) -> None:
    async def content(file: StreamedFile, system: ActorSystem) -> list[str]:
        read = await file.source.run_fold(b"", lambda before, piece: before + piece, system)
        return [file.info.file_name, file.info.content_type, read.hex()]

    @(path("one") & streamed_file_upload("photo") & extract_actor_system)
    async def one(file: StreamedFile, system: ActorSystem) -> Route:
        return complete(await content(file, system))

    @(path("all") & streamed_file_upload_all("photo") & extract_actor_system)
    async def every(files: list[StreamedFile], system: ActorSystem) -> Route:
        return complete([await content(file, system) for file in (*files, *files)])

    @(path("store") & store_uploaded_file("photo", lambda info: tmp_path / f"stored-{info.content_type[-3:]}"))
    def store(info: FileInfo, place: Path) -> Route:
        return complete([info.file_name, place.name, place.read_bytes().hex()])

    @(path("stores") & store_uploaded_files("photo", lambda info: tmp_path / info.file_name.strip(" é")))
    def stores(files: list[tuple[FileInfo, Path]]) -> Route:
        return complete([[info.file_name, place.name, place.read_bytes().hex()] for info, place in files])

    async def run() -> None:
        async with serving(post(one | every | store | stores)) as client:
            first = f'["a é.png","image/png","{PHOTO.hex()}"]'
            empty = '["empty","application/octet-stream",""]'
            for target, expected in (
                ("/one", first),
                ("/all", f"[{first},{empty},{first},{empty}]"),
                ("/store", f'["a é.png","stored-png","{PHOTO.hex()}"]'),
                ("/stores", f'[["a é.png","a é.png","{PHOTO.hex()}"],["empty","empty",""]]'),
            ):
                assert await ask(client, BODY, target, whole=whole) == (200, expected.encode())

    asyncio.run(run())


DIRECTIVES: dict[str, Directive] = {
    "one": streamed_file_upload("photo", limit=1000),
    "all": streamed_file_upload_all("photo", limit=1000),
    "store": store_uploaded_file("photo", lambda _: Path(os.environ["UPLOADS"]) / "file", limit=1000),
    "stores": store_uploaded_files("photo", lambda _: Path(os.environ["UPLOADS"]) / "file", limit=1000),
}


def counting(directive: Directive) -> Route:
    async def count(system: ActorSystem, *found: Any) -> Route:
        if isinstance(found[0], StreamedFile):
            return complete(str(await size_of(found[0], system)))
        if isinstance(found[0], list) and isinstance(found[0][0], StreamedFile):
            return complete(str(sum([await size_of(file, system) for file in found[0]])))
        places = [found[1]] if len(found) == 2 else [place for _, place in found[0]]
        return complete(str(sum(place.stat().st_size for place in places)))

    return post((extract_actor_system & directive)(count))


@arrives
@pytest.mark.parametrize("name", DIRECTIVES)
def test_limits_and_what_is_rejected(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, whole: bool
) -> None:
    monkeypatch.setenv("UPLOADS", str(tmp_path))
    (tmp_path / "file").write_bytes(b"from before")
    directive = DIRECTIVES[name]

    async def run() -> None:
        async with serving(counting(with_size_limit(2000) & directive)) as client:
            too_large = (413, b'{"error":"a file of the form is larger than 1000 bytes"}')
            assert await ask(client, form_of(b"x" * 1001), whole=whole) == too_large
            status, reason = await ask(client, form_of(b"x" * 500, b"x" * 3000), whole=whole)
            assert (status, b"2000 bytes" in reason) == (413, True)
            assert (tmp_path / "file").read_bytes() == b"from before"
            missing = b"Request is missing required form field 'photo'"
            other = BODY.replace(b'"photo"', b'"other"')
            assert await ask(client, other, whole=whole) == (400, missing)
            status, reason = await ask(client, b"{}", whole=whole, kind="Content-Type: application/json\r\n")
            assert (status, b"multipart/form-data" in reason) == (415, True)
            status, _ = await ask(client, form_of(b"x"), whole=whole, kind="Content-Type: multipart/form-data\r\n")
            assert status == 400
            for cut in (START + b"x" * 10, START[:-4], b"no form"):
                status, reason = await ask(client, cut, whole=whole)
                assert (status, b"malformed" in reason) == (400, True)
            assert (await ask(client, form_of(b"x" * 1000), whole=whole)) == (200, b"1000")
            assert [file.name for file in tmp_path.iterdir()] == ["file"]

    asyncio.run(run())


def test_a_file_is_read_while_it_arrives_and_stops_its_client() -> None:
    size = 32 * 1024 * 1024

    async def run() -> None:
        begun, gate = asyncio.Event(), asyncio.Event()
        taken = 0

        async def take(file: StreamedFile, system: ActorSystem) -> Route:
            nonlocal taken
            async for piece in file.source.run_async_iterator(system, 1):
                taken += len(piece)
                begun.set()
                await gate.wait()
            return complete(str(taken))

        route = post((with_size_limit(2 * size) & streamed_file_upload("photo") & extract_actor_system)(take))
        async with serving(route) as client, asyncio.timeout(2 * TIMEOUT_S):
            later = b'\r\n--AaB03x\r\nContent-Disposition: form-data; name="title"\r\n\r\n'
            length = len(START) + size + len(later) + len(END)
            sender = await Sender.begin(client, "/", f"{KIND}Content-Length: {length}\r\n")
            sender.writer.write(START + b"first")
            await begun.wait()

            async def send() -> None:
                for _ in range(size // 65536 - 1):
                    sender.writer.write(bytes(65536))
                    await sender.writer.drain()
                sender.writer.write(bytes(65531) + later)
                await sender.writer.drain()
                await asyncio.sleep(0.1)
                sender.writer.write(END)

            sending = asyncio.ensure_future(send())
            await asyncio.wait({sending}, timeout=0.5)
            assert not sending.done() and taken <= 5
            gate.set()
            assert await sender.answer() == (200, b"%d" % size)
            await sending
            # the form was read to its end: the connection goes on
            sender.writer.write(b"POST / HTTP/1.1\r\n%sContent-Length: %d\r\n\r\n" % (KIND.encode(), len(BODY)))
            await sender.writer.drain()
            sender.writer.write(BODY)
            assert (await sender.answer())[0] == 200
            sender.writer.close()

    asyncio.run(run())


def test_a_file_goes_through_the_server_and_back() -> None:
    async def run() -> None:
        route = post(streamed_file_upload("photo")(lambda file: complete(StreamedResponse(file.source))))
        async with serving(route) as client, asyncio.timeout(TIMEOUT_S):
            sender = await Sender.begin(client, "/", f"{KIND}Transfer-Encoding: chunked\r\n")
            for sent, expected in ((START + b"one", b"one"), (b"two", b"two"), (b"\r\n--not", b"\r\n--not")):
                sender.writer.write(b"%x\r\n%s\r\n" % (len(sent), sent))
                await sender.reader.readuntil(expected)
            sender.writer.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(END), END))
            await sender.reader.readuntil(b"0\r\n\r\n")
            sender.writer.close()

    asyncio.run(run())


def test_a_client_that_leaves_leaves_no_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"from before")

    async def run() -> None:
        ended = asyncio.Event()

        async def watched(context: RequestContext, inner: Any) -> Any:
            try:
                return await inner(context, ())
            finally:
                ended.set()

        store = store_uploaded_file("photo", lambda _: tmp_path / "file")
        route = post((Directive(watched) & store)(lambda info, place: complete("stored")))
        async with serving(route) as client, asyncio.timeout(TIMEOUT_S):
            sender = await Sender.begin(client, "/", f"{KIND}Content-Length: 100000\r\n")
            sender.writer.write(START + bytes(50_000))
            while not (tmp_path / "file.part").exists():
                await asyncio.sleep(0.01)
            sender.writer.transport.abort()
            await ended.wait()
            while (tmp_path / "file.part").exists():
                await asyncio.sleep(0.01)
        assert (tmp_path / "file").read_bytes() == b"from before"

    asyncio.run(run())


def test_fields_before_it_read_the_form_whole_and_the_file_is_still_there() -> None:
    async def run() -> None:
        @(form_field("title") & file_upload("photo") & streamed_file_upload("photo") & extract_actor_system)
        async def route(title: str, photo: Any, file: StreamedFile, system: ActorSystem) -> Route:
            return complete(f"{title} {len(photo.content)} {await size_of(file, system)}")

        async with serving(post(route)) as client:
            assert await ask(client, BODY, whole=False) == (200, b"A photo %d %d" % (len(PHOTO), len(PHOTO)))

    asyncio.run(run())


def test_a_packed_form_of_aiohttp_with_many_files_leaves_no_descriptor() -> None:
    count, size = 50, 30_000

    def descriptors() -> int:
        gc.collect()
        return len(list(Path("/proc/self/fd").iterdir()))

    async def run() -> None:
        route = counting(decode_request & streamed_file_upload_all("photo"))
        async with serving(route) as client, aiohttp.ClientSession() as session:
            before = 0
            for _ in range(3):
                data = aiohttp.FormData(quote_fields=False)
                for number in range(count):
                    data.add_field("photo", os.urandom(size), filename=f"{number}.bin")

                form = data()
                writer = _Collected()
                await form.write(writer)

                async def later(writer: _Collected = writer) -> AsyncIterator[bytes]:
                    for at in range(0, len(writer.data), 100_000):
                        yield bytes(writer.data[at : at + 100_000])
                        await asyncio.sleep(0)

                host, port = client.address
                kind = form.headers["Content-Type"]
                async with session.post(
                    f"http://{host}:{port}/", data=later(), headers={"Content-Type": kind}, compress="deflate"
                ) as response:
                    assert (response.status, await response.text()) == (200, str(count * size))
                before = before or descriptors()
            assert descriptors() == before

    asyncio.run(run())


class _Collected:
    def __init__(self) -> None:
        self.data = bytearray()

    async def write(self, data: bytes) -> None:
        self.data += data


class Arriving:
    """A body that comes in given pieces."""

    limit = None

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces

    async def chunks(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece

    async def whole(self) -> bytes:
        return b"".join(self._pieces)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=60), st.integers(0, len(BODY)), st.lists(st.integers(0, len(BODY) + 60), max_size=20))
def test_a_form_in_any_pieces_has_the_files_of_the_whole_one(noise: bytes, at: int, cuts: list[int]) -> None:
    for body in (BODY, BODY[:at] + noise + BODY[at:], BODY[:at]):
        ends = sorted({*cuts, len(body)})
        pieces = [body[first:end] for first, end in zip([0, *ends], ends, strict=False)]
        request = HttpRequest("POST", "/", headers={"content-type": MULTIPART["Content-Type"]})
        control = RequestControl(None, upgradable=False)
        context = RequestContext(request, "", None, control, Arriving(pieces))  # type: ignore[arg-type]

        async def files(context: RequestContext = context) -> list[tuple[str, str, bytes]] | None:
            parts = FormParts(context)
            found = []
            try:
                while (info := await parts.next_file("photo")) is not None:
                    content = b"".join([piece async for piece in parts.content(None)])
                    found.append((info.file_name, info.content_type, content))
            except (_Unreadable, EntityStreamError):
                return None
            return found

        try:
            form = parse_form(HttpRequest("POST", "/", headers=request.headers, body=body)) if body else None
            expected = (
                None
                if form is None
                else [(file.file_name, file.content_type, file.content) for file in form.files.get("photo", ())]
            )
        except ValueError:
            continue  # a text that is no UTF-8 is read over by the streams
        if form is not None:
            found = asyncio.run(files())
            # A broken line of a part's head is found only where the next one has not come yet.
            assert found == expected or (found is None and noise in body and body != BODY)
