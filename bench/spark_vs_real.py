"""How fast are RDD programs and a first query here, beside PySpark 4 on `local[2]`, each in a process of its own?

    python -m bench.spark_vs_real [--rounds 3] [--small]

The same program runs in both, in turn; medians and the ratio of the two are printed, and the memory of each process
with its children after the first query and at the end. `--small`: a tenth of the data. Needs Java 17.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.engines import real_spark

GOALS = {
    "import, session and first query, s": 8.0,
    "reduceByKey of 5 M, 1,000 keys, s": 2.0,
    "reduceByKey of 5 M, 500,000 keys, s": 2.0,
    "word count of 5 M words, s": 2.0,
    "sortByKey of 1 M, s": 1.0,
    "map, filter, count of 5 M, s": 1.5,
    "tiny job of two stages p50, ms": 18.0,
    "group-by of 10 M rows, s": 4.0,
    "memory after the first query, MB": 2.0,
    "memory at the end, MB": 3.0,
}
TIMEOUT_S = 900
PROGRAM = """
import json, os, statistics, sys, time
began = time.perf_counter()
ours, scale = sys.argv[1] == "ours", int(sys.argv[2])
from operator import add
figures = {}

def timed(name, work, unit=1.0):
    started = time.perf_counter()
    work()
    figures[name] = (time.perf_counter() - started) * unit

def memory(name):
    # pages that processes share count in parts
    pids, total = [os.getpid()], 0
    while pids:
        pid = pids.pop()
        try:
            lines = open(f"/proc/{pid}/smaps_rollup").read().splitlines()
            total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
            for task in os.listdir(f"/proc/{pid}/task"):
                pids += map(int, open(f"/proc/{pid}/task/{task}/children").read().split())
        except OSError:
            pass
    figures[name] = total / 1024

if ours:
    import smackbox.spark
    spark = smackbox.spark.session()
else:
    from pyspark.sql import SparkSession
    spark = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
assert spark.range(10).selectExpr("sum(id)").collect()[0][0] == 45
figures["import, session and first query, s"] = time.perf_counter() - began
memory("memory after the first query, MB")
if ours:
    from smackbox.spark import SparkContext
    sc = SparkContext("local[2]", "bench")
else:
    sc = spark.sparkContext
    sc.setLogLevel("ERROR")
many, fewer = 5_000_000 // scale, 1_000_000 // scale
sc.parallelize(range(1000), 2).map(lambda n: (n % 10, 1)).reduceByKey(add).collect()  # workers are there
for keys in (1_000, 500_000):
    pairs = sc.parallelize(range(many), 4).map(lambda n, keys=keys: (n % keys, 1))
    timed(f"reduceByKey of 5 M, {keys:,} keys, s", lambda pairs=pairs: pairs.reduceByKey(add).count())
lines = sc.parallelize(range(many // 10), 4).map(lambda n: " ".join(f"word{(n * 7 + k) % 5000}" for k in range(10)))
timed("word count of 5 M words, s", lambda: lines.flatMap(str.split).map(lambda w: (w, 1)).reduceByKey(add).count())
rows = sc.parallelize(range(fewer), 4).map(lambda n: ((n * 7_919) % fewer, n))
timed("sortByKey of 1 M, s", lambda: rows.sortByKey().count())
numbers = sc.parallelize(range(many), 4)
timed("map, filter, count of 5 M, s", lambda: numbers.map(lambda n: n + 1).filter(lambda n: n % 3).count())
tiny = []
for _ in range(20):
    started = time.perf_counter()
    sc.parallelize([(1, 1), (2, 2)], 2).reduceByKey(add, 2).collect()
    tiny.append((time.perf_counter() - started) * 1000)
figures["tiny job of two stages p50, ms"] = statistics.median(tiny)
frame = spark.range(10_000_000 // scale).selectExpr("id % 1000 AS k", "id AS v")
timed("group-by of 10 M rows, s", lambda: frame.groupBy("k").sum("v").collect())
memory("memory at the end, MB")
print("FIGURES " + json.dumps(figures), flush=True)
sc.stop()
"""


def run(python: str, which: str, scale: int) -> dict[str, float]:
    """The figures of one run. Raises `RuntimeError` with what it printed."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "program.py"
        file.write_text(PROGRAM)
        done = subprocess.run(
            [python, str(file), which, str(scale)], capture_output=True, text=True, check=False, timeout=TIMEOUT_S
        )
    line = next((line for line in done.stdout.splitlines() if line.startswith("FIGURES ")), None)
    if line is None:
        raise RuntimeError(f"{which}: {done.stderr[-2000:]}")
    figures: dict[str, float] = json.loads(line.removeprefix("FIGURES "))
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--small", action="store_true")
    arguments = parser.parse_args()
    if (reason := real_spark.missing()) is not None:
        sys.exit(reason)
    scale = 10 if arguments.small else 1
    runs: dict[str, list[dict[str, float]]] = {"ours": [], "real": []}
    for _ in range(arguments.rounds):
        runs["ours"].append(run(sys.executable, "ours", scale))
        runs["real"].append(run(str(real_spark.python()), "real", scale))
    print(f"{'':40} {'smackbox':>10} {'PySpark':>10} {'times':>7} {'goal':>6}")
    for name, goal in GOALS.items():
        ours, real = (statistics.median(figures[name] for figures in runs[side]) for side in ("ours", "real"))
        print(f"{name:40} {ours:10.2f} {real:10.2f} {real / ours:7.2f} {goal:6.1f}")


if __name__ == "__main__":
    main()
