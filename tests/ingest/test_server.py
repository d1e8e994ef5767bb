"""The endpoint over a socket: answers, policies, limits, order, and a graceful stop."""

from __future__ import annotations

import asyncio
import gzip
import socket
from collections.abc import Callable
from typing import Any

import pytest

from smackbox.base.errors import SettingError, StartError
from smackbox.ingest.route import Route, check_routes
from smackbox.ingest.server import IngestServer
from smackbox.ingest.settings import IngestSettings
from smackbox.ingest.sink import Failure
from smackbox.net.service import ServiceThread

GOOD = b'{"id":"00000000-0000-0000-0000-000000000001","type":"view"}'
GOOD_KEY = b"00000000-0000-0000-0000-000000000001"
BAD = b'{"id":"00000000-0000-0000-0000-000000000001","type":"buy"}'
REFUSAL = {"index": 0, "path": "$.type", "reason": "Invalid enum value 'buy'"}


def values(ingest: Any, topic: str = "events") -> list[bytes]:
    return [value for name, value, _, _ in ingest.sink.records if name == topic]


def test_one_event_is_accepted_with_its_key(ingest: Any) -> None:
    answer = ingest.client().post(GOOD)
    assert (answer.status, answer.json) == (202, {"accepted": 1})
    assert answer.headers["content-type"] == "application/json"
    assert ingest.sink.records == [("events", GOOD, GOOD_KEY, None)]


def test_topics_are_named_to_the_sink(ingest: Any) -> None:
    assert ingest.sink.topics == {"events": 3, "dead": 1}


def test_202_comes_only_after_the_acknowledgement(start: Callable[..., Any]) -> None:
    with start() as ingest:
        ingest.sink.hold = True
        client = ingest.client()
        client.send(ingest.request(GOOD))
        ingest.wait_for_offers(1)
        client.socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.socket.recv(1)
        client.socket.setblocking(True)
        ingest.thread.call(ingest.sink.release())
        assert client.read().status == 202


def test_an_array_with_a_bad_event_is_refused_as_a_whole(ingest: Any) -> None:
    answer = ingest.client().post(b"[%s,%s]" % (GOOD, BAD))
    assert answer.status == 400
    assert answer.json == {"accepted": 0, "errors": [{**REFUSAL, "index": 1}]}
    assert values(ingest) == []
    assert values(ingest, "dead") == [BAD]


def test_of_lines_the_good_ones_are_accepted(ingest: Any) -> None:
    answer = ingest.client().post(BAD + b"\n" + GOOD, Content_Type="application/x-ndjson; charset=utf-8")
    assert answer.status == 400
    assert answer.json == {"accepted": 1, "errors": [REFUSAL]}
    assert values(ingest) == [GOOD]
    assert values(ingest, "dead") == [BAD]


def test_the_policies_are_settings(start: Callable[..., Any]) -> None:
    with start(array_policy="per_event", ndjson_policy="all_or_nothing") as ingest:
        client = ingest.client()
        assert client.post(b"[%s,%s]" % (GOOD, BAD)).json["accepted"] == 1
        assert client.post(GOOD + b"\n" + BAD).json["accepted"] == 0
        assert values(ingest) == [GOOD]


def test_a_dead_letter_says_what_was_wrong(ingest: Any) -> None:
    ingest.client().post(BAD)
    ((topic, value, key, headers),) = ingest.sink.records
    assert (topic, value, key) == ("dead", BAD, None)
    assert dict(headers) == {
        "error.reason": b"Invalid enum value 'buy'",
        "error.path": b"$.type",
        "error.index": b"0",
        "source.path": b"/events",
        "source.topic": b"events",
    }


def test_without_a_dead_letter_topic_a_bad_event_is_only_refused(start: Callable[..., Any]) -> None:
    with start(dead_letter=None) as ingest:
        assert ingest.client().post(BAD).status == 400
        assert ingest.sink.records == []


def test_an_empty_array_is_accepted(ingest: Any) -> None:
    assert ingest.client().post(b"[]").json == {"accepted": 0}


@pytest.mark.parametrize("failure", [Failure.FULL, Failure.AWAY])
@pytest.mark.parametrize("stage", ["refuse", "failure"])
def test_503_when_the_broker_takes_nothing(ingest: Any, failure: Failure, stage: str) -> None:
    setattr(ingest.sink, stage, failure)
    answer = ingest.client().post(GOOD)
    assert (answer.status, answer.json) == (503, {"error": failure.value})
    assert answer.headers["retry-after"] == "1"


