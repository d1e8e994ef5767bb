"""The registry is rebuilt from its topic, refuses a topic that would lose schemas, and asks for passwords."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from smackbox.base.errors import StartError
from smackbox.net.http import basic_authorization
from smackbox.net.service import ServiceThread
from smackbox.registry.server.service import RegistryServer
from smackbox.registry.settings import RegistrySettings


def call(url: str, method: str = "GET", body: object = None, authorization: str = "") -> tuple[int, object]:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": authorization} if authorization else {}
    request = urllib.request.Request(url, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_everything_is_in_the_topic(kafka: str) -> None:
    settings = RegistrySettings(kafka=kafka, kafkastore_topic="_rebuilt")
    with ServiceThread(RegistryServer(settings)) as first:
        assert call(f"{first.url}/subjects/s/versions", "POST", {"schema": '"int"'}) == (200, {"id": 1})
        assert call(f"{first.url}/config/s", "PUT", {"compatibility": "FULL"})[0] == 200
        with ServiceThread(RegistryServer(settings)) as second:
            assert call(f"{second.url}/subjects/s/versions/1")[1] == {
                "subject": "s", "version": 1, "id": 1, "schema": '"int"',
            }  # fmt: skip
            assert call(f"{second.url}/config/s") == (200, {"compatibilityLevel": "FULL"})
            assert call(f"{second.url}/subjects/t/versions", "POST", {"schema": '"long"'}) == (200, {"id": 2})
        assert call(f"{first.url}/subjects/u/versions", "POST", {"schema": '"bytes"'}) == (200, {"id": 3})


def test_a_topic_that_is_not_compacted_is_refused(kafka: str) -> None:
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.create_topics([NewTopic("_short", 1), NewTopic("_wide", 2)])["_wide"].result(60)
    for topic, word in (("_short", "cleanup.policy"), ("_wide", "2 partitions")):
        with pytest.raises(StartError, match=word):
            ServiceThread(RegistryServer(RegistrySettings(kafka=kafka, kafkastore_topic=topic))).start()


def test_a_broker_that_is_not_there_is_an_error_that_says_what_to_do() -> None:
    settings = RegistrySettings(kafka="127.0.0.1:1", kafkastore_timeout_ms=200)
    with pytest.raises(StartError, match="smack kafka serve"):
        ServiceThread(RegistryServer(settings)).start()


def test_passwords(kafka: str) -> None:
    settings = RegistrySettings(kafka=kafka, auth_users={"ada": "secret"})
    with ServiceThread(RegistryServer(settings)) as server:
        assert call(f"{server.url}/subjects")[0] == 401
        assert call(f"{server.url}/subjects", authorization=basic_authorization("ada", "wrong"))[0] == 401
        assert call(f"{server.url}/subjects", authorization=basic_authorization("ada", "secret"))[0] == 200
        assert call(f"{server.url}/healthz")[0] == 200
