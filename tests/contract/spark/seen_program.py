"""Jobs whose stages and counts are compared: `python seen_program.py smackbox|pyspark FOLDER`.

Writes `FOLDER/rest.json`: what the REST interface shows after them. The event log is in `FOLDER/events`.
"""

from __future__ import annotations

import json
import sys
import urllib.request
from pathlib import Path
from typing import Any

engine, folder = sys.argv[1], Path(sys.argv[2])
logs = folder / "events"
logs.mkdir(exist_ok=True)
CONF = {
    "spark.ui.enabled": "true",
    "spark.ui.port": "0",
    "spark.eventLog.enabled": "true",
    "spark.eventLog.dir": f"file:{logs}",
    "spark.eventLog.rolling.enabled": "false",
    "spark.eventLog.compress": "false",
    "spark.task.maxFailures": "1",
}


def context() -> Any:
    if engine == "smackbox":
        from smackbox.spark import SparkContext

        return SparkContext("local[2]", "seen", conf=CONF)
    from pyspark import SparkConf
    from pyspark import SparkContext as RealContext

    return RealContext("local[2]", "seen", conf=SparkConf().setAll(list(CONF.items())))


sc = context()
sc.setJobGroup("reports", "the daily report")
counts = sc.parallelize(range(100), 4).map(lambda row: (row % 3, 1)).reduceByKey(lambda a, b: a + b, 3)
counts.collect()
counts.mapValues(lambda value: value + 1).collect()
try:
    sc.parallelize([1, 0], 2).map(lambda row: 1 // row).collect()
except Exception as error:  # noqa: BLE001 - each engine has its own
    print("failed as it should:", type(error).__name__)


def get(path: str) -> Any:
    with urllib.request.urlopen(f"{sc.uiWebUrl}/api/v1/{path}") as answer:
        return json.load(answer)


app = sc.applicationId
shown = {
    "applications": get("applications"),
    "jobs": get(f"applications/{app}/jobs"),
    "job": get(f"applications/{app}/jobs/0"),
    "failed": get(f"applications/{app}/jobs?status=failed"),
    "stages": get(f"applications/{app}/stages"),
    "stage": get(f"applications/{app}/stages/0"),
    "tasks": get(f"applications/{app}/stages/0/0/taskList"),
    "executors": get(f"applications/{app}/executors"),
}
(folder / "rest.json").write_text(json.dumps(shown))
sc.stop()
