"""A driver: counts tasks of tables and topics that lie on two hosts, by whether they ran where their data is.

Arguments: the master, and the addresses of the two hosts. Prints JSON.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from operator import add
from typing import Any

from smackbox.spark import SparkContext
from smackbox.spark.cql_session import CqlSession
from smackbox.spark.rdd.kafka import OffsetRange

PARTITIONS, ROWS = 8, 400
WAIT_S = 60.0


def fill_cassandra(address: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            cql = CqlSession(address, consistency="LOCAL_ONE")
            break
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
    run = cql.session.execute
    run("CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    run("CREATE TABLE k.event (id int PRIMARY KEY, amount int)")
    for number in range(ROWS):
        run("INSERT INTO k.event (id, amount) VALUES (%s, %s)", (number, number))
    cql.close()


def fill_kafka(address: str) -> None:
    from confluent_kafka import Producer
    from confluent_kafka.admin import AdminClient, NewTopic

    servers = {"bootstrap.servers": f"{address}:9092", "log_level": 0}
    admin = AdminClient(servers)
    for future in admin.create_topics([NewTopic("events", PARTITIONS)]).values():
        future.result(WAIT_S)
    producer = Producer(servers)
    for number in range(ROWS):
        producer.produce("events", str(number), partition=number % PARTITIONS)
    assert producer.flush(WAIT_S) == 0


def main(master: str, *hosts: str) -> None:
    for address in hosts:
        fill_cassandra(f"{address}:9042")
        fill_kafka(address)
    place = master.partition("://")[2].partition(":")[0]

    def where(rows: Iterable[Any], data: str) -> Iterator[tuple[bool, int]]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((place, 9))
            yield probe.getsockname()[0] == data, sum(1 for _ in rows)

    conf = {
        "spark.executor.memory": "64m", "spark.executor.memoryOverhead": "64m", "spark.executor.cores": "1",
        "spark.cores.max": "4", "spark.default.parallelism": "4",
    }  # fmt: skip
    with SparkContext(master, "locality", conf) as sc:
        parts = []
        for address in hosts:
            sc._conf["spark.cassandra.connection.host"] = address
            table = sc.cassandraTable("k", "event")
            ranges = [OffsetRange("events", number, 0, ROWS // PARTITIONS) for number in range(PARTITIONS)]
            topic = sc.kafkaRDD({"bootstrap.servers": f"{address}:9092"}, ranges)
            parts += [each.mapPartitions(lambda rows, at=address: where(rows, at)) for each in (table, topic)]
        found = sc.union(parts).cache()
        results = found.collect()
        levels: Counter[str] = Counter()
        started = [task for stage in sc._observers.log.stages.values() for task in stage.tasks]
        levels.update(task.started.locality for task in started)
        totals = dict(found.reduceByKey(add).collect())
    print(json.dumps({
        "local": sum(is_local for is_local, _ in results),
        "tasks": len(results),
        "rows": sum(rows for _, rows in results),
        "levels": levels,
        "shuffled": sum(totals.values()),
    }))  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
