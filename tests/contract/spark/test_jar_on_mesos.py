"""A jar on `mesos://`: a real Spark's master and worker are Mesos tasks while it runs, and nothing is left behind."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench.engines import real_spark
from tests.contract.pool import Pool, until

from smackbox.spark.dispatcher.service import DispatcherServer, DispatcherSettings

MISSING = real_spark.missing() or (None if shutil.which("javac") else "there is no javac")
pytestmark = [
    pytest.mark.polyglot,
    pytest.mark.timeout(900),
    pytest.mark.skipif(MISSING is not None, reason=str(MISSING)),
]
TIMEOUT_S = 300.0
MAIN = """
import java.util.*;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.*;
import scala.Tuple2;

public class Totals {
    public static void main(String[] args) {
        try (JavaSparkContext sc = new JavaSparkContext(new SparkConf())) {
            List<Integer> rows = new ArrayList<>();
            for (int i = 0; i < 100; i++) rows.add(i);
            JavaPairRDD<Integer, Integer> pairs = sc.parallelize(rows, 4).mapToPair(i -> new Tuple2<>(i % 3, i));
            Map<Integer, Integer> totals = new TreeMap<>(pairs.reduceByKey(Integer::sum).collectAsMap());
            String kind = sc.master().split(":")[0];
            System.out.println(kind + " " + totals + " " + String.join(",", args));
        }
        if (args.length > 1) System.exit(Integer.parseInt(args[1]));
    }
}
"""


@pytest.fixture(scope="module")
def home() -> Path:
    return next(Path(real_spark.python()).parents[1].glob("lib/python*/site-packages/pyspark"))


@pytest.fixture(scope="module")
def jar(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("jar")
    (directory / "Totals.java").write_text(MAIN)
    subprocess.run(["javac", "-cp", f"{home}/jars/*", "Totals.java"], cwd=directory, check=True)
    classes = sorted(path.name for path in directory.glob("*.class"))
    subprocess.run(["jar", "cf", "totals.jar", *classes], cwd=directory, check=True)
    return directory / "totals.jar"


@pytest.fixture(scope="module")
def mesos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    with Pool(tmp_path_factory.mktemp("mesos")) as pool:
        pool.start_master()
        pool.start_agent(resources="cpus:3;mem:6000;disk:1000;ports:[33000-34000]")
        yield pool


def tasks(pool: Pool) -> dict[str, str]:
    """Every task that Mesos has had: name and state."""
    with urllib.request.urlopen(f"http://{pool.master}/tasks", timeout=10) as answer:
        return {task["name"]: task["state"] for task in json.load(answer)["tasks"]}


def test_sparks_own_client_submits_and_kills(mesos: Pool, home: Path, jar: Path) -> None:
    """`spark-submit` of a standalone cluster, whose REST client finds our dispatcher."""
    dispatcher = mesos.start(DispatcherServer(DispatcherSettings(master=mesos.master, port=0)))
    address = dispatcher.url.partition("://")[2]
    conf = ["--conf", "spark.master.rest.enabled=true", "--conf", f"spark.mesos.executor.home={home}"]

    def client(*arguments: str) -> str:
        done = subprocess.run(
            [str(home / "bin" / "spark-submit"), "--master", f"spark://{address}", *arguments],
            env={**os.environ, "SPARK_HOME": str(home)},
            capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def state(submission_id: str) -> str:
        with urllib.request.urlopen(f"{dispatcher.url}/v1/submissions/status/{submission_id}", timeout=10) as answer:
            return str(json.load(answer)["driverState"])

    said = client(
        "--deploy-mode", "cluster", "--class", "Totals", "--name", "sent", *conf, "--driver-memory", "512m",
        "--conf", "spark.driver.cores=77", str(jar), "one",
    )  # fmt: skip
    found = re.search(r"driver-\d{14}-\d{4}", said)
    assert found is not None, said
    submission_id = found.group()
    assert '"success" : true' in said
    client("--kill", submission_id, *conf)
    assert state(submission_id) == "KILLED"
    driver = dispatcher.service.running.leadership.term.machine.drivers[submission_id]  # type: ignore[attr-defined]
    assert (driver.submission.class_name, driver.submission.arguments) == ("Totals", ("one",))


@pytest.mark.parametrize("mode", ["client", "cluster"])
def test_a_jar_runs_on_a_spark_that_lives_for_it(mesos: Pool, home: Path, jar: Path, mode: str) -> None:
    arguments = [
        "--master", f"mesos://{mesos.master}", "--deploy-mode", mode, "--class", "Totals", "--name", "totals",
        "--total-executor-cores", "1", "--executor-memory", "512m", "--driver-memory", "512m",
        "--conf", "spark.ui.enabled=false", str(jar), "one", "7",
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "smackbox", "submit", *arguments],
        env={**os.environ, "SPARK_HOME": str(home)}, capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
    assert done.stdout.splitlines() == ["spark {0=1683, 1=1617, 2=1650} one,7"], done.stderr
    assert done.returncode == 7
    alive = {"TASK_STAGING", "TASK_STARTING", "TASK_RUNNING"}
    until(lambda: alive.isdisjoint(tasks(mesos).values()), "the end of the tasks")
    assert {"Spark master", "executor 0"} <= set(tasks(mesos))
