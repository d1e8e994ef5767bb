"""`SKIPPED.md` is complete for the agent: each row is refused as it says, and each call is served or has a row."""

from __future__ import annotations

import json
import re
from importlib.resources import files

from tests.mesos.agent.test_http import ask

from smackbox.mesos.agent.handlers.operator import OPERATIONS
from smackbox.mesos.agent.server.service import AgentService
from smackbox.mesos.wire.fields import enum_numbers

TEXT = (files("smackbox.mesos") / "SKIPPED.md").read_text(encoding="utf-8")
AGENT = TEXT.partition("## Agent")[2].partition("\n## ")[0]
ROWS = re.findall(r"^\| [^|]+ \| `POST (\S+) (.+?)` \| (\d+) \| .+ \|$", AGENT, re.MULTILINE)


def test_each_row_is_refused(agent: AgentService) -> None:
    for path, body, status in ROWS:
        assert ask(agent, path, body.encode(), {"Content-Type": "application/json"})[0] == int(status), body


def test_every_call_is_served_or_has_a_row() -> None:
    assert {json.loads(body)["type"] for _, body, _ in ROWS} == set(enum_numbers("agent.Call.Type")) - set(OPERATIONS)
