"""The same pipeline project under `smack pipelines` and a real `spark-pipelines`: equal tables after each run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from bench.engines import real_spark
from tests.contract.spark import pipeline_project as project

pytestmark = [pytest.mark.polyglot, pytest.mark.slow, pytest.mark.timeout(900)]
TIMEOUT_S = 300


@pytest.mark.parametrize("engine", ["smackbox", "pyspark"])
def test_a_project_gives_the_same_tables(engine: str, tmp_path: Path) -> None:
    if engine == "pyspark" and (reason := real_spark.missing()):
        pytest.skip(reason)
    spec = project.make(tmp_path)
    warehouse = tmp_path / ("storage/warehouse" if engine == "smackbox" else "spark-warehouse")

    def run(*arguments: str) -> str:
        environ = dict(os.environ)
        command = [sys.executable, "-m", "smackbox", "pipelines"]
        if engine == "pyspark":
            python = real_spark.python()
            environ |= {"PYSPARK_PYTHON": str(python), "PYSPARK_DRIVER_PYTHON": str(python)}
            environ["PATH"] = f"{python.parent}:{environ['PATH']}"
            environ.pop("PYTHONPATH", None)
            # a catalog that outlives a run: the default one is in memory, and then finds its own directories in the way
            kept = ["--conf", "spark.sql.catalogImplementation=hive"]
            command = [str(python.parent / "spark-pipelines")]
            arguments = (*arguments, *kept)
        done = subprocess.run(
            [*command, arguments[0], "--spec", str(spec), *arguments[1:]],
            capture_output=True, text=True, env=environ, timeout=TIMEOUT_S, check=False, cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout + done.stderr

    assert "Run is COMPLETED" in run("dry-run")
    assert not any(project.tables(warehouse).values())
    run("run")
    assert project.tables(warehouse) == project.expected(project.FIRST)
    project.put(tmp_path, "later", project.LATER)
    run("run")
    everything = [*project.FIRST, *project.LATER]
    assert project.tables(warehouse) == project.expected(everything)
    (tmp_path / "data" / "first.json").unlink()
    run("run", "--full-refresh-all")
    assert project.tables(warehouse) == project.expected(project.LATER)
