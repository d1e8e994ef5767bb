"""`SKIPPED.md` is complete: each row is refused as it says, and each call that the table has is served or has a row."""

from __future__ import annotations

import json
import re
from importlib.resources import files

import pytest
from tests.mesos.master.cluster import Cluster, FakeAgent, FakeFramework

from smackbox.mesos.master.handlers.operator import CHANGES, READS, READS_OF
from smackbox.mesos.master.handlers.scheduler import HANDLERS
from smackbox.mesos.master.state.operations import NOT_DONE, ON_RESOURCES
from smackbox.mesos.wire.fields import enum_numbers
from smackbox.net.http import HttpResponse

TEXT = (files("smackbox.mesos") / "SKIPPED.md").read_text(encoding="utf-8")
MASTER = TEXT.partition("## Master")[2].partition("\n## ")[0]
ROWS = re.findall(r"^\| [^|]+ \| `(\w+) (.+?)` \| (\w+) \| .+ \|$", MASTER, re.MULTILINE)
REQUESTS = [row for row in ROWS if row[0] != "OPERATION"]
OPERATIONS = [row for row in ROWS if row[0] == "OPERATION"]


@pytest.mark.parametrize(("method", "call", "status"), REQUESTS)
def test_requests(method: str, call: str, status: str) -> None:
    path, _, body = call.partition(" ")
    cluster = Cluster()
    answer = cluster.post(path, json.loads(body)) if body else cluster.request(method, path)
    assert isinstance(answer, HttpResponse)
    assert answer.status == int(status)


@pytest.mark.parametrize(("_", "operation", "state"), OPERATIONS)
def test_operations(_: str, operation: str, state: str) -> None:
    cluster = Cluster()
    FakeAgent(cluster)
    framework = FakeFramework(cluster)
    framework.accept(framework.offers(), json.loads(operation))
    [event] = framework.stream.events("UPDATE_OPERATION_STATUS")
    status = event["update_operation_status"]["status"]
    assert status["state"] == state
    assert status["message"]


def test_every_call_is_served_or_has_a_row() -> None:
    named = {json.loads(call.partition(" ")[2])["type"] for _, call, _ in REQUESTS if " " in call}
    refused = {kind for kind in CHANGES if CHANGES[kind].__name__ == "not_done"}
    assert refused == {"GROW_VOLUME", "SHRINK_VOLUME"} <= named
    assert set(enum_numbers("master.Call.Type")) == {*READS, *READS_OF, *CHANGES, "SUBSCRIBE", "UNKNOWN"}
    assert set(enum_numbers("scheduler.Call.Type")) == {*HANDLERS, "SUBSCRIBE", "UNKNOWN"}
    operations = {json.loads(operation)["type"] for _, operation, _ in OPERATIONS}
    assert operations == NOT_DONE
    every = set(enum_numbers("Offer.Operation.Type")) - {"UNKNOWN", "LAUNCH", "LAUNCH_GROUP"}
    assert every == {*ON_RESOURCES, *NOT_DONE}
