"""The server: binding, limits, streamed answers, the end."""

from __future__ import annotations

import asyncio
import gc
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from smackbox.akka import ActorSystem
from smackbox.akka.http import (
    Http,
    Route,
    ServerSentEvent,
    StreamedResponse,
    as_,
    authenticate_basic,
    authenticate_bearer,
    complete,
    complete_events,
    cors,
    decode_request,
    entity,
    extract_request,
    get,
    get_from_directory,
    get_from_file,
    head,
    path,
    path_prefix,
    post,
)
from smackbox.akka.stream import Source
from smackbox.base.errors import StartError
from smackbox.net.http import basic_authorization
from smackbox.net.request_body import RequestBodyError
from tests.akka.http.server import TIMEOUT_S, Client, serving


def test_limits_of_the_core() -> None:
    async def run() -> None:
        route = extract_request(lambda request: complete(str(len(request.body))))
        async with serving(route, head_limit=500, body_limit=100, body_buffer_limit=150) as client:
            assert (await client.ask("POST", "/", b"x" * 100)).text == "100"
            assert (await client.ask("POST", "/", b"x" * 101)).status == 413
            assert (await client.raw(b"GET / HTTP/1.1\r\nX: " + b"x" * 600)).startswith(b"HTTP/1.1 431 ")
            assert (await client.raw(b"nonsense\r\n\r\n")).startswith(b"HTTP/1.1 400 ")
        async with serving(route, request_timeout_s=1) as client:
            assert (await client.raw(b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab")).startswith(b"HTTP/1.1 408 ")
        async with serving(route, keep_alive_timeout_s=1) as client:
            assert await client.raw(b"") == b""
        async with serving(route, connections_limit=0, retry_after_s=7) as client:
            answer = await client.get("/")
            assert (answer.status, answer.headers["retry-after"]) == (503, "7")

    asyncio.run(run())


def test_a_route_that_does_not_answer_in_time_is_cancelled() -> None:
    async def run() -> None:
        cancelled = asyncio.Event()

        async def for_ever() -> Route:
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()
            raise AssertionError

        async with serving(get(for_ever), answer_timeout_s=0.05) as client:
            answer = await client.get("/")
            assert (answer.status, answer.text.split()[0]) == (503, "The")
            async with asyncio.timeout(TIMEOUT_S):
                await cancelled.wait()

    asyncio.run(run())


def test_pipelined_answers_keep_the_order_of_the_requests() -> None:
    async def run() -> None:
        gate = asyncio.Event()

        async def slow() -> str:
            await gate.wait()
            return "slow"

        def fast() -> str:
            gate.set()
            return "fast"

        async def pieces() -> AsyncIterator[bytes]:
            await gate.wait()
            yield b"streamed"

        route = path("slow")(slow) | path("fast")(fast) | path("stream")(lambda: StreamedResponse(pieces()))
        async with serving(route) as client:
            answer = await client.raw(
                b"GET /stream HTTP/1.1\r\n\r\nGET /slow HTTP/1.1\r\n\r\nGET /stream HTTP/1.1\r\n\r\n"
                b"GET /fast HTTP/1.1\r\nConnection: close\r\n\r\n"
            )
        stream = b"8\r\nstreamed\r\n0\r\n\r\n"
        bodies = [part.partition(b"\r\n\r\n")[2] for part in answer.split(b"HTTP/1.1 200 OK\r\n")[1:]]
        assert bodies == [stream, b"slow", stream, b"fast"]

    asyncio.run(run())


def test_all_headers_are_kept_also_of_a_request_that_asks_for_an_upgrade() -> None:
    async def run() -> None:
        async with serving(
            extract_request(lambda request: complete([request.headers, request.body.decode()]))
        ) as client:
            answer = await client.raw(
                b"POST / HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nX-A: 2\r\nCookie: a=b\r\nCookie: c=d\r\n"
                b"Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n"
                b"Content-Type: text/plain; charset=latin-1\r\nContent-Length: 2\r\n\r\nhi"
                b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"
            )
        first = msgspec.json.decode(answer.split(b"\r\n\r\n")[1].partition(b"HTTP/1.1")[0])
        assert first[1] == "hi"
        kept = {name: first[0][name] for name in ("host", "x-a", "cookie", "content-type")}
        assert kept == {"host": "h", "x-a": "1, 2", "cookie": "a=b; c=d", "content-type": "text/plain; charset=latin-1"}

    asyncio.run(run())


def test_trailers_are_no_header_fields_and_have_a_limit() -> None:
    async def run() -> None:
        route = extract_request(lambda request: complete([request.headers, request.body.decode()]))
        head = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\na\r\n0\r\n"
        async with serving(route, head_limit=500) as client:
            answer = await client.raw(head + b"X-User: root\r\nHost: other\r\n\r\n")
            headers, body = msgspec.json.decode(answer.partition(b"\r\n\r\n")[2])
            assert (headers["host"], "x-user" in headers, body) == ("h", False, "a")
            # more than is read of a socket at once
            answer = await client.raw(head + b"X: " + b"x" * 2_000_000)
            assert answer.startswith(b"HTTP/1.1 431 ")

    asyncio.run(run())


def test_a_head_that_begins_in_a_packet_with_a_large_body_is_not_too_large() -> None:
    async def run() -> None:
        route = extract_request(lambda request: complete(str(len(request.body))))
        async with serving(route, head_limit=500) as client, asyncio.timeout(TIMEOUT_S):
            reader, writer = await asyncio.open_connection(*client.address)
            post = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\n" + bytes(5000)
            writer.write(post + b"GET / HTTP/1.1\r\nHo")
            assert (await reader.readuntil(b"5000")).startswith(b"HTTP/1.1 200 ")
            writer.write(b"st: h\r\nConnection: close\r\n\r\n")
            assert b"HTTP/1.1 200 " in await reader.read()
            writer.close()

    asyncio.run(run())


def test_a_source_is_answered_in_chunks() -> None:
    async def run() -> None:
        route = get(lambda: StreamedResponse(Source.range(1, 1000).map(lambda n: b"%d\n" % n), "text/plain"))
        async with serving(route | head(lambda: StreamedResponse(Source.empty()))) as client:
            answer = await client.get("/")
            assert answer.headers["transfer-encoding"] == "chunked"
            assert answer.body == b"".join(b"%d\n" % n for n in range(1, 1001))
            old = await client.raw(b"GET / HTTP/1.0\r\n\r\n")
            assert b"chunked" not in old
            assert old.endswith(b"\r\n\r\n" + answer.body)
            assert (await client.ask("HEAD", "/")).body == b""

    asyncio.run(run())


def test_a_slow_reader_slows_the_source() -> None:
    async def run() -> None:
        made = 0
        ended = asyncio.Event()

        async def endless() -> AsyncIterator[bytes]:
            nonlocal made
            try:
                while True:
                    made += 1
                    yield b"x" * 65536
            finally:
                ended.set()

        async with serving(get(lambda: StreamedResponse(endless()))) as client:
            reader, writer = await asyncio.open_connection(*client.address, limit=1024)
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            await reader.readexactly(17)
            before, still = -1, 0
            async with asyncio.timeout(TIMEOUT_S):
                while still < 20:
                    still = still + 1 if made == before else 0
                    before = made
                    await asyncio.sleep(0.01)
            assert made < 1000, "64 MB for a client that does not read"
            writer.transport.abort()
            async with asyncio.timeout(TIMEOUT_S):
                await ended.wait()

    asyncio.run(run())


def test_a_client_that_closed_its_side_gets_the_whole_stream() -> None:
    async def run() -> None:
        gate = asyncio.Event()

        async def pieces() -> AsyncIterator[bytes]:
            await gate.wait()
            for _ in range(50):
                yield b"x" * 65536

        async with serving(get(lambda: StreamedResponse(pieces()))) as client:
            reader, writer = await asyncio.open_connection(*client.address)
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            writer.write_eof()
            await reader.readuntil(b"\r\n\r\n")
            gate.set()
            async with asyncio.timeout(TIMEOUT_S):
                assert await reader.read() == b"10000\r\n%s\r\n" % (b"x" * 65536) * 50 + b"0\r\n\r\n"
            writer.close()

    asyncio.run(run())


def test_a_client_that_leaves_cancels_an_idle_source() -> None:
    async def run() -> None:
        began, ended = asyncio.Event(), asyncio.Event()

        async def idle() -> AsyncIterator[bytes]:
            began.set()
            try:
                await asyncio.Event().wait()
                yield b""
            finally:
                ended.set()

        async with serving(get(lambda: StreamedResponse(idle())), request_timeout_s=1) as client:
            _, writer = await asyncio.open_connection(*client.address)
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            async with asyncio.timeout(TIMEOUT_S):
                await began.wait()
                writer.close()
                await ended.wait()

    asyncio.run(run())


def test_a_source_that_fails_cuts_the_answer_off(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        async def broken() -> AsyncIterator[bytes]:
            yield b"part"
            raise RuntimeError("secret")

        async with serving(get(lambda: StreamedResponse(broken()))) as client:
            with pytest.raises(Exception, match=r"IncompleteRead|reset"):
                await client.get("/")
            assert "failed" in caplog.text

    asyncio.run(run())


def test_a_source_whose_own_connection_is_reset_cuts_the_answer_off() -> None:
    async def run() -> None:
        async def broken() -> AsyncIterator[bytes]:
            yield b"part"
            raise ConnectionResetError("of somebody behind")

        async with serving(get(lambda: StreamedResponse(broken()))) as client, asyncio.timeout(TIMEOUT_S):
            with pytest.raises(Exception, match=r"IncompleteRead|reset"):
                await client.get("/")

    asyncio.run(run())


def test_the_framing_of_an_answer_is_the_servers_own() -> None:
    async def run() -> None:
        passed_on = {"Content-Length": "1", "transfer-encoding": "chunked", "X-A": "b"}
        async with serving(complete("ok", headers=passed_on)) as client:
            answer = await client.raw(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        head, _, body = answer.partition(b"\r\n\r\n")
        assert body == b"ok"
        assert head.lower().count(b"content-length: 2") == head.lower().count(b"content-length") == 1
        assert (b"transfer-encoding" in head.lower(), b"X-A: b" in head) == (False, True)

    asyncio.run(run())


def test_a_route_that_goes_on_after_its_body_was_refused_is_cancelled_in_time() -> None:
    async def run() -> None:
        ended = asyncio.Event()

        async def stubborn(source: Any) -> str:
            try:
                await source.run_list(system[0])
            except RequestBodyError:
                try:
                    await asyncio.Event().wait()
                finally:
                    ended.set()
            return "never"

        system: list[Any] = []
        async with (
            serving(entity(as_(Source))(stubborn), body_limit=100, answer_timeout_s=0.2) as client,
            asyncio.timeout(TIMEOUT_S),
        ):
            system.append(client.system)
            reader, writer = await asyncio.open_connection(*client.address)
            writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
            await client.ask("POST", "/", b"x" * 101)  # the first one's route has begun
            ended.clear()
            writer.write(b"ff\r\n" + b"x" * 255 + b"\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")
            await ended.wait()
            writer.close()

    asyncio.run(run())


def test_events_are_sent_as_they_come() -> None:
    async def run() -> None:
        queue: asyncio.Queue[str] = asyncio.Queue(1)

        async def events() -> AsyncIterator[ServerSentEvent]:
            while True:
                yield ServerSentEvent(await queue.get(), event="tick", id="7", retry_ms=5)

        async with serving(get(lambda: complete_events(events()))) as client:
            reader, writer = await asyncio.open_connection(*client.address)
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            async with asyncio.timeout(TIMEOUT_S):
                first = await reader.readuntil(b"\r\n\r\n")
                assert b"Content-Type: text/event-stream\r\n" in first
                for text in ("one", "two\nlines"):
                    await queue.put(text)
                    size = int(await reader.readline(), 16)
                    chunk = (await reader.readexactly(size + 2))[:-2].decode()
                    data = "".join(f"data: {line}\n" for line in text.split("\n"))
                    assert chunk == f"{data}event: tick\nid: 7\nretry: 5\n\n"
            writer.close()

    asyncio.run(run())
    with pytest.raises(ValueError, match="one line"):
        ServerSentEvent("x", event="a\nb")


def test_the_end_waits_for_what_was_asked() -> None:
    async def run() -> None:
        began, gate = asyncio.Event(), asyncio.Event()

        async def slow() -> str:
            began.set()
            await gate.wait()
            return "done"

        async with ActorSystem("end") as system:
            binding = await Http(system).new_server_at("127.0.0.1", 0).bind(get(slow))
            client = Client(binding.local_address, system)
            asked = asyncio.create_task(client.get("/"))
            await began.wait()
            ending = asyncio.create_task(binding.terminate(TIMEOUT_S))
            await asyncio.sleep(0)
            gate.set()
            assert (await asked).text == "done"
            await ending
            await binding.terminate(0)
            with pytest.raises(ConnectionRefusedError):
                await client.get("/")

    asyncio.run(run())


def test_the_end_of_the_system_ends_the_server_and_cuts_off_what_goes_on() -> None:
    async def run() -> None:
        cancelled = False
        began = asyncio.Event()

        async def for_ever() -> str:
            nonlocal cancelled
            began.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled = True
                raise
            return ""

        async with ActorSystem("end") as system:
            binding = await Http(system).new_server_at("127.0.0.1", 0).bind(get(for_ever))
            asked = asyncio.create_task(Client(binding.local_address, system).get("/"))
            await began.wait()
            await binding.terminate(0.05)
            with pytest.raises(Exception, match=r"closed|reset"):
                await asked
            assert cancelled
            idle = await Http(system).new_server_at("127.0.0.1", 0).bind(complete("x"))
        with pytest.raises(ConnectionRefusedError):
            await Client(idle.local_address, system).get("/")

    asyncio.run(run())


def test_binding_tells_what_is_wrong() -> None:
    async def run() -> None:
        async with ActorSystem("bind") as system, serving(complete("x")) as client:
            with pytest.raises(StartError, match="cannot listen"):
                await Http(system).new_server_at(*client.address).bind(complete("y"))
            with pytest.raises(StartError, match="without authentication"):
                await Http(system).new_server_at("0.0.0.0", 0).bind(complete("y"))
            with pytest.raises(TypeError, match="no route"):
                await Http(system).new_server_at("127.0.0.1", 0).bind("text")  # type: ignore[arg-type]

    asyncio.run(run())


def test_authentication() -> None:
    async def run() -> None:
        async def known(token: str) -> str | None:
            return "ada" if token == "t0ken" else None

        route = path("basic")(
            authenticate_basic("house", lambda user, password: user if password == "pw" else None)(complete)
        ) | path("bearer")(authenticate_bearer("house", known)(complete))
        async with serving(route) as client:
            missing = await client.get("/basic")
            assert (missing.status, missing.headers["www-authenticate"]) == (401, 'Basic realm="house",charset=UTF-8')
            assert "not supplied" in missing.text
            wrong = await client.get("/basic", Authorization=basic_authorization("ada", "no"))
            assert (wrong.status, wrong.text) == (401, "The supplied authentication is invalid")
            assert (await client.get("/basic", Authorization=basic_authorization("ada", "pw"))).text == "ada"
            assert (await client.get("/bearer", Authorization="Bearer no")).status == 401
            assert (await client.get("/bearer", Authorization=basic_authorization("ada", "pw"))).status == 401
            assert (await client.get("/bearer", Authorization="bearer t0ken")).text == "ada"

    asyncio.run(run())


def test_pages_of_other_origins() -> None:
    async def run() -> None:
        shop = "https://shop.example"
        async with serving(cors([shop])(post(complete("x")))) as client:
            asks = {"Access-Control-Request-Method": "POST"}
            preflight = await client.ask("OPTIONS", "/", headers={"Origin": shop, **asks})
            assert (preflight.status, preflight.headers["access-control-allow-origin"]) == (204, shop)
            assert "POST" in preflight.headers["access-control-allow-methods"]
            other = await client.ask("OPTIONS", "/", headers={"Origin": "https://evil.example", **asks})
            assert "access-control-allow-methods" not in other.headers
            answer = await client.ask("POST", "/", b"", {"Origin": shop})
            assert (answer.headers["access-control-allow-origin"], answer.headers["vary"]) == (shop, "Origin")
            foreign = await client.ask("POST", "/", b"", {"Origin": "https://evil.example"})
            assert "access-control-allow-origin" not in foreign.headers
        async with serving(cors(["*"])(post(complete("x")))) as client:
            answer = await client.ask("POST", "/", b"", {"Origin": "https://any.example"})
            assert answer.headers["access-control-allow-origin"] == "*"

    asyncio.run(run())


def test_files(tmp_path: Any) -> None:
    site = tmp_path / "site"
    (site / "sub").mkdir(parents=True)
    (site / "sub" / "a b.txt").write_bytes(b"text" * 50_000)
    (tmp_path / "secret").write_text("secret")
    (site / "link").symlink_to(tmp_path / "secret")

    async def run() -> None:
        route = path_prefix("static")(get_from_directory(site)) | path("one")(get_from_file(tmp_path / "secret"))
        async with serving(route) as client:
            answer = await client.get("/static/sub/a%20b.txt")
            assert (answer.body, answer.headers["content-type"]) == (b"text" * 50_000, "text/plain; charset=UTF-8")
            same = await client.get("/static/sub/a%20b.txt", **{"If-None-Match": answer.headers["etag"]})
            assert (same.status, same.body) == (304, b"")
            assert "content-length" not in same.headers, "it would be that of the file (RFC 9110, 8.6)"
            assert (await client.ask("HEAD", "/static/sub/a%20b.txt")).status == 200
            for bad in (
                "../secret",
                "%2e%2e/secret",
                "..%2Fsecret",
                "link",
                "sub",
                "none",
                "%00",
                "/etc/passwd",
                "x" * 300,
            ):
                assert (await client.get(f"/static/{bad}")).status == 404
            assert (await client.get("/one")).text == "secret"
            assert (await client.ask("POST", "/one")).status == 404

    asyncio.run(run())


def talk() -> Route:
    """The microservice of the talk: texts in, 202, or 400 with the errors, flat."""

    class Impression(msgspec.Struct):
        campaign: str
        price: float

    @(path("event") & post & decode_request & entity(as_(str)))
    async def event(text: str) -> Route:
        try:
            msgspec.json.decode(text, type=Impression)
        except msgspec.DecodeError as error:
            return complete({"errors": [str(error)]}, status=400)
        return complete(status=202)

    return event


def test_the_microservice_of_the_talk() -> None:
    import gzip

    async def run() -> None:
        async with serving(talk()) as client:
            good = b'{"campaign":"c","price":0.5}'
            assert (await client.ask("POST", "/event", good)).status == 202
            packed = await client.ask("POST", "/event", gzip.compress(good), {"Content-Encoding": "gzip"})
            assert packed.status == 202
            bad = await client.ask("POST", "/event", b'{"campaign":"c","price":"x"}')
            assert (bad.status, bad.json) == (400, {"errors": ["Expected `float`, got `str` - at `$.price`"]})
            assert (await client.get("/event")).status == 405
            assert (await client.get("/other")).status == 404

    asyncio.run(run())


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl() -> None:
    async def run() -> None:
        async with serving(
            talk() | path("n")(lambda: StreamedResponse(Source.range(1, 3).map(lambda n: b"%d" % n)))
        ) as client:
            base = f"http://127.0.0.1:{client.address[1]}"

            def curl(*arguments: str) -> str:
                command = ["curl", "-sS", "--noproxy", "*", "--max-time", "20", "-w", " %{http_code}", *arguments]
                return subprocess.run(command, capture_output=True, check=True, timeout=30, text=True).stdout

            assert await asyncio.to_thread(curl, "-d", '{"campaign":"c","price":1}', f"{base}/event") == " 202"
            assert (await asyncio.to_thread(curl, "-d", "{}", f"{base}/event")).endswith('`campaign`"]} 400')
            assert await asyncio.to_thread(curl, f"{base}/n") == "123 200"

    asyncio.run(run())


def test_the_room_loads_no_http_before_it_is_used() -> None:
    program = (
        "import sys; from smackbox import akka; import smackbox.akka.http; "
        "heavy = ('httptools', 'smackbox.net', 'smackbox.akka.http.'); "
        "print(sorted(name for name in sys.modules if name.startswith(heavy)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, timeout=60, text=True)
    assert done.stdout == "[]\n"


def test_a_route_that_waited_leaves_nothing_for_the_garbage_collector() -> None:
    async def run() -> None:
        async with serving(path("late")(_late)) as client:
            await client.get("/late")
            gc.collect()
            gc.disable()
            try:
                answer = await client.raw(
                    b"GET /late HTTP/1.1\r\n\r\n" * 20 + b"GET /late HTTP/1.1\r\nConnection: close\r\n\r\n"
                )
                left = [found for found in gc.get_objects() if type(found).__name__ in {"_AnswerWatch", "_SteppedTask"}]
            finally:
                gc.enable()
        assert answer.count(b"200 OK") == 21
        assert left == []

    asyncio.run(run())


async def _late() -> str:
    await asyncio.sleep(0)
    return "late"


def test_each_route_that_waits_has_its_own_time() -> None:
    async def run() -> None:
        async def never() -> str:
            await asyncio.Event().wait()
            return ""

        async with serving(path("late")(_late) | path("never")(never), answer_timeout_s=0.4) as client:
            began_s = asyncio.get_running_loop().time()
            assert (await client.get("/late")).status == 200
            await asyncio.sleep(0.1)  # the time of the first request is over before that of those after it
            answers = await asyncio.gather(*(client.get("/never") for _ in range(3)), client.get("/late"))
            assert [answer.status for answer in answers] == [503, 503, 503, 200]
            assert asyncio.get_running_loop().time() - began_s > 0.45

    asyncio.run(run())
