"""Routes: what they match, extract and reject, over a real socket and Python's own client."""

from __future__ import annotations

import asyncio
import gzip
import logging
import zlib
from http import HTTPStatus
from typing import Any
from uuid import UUID

import msgspec
import pytest

from smackbox.akka import Actor
from smackbox.akka.http import (
    REMAINING,
    RejectionHandler,
    Route,
    ValidationRejection,
    as_,
    authorize,
    complete,
    concat,
    decode_request,
    decode_request_with,
    delete,
    entity,
    extract_request,
    extract_unmatched_path,
    get,
    handle_exceptions,
    handle_rejections,
    head,
    header,
    map_response,
    method,
    options,
    parameter,
    patch,
    path,
    path_end,
    path_prefix,
    path_single_slash,
    post,
    provide,
    put,
    redirect,
    reject,
    respond_with_headers,
    validate,
)
from smackbox.akka.http.rejections import MissingQueryParamRejection, Rejection, default_answer, remaining
from tests.akka.http.server import Answer, serving

JSON = {"Content-Type": "application/json"}


class Event(msgspec.Struct):
    id: int
    name: str


def ask(route: Route, verb: str, target: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
    async def run() -> Answer:
        async with serving(route) as client:
            return await client.ask(verb, target, body, headers)

    return asyncio.run(run())


def answers(route: Route, *targets: str) -> list[tuple[int, str]]:
    async def run() -> list[tuple[int, str]]:
        async with serving(route) as client:
            return [(answer.status, answer.text) for answer in [await client.get(target) for target in targets]]

    return asyncio.run(run())


NOT_FOUND = (404, "The requested resource could not be found.")


def test_paths_match_whole_segments() -> None:
    route = concat(
        path("a", int)(lambda number: complete(f"int {number}")),
        path("a", UUID)(lambda uuid: complete(f"uuid {uuid}")),
        path("a", str)(lambda text: complete(f"str {text}")),
        path("b/c")(complete("b/c")),
        path_prefix("p")(path_end(complete("end")), path_single_slash(complete("slash")), path("x")(complete("x"))),
        path("files", REMAINING)(lambda rest: complete(f"rest {rest}")),
        path_single_slash(complete("root")),
    )
    uuid = "123e4567-e89b-12d3-a456-426614174000"
    assert answers(
        route,
        "/", "/a/7", f"/a/{uuid}", "/a/x%20y%2Fz", "/a/9223372036854775807", "/a/9223372036854775808", "/a/-1", "/a/",
        "/a/7/", "/b/c", "/b", "/bb/c", "/p", "/p/", "/p/x", "/px", "/files/d/e.txt", "/files", "/files/",
    ) == [
        (200, "root"), (200, "int 7"), (200, f"uuid {uuid}"), (200, "str x y/z"), (200, "int 9223372036854775807"),
        (200, "str 9223372036854775808"), (200, "str -1"), NOT_FOUND, NOT_FOUND,
        (200, "b/c"), NOT_FOUND, NOT_FOUND, (200, "end"), (200, "slash"), (200, "x"), NOT_FOUND, (200, "rest d/e.txt"),
        (200, "rest "), (200, "rest "),
    ]  # fmt: skip


def test_what_is_no_pattern_or_route_is_an_error_at_once() -> None:
    for pattern in (1.5, float, (REMAINING, "x")):
        with pytest.raises(TypeError, match="no pattern"):
            path(*pattern) if isinstance(pattern, tuple) else path(pattern)
    with pytest.raises(TypeError, match="no route"):
        get("text", "text")
    with pytest.raises(TypeError, match="a route or a function"):
        get()
    with pytest.raises(TypeError, match="unsupported"):
        complete(object())


@pytest.mark.parametrize(
    ("verb", "directive"),
    [("GET", get), ("POST", post), ("PUT", put), ("DELETE", delete), ("PATCH", patch), ("OPTIONS", options)],
)
def test_methods(verb: str, directive: Any) -> None:
    assert ask(directive(complete(verb)), verb, "/").text == verb


def test_other_methods_and_head() -> None:
    route = method("PROPFIND")(complete("found")) | head(complete("no body is sent"))
    assert ask(route, "PROPFIND", "/").text == "found"
    answer = ask(route, "HEAD", "/")
    assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", "15")


def test_a_method_that_no_route_takes_is_405_with_all_that_are() -> None:
    route = path("x")(get(complete("a")) | post(complete("b")))
    answer = ask(route, "DELETE", "/x")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, POST")
    assert answer.text == "HTTP method not allowed, supported methods: GET, POST"


def test_a_method_that_matches_takes_405_back() -> None:
    route = get(complete("a")) | post(reject(ValidationRejection("the truth")))
    assert (ask(route, "POST", "/").status, ask(route, "POST", "/").text) == (400, "the truth")
    assert ask(path("x")(get(complete("a"))) | post(path("y")(complete("b"))), "POST", "/x").status == 404


def test_parameters() -> None:
    route = concat(
        path("one")((parameter("n", int) & parameter("q", str, "none"))(lambda n, q: complete(f"{n} {q}"))),
        path("many")(parameter("n", list[int])(complete)),
        path("maybe")(parameter("flag", bool, None)(lambda flag: complete(repr(flag)))),
    )
    assert answers(
        route, "/one?n=5", "/one?n=5&q=a%26b+c", "/one?q=", "/one?n=x", "/many?n=1&n=2", "/maybe", "/maybe?flag=true"
    ) == [
        (200, "5 none"),
        (200, "5 a&b c"),
        (404, "Request is missing required query parameter 'n'"),
        (400, "The query parameter 'n' was malformed:\nExpected `int`, got `str`"),
        (200, "[1,2]"),
        (200, "None"),
        (200, "True"),
    ]


def test_headers() -> None:
    route = (header("X-Number", int) & header("x-other", default="-"))(lambda n, o: complete(f"{n} {o}"))
    assert ask(route, "GET", "/", headers={"x-number": "3"}).text == "3 -"
    assert ask(route, "GET", "/", headers={"X-Number": "3", "X-Other": "o"}).text == "3 o"
    missing = ask(route, "GET", "/")
    assert (missing.status, missing.text) == (400, "Request is missing required HTTP header 'X-Number'")
    assert ask(route, "GET", "/", headers={"x-number": "y"}).text.startswith("The value of HTTP header 'X-Number' was")


def test_entities() -> None:
    event = entity(as_(Event))(lambda event: complete(event, status=201))
    answer = ask(event, "POST", "/", b'{"id":1,"name":"n"}', {"Content-Type": "application/json; charset=utf-8"})
    assert (answer.status, answer.json) == (201, {"id": 1, "name": "n"})
    assert answer.headers["content-type"] == "application/json"
    assert ask(event, "POST", "/", b'{"id":1,"name":"n"}', {"Content-Type": "application/vnd.x+json"}).status == 201

    malformed = ask(event, "POST", "/", b'{"id":"x","name":"n"}', JSON)
    assert malformed.status == 400
    assert malformed.text == "The request content was malformed:\nExpected `int`, got `str` - at `$.id`"
    empty = ask(event, "POST", "/", b"", JSON)
    assert (empty.status, empty.text) == (400, "Request entity expected but not supplied")
    other = ask(event, "POST", "/", b"{}", {"Content-Type": "text/plain"})
    assert other.status == 415
    assert other.text == "The request's Content-Type [text/plain] is not supported. Expected:\napplication/json"

    text = entity(as_(str))(complete)
    assert ask(text, "POST", "/", "é".encode("latin-1"), {"Content-Type": "text/plain; charset=latin-1"}).text == "é"
    assert ask(text, "POST", "/", b"\xff").status == 400
    assert ask(text, "POST", "/", b"x", {"Content-Type": "text/plain; charset=nonsense"}).status == 400
    assert ask(entity(as_(bytes))(complete), "POST", "/", b"\xff\x00").body == b"\xff\x00"


def test_bodies_are_unpacked_within_a_limit() -> None:
    route = (decode_request & entity(as_(str)) & extract_request)(
        lambda text, request: complete(f"{text} {'content-encoding' in request.headers}")
    )
    for encoding, body in (
        ("gzip", gzip.compress(b"text")),
        ("gzip", gzip.compress(b"te") + gzip.compress(b"xt")),
        ("deflate", zlib.compress(b"text")),
        ("identity", b"text"),
    ):
        answer = ask(route, "POST", "/", body, {"Content-Encoding": encoding})
        assert (answer.status, answer.text) == (200, f"text {encoding == 'identity'}")
    unknown = ask(route, "POST", "/", b"x", {"Content-Encoding": "br"})
    assert (unknown.status, unknown.text.partition("\n")[2]) == (400, "gzip or deflate or identity")
    for encoding, body in (
        ("gzip", b"not gzip"),
        ("gzip", gzip.compress(b"text")[:-1]),
        ("gzip", b""),
        ("deflate", zlib.compress(b"text") + b"more"),
    ):
        assert ask(route, "POST", "/", body, {"Content-Encoding": encoding}).status == 400
    bounded = decode_request_with(1000)(entity(as_(str))(lambda text: complete(str(len(text)))))
    for packed in (gzip.compress(b"x" * 1000), gzip.compress(b"x" * 500) * 2):
        assert ask(bounded, "POST", "/", packed, {"Content-Encoding": "gzip"}).text == "1000"
    for packed in (gzip.compress(b"x" * 1001), gzip.compress(b"x" * 501) * 2):
        assert ask(bounded, "POST", "/", packed, {"Content-Encoding": "gzip"}).status == 413


def test_answers() -> None:
    for route, status, kind, body in (
        (complete("text"), 200, "text/plain; charset=UTF-8", b"text"),
        (complete(b"\x00", headers={"X-A": "b"}), 200, "application/octet-stream", b"\x00"),
        (complete([1, None]), 200, "application/json", b"[1,null]"),
        (complete(HTTPStatus.ACCEPTED), 202, "text/plain; charset=UTF-8", b"Accepted"),
        (complete("<p>", status=418, content_type="text/html"), 418, "text/html", b"<p>"),
        (complete(status=201), 201, "text/plain; charset=UTF-8", b""),
        (get(lambda: {"a": 1}), 200, "application/json", b'{"a":1}'),
        (get(lambda: ValidationRejection("no")), 400, "text/plain; charset=UTF-8", b"no"),
    ):
        answer = ask(route, "GET", "/")
        assert (answer.status, answer.headers["content-type"], answer.body) == (status, kind, body)
    assert ask(complete(b"", headers={"X-A": "b"}), "GET", "/").headers["x-a"] == "b"
    empty = ask(complete(HTTPStatus.NO_CONTENT), "GET", "/")
    assert (empty.status, empty.body) == (204, b"")
    assert ask(redirect("/there"), "GET", "/").headers["location"] == "/there"
    added = respond_with_headers({"X-A": "1"})(map_response(lambda r: r)(complete("x")))
    assert ask(added, "GET", "/").headers["x-a"] == "1"


def test_alternatives_of_directives_and_what_they_pass_on() -> None:
    route = (path("a") | path("b"))(complete("a or b")) | path_prefix("c")(extract_unmatched_path(complete))
    assert answers(route, "/a", "/b", "/c/d/e", "/d") == [(200, "a or b"), (200, "a or b"), (200, "/d/e"), NOT_FOUND]
    assert ask((provide(1) & provide(2))(lambda a, b: [a, b]), "GET", "/").json == [1, 2]


def test_checks() -> None:
    assert ask(validate(lambda request: request.method == "GET", "only GET")(complete("x")), "GET", "/").status == 200
    assert ask(validate(False, "never")(complete("x")), "GET", "/").text == "never"
    assert ask(authorize(lambda _: False)(complete("x")), "GET", "/").status == 403


def test_handlers_wait_and_ask_actors() -> None:
    class Doubler(Actor[int]):
        def receive(self, message: int) -> None:
            self.context.sender.tell(message * 2)

    async def run() -> None:
        doublers: list[Any] = []

        @(path("double", int) & get)
        async def double(number: int) -> Route:
            return complete(await doublers[0].request(number, timeout_s=5))

        @path("later")
        async def later() -> str:
            await asyncio.sleep(0)
            return "later"

        async with serving(double | later) as client:
            doublers.append(client.system.spawn(Doubler))
            assert (await client.get("/double/21")).json == 42
            assert (await client.get("/later")).text == "later"

    asyncio.run(run())


def test_a_failure_is_500_and_tells_the_client_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> Route:
        raise RuntimeError("secret")

    async def fail_later() -> Route:
        await asyncio.sleep(0)
        raise RuntimeError("secret")

    async def odd() -> Route:
        await asyncio.sleep(0)
        return complete("x", status=299)

    for route in (
        get(fail),
        get(fail_later),
        get(lambda: None),
        complete("x", headers={"X-A": "b\r\nX-C: d"}),
        get(odd),
    ):
        caplog.clear()
        with caplog.at_level(logging.ERROR):
            answer = ask(route, "GET", "/")
        assert (answer.status, answer.text) == (500, "There was an internal server error.")
        assert "x-c" not in answer.headers
        assert any(record.exc_info for record in caplog.records)


def test_exceptions_become_answers() -> None:
    def fail(text: str) -> Route:
        raise (ValueError if text == "value" else KeyError)(text)

    def answer(error: Exception) -> Route | None:
        return complete(str(error), status=422) if isinstance(error, ValueError) else None

    route = handle_exceptions(answer)(path(str)(fail))
    assert answers(route, "/value", "/key") == [(422, "value"), (500, "There was an internal server error.")]


def test_rejections_become_answers() -> None:
    class Mine(Rejection):
        pass

    handler = (
        RejectionHandler()
        .handle(MissingQueryParamRejection, lambda rejection: complete(f"need {rejection.name}", status=400))
        .handle(Mine, lambda _: None)
        .handle_not_found(lambda: complete("nothing here", status=404))
    )
    inner = path("p")(parameter("a")(complete)) | path("v")(reject(ValidationRejection("v")))
    route = handle_rejections(handler)(inner)
    assert answers(route, "/p", "/v", "/x") == [(400, "need a"), (400, "v"), (404, "nothing here")]
    assert answers(reject(Mine()), "/") == [(500, "There was an internal server error.")]
    flat = handle_rejections(lambda rejections: {"errors": len(rejections)} if rejections else None)(inner)
    assert answers(flat, "/p", "/x") == [(200, '{"errors":1}'), NOT_FOUND]


def test_every_rejection_of_the_house_has_an_answer() -> None:
    import dataclasses

    from smackbox.akka.http import rejections as module

    kinds = [
        kind
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, Rejection) and kind not in {Rejection, module.CancelRejections}
    ]
    assert len(kinds) > 10
    for kind in kinds:
        values: list[Any] = ["x" for _ in dataclasses.fields(kind)]
        assert 400 <= default_answer([kind(*values)]).status < 500
    assert remaining([ValidationRejection("a"), ValidationRejection("a")]) == [ValidationRejection("a")]
