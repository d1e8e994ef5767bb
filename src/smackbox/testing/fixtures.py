"""The objects that the fixtures give to a test."""

from __future__ import annotations

import json
import os
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from smackbox.base.address import host_port
from smackbox.net.service import Service, ServiceThread
from smackbox.runtime.settings import CASSANDRA_PORT

if TYPE_CHECKING:
    from cassandra.cluster import Session
    from pyspark.sql import SparkSession

    from smackbox.app.model import App
    from smackbox.spark.streaming import MicroBatchRunner
    from smackbox.spark.streaming.instances import SharedRunner

REQUEST_TIMEOUT_S = 30.0
BATCHES_LIMIT = 1_000


@contextmanager
def server(config: pytest.Config, letter: str) -> Iterator[ServiceThread | str]:
    """An embedded server, or the `host:port` from the option or the environment."""
    real = config.getoption(f"--smack-{letter}") or os.environ.get(f"SMACK_{letter.upper()}")
    if real is not None:
        yield str(real)
        return
    with ServiceThread(embedded(letter)) as started:
        yield started


def embedded(letter: str) -> Service:
    """The server for `kafka` or `cassandra`, not started yet."""
    if letter == "kafka":
        from smackbox.kafka.server import KafkaServer
        from smackbox.kafka.settings import KafkaSettings

        return KafkaServer(KafkaSettings())
    from smackbox.cassandra.server import CassandraServer
    from smackbox.cassandra.settings import CassandraSettings

    return CassandraServer(CassandraSettings())


def reset(server: ServiceThread | str) -> None:
    """Wipe an embedded server; an external one keeps its data."""
    if isinstance(server, ServiceThread):
        server.call(server.service.reset())  # type: ignore[attr-defined]


def _registry(kafka: str) -> ServiceThread:
    from smackbox.registry.server.service import RegistryServer
    from smackbox.registry.settings import RegistrySettings

    return ServiceThread(RegistryServer(RegistrySettings(kafka=kafka)))


class SmackKafka:
    """A broker, by its `host:port`."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap


class SmackCassandra:
    """A CQL server, by its `host:port`; sessions made by `connect` are closed with the test."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.host, self.port = host_port(address, CASSANDRA_PORT)
        self._stack = ExitStack()

    def connect(self, keyspace: str | None = None) -> Session:
        """A session of the Python driver. Raises `StartError` for an unknown keyspace."""
        from smackbox.runtime.prepare import CqlConnection

        return self._stack.enter_context(CqlConnection(self.address, keyspace))

    def __enter__(self) -> SmackCassandra:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


class Smack:
    """Both servers, and an embedded Spark. `run` starts an application in this process while the test lasts."""

    def __init__(self, kafka: SmackKafka, cassandra: SmackCassandra) -> None:
        self.kafka = kafka
        self.cassandra = cassandra
        self._stack = ExitStack()

    @cached_property
    def spark(self) -> SparkSession:
        """A Spark Connect session on an engine in this process, created at the first use and closed with the test."""
        from smackbox.spark import session

        spark: SparkSession = session()
        self._stack.callback(spark.stop)
        return spark

    def run(self, app: App) -> RunningApp:
        """Create the topics and tables of `app`, start its endpoint, open its streams. Raises the errors of a start."""
        return self._stack.enter_context(RunningApp(app, self.kafka.bootstrap, self.cassandra.address))

    def __enter__(self) -> Smack:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


class RunningApp:
    """An application's endpoints on a thread, and its streams, which advance only when `settle` is called."""

    def __init__(self, app: App, kafka: str, cassandra: str) -> None:
        self.app = app
        self.url = ""
        self._kafka = kafka
        self._cassandra = cassandra
        self._stack = ExitStack()
        self._runners: list[MicroBatchRunner | SharedRunner] = []

    def post(self, path: str, events: Any) -> tuple[int, Any]:
        """POST one event, a list of events, or raw bytes; returns the status and the decoded answer."""
        body = events if isinstance(events, bytes) else msgspec.json.encode(events)
        request = urllib.request.Request(self.url + path, body, {"Content-Type": "application/json"})  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=REQUEST_TIMEOUT_S) as response:  # noqa: S310
                return response.status, json.load(response)
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, json.load(refused)

    def settle(self) -> None:
        """Let every stream process all records in its topic."""
        for runner in self._runners:
            for _ in range(BATCHES_LIMIT):
                if runner.step(wait_s=0.1) is None:
                    break
            else:
                raise AssertionError(f"a stream did not come to rest within {BATCHES_LIMIT} batches")

    def job(self, name: str) -> int:
        """Run a job to completion; returns the number of rows written."""
        from smackbox.runtime.jobs import run_job

        return run_job(self.app, self.app.find_job(name), cassandra=self._cassandra, spark_url=None)

    def __enter__(self) -> RunningApp:
        from smackbox.ingest.server import IngestServer
        from smackbox.ingest.settings import IngestSettings
        from smackbox.runtime.avro_topics import needs_registry, register_schemas
        from smackbox.runtime.parts import routes
        from smackbox.runtime.prepare import prepare
        from smackbox.runtime.settings import BoxSettings, Urls
        from smackbox.runtime.streams import stream_runner

        try:
            prepare(self.app, kafka=self._kafka, cassandra=self._cassandra)
            registry = self._stack.enter_context(_registry(self._kafka)).url if needs_registry(self.app) else None
            register_schemas(self.app, registry)
            if self.app.posts:
                ingest = IngestServer(IngestSettings(kafka=self._kafka), routes(self.app, registry))
                self.url = self._stack.enter_context(ServiceThread(ingest)).url
            directory = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="smackbox-test-"))
            settings = BoxSettings(dir=Path(directory))
            urls = Urls(kafka=self._kafka, cassandra=self._cassandra, schema_registry=registry)
            for stream in self.app.streams:
                runner = stream_runner(self.app, stream, urls, settings, metrics_port=None)
                self._stack.enter_context(runner)
                self._runners.append(runner)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
