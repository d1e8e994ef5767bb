"""`smack submit`: jobs here, with what goes along with them; clusters of Spark's through spark-submit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from smackbox.base.errors import SettingError, StartError
from smackbox.spark.submission import Submission, spark_submit_command
from smackbox.spark.submit import submit

TIMEOUT_S = 100.0


def smack(*arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "smackbox", "submit", *arguments]
    return subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def test_a_program_of_rdds_gets_its_master_its_arguments_and_what_goes_along(tmp_path: Path) -> None:
    """spark#10370: Python files and arguments were lost on the way."""
    (tmp_path / "helper.py").write_text("def double(x):\n    return 2 * x\n")
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        archive.writestr("zipped/__init__.py", "def triple(x):\n    return 3 * x\n")
    (tmp_path / "table.csv").write_text("a,b\n")
    (tmp_path / "job.py").write_text(
        """
import sys
from smackbox.spark import SparkContext, SparkFiles
from helper import double
from zipped import triple

with SparkContext() as sc:
    print(sc.master, sc.appName, sc.settings["spark.default.parallelism"], sys.argv[1:])
    print(sc.parallelize([1, 2], 2).map(lambda x: (double(x), triple(x))).collect())
    print(sc.parallelize([0], 1).map(lambda _: open(SparkFiles.get("table.csv")).read()).collect())
sys.exit(3)
"""
    )
    done = smack(
        "--master", "local[2]", "--name", "mine", "--conf", "spark.default.parallelism=7",
        "--py-files", "helper.py,more.zip", "--files", "table.csv", "job.py", "--level", "x y",
        cwd=tmp_path,
    )  # fmt: skip
    assert done.stdout.splitlines() == [
        "local[2] mine 7 ['--level', 'x y']",
        "[(2, 3), (4, 6)]",
        "['a,b\\n']",
    ], done.stderr
    assert done.returncode == 3


def test_a_program_of_pysparks_own_session_runs_unchanged(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text(
        """
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
print(spark.range(5).count())
spark.stop()
"""
    )
    done = smack("--master", "local", str(tmp_path / "job.py"))
    assert (done.stdout, done.returncode) == ("5\n", 0), done.stderr


def test_a_function_gets_what_it_asks_for(tmp_path: Path) -> None:
    (tmp_path / "reports.py").write_text(
        """
def daily(spark, args):
    return spark.range(int(args[0])).count()

def totals(sc):
    return sc.master, sc.parallelize([1, 2, 3]).sum()

def wrong(table):
    pass
"""
    )
    assert smack("reports:daily", "4", cwd=tmp_path).stdout == "4\n"
    assert smack("--master", "local[1]", "reports:totals", cwd=tmp_path).stdout == "('local[1]', 6)\n"
    for job, message in (
        ("reports:wrong", "reports:wrong wants 'table'; there is args, sc, spark"),
        ("reports:dayly", "reports has no function 'dayly' (did you mean 'daily'?)"),
        ("nothing:f", "there is no module 'nothing'"),
    ):
        done = smack(job, cwd=tmp_path)
        assert done.returncode == 1
        assert message in done.stderr


def test_an_error_of_the_job_is_its_own_exit_code_and_traceback(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text("raise RuntimeError('broken')\n")
    done = smack(str(tmp_path / "job.py"))
    assert done.returncode == 1
    assert "RuntimeError: broken" in done.stderr


def test_a_signal_reaches_the_job(tmp_path: Path) -> None:
    marker = tmp_path / "ended"
    (tmp_path / "job.py").write_text(
        f"""
import pathlib, signal, sys, time

def end(*_):
    pathlib.Path({str(marker)!r}).touch()
    sys.exit(9)

signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
time.sleep(100)
"""
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "smackbox", "submit", str(tmp_path / "job.py")], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT_S) == 9
        assert marker.exists()
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture
def spark_home(tmp_path: Path) -> Path:
    """A Spark whose spark-submit says what it was told."""
    program = tmp_path / "bin" / "spark-submit"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nfor word in "$@"; do echo "$word"; done\nexit 5\n')
    program.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("master", ["spark://one:7077", "yarn", "k8s://https://two:443", "local[2]"])
def test_clusters_of_sparks_and_jars_go_through_spark_submit(spark_home: Path, master: str) -> None:
    done = smack(
        "--master", master, "--class", "org.example.Main", "--deploy-mode", "cluster", "--conf", "a=b c",
        "--packages", "g:a:1", "--driver-memory", "2g", "--py-files", "x.py,y.zip", "app.jar", "--own", "1",
        SPARK_HOME=str(spark_home),
    )  # fmt: skip
    assert done.stdout.splitlines() == [
        "--master", master, "--deploy-mode", "cluster", "--class", "org.example.Main", "--py-files", "x.py,y.zip",
        "--conf", "a=b c", "--packages", "g:a:1", "--driver-memory", "2g", "app.jar", "--own", "1",
    ]  # fmt: skip
    assert done.returncode == 5


def test_what_cannot_be_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("SPARK_HOME", raising=False)
    with pytest.raises(StartError, match="set SPARK_HOME to a Spark 4.*cannot share an environment"):
        spark_submit_command(Submission("app.jar"))
    monkeypatch.setenv("SPARK_HOME", str(tmp_path))
    with pytest.raises(StartError, match=r"which is not in SPARK_HOME"):
        spark_submit_command(Submission("job.py", master="yarn"))
    for submission, message in (
        (Submission("job.py", master="lokal"), r"no master 'lokal' \(did you mean 'local'\?\)"),
        (Submission("job.py", deploy_mode="cluster"), "needs a cluster"),
        (Submission("job.py", passed={"--jars": "x.jar"}), "--jars is an option of spark-submit"),
        (Submission(str(tmp_path / "nothing.py")), "there is no file"),
        (Submission("job.txt"), "is neither a .py file, nor module:function, nor a .jar"),
    ):
        with pytest.raises(SettingError, match=message):
            submit(submission)
    done = smack("--conf", "a", "job.py")
    assert (done.returncode, done.stderr) == (1, "smack: --conf a: it has to be KEY=VALUE\n")


def test_files_are_added_while_a_context_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from smackbox.spark import SparkContext, SparkFiles
    from smackbox.spark.rdd.errors import JobError
    from smackbox.spark.rdd.spark_files import ROOT_VARIABLE

    monkeypatch.delenv(ROOT_VARIABLE, raising=False)  # that of a context which other tests share

    (tmp_path / "late_module.py").write_text("VALUE = 42\n")
    (tmp_path / "data.txt").write_text("here")
    with SparkContext("local[2]") as sc:
        assert sc.parallelize([1, 2], 2).count() == 2  # the executors run
        sc.addPyFile(str(tmp_path / "late_module.py"))
        sc.addFile(str(tmp_path / "data.txt"))

        def both(_: int) -> tuple[int, str]:
            import late_module  # type: ignore[import-not-found]

            return late_module.VALUE, Path(SparkFiles.get("data.txt")).read_text()

        assert sc.parallelize([0, 1], 2).map(both).collect() == [(42, "here")] * 2
        with pytest.raises(JobError, match="no file 'other' was added"):
            SparkFiles.get("other")
        with pytest.raises(JobError, match="Input path does not exist"):
            sc.addFile(str(tmp_path / "other"))
    with pytest.raises(JobError, match="there is none"):
        SparkFiles.getRootDirectory()
