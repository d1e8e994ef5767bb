"""The same streaming programs on our server and on a real PySpark: rows of each batch, state and progress are equal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from bench.engines import real_spark
from tests.contract.spark import stream_programs

pytestmark = [pytest.mark.polyglot, pytest.mark.slow, pytest.mark.timeout(900)]
SCRIPT = Path(stream_programs.__file__)
TIMEOUT_S = 600


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    if reason := real_spark.missing():
        pytest.skip(reason)
    found = {}
    for engine, python in (("smackbox", Path(sys.executable)), ("pyspark", real_spark.python())):
        folder = tmp_path_factory.mktemp(engine)
        environ = {key: value for key, value in os.environ.items() if engine == "smackbox" or key != "PYTHONPATH"}
        command = [str(python), str(SCRIPT), engine, str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=TIMEOUT_S, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        found[engine] = json.loads((folder / "results.json").read_text())
    return found


@pytest.mark.parametrize("name", stream_programs.PROGRAMS)
def test_the_program_does_the_same_on_pyspark(results: dict[str, dict[str, Any]], name: str) -> None:
    assert results["smackbox"][name] == results["pyspark"][name]