def test_413_when_the_broker_refuses_the_size(ingest: Any) -> None:
    ingest.sink.failure = Failure.TOO_LARGE
    assert ingest.client().post(GOOD).status == 413


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP"])
def test_gzip_bodies(ingest: Any, encoding: str) -> None:
    packed = gzip.compress(GOOD + b"\n") + gzip.compress(GOOD)
    assert ingest.client().post(packed, Content_Encoding=encoding).json == {"accepted": 2}


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"not gzip", 400), (gzip.compress(GOOD)[:-4], 400), (gzip.compress(b" " * 5000), 413)],
    ids=["no gzip", "cut short", "too large inside"],
)
def test_bad_gzip_is_refused(start: Callable[..., Any], body: bytes, status: int) -> None:
    with start(body_limit=4096) as ingest:
        client = ingest.client()
        assert client.post(body, Content_Encoding="gzip").status == status
        assert client.post(GOOD).status == 202


def test_an_unknown_content_encoding_is_refused_before_the_body(ingest: Any) -> None:
    client = ingest.client()
    client.send(b"POST /events HTTP/1.1\r\nContent-Encoding: br\r\nContent-Length: 100\r\n\r\n")
    assert client.read().status == 415
    assert client.ended()


def test_a_chunked_body(ingest: Any) -> None:
    client = ingest.client()
    client.send(b"POST /events HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
    for byte in GOOD:
        client.send(b"1\r\n%c\r\n" % byte)
    client.send(b"0\r\n\r\n")
    assert client.read().status == 202
    assert values(ingest) == [GOOD]


def test_expect_continue(ingest: Any) -> None:
    client = ingest.client()
    head, _, body = ingest.request(GOOD, Expect="100-continue").partition(b"\r\n\r\n")
    client.send(head + b"\r\n\r\n")
    assert client.read().status == 100
    client.send(body)
    assert client.read().status == 202


def test_expect_continue_is_answered_by_the_refusal(start: Callable[..., Any]) -> None:
    with start(body_limit=100) as ingest:
        client = ingest.client()
        client.send(b"POST /events HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 101\r\n\r\n")
        assert client.read().status == 413
        assert client.ended()


def test_a_body_over_the_limit_is_413_and_the_client_can_read_it_while_sending(start: Callable[..., Any]) -> None:
    with start(body_limit=100) as ingest:
        declared = ingest.client()
        declared.send(ingest.request(b" " * 200_000))
        assert declared.read().status == 413
        assert declared.ended()
        chunked = ingest.client()
        chunked.send(b"POST /events HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"40\r\n" + b" " * 64 + b"\r\n")
        chunked.send(b"40\r\n" + b" " * 64 + b"\r\n")
        assert chunked.read().status == 413
        assert chunked.ended()
        assert ingest.server._http.buffered == 0


def test_too_many_bodies_at_once_are_503(start: Callable[..., Any]) -> None:
    with start(body_limit=1000, body_buffer_limit=1500) as ingest:
        first, second = ingest.client(), ingest.client()
        first.send(b"POST /events HTTP/1.1\r\nContent-Length: 1000\r\n\r\n" + b" " * 900)
        # an answered request on another connection proves that nothing holds up the loop
        assert ingest.client().post(GOOD).status == 202
        second.send(b"POST /events HTTP/1.1\r\nContent-Length: 1000\r\n\r\n" + b" " * 900)
        answer = second.read()
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        first.send(GOOD.rjust(100))
        assert first.read().status == 202


def test_more_events_than_the_limit_are_413(start: Callable[..., Any]) -> None:
    with start(events_per_request_limit=2) as ingest:
        client = ingest.client()
        assert client.post(b"[%s,%s,%s]" % (GOOD, GOOD, GOOD)).status == 413
        assert client.post(b"[%s,%s]" % (GOOD, GOOD)).status == 202


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("POST", "/event", 404, None),
        ("GET", "/events", 405, "POST"),
        ("PUT", "/events", 405, "POST"),
        ("POST", "/healthz", 405, "GET, HEAD"),
    ],
)
def test_other_requests(ingest: Any, method: str, path: str, status: int, allow: str | None) -> None:
    client = ingest.client()
    client.send(ingest.request(b"", path, method))
    answer = client.read()
    assert (answer.status, answer.headers.get("allow")) == (status, allow)
    assert "error" in answer.json
    assert client.post(GOOD).status == 202


def test_a_query_string_is_not_part_of_the_path(ingest: Any) -> None:
    assert ingest.client().post(GOOD, "/events?source=x").status == 202


