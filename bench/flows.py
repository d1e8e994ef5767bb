"""How many functions, in how many files, does one request pass through?

`python -m bench.flows FLOW…` runs each flow on a server in this process and counts, under `sys.setprofile`, the Python
functions of `smackbox` that its second run enters, the files they are in, and how often they return: once for each
call. The first run warms caches, as a client's first request does. `-v` lists the functions; without a flow the flows
are listed.

A flow is a context manager that gives what sends one request and waits for its answer. The count is of the servers'
threads alone.
"""

from __future__ import annotations

import itertools
import sys
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from smackbox.net.service import Service, ServiceThread

SOURCE = str(Path(__file__).parents[1] / "src" / "smackbox")
Send = Callable[[], object]


class Passed:
    """The calls of one flow."""

    def __init__(self) -> None:
        self.calls: Counter[CodeType] = Counter()

    def note(self, frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(SOURCE):
            self.calls[frame.f_code] += 1

    @property
    def functions(self) -> int:
        return len(self.calls)

    @property
    def files(self) -> int:
        return len({code.co_filename for code in self.calls})

    @property
    def returns(self) -> int:
        return self.calls.total()

    def listed(self) -> Iterator[str]:
        for code, count in self.calls.items():
            place = code.co_filename.removeprefix(SOURCE + "/")
            yield f"  {place}:{code.co_firstlineno} {code.co_qualname} {count}"


async def _profile(note: Any) -> None:
    sys.setprofile(note)


def passed_by(thread: ServiceThread | Sequence[ServiceThread] | None, send: Send) -> Passed:
    """What the server's thread, or each server's, or this one (None), passes through in the second run of `send`."""
    send()
    passed = Passed()
    if thread is None:
        sys.setprofile(passed.note)
        try:
            send()
        finally:
            sys.setprofile(None)
        return passed
    threads = [thread] if isinstance(thread, ServiceThread) else thread
    for server_thread in threads:
        server_thread.call(_profile(passed.note))
    try:
        send()
    finally:
        for server_thread in threads:
            server_thread.call(_profile(None))
    return passed


@contextmanager
def _served(service: Service) -> Iterator[ServiceThread]:
    with ServiceThread(service) as thread:
        yield thread


@contextmanager
def cassandra(text: str, values: tuple[object, ...]) -> Iterator[tuple[ServiceThread, Send]]:
    """A prepared statement executed by the Python driver."""
    from cassandra.cluster import Cluster

    from smackbox.cassandra.server import CassandraServer
    from smackbox.cassandra.settings import CassandraSettings

    with _served(CassandraServer(CassandraSettings())) as thread:
        host, _, port = thread.url.rpartition(":")
        cluster = Cluster([host], port=int(port), protocol_version=4, schema_metadata_enabled=False)
        try:
            session = cluster.connect()
            session.execute("CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
            session.execute("CREATE TABLE k.t (id uuid PRIMARY KEY, v int)")
            statement = session.prepare(text)
            yield thread, lambda: list(session.execute(statement, values))
        finally:
            cluster.shutdown()


@contextmanager
def produce() -> Iterator[tuple[ServiceThread, Send]]:
    """One record produced to a Kafka topic with acks=all."""
    from confluent_kafka import Producer
    from confluent_kafka.admin import AdminClient, NewTopic

    from smackbox.kafka.server import KafkaServer
    from smackbox.kafka.settings import KafkaSettings

    with _served(KafkaServer(KafkaSettings())) as thread:
        admin = AdminClient({"bootstrap.servers": thread.url})
        for made in admin.create_topics([NewTopic("t", 1)]).values():
            made.result()
        producer = Producer({"bootstrap.servers": thread.url, "linger.ms": 0})

        def send() -> None:
            producer.produce("t", b"x")
            producer.flush()

        yield thread, send


@contextmanager
def post() -> Iterator[tuple[Sequence[ServiceThread], Send]]:
    """One event posted to an endpoint, until it is in its topic: the endpoint and the broker count."""
    from http.client import HTTPConnection

    import msgspec

    from smackbox.ingest.route import Route
    from smackbox.ingest.server import IngestServer
    from smackbox.ingest.settings import IngestSettings
    from smackbox.kafka.server import KafkaServer
    from smackbox.kafka.settings import KafkaSettings

    event = msgspec.defstruct("Event", [("id", uuid.UUID), ("count", int)], frozen=True)
    with _served(KafkaServer(KafkaSettings())) as broker:
        settings = IngestSettings(port=0, kafka=broker.url)
        with _served(IngestServer(settings, [Route("/events", "t", event)])) as endpoint:
            client = HTTPConnection(endpoint.url.removeprefix("http://"))

            def send() -> None:
                client.request("POST", "/events", b'{"id": "%b", "count": 1}' % str(KEY).encode())
                answer = client.getresponse()
                answer.read()
                assert answer.status < 300, answer.status

            try:
                yield (endpoint, broker), send
            finally:
                client.close()


@contextmanager
def micro_batch() -> Iterator[tuple[ServiceThread | None, Send]]:
    """A batch of one event from its topic into a total, in a stream on a table in memory: the stream alone counts."""
    from tempfile import TemporaryDirectory

    import msgspec
    from cassandra import cqltypes
    from confluent_kafka import Producer
    from confluent_kafka.admin import AdminClient, NewTopic
    from tests.spark.conftest import MemoryTable

    from smackbox.kafka.server import KafkaServer
    from smackbox.kafka.settings import KafkaSettings
    from smackbox.spark.streaming import MicroBatchRunner
    from smackbox.spark.streaming.settings import StreamSettings

    event = msgspec.defstruct("Event", [("key", str), ("n", int)], frozen=True)
    table = MemoryTable({"key": cqltypes.UTF8Type}, {"n": cqltypes.LongType})
    with _served(KafkaServer(KafkaSettings())) as broker, TemporaryDirectory() as folder:
        admin = AdminClient({"bootstrap.servers": broker.url})
        for made in admin.create_topics([NewTopic("t", 1)]).values():
            made.result()
        producer = Producer({"bootstrap.servers": broker.url, "linger.ms": 0})
        settings = StreamSettings(
            name="s", kafka=broker.url, topic="t", cassandra="nowhere:1", keyspace="k", table="t",
            checkpoint_dir=Path(folder), every_s=0,
        )  # fmt: skip

        def totals(rows: Any) -> Any:
            return rows.groupBy("key").sum("n").withColumnRenamed("sum(n)", "n")

        with MicroBatchRunner(settings, event, totals, target=table) as runner:

            def send() -> None:
                producer.produce("t", b'{"key": "a", "n": 1}')
                producer.flush()
                while runner.step() is None:
                    pass

            yield None, send


@contextmanager
def launch() -> Iterator[tuple[Sequence[ServiceThread], Send]]:
    """A task launched on an agent through the master, until the framework has its last status: both servers count."""
    from tests.mesos.agent.raw_scheduler import RawScheduler

    from smackbox.mesos.agent.server.service import AgentService
    from smackbox.mesos.agent.settings import MesosAgentSettings
    from smackbox.mesos.master.server.service import MasterServer
    from smackbox.mesos.master.settings import MasterSettings

    numbers = itertools.count()
    with _served(MasterServer(MasterSettings())) as master:
        settings = MesosAgentSettings(port=0, master=master.url, isolation="posix", switch_user=False)
        with _served(AgentService(settings)) as agent, RawScheduler(master.url) as scheduler:
            yield (master, agent), lambda: scheduler.terminal(scheduler.run(f"t{next(numbers)}", "true"))


KEY = uuid.UUID(int=1)
FLOWS: dict[str, Callable[[], AbstractContextManager[tuple[ServiceThread | Sequence[ServiceThread] | None, Send]]]] = {
    "insert": lambda: cassandra("INSERT INTO k.t (id, v) VALUES (?, ?)", (KEY, 1)),
    "select": lambda: cassandra("SELECT * FROM k.t WHERE id = ?", (KEY,)),
    "select_filter": lambda: cassandra("SELECT * FROM k.t WHERE v = ? ALLOW FILTERING", (1,)),
    "update": lambda: cassandra("UPDATE k.t SET v = ? WHERE id = ?", (1, KEY)),
    "produce": produce,
    "post": post,
    "micro_batch": micro_batch,
    "launch": launch,
}


def main(names: list[str]) -> int:
    for name in [name for name in names if name != "-v"] or FLOWS:
        if not names:
            print(name)
            continue
        with FLOWS[name]() as (thread, send):
            passed = passed_by(thread, send)
        print(f"{name}: {passed.functions} functions in {passed.files} files, {passed.returns} returns")
        if "-v" in names:
            print("\n".join(passed.listed()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
