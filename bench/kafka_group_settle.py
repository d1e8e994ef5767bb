"""How long does a consumer group take from a join or a leave until it is Stable with everything assigned?

    python -m bench.kafka_group_settle [--members 2,4,8] [--protocol consumer,classic] [--kind dynamic,static]

librdkafka consumers on ours and on a real Kafka in turn, both with Kafka's defaults (heartbeats each 5 s under
KIP-848 and each 3 s under the classic protocol) but `group.initial.rebalance.delay.ms`, which is 0 on both. The
members join one after the other, then leave one after the other; static members do not leave, for their group waits
for them.
"""

from __future__ import annotations

import argparse
import os
import statistics
import struct
import tempfile
import threading
import time
import uuid
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient, NewTopic
from tests.kafka.client import RawClient

from bench.engines.real_kafka import RealKafka, missing
from smackbox.kafka.server import KafkaServer
from smackbox.kafka.settings import KafkaSettings
from smackbox.kafka.wire.messages import consumer_group_describe, describe_groups
from smackbox.net.service import ServiceThread

LIMIT_S = 60.0
LOOK_S = 0.01
POLL_S = 0.05
PARTITIONS_A_MEMBER = 2


class Member:
    """One consumer, polled by a thread of its own."""

    def __init__(self, bootstrap: str, group: str, topic: str, protocol: str, instance: str | None) -> None:
        config: dict[str, Any] = {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "group.protocol": protocol,
            "auto.offset.reset": "earliest",
            "log_level": 2,
        }
        if instance is not None:
            config["group.instance.id"] = instance
        if protocol == "classic":
            config["partition.assignment.strategy"] = "cooperative-sticky"
        self._consumer = Consumer(config)
        self._consumer.subscribe([topic])
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._poll)
        self._thread.start()

    def leave(self) -> None:
        self._stopped.set()
        self._thread.join()
        self._consumer.close()

    def _poll(self) -> None:
        while not self._stopped.is_set():
            self._consumer.poll(POLL_S)


def is_settled(client: RawClient, group: str, protocol: str, members: int, partitions: int) -> bool:
    """Whether the group is Stable with this many members, who hold all partitions between them."""
    if protocol == "classic":
        (found,) = client.ask(describe_groups.DescribeGroupsRequest([group]), 5).groups
        given = sum(assigned_partitions(member.member_assignment) for member in found.members)
        return found.group_state == "Stable" and len(found.members) == members and given == partitions
    (found,) = client.ask(consumer_group_describe.ConsumerGroupDescribeRequest([group]), 0).groups
    held = [len(topic.partitions) for member in found.members for topic in member.assignment.topic_partitions]
    return found.group_state == "Stable" and len(found.members) == members and sum(held) == partitions


def assigned_partitions(assignment: bytes) -> int:
    """How many partitions a consumer's assignment under the classic protocol names."""
    if not assignment:
        return 0
    (topics,) = struct.unpack_from(">i", assignment, 2)
    at, total = 6, 0
    for _ in range(topics):
        (length,) = struct.unpack_from(">h", assignment, at)
        (count,) = struct.unpack_from(">i", assignment, at + 2 + length)
        at += 6 + length + 4 * count
        total += count
    return total


def settle_ms(bootstrap: str, protocol: str, members: int, static: bool) -> tuple[list[float], list[float]]:
    """The times in ms that the joins and the leaves took."""
    name = f"settle-{uuid.uuid4().hex[:8]}"
    partitions = members * PARTITIONS_A_MEMBER
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 2})
    admin.create_topics([NewTopic(name, partitions, 1)])[name].result(LIMIT_S)
    consumers: list[Member] = []
    joins, leaves = [], []
    with RawClient(bootstrap) as client:

        def settled(count: int) -> float:
            started = time.monotonic()
            while not is_settled(client, name, protocol, count, partitions):
                if time.monotonic() - started > LIMIT_S:
                    return LIMIT_S * 1000
                time.sleep(LOOK_S)
            return (time.monotonic() - started) * 1000

        try:
            for number in range(members):
                consumers.append(Member(bootstrap, name, name, protocol, f"i{number}" if static else None))
                joins.append(settled(number + 1))
            if not static:
                while len(consumers) > 1:
                    consumers.pop(0).leave()
                    leaves.append(settled(len(consumers)))
        finally:
            for consumer in consumers:
                consumer.leave()
            admin.delete_topics([name])[name].result(LIMIT_S)
    return joins, leaves


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", default="2,3,5,10,20")
    parser.add_argument("--protocol", default="consumer,classic")
    parser.add_argument("--kind", default="dynamic,static")
    arguments = parser.parse_args()
    with ExitStack() as held:
        directory = Path(held.enter_context(tempfile.TemporaryDirectory()))
        servers = {"ours": held.enter_context(ServiceThread(KafkaServer(KafkaSettings()))).url}
        if given := os.environ.get("SMACK_REAL_KAFKA"):
            servers["real"] = given
        elif missing() is None:
            config = {"group.initial.rebalance.delay.ms": "0"}
            servers["real"] = held.enter_context(RealKafka(directory / "real", config)).bootstrap
        print(f"{'':28}{'join ms: median, worst':>26}{'leave ms: median, worst':>28}")
        for protocol in arguments.protocol.split(","):
            for kind in arguments.kind.split(","):
                for members in map(int, arguments.members.split(",")):
                    for name, bootstrap in servers.items():
                        joins, leaves = settle_ms(bootstrap, protocol, members, kind == "static")
                        print(f"{protocol:9}{kind:8}{members:3} {name:6}{_shown(joins)}{_shown(leaves)}", flush=True)


def _shown(times: list[float]) -> str:
    return f"{statistics.median(times):14,.0f} {max(times):10,.0f}" if times else ""


if __name__ == "__main__":
    main()