def test_health_tells_of_the_broker(ingest: Any) -> None:
    client = ingest.client()
    client.send(ingest.request(b"", "/healthz", "GET"))
    assert client.read().json == {"status": "ok", "broker": "ok"}
    ingest.sink.away = "gone"
    client.send(ingest.request(b"", "/healthz", "GET"))
    assert client.read().json == {"status": "degraded", "broker": "gone"}
    client.send(ingest.request(b"", "/healthz", "HEAD"))
    assert client.read(head_only=True).status == 200


def test_metrics_count_events_and_answers(ingest: Any) -> None:
    client = ingest.client()
    client.post(b"[%s,%s]" % (GOOD, GOOD))
    client.post(BAD)
    client.post(GOOD, "/nowhere")
    client.send(ingest.request(b"", "/metrics", "GET"))
    lines = client.read().body.decode().splitlines()
    assert 'smack_ingest_events_accepted_total{path="/events"} 2.0' in lines
    assert 'smack_ingest_events_refused_total{path="/events"} 1.0' in lines
    assert 'smack_ingest_events_dead_lettered_total{path="/events"} 1.0' in lines
    assert 'smack_ingest_responses_total{path="/events",status="202"} 1.0' in lines
    assert 'smack_ingest_responses_total{path="",status="404"} 1.0' in lines
    assert 'smack_ingest_request_seconds_count{path="/events"} 2.0' in lines
    assert "smack_ingest_queued_events 0.0" in lines


def test_pipelined_answers_keep_the_order_of_the_requests(start: Callable[..., Any]) -> None:
    with start() as ingest:
        ingest.sink.hold = True
        client = ingest.client()
        client.send(ingest.request(GOOD) + ingest.request(BAD) + ingest.request(b"", "/nowhere"))
        ingest.wait_for_offers(2)
        ingest.thread.call(ingest.sink.release(1))
        ingest.thread.call(ingest.sink.release(0))
        assert [client.read().status for _ in range(3)] == [202, 400, 404]


def test_more_pipelined_requests_than_the_limit_wait_in_the_socket(start: Callable[..., Any]) -> None:
    with start(pipeline_limit=2) as ingest:
        ingest.sink.hold = True
        client = ingest.client()
        for _ in range(2):
            client.send(ingest.request(GOOD))
        ingest.wait_for_offers(2)
        client.send(ingest.request(GOOD) * 3)
        ingest.client().post(b"[]")
        assert len(ingest.sink.waiting) == 2
        ingest.thread.call(ingest.sink.release())
        assert client.read().status == 202
        ingest.wait_for_offers(4)
        for _ in range(4):
            ingest.thread.call(ingest.sink.release())
        assert [client.read().status for _ in range(4)] == [202] * 4


@pytest.mark.parametrize(
    "request_head",
    [b"POST /events HTTP/1.1\r\nConnection: close\r\n", b"POST /events HTTP/1.0\r\n"],
)
def test_a_connection_is_closed_when_its_client_wishes(ingest: Any, request_head: bytes) -> None:
    client = ingest.client()
    client.send(request_head + b"Content-Length: %d\r\n\r\n%s" % (len(GOOD), GOOD))
    answer = client.read()
    assert (answer.status, answer.headers["connection"]) == (202, "close")
    assert client.ended()


def test_a_client_that_has_ended_its_sending_still_gets_its_answer(start: Callable[..., Any]) -> None:
    with start() as ingest:
        ingest.sink.hold = True
        client = ingest.client()
        client.send(ingest.request(GOOD))
        client.socket.shutdown(socket.SHUT_WR)
        ingest.wait_for_offers(1)
        ingest.thread.call(ingest.sink.release())
        assert client.read().status == 202
        assert client.ended()


@pytest.mark.parametrize(
    "data",
    [
        b"hello\r\n\r\n",
        b"POST /events HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST /events HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /events HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST /events HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\x16\x03\x01\x02\x00",
    ],
)
def test_what_is_not_http_is_400(ingest: Any, data: bytes) -> None:
    client = ingest.client()
    client.send(data)
    answer = client.read()
    assert answer.status == 400
    assert answer.json["error"].startswith("not HTTP/1.1")
    assert client.ended()


def test_a_good_request_before_the_broken_one_is_answered_first(ingest: Any) -> None:
    client = ingest.client()
    client.send(ingest.request(GOOD) + b"broken\r\n\r\n")
    assert [client.read().status, client.read().status] == [202, 400]


def test_an_upgrade_is_not_taken_and_the_request_is_served(ingest: Any) -> None:
    client = ingest.client()
    client.send(ingest.request(GOOD, Connection="Upgrade", Upgrade="h2c") * 2 + ingest.request(GOOD))
    assert [client.read().status for _ in range(3)] == [202] * 3


