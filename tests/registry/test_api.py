"""The HTTP API without a broker: what each request writes and answers, and what a topic's records make of the state."""

from __future__ import annotations

import json
from typing import Any

import pytest

from smackbox.net.http import HttpRequest
from smackbox.registry.handlers.routes import handle, writes
from smackbox.registry.state.subjects import Subjects

INT, LONG = '"int"', '"long"'
REFERENCE = {"name": "r", "subject": "not there", "version": 1}


class Registry:
    """A registry whose records are applied at once; `records` are all of them."""

    def __init__(self) -> None:
        self.subjects = Subjects("BACKWARD")
        self.records: list[tuple[bytes, bytes | None]] = []

    def call(self, method: str, target: str, body: Any = None) -> tuple[int, Any]:
        path, _, query = target.partition("?")
        parameters: dict[str, list[str]] = {}
        for part in filter(None, query.split("&")):
            name, _, value = part.partition("=")
            parameters.setdefault(name, []).append(value)
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = HttpRequest(method, path, parameters, {}, data, "", target)
        outcome = handle(self.subjects, request)
        assert not outcome.records or writes(request)
        for key, value in outcome.records:
            self.records.append((key, value))
            self.subjects.apply(key, value)
        assert outcome.response.content_type == "application/vnd.schemaregistry.v1+json"
        return outcome.response.status, json.loads(outcome.response.body)

    def register(self, subject: str, schema: str, **more: Any) -> int:
        status, answered = self.call("POST", f"/subjects/{subject}/versions", {"schema": schema, **more})
        assert status == 200, answered
        return int(answered["id"])

    def error(self, method: str, target: str, body: Any = None) -> int:
        status, answered = self.call(method, target, body)
        assert status >= 400, answered
        assert status == int(str(answered["error_code"])[:3])
        return int(answered["error_code"])


@pytest.fixture
def registry() -> Registry:
    return Registry()


def test_the_records_are_those_of_confluents_topic(registry: Registry) -> None:
    registry.register("s", INT)
    registry.call("PUT", "/config/s", {"compatibility": "full"})
    registry.call("PUT", "/config", {"compatibility": "NONE"})
    registry.call("PUT", "/mode/s", {"mode": "READWRITE"})
    registry.call("DELETE", "/subjects/s")
    registry.call("DELETE", "/subjects/s?permanent=true")
    assert registry.records == [
        (
            b'{"keytype":"SCHEMA","subject":"s","version":1,"magic":1}',
            b'{"subject":"s","version":1,"id":1,"schema":"\\"int\\"","deleted":false}',
        ),
        (b'{"keytype":"CONFIG","subject":"s","magic":0}', b'{"subject":"s","compatibilityLevel":"FULL"}'),
        (b'{"keytype":"CONFIG","subject":null,"magic":0}', b'{"compatibilityLevel":"NONE"}'),
        (b'{"keytype":"MODE","subject":"s","magic":0}', b'{"subject":"s","mode":"READWRITE"}'),
        (b'{"keytype":"MODE","subject":"s","magic":0}', None),
        (b'{"keytype":"CONFIG","subject":"s","magic":0}', None),
        (b'{"keytype":"DELETE_SUBJECT","subject":"s","magic":0}', b'{"subject":"s","version":1}'),
        (b'{"keytype":"SCHEMA","subject":"s","version":1,"magic":1}', None),
    ]


def test_another_registry_reads_the_same_from_the_compacted_records(registry: Registry) -> None:
    registry.register("s", INT)
    registry.register("s", LONG)
    registry.call("DELETE", "/subjects/s/versions/1")
    registry.register("t", '{"type":"object"}', schemaType="JSON")
    registry.call("DELETE", "/subjects/t")
    registry.register("t", '{"type":"object","title":"x"}', schemaType="JSON")
    compacted = dict(registry.records)
    last = {key: number for number, (key, _) in enumerate(registry.records)}
    other = Registry()
    for key in sorted(compacted, key=lambda key: last[key]):
        other.subjects.apply(key, compacted[key])
    for target in ("/schemas?deleted=true", "/subjects", "/subjects/s/versions", "/subjects/t/versions/latest"):
        assert other.call("GET", target) == registry.call("GET", target)
    assert other.subjects.next_id == registry.subjects.next_id


