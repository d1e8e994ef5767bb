"""Each row of SKIPPED.md is refused as it says."""

from __future__ import annotations

import re
from importlib.resources import files

import msgspec
import pytest

from tests.marathon.cluster import Cluster

TEXT = (files("smackbox.marathon") / "SKIPPED.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| ([^|]+) \| `(\w+) (\S+)(?: (.*))?` \| (\d+) \|", TEXT, re.MULTILINE)


@pytest.mark.parametrize(("what", "method", "path", "body", "status"), ROWS, ids=[row[0] for row in ROWS])
def test_a_row(what: str, method: str, path: str, body: str, status: str) -> None:
    answered, answer = Cluster().request(method, path, msgspec.json.decode(body) if body else None)
    assert answered == int(status)
    assert answer["message"]


def test_there_are_rows() -> None:
    assert len(ROWS) == 6
