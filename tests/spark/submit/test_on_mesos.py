"""`smack submit --master mesos://…`: the driver here, or as a task; its code, options, logs and exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer
from tests.contract.pool import Pool, until

TIMEOUT_S = 100.0
SMALL = ["--driver-memory", "100m", "--executor-memory", "64m", "--total-executor-cores", "2"]
OVERHEAD = ["--conf", "spark.driver.memoryOverhead=100m", "--conf", "spark.executor.memoryOverhead=64m"]
JOB = """
import os, sys
from smackbox.spark import SparkContext, SparkFiles
from shapes import corners

with SparkContext() as sc:
    print(sc.appName, sc.settings["spark.cores.max"], sc.settings["spark.driver.memory"], sys.argv[1:])
    pairs = sc.parallelize(range(10), 4).map(lambda x: (x % 2, x + corners("square"))).reduceByKey(lambda a, b: a + b)
    print(sorted(pairs.collect()))
    print(sc.parallelize([0], 1).map(lambda _: open(SparkFiles.get("names.txt")).read()).collect())
    print("sandbox" if "MESOS_SANDBOX" in os.environ else "no sandbox")
print("words on stderr: \\u00e9", file=sys.stderr)
sys.exit(3)
"""


@pytest.fixture(scope="module")
def mesos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    with Pool(tmp_path_factory.mktemp("mesos")) as pool:
        pool.start_master(allocation_interval="50ms")
        pool.start_agent()
        yield pool


def command(pool: Pool, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "smackbox", "submit", "--master", f"mesos://{pool.master}", *arguments]


def smack(pool: Pool, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(pool, *arguments), cwd=cwd, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )


def tasks(pool: Pool) -> list[dict[str, str]]:
    """The tasks that Mesos has now."""
    with urllib.request.urlopen(f"http://{pool.master}/tasks", timeout=10) as answer:
        found = json.load(answer)["tasks"]
    return [task for task in found if task["state"] in {"TASK_STAGING", "TASK_STARTING", "TASK_RUNNING"}]


@pytest.mark.parametrize("mode", ["client", "cluster"])
def test_a_job_gets_its_options_and_gives_its_output_and_exit_code(mesos: Pool, tmp_path: Path, mode: str) -> None:
    (tmp_path / "job.py").write_text(JOB)
    (tmp_path / "shapes.py").write_text("def corners(shape):\n    return {'square': 4}[shape]\n")
    (tmp_path / "names.txt").write_text("triangle")
    done = smack(
        mesos, "--deploy-mode", mode, "--name", "mine", *SMALL, *OVERHEAD, "--py-files", "shapes.py",
        "--files", "names.txt", "job.py", "--level", "x y", cwd=tmp_path,
    )  # fmt: skip
    assert done.stdout.splitlines() == [
        "mine 2 100m ['--level', 'x y']",
        "[(0, 40), (1, 45)]",
        "['triangle']",
        "sandbox" if mode == "cluster" else "no sandbox",
    ], done.stderr
    assert "words on stderr: é\n" in done.stderr
    assert done.returncode == 3
    if mode == "cluster":
        assert "TASK_FAILED: Command exited with status 3" in done.stderr
    assert until(lambda: not tasks(mesos), "nothing to be left")


def test_the_code_of_a_driver_comes_from_a_bucket(mesos: Pool, tmp_path: Path) -> None:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        url = "http://{}:{}".format(*server.get_host_and_port())
        keys = {"aws_access_key_id": "k", "aws_secret_access_key": "s", "region_name": "us-east-1"}
        s3 = boto3.client("s3", endpoint_url=url, **keys)
        s3.create_bucket(Bucket="code")
        s3.put_object(Bucket="code", Key="jobs/job.py", Body=b"import shapes, sys\nprint(shapes.NAME, sys.argv[1:])\n")
        s3.put_object(Bucket="code", Key="shapes.py", Body=b"NAME = 'square'\n")
        access = {"access.key": "k", "secret.key": "s", "endpoint": url, "endpoint.region": "us-east-1"}
        conf = [part for key, value in access.items() for part in ("--conf", f"spark.hadoop.fs.s3a.{key}={value}")]
        done = smack(
            mesos, "--deploy-mode", "cluster", *SMALL, *OVERHEAD, *conf, "--py-files", "s3a://code/shapes.py",
            "s3a://code/jobs/job.py", "one", cwd=tmp_path,
        )  # fmt: skip
    finally:
        server.stop()
    assert (done.stdout, done.returncode) == ("square ['one']\n", 0), done.stderr


def test_a_supervised_driver_comes_by_http_and_is_started_again(mesos: Pool, tmp_path: Path) -> None:
    (tmp_path / "my job.py").write_text(
        f"""