def test_records_that_cannot_be_read_are_left_out(registry: Registry, caplog: pytest.LogCaptureFixture) -> None:
    for key, value in [
        (None, b"x"),
        (b"\xff", b"{}"),
        (b'{"keytype":"SCHEMA","subject":"s","version":1,"magic":1}', b"{"),
        (b'{"keytype":"MODE","subject":"s","magic":0}', b"[]"),
        (b'{"keytype":"CONTEXT","tenant":"default","context":".","magic":0}', b"{}"),
        (b'{"keytype":"NOOP","magic":0}', None),
    ]:
        registry.subjects.apply(key, value)
    assert registry.call("GET", "/subjects") == (200, [])
    assert len(caplog.records) == 3


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("AVRO", '{"type":"record","name":"A","fields":[{"name":"a","type":"int","order":[]}]}'),
        ("AVRO", '{"type":"record","name":"A","fields":[{"name":"a","type":"double","default":NaN}]}'),
        ("AVRO", '{"type":"int","doc":"\\ud800"}'),
        ("AVRO", "[" * 100_000),
        ("JSON", '{"not":' * 900 + "{}" + "}" * 900),
        ("JSON", '{"$schema":5}'),
        ("JSON", '{"title":"\\ud800"}'),
        ("JSON", '{"default":Infinity}'),
        ("PROTOBUF", 'syntax="proto3"; message A { int32 a = 99999999999999999999; }'),
        ("PROTOBUF", "enum E { A = -99999999999; }"),
    ],
)
def test_what_is_no_schema_is_refused_and_not_written(registry: Registry, kind: str, text: str) -> None:
    status, answer = registry.call("POST", "/subjects/s/versions", {"schema": text, "schemaType": kind})
    assert (status, answer["error_code"]) == (422, 42201)
    assert not registry.records


def test_errors_have_confluents_codes(registry: Registry) -> None:
    registry.register("s", INT)
    cases = [
        ("GET", "/subjects/x/versions", None, 40401),
        ("GET", "/subjects/x/versions/1", None, 40401),
        ("GET", "/subjects/s/versions/2", None, 40402),
        ("GET", "/subjects/s/versions/0", None, 42202),
        ("GET", "/subjects/s/versions/x", None, 42202),
        ("GET", "/schemas/ids/99", None, 40403),
        ("POST", "/subjects/x", {"schema": INT}, 40401),
        ("POST", "/subjects/s", {"schema": LONG}, 40403),
        ("POST", "/subjects/s/versions", {"schema": '"strin"'}, 42201),
        ("POST", "/subjects/s/versions", {"schema": INT, "schemaType": "XML"}, 42201),
        ("POST", "/subjects/s/versions", {"schema": '"string"'}, 409),
        ("POST", "/subjects/s/versions", {"schema": LONG, "id": 7}, 42205),
        ("POST", "/subjects/s/versions", b"no JSON", 422),
        ("POST", "/subjects/:.other:s/versions", {"schema": INT}, 42208),
        ("PUT", "/config/s", {"compatibility": "SOME"}, 42203),
        ("PUT", "/mode", {"mode": "SOME"}, 42204),
        ("PUT", "/mode", {"mode": "IMPORT"}, 42205),
        ("GET", "/config/s", None, 40408),
        ("GET", "/mode/s", None, 40409),
        ("DELETE", "/subjects/x", None, 40401),
        ("DELETE", "/subjects/s?permanent=true", None, 40405),
        ("DELETE", "/subjects/s/versions/1?permanent=true", None, 40407),
        ("POST", "/compatibility/subjects/s/versions/9", {"schema": INT}, 40402),
        ("POST", "/subjects/s/versions", {"schema": INT, "references": [REFERENCE]}, 42201),
        ("GET", "/nothing", None, 404),
        ("PATCH", "/subjects", None, 405),
    ]  # fmt: skip
    assert [(*case[:3], registry.error(*case[:3])) for case in cases] == cases
    assert registry.call("DELETE", "/subjects/s/versions/1") == (200, 1)
    assert registry.error("DELETE", "/subjects/s/versions/1") == 40406
    assert registry.error("DELETE", "/subjects/s") == 40404
    assert registry.error("GET", "/subjects/s/versions/latest") == 40401


