"""`make real`: the contract tests on a real Kafka and a real Cassandra from their Maven jars, and Debian's ZooKeeper.

Says in one line what is missing where one of them cannot run, runs what can, and fails when a test failed or when
none could run. Arguments go to pytest.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench.engines import real_cassandra, real_kafka, real_pekko, real_zookeeper

CONTRACT = Path("tests/contract")
# The clients' group joins are asked to be prompt, as every test cluster's are.
KAFKA_CONFIG = {"group.initial.rebalance.delay.ms": "0", "delete.topic.enable": "true"}
CASSANDRA_CONFIG: dict[str, str] = {}


def main(arguments: list[str]) -> int:
    environ = dict(os.environ)
    folders = []
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="smackbox-real-")))
        if reason := real_kafka.missing():
            print(f"real Kafka cannot run here: {reason}", flush=True)
        else:
            kafka = stack.enter_context(real_kafka.RealKafka(scratch / "kafka", KAFKA_CONFIG))
            print(f"real Kafka answers at {kafka.bootstrap} after {kafka.start_s:.1f} s", flush=True)
            environ["SMACK_REAL_KAFKA"] = kafka.bootstrap
            folders.append(CONTRACT / "kafka")
        if reason := real_cassandra.missing():
            print(f"real Cassandra cannot run here: {reason}", flush=True)
        else:
            cassandra = stack.enter_context(real_cassandra.RealCassandra(scratch / "cassandra", CASSANDRA_CONFIG))
            host, port = cassandra.address
            print(f"real Cassandra answers at {host}:{port} after {cassandra.start_s:.1f} s", flush=True)
            environ["SMACK_REAL_CASSANDRA"] = f"{host}:{port}"
            folders.append(CONTRACT / "cassandra")
        if reason := real_zookeeper.missing():
            print(f"real ZooKeeper cannot run here: {reason}", flush=True)
        else:
            zookeeper = stack.enter_context(real_zookeeper.RealZooKeeper(scratch / "zookeeper"))
            print(f"real ZooKeeper answers at {zookeeper.address} after {zookeeper.start_s:.1f} s", flush=True)
            environ["SMACK_REAL_ZOOKEEPER"] = zookeeper.address
            folders.append(CONTRACT / "zookeeper")
        if reason := real_pekko.missing():
            print(f"a real Pekko cannot run here: {reason}", flush=True)
        else:
            folders.append(CONTRACT / "akka")
        if {CONTRACT / "kafka", CONTRACT / "cassandra"} <= set(folders):
            environ |= {"SMACK_KAFKA": kafka.bootstrap, "SMACK_CASSANDRA": f"{host}:{port}"}
            folders += [CONTRACT / "spark", Path("tests/examples"), Path("tests/spark/rdd/test_cassandra.py")]
        if not folders:
            return 1
        command = [sys.executable, "-m", "pytest", "-q", "--timeout", "300", *map(str, folders), *arguments]
        return subprocess.run(command, env=environ, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