import pathlib, sys
import shapes
tries = pathlib.Path({str(tmp_path)!r}) / "tries"
tries.write_text((tries.read_text() if tries.exists() else "") + "x")
print("try", tries.read_text(), shapes.NAME, pathlib.Path(__file__).parent == pathlib.Path.cwd())
sys.exit(0 if tries.read_text() == "xx" else 5)
"""
    )
    (tmp_path / "shapes.py").write_text("NAME = 'square'\n")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        done = smack(
            mesos, "--deploy-mode", "cluster", "--supervise", *SMALL, *OVERHEAD, "--py-files", f"{url}/shapes.py",
            f"{url}/my%20job.py", cwd=tmp_path,
        )  # fmt: skip
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert done.stdout.splitlines() == ["try x square True", "try xx square True"], done.stderr
    assert done.returncode == 0


def test_a_job_that_does_not_begin_says_why(mesos: Pool, tmp_path: Path) -> None:
    done = smack(mesos, "--deploy-mode", "cluster", *SMALL, "/there/is/no/job.py", cwd=tmp_path)
    assert done.returncode == 1
    assert "there is no file /there/is/no/job.py" in done.stderr


def test_an_unknown_option_and_an_unplaceable_driver_are_named(mesos: Pool, tmp_path: Path) -> None:
    (tmp_path / "job.py").touch()
    for options, said in (
        (["--conf", "spark.mesos.rol=x"], "did you mean 'spark.mesos.role'"),
        (["--packages", "a:b:1"], "--packages is an option of spark-submit"),
        (["--driver-cores", "77", "--conf", "spark.smack.offerTimeout=2s"], "cpus 4 of 77"),
        (["--conf", "spark.driver.supervise=perhaps"], "must be true or false"),
    ):
        done = smack(mesos, "--deploy-mode", "cluster", *options, "job.py", cwd=tmp_path)
        assert done.returncode == 1
        assert said in done.stderr, done.stderr
        assert "Traceback" not in done.stderr


def test_executors_end_with_a_driver_that_is_killed(mesos: Pool) -> None:
    sizes = {"memory": "64m", "memoryOverhead": "64m", "cores": "1"}
    conf = {"spark.cores.max": "2", **{f"spark.executor.{key}": value for key, value in sizes.items()}}
    code = (
        "from smackbox.spark import SparkContext; import time; "
        f"sc = SparkContext('mesos://{mesos.master}', conf={conf}); "
        "print(sc.parallelize([1, 2], 2).sum(), flush=True); time.sleep(1000)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout is not None
        assert driver.stdout.readline() == "3\n"
        assert tasks(mesos)
        driver.kill()
    assert until(lambda: not tasks(mesos), "the end of the executors")


def test_a_signal_ends_the_driver(mesos: Pool, tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text("import time\nprint('begun', flush=True)\ntime.sleep(1000)\n")
    process = subprocess.Popen(
        command(mesos, "--deploy-mode", "cluster", *SMALL, *OVERHEAD, str(tmp_path / "job.py")),
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(TIMEOUT_S) != 0
        assert until(lambda: not tasks(mesos), "nothing to be left")
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
