"""Running a job that somebody submits: a Python file or function here, a jar or a cluster of Spark's by `spark-submit`.

| master | what runs the job |
|---|---|
| `local`, `local[N]` | a process of its own: RDDs on N executors, DataFrames on an embedded Spark Connect server |
| `sc://host:port` | a process of its own, whose DataFrames are on that server |
| `mesos://…` | a process of its own, whose executors are tasks on Mesos; with `cluster` it is a task itself |
| `mesos://…` with a jar | the real `spark-submit`, on a Spark whose master and workers are tasks on Mesos |
| `spark://…`, `yarn`, `k8s://…`, and other jars | the real `spark-submit` of `SPARK_HOME` or the path |

The process gets its master, name and configuration by `SMACK_SPARK_CONF`, which `SparkContext` reads, and the server by
`SPARK_REMOTE`, which PySpark's own `SparkSession.builder` reads: a program of PySpark's runs unchanged.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from smackbox.base.errors import SettingError
from smackbox.base.settings import near
from smackbox.spark.rdd.context import CONF_VARIABLE, MASTERS, PY_FILES
from smackbox.spark.rdd.files import storage_of
from smackbox.spark.rdd.spark_files import ROOT_VARIABLE, add_file
from smackbox.spark.submission import Submission, spark_submit_command

REAL = ("spark://", "yarn", "k8s://")
SCHEMES = ("local", "local[4]", "sc://", "mesos://", "spark://", "yarn", "k8s://")
MESOS = "mesos://"
OPTIONS_ON_MESOS = {
    "--driver-memory": "spark.driver.memory",
    "--driver-cores": "spark.driver.cores",
    "--executor-memory": "spark.executor.memory",
    "--executor-cores": "spark.executor.cores",
    "--num-executors": "spark.executor.instances",
    "--total-executor-cores": "spark.cores.max",
}
"""The options that are settings, where the job's executors are ours."""
OPTIONS_OF_JARS = frozenset({"--packages", "--jars"})
STOP_TIMEOUT_S = 30.0


def submit(submission: Submission) -> int:
    """Run the job with this process's output, and give its exit code.

    Raises `SettingError` for a master that is not known, `StartError` where what is needed is not installed.
    """
    master = submission.master
    if master.startswith(MESOS):
        submission = _with_settings(submission)
        if submission.deploy_mode == "cluster":
            return _submit_driver(submission)
        if submission.is_jar:
            from smackbox.spark.standalone import submit_jar

            return submit_jar(submission)
    elif submission.is_jar or master.startswith(REAL):
        return _wait(subprocess.Popen(spark_submit_command(submission)))
    elif not master.startswith(("local", "sc://")):
        raise SettingError(f"no master {master!r}{near(master, SCHEMES)}; there is {MASTERS}, {', '.join(SCHEMES[2:])}")
    if submission.deploy_mode != "client":
        raise SettingError(f"--deploy-mode {submission.deploy_mode} needs a cluster; {master} has client")
    if submission.passed:
        option = next(iter(submission.passed))
        raise SettingError(f"{option} is an option of spark-submit, for jars and Spark's own clusters; see --help")
    with tempfile.TemporaryDirectory(prefix="smack-submit-") as scratch:
        command, environment = _command(submission, Path(scratch)), _environment(submission, Path(scratch))
        with _connect_server(master) as url:
            return _wait(subprocess.Popen(command, env={**environment, "SPARK_REMOTE": url}))


def _submit_driver(submission: Submission) -> int:
    """To a dispatcher, which answers at once; or, on a master of Mesos, as a framework that waits for its end."""
    from smackbox.spark.dispatcher.client import is_dispatcher, send
    from smackbox.spark.dispatcher.once import submit_and_wait

    if not is_dispatcher(submission.master):
        return submit_and_wait(submission)
    print(json.dumps(send(submission), indent=2))
    return 0


def _with_settings(submission: Submission) -> Submission:
    """Options as the settings that they stand for; `--conf` is the more exact one. Raises `SettingError`."""
    settings = {}
    kept = {}
    for option, value in submission.passed.items():
        if option in OPTIONS_OF_JARS and submission.is_jar:
            kept[option] = value
            continue
        if option not in OPTIONS_ON_MESOS:
            raise SettingError(f"{option} is an option of spark-submit, for jars and Spark's own clusters; see --help")
        settings[OPTIONS_ON_MESOS[option]] = value
    return replace(submission, conf={**settings, **submission.conf}, passed=kept)


@contextlib.contextmanager
def _connect_server(master: str) -> Iterator[str]:
    """The URL of a Spark Connect server for the job; one of its own for `local`, where Spark is installed."""
    if master.startswith("sc://"):
        yield master
        return
    from smackbox.net.service import ServiceThread
    from smackbox.spark.server import SparkServer
    from smackbox.spark.settings import SparkSettings

    with ServiceThread(SparkServer(SparkSettings(port=0))) as server:
        yield server.url


def _command(submission: Submission, scratch: Path) -> list[str]:
    job, storage = submission.job, storage_of(submission.conf)
    if "://" in job:
        job = str(add_file(job, scratch / "job", storage))
    if job.endswith(".py"):
        if not Path(job).is_file():
            raise SettingError(f"there is no file {job}")
        return [sys.executable, job, *submission.arguments]
    if ":" not in job:
        raise SettingError(f"{job!r} is neither a .py file, nor module:function, nor a .jar")
    return [sys.executable, "-m", "smackbox.spark.job_function", job, *submission.arguments]


def _environment(submission: Submission, scratch: Path) -> dict[str, str]:
    storage = storage_of(submission.conf)
    seen = {"spark.ui.enabled": "true", "spark.ui.showConsoleProgress": str(sys.stderr.isatty()).lower()}
    conf = {**seen, **submission.conf, "spark.master": submission.master}
    if submission.name:
        conf["spark.app.name"] = submission.name
    copies = [add_file(name, scratch / "py", storage) for name in submission.py_files]
    paths = [str(copy.parent) if copy.suffix == ".py" else str(copy) for copy in copies]
    if copies:
        conf[PY_FILES] = ",".join(map(str, copies))
    for name in submission.files:
        add_file(name, scratch / "files", storage)
    (scratch / "files").mkdir(exist_ok=True)
    known = os.environ.get("PYTHONPATH")
    return {
        **os.environ,
        CONF_VARIABLE: json.dumps(conf),
        ROOT_VARIABLE: str(scratch / "files"),
        "PYTHONPATH": os.pathsep.join([*dict.fromkeys(paths), *([known] if known else []), str(Path.cwd())]),
    }


def _wait(process: subprocess.Popen[bytes]) -> int:
    """The exit code; the job gets the signals that this process gets, and `STOP_TIMEOUT_S` to end."""

    def pass_on(number: int, _frame: object) -> None:
        process.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        return process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