def test_an_upgrade_with_a_chunked_body(ingest: Any) -> None:
    client = ingest.client()
    client.send(b"POST /events HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
    client.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(GOOD), GOOD))
    assert client.read().status == 202


def test_connect_is_refused(ingest: Any) -> None:
    client = ingest.client()
    client.send(b"CONNECT here:1 HTTP/1.1\r\n\r\n")
    assert client.read().status == 405
    assert client.ended()


def test_a_head_over_the_limit_is_431(start: Callable[..., Any]) -> None:
    with start(head_limit=1000) as ingest:
        client = ingest.client()
        for _ in range(11):
            client.send(b"POST /events HTTP/1.1\r\nX: " if _ == 0 else b"x" * 100)
        assert client.read().status == 431
        assert client.ended()


def test_more_connections_than_the_limit_are_503(start: Callable[..., Any]) -> None:
    with start(connections_limit=2) as ingest:
        one, two = ingest.client(), ingest.client()
        assert one.post(GOOD).status == two.post(GOOD).status == 202
        three = ingest.client()
        assert three.read().status == 503
        assert three.ended()
        two.close()
        ingest.open_clients.remove(two)
        assert one.post(GOOD).status == 202


def test_a_request_that_is_not_finished_in_time_is_408(start: Callable[..., Any]) -> None:
    with start(request_timeout_s=1) as ingest:
        client = ingest.client()
        client.send(b"POST /events HTTP/1.1\r\nContent-Length: 10\r\n\r\n1")
        ingest.thread.call(sweep(ingest, 2))
        assert client.read().status == 408
        assert client.ended()


def test_an_idle_connection_is_closed(start: Callable[..., Any]) -> None:
    with start(keep_alive_timeout_s=1) as ingest:
        client = ingest.client()
        assert client.post(GOOD).status == 202
        ingest.thread.call(sweep(ingest, 2))
        assert client.ended()


async def sweep(ingest: Any, times: int) -> None:
    """What the timer does, at once."""
    for _ in range(times):
        ingest.server._http._timer.cancel()
        ingest.server._http._sweep()


def test_stopping_answers_what_is_in_flight_first(start: Callable[..., Any]) -> None:
    with start() as ingest:
        ingest.sink.hold = True
        busy, idle = ingest.client(), ingest.client()
        idle.post(b"[]")
        busy.send(ingest.request(GOOD))
        ingest.wait_for_offers(1)

        async def stop() -> None:
            stopping = asyncio.ensure_future(ingest.server.stop())
            await asyncio.to_thread(idle.ended)
            assert not ingest.sink.stopped
            await ingest.sink.release()
            await stopping

        ingest.thread.call(stop())
        answer = busy.read()
        assert (answer.status, answer.headers["connection"]) == (202, "close")
        assert ingest.sink.stopped


def test_a_bug_in_a_handler_fails_one_request_only(ingest: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(ingest.server, "_post", broken)
    client = ingest.client()
    assert client.post(GOOD).status == 500
    monkeypatch.undo()
    assert client.post(GOOD).status == 202


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"path": "events"}, "must start with /"),
        ({"path": "/metrics"}, "endpoint's own"),
        ({"key": "typ"}, r"did you mean 'type'"),
        ({"partitions": 0}, "at least one partition"),
    ],
)
def test_a_route_that_cannot_serve_is_an_error(ingest: Any, change: dict[str, Any], message: str) -> None:
    (endpoint,) = ingest.server._endpoints.values()
    fields = {"path": "/events", "topic": "events", "event_type": endpoint.route.event_type, **change}
    with pytest.raises(SettingError, match=message):
        check_routes([Route(**fields)])


def test_two_routes_on_a_path_are_an_error(ingest: Any) -> None:
    (endpoint,) = ingest.server._endpoints.values()
    with pytest.raises(SettingError, match="share the path"):
        check_routes([endpoint.route, endpoint.route])


@pytest.mark.parametrize("wrong", [{"body_limit": 0}, {"body_limit": 2**30}, {"events_per_request_limit": 10**9}])
def test_settings_that_cannot_hold_are_an_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match="ingest:"):
        IngestServer(IngestSettings(**wrong), [])


def test_a_taken_port_and_an_open_door_are_errors(ingest: Any) -> None:
    port = int(ingest.thread.url.rpartition(":")[2])
    for settings in (IngestSettings(port=port), IngestSettings(host="0.0.0.0")):
        with pytest.raises(StartError):
            ServiceThread(IngestServer(settings, [], ingest.sink)).start()