@pytest.mark.parametrize(
    ("level", "third", "accepted"),
    [
        ("BACKWARD", '"double"', True),  # of "string", "bytes": the last one alone counts, and it is "int"
        ("BACKWARD_TRANSITIVE", '"double"', False),
        ("FORWARD", INT, True),
        ("FULL", '"double"', False),
        ("NONE", '"boolean"', True),
    ],
)
def test_levels(registry: Registry, level: str, third: str, accepted: bool) -> None:
    registry.call("PUT", "/config", {"compatibility": "NONE"})
    registry.register("s", '"string"')
    registry.register("s", INT)
    registry.call("PUT", "/config/s", {"compatibility": level})
    assert registry.call("GET", "/config/s") == (200, {"compatibilityLevel": level})
    verdict = {"is_compatible": accepted}
    assert registry.call("POST", "/compatibility/subjects/s/versions", {"schema": third}) == (200, verdict)
    assert (registry.call("POST", "/subjects/s/versions", {"schema": third})[0] == 200) is accepted


def test_a_check_says_why(registry: Registry) -> None:
    registry.register("s", INT)
    _, verdict = registry.call("POST", "/compatibility/subjects/s/versions/latest?verbose=true", {"schema": '"string"'})
    assert not verdict["is_compatible"]
    assert "TYPE_MISMATCH" in verdict["messages"][0]
    assert "in the new schema does not match with the old schema" in verdict["messages"][0]
    assert "{oldSchemaVersion: 1}" in verdict["messages"]
    nothing_there = registry.call("POST", "/compatibility/subjects/x/versions/latest", {"schema": INT})
    assert nothing_there == (200, {"is_compatible": True})


def test_modes(registry: Registry) -> None:
    registry.call("PUT", "/mode/s", {"mode": "READONLY"})
    assert registry.error("POST", "/subjects/s/versions", {"schema": INT}) == 42205
    registry.call("PUT", "/mode/s?force=true", {"mode": "IMPORT"})
    assert registry.call("POST", "/subjects/s/versions", {"schema": INT, "id": 40, "version": 3}) == (200, {"id": 40})
    assert registry.call("GET", "/subjects/s/versions") == (200, [3])
    assert registry.error("POST", "/subjects/s/versions", {"schema": LONG, "id": 40}) == 42205
    registry.call("DELETE", "/mode/s")
    assert registry.register("s", LONG) == 41


def test_lists(registry: Registry) -> None:
    registry.register("a-value", INT)
    registry.register("b%2Fvalue", LONG)
    assert registry.call("GET", "/subjects") == (200, ["a-value", "b/value"])
    assert registry.call("GET", "/subjects?offset=1&limit=1") == (200, ["b/value"])
    assert registry.call("GET", "/subjects?subjectPrefix=a-") == (200, ["a-value"])
    assert registry.call("GET", "/schemas/ids/2/versions") == (200, [{"subject": "b/value", "version": 1}])
    assert registry.call("GET", "/schemas/ids/2?fetchMaxId=true") == (200, {"schema": LONG, "maxId": 2})
    assert registry.call("GET", "/schemas/types") == (200, ["AVRO", "JSON", "PROTOBUF"])
    assert registry.call("GET", "/subjects/a-value/versions/1/schema") == (200, "int")


def test_normalize(registry: Registry) -> None:
    first = registry.register("s", '{"type":"string","b":1,"a":2}')
    _, answered = registry.call(
        "POST", "/subjects/t/versions?normalize=true", {"schema": '{"type":"string","b":1,"a":2}'}
    )
    assert answered["id"] != first
    again = registry.call("POST", "/subjects/t/versions?normalize=true", {"schema": '{"a":2,"type":"string","b":1}'})
    assert again == (200, answered)
