"""A box without its supervisor: what is in each server's directory, saved while it runs or stands, and back again."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import Cluster
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ConfigResource,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from kazoo.client import KazooClient

from smackbox.backup.manifest import Manifest
from smackbox.backup.repository import Repository
from smackbox.base.errors import StartError, UserError
from smackbox.cassandra.server import CassandraServer
from smackbox.cassandra.settings import CassandraSettings
from smackbox.kafka.server import KafkaServer
from smackbox.kafka.settings import KafkaSettings
from smackbox.net.control import ServerStatus, Status, call
from smackbox.net.service import ServiceThread
from smackbox.runtime import box_backup, box_parts
from smackbox.runtime.box_backup import back_up, back_up_server, restore
from smackbox.runtime.box_parts import Held
from smackbox.runtime.settings import BoxSettings, box_directory
from smackbox.spark.streaming.checkpoint import Checkpoint
from smackbox.store.objects import FolderObjects
from smackbox.zookeeper.server import ZooKeeperServer
from smackbox.zookeeper.settings import ZooKeeperSettings

LIMIT_S = 20.0
READ_GROUP = AclBinding(
    ResourceType.GROUP, "g", ResourcePatternType.LITERAL, "User:ann", "*", AclOperation.READ, AclPermissionType.ALLOW
)


class Servers:
    """Kafka, Cassandra and ZooKeeper of a box, in this process."""

    def __init__(self, box: Path, stack: ExitStack) -> None:
        kafka = KafkaSettings(dir=box / "kafka", authorizer=True, super_users="User:ANONYMOUS")
        self.kafka = stack.enter_context(ServiceThread(KafkaServer(kafka))).url
        cassandra = CassandraSettings(
            dir=box / "cassandra", authenticator="PasswordAuthenticator", authorizer="CassandraAuthorizer"
        )
        self.cassandra = stack.enter_context(ServiceThread(CassandraServer(cassandra))).url
        zookeeper = ZooKeeperServer(ZooKeeperSettings(dir=box / "zookeeper"))
        self.zookeeper = stack.enter_context(ServiceThread(zookeeper)).url

    def session(self, stack: ExitStack, user: str, password: str) -> Any:
        host, port = self.cassandra.split(":")
        cluster = Cluster([host], port=int(port), auth_provider=PlainTextAuthProvider(user, password))
        stack.callback(cluster.shutdown)
        return cluster.connect()

    def zoo(self, stack: ExitStack) -> Any:
        client = KazooClient(self.zookeeper)
        client.start(LIMIT_S)
        stack.callback(client.close)
        stack.callback(client.stop)
        return client


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.create_or_open(FolderObjects(tmp_path / "repository"))


def fill(servers: Servers, box: Path, stack: ExitStack) -> None:
    admin = AdminClient({"bootstrap.servers": servers.kafka})
    admin.create_topics([NewTopic("t", 2, config={"retention.ms": "12345678"})])["t"].result(LIMIT_S)
    producer = Producer({"bootstrap.servers": servers.kafka, "transactional.id": "tx"})
    producer.init_transactions()
    producer.begin_transaction()
    for number in range(100):
        producer.produce("t", b"%d" % number, b"key", partition=number % 2)
    producer.commit_transaction()
    consumer = Consumer({"bootstrap.servers": servers.kafka, "group.id": "g"})
    consumer.commit(offsets=[TopicPartition("t", 0, 17)], asynchronous=False)
    consumer.close()
    for future in admin.create_acls([READ_GROUP]).values():
        future.result(LIMIT_S)
    credentials = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096)
    change = UserScramCredentialUpsertion("ann", credentials, b"secret")
    admin.alter_user_scram_credentials([change])["ann"].result(LIMIT_S)
    session = servers.session(stack, "cassandra", "cassandra")
    session.execute("CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    session.execute("CREATE TABLE k.t (id int PRIMARY KEY, v text)")
    session.execute("CREATE ROLE bob WITH PASSWORD = 'hush' AND LOGIN = true")
    session.execute("GRANT SELECT ON k.t TO bob")
    for number in range(50):
        session.execute("INSERT INTO k.t (id, v) VALUES (%s, %s)", (number, f"v{number}"))
    servers.zoo(stack).create("/a/b", b"data", makepath=True)
    (box / "applications").mkdir()
    (box / "applications" / "app.json").write_text('{"topics": {}}')
    for name in ("marathon", "chronos"):
        (box / "platform" / name).mkdir(parents=True)
        with closing(sqlite3.connect(box / "platform" / name / "state.sqlite")) as state:
            state.execute("PRAGMA journal_mode = WAL")
            state.execute("CREATE TABLE record (name TEXT PRIMARY KEY, value BLOB NOT NULL)")
            state.execute("INSERT INTO record VALUES (?, ?)", (name, b"value"))
            state.commit()


def check(servers: Servers, box: Path, stack: ExitStack) -> None:
    admin = AdminClient({"bootstrap.servers": servers.kafka})
    consumer = Consumer(
        {"bootstrap.servers": servers.kafka, "group.id": "g", "enable.partition.eof": True,
         "isolation.level": "read_committed"}
    )  # fmt: skip
    consumer.assign([TopicPartition("t", number, 0) for number in range(2)])
    values, ends = set(), 0
    while ends < 2:
        message = consumer.poll(LIMIT_S)
        assert message is not None
        if message.error():
            ends += 1
        else:
            values.add(int(message.value()))
    assert values == set(range(100))
    assert consumer.committed([TopicPartition("t", 0)], timeout=LIMIT_S)[0].offset == 17
    consumer.close()
    resource = ConfigResource(ConfigResource.Type.TOPIC, "t")
    assert admin.describe_configs([resource])[resource].result(LIMIT_S)["retention.ms"].value == "12345678"
    found = admin.describe_acls(AclBindingFilter(ResourceType.ANY, None, ResourcePatternType.ANY, None, None,
                                                 AclOperation.ANY, AclPermissionType.ANY))  # fmt: skip
    assert found.result(LIMIT_S) == [READ_GROUP]
    users = admin.describe_user_scram_credentials(["ann"])["ann"].result(LIMIT_S)
    assert users.scram_credential_infos[0].iterations == 4096
    producer = Producer({"bootstrap.servers": servers.kafka, "transactional.id": "tx"})
    producer.init_transactions()  # the next epoch of the same id
    rows = servers.session(stack, "bob", "hush").execute("SELECT id, v FROM k.t")
    assert {row.id: row.v for row in rows} == {number: f"v{number}" for number in range(50)}
    assert servers.zoo(stack).get("/a/b")[0] == b"data"
    assert json.loads((box / "applications" / "app.json").read_text()) == {"topics": {}}
    for name in ("marathon", "chronos"):
        with closing(sqlite3.connect(box / "platform" / name / "state.sqlite")) as state:
            assert state.execute("SELECT * FROM record").fetchall() == [(name, b"value")]


@pytest.mark.parametrize("runs", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_everything_of_a_box_comes_back(tmp_path: Path, repository: Repository, runs: bool) -> None:
    box, new = tmp_path / "box", tmp_path / "new"
    box.mkdir()
    checkpoint = Checkpoint.open(box / "streams" / "app" / "s", stream="s", topic="t", unique_horizon=9, sync=False)
    checkpoint.commit(checkpoint.write_plan({0: (0, 5)}, 1, 5), {0: 5}, {b"k": b"v"}, [])
    with ExitStack() as stack:
        servers = Servers(box, stack)
        fill(servers, box, stack)
        if runs:
            saved = back_up(box, repository)
    checkpoint.close()
    if not runs:
        saved = back_up(box, repository)
    assert list(saved.manifest.parts) == ["kafka", "streams", "cassandra", "zookeeper", "platform", "applications"]
    assert not list(box.glob("backup-staging-*"))
    assert restore(new, repository, saved.manifest) == saved.manifest.size
    with ExitStack() as stack:
        check(Servers(new, stack), new, stack)
    again = Checkpoint.open(new / "streams" / "app" / "s", stream="s", topic="t", unique_horizon=9, sync=False)
    assert (again.offsets, again.totals([b"k"])) == ({0: 5}, [b"v"])
    again.close()
    second = back_up(new, repository)
    assert second.new_bytes < saved.new_bytes


def test_where_there_is_no_box_nothing_is_saved(tmp_path: Path, repository: Repository) -> None:
    with pytest.raises(UserError, match="there is no box in"):
        back_up(tmp_path / "none", repository)
    assert repository.backups() == []


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    box = tmp_path / "box"
    with ServiceThread(KafkaServer(KafkaSettings(dir=box / "kafka"))) as kafka:
        producer = Producer({"bootstrap.servers": kafka.url})
        producer.produce("t", b"x")
        assert producer.flush(LIMIT_S) == 0
        yield box


def test_a_hold_that_did_not_last_is_tried_again(
    small: Path, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[bool] = []
    hold = box_backup.hold_kafka

    def failing(directory: Path, staging: Path, hold_s: float) -> Held:
        found = hold(directory, staging, hold_s)

        def resume() -> bool:
            held.append(found.resume())
            return len(held) > 2

        return Held(found.files, resume)

    monkeypatch.setattr(box_backup, "hold_kafka", failing)
    back_up(small, repository)
    assert held == [True] * 3
    monkeypatch.setattr(box_backup, "HOLD_S", 0.0)
    monkeypatch.setattr(box_backup, "hold_kafka", hold)
    monkeypatch.setattr(box_backup, "link_zookeeper", lambda *_: time.sleep(0.05) or [])
    with pytest.raises(UserError, match="Kafka went on before the rest was copied, 5 times"):
        back_up(small, repository)
    assert len(repository.backups()) == 1
    assert not list(small.glob("backup-staging-*"))


def test_streams_are_copied_before_tables_and_both_while_nobody_is_served(
    small: Path, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    bootstrap = call(small / "kafka", Status(), ServerStatus, LIMIT_S).url
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0})

    def watched(name: str) -> None:
        copy = getattr(box_backup, name)

        def look(directory: Path, staging: Path) -> Any:
            producer.produce("t", b"late")
            assert producer.flush(0.2) > 0, "Kafka serves"
            seen.append(name)
            return copy(directory, staging)

        monkeypatch.setattr(box_backup, name, look)

    for name in ("copy_cassandra", "copy_streams"):
        watched(name)
    manifest = back_up(small, repository).manifest
    assert seen == ["copy_streams", "copy_cassandra"]
    assert producer.flush(LIMIT_S) == 0
    restore(small.parent / "new", repository, manifest)
    log = (small.parent / "new/kafka/t-0/00000000000000000000.log").read_bytes()
    assert b"late" not in log


def test_a_part_that_fails_lets_kafka_go_on(
    small: Path, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise UserError("cassandra is ill")

    monkeypatch.setattr(box_backup, "copy_cassandra", failing)
    with pytest.raises(UserError, match="is ill"):
        back_up(small, repository)
    monkeypatch.undo()
    assert back_up(small, repository).manifest.files  # not held: it is staged again at once
    assert not list(small.glob("backup-staging-*"))


def test_what_a_killed_back_up_left_is_swept(small: Path, repository: Repository) -> None:
    dead, alive, strange = (small / f"backup-staging-{pid}-x" for pid in (2**22 + 5, 1, "mine"))
    for folder in (dead, alive, strange):
        folder.mkdir()
    back_up(small, repository)
    assert [folder.exists() for folder in (dead, alive, strange)] == [False, True, True]


def test_where_something_is_in_the_way_nothing_is_restored(small: Path, repository: Repository, tmp_path: Path) -> None:
    manifest = back_up(small, repository).manifest
    with pytest.raises(UserError, match="has kafka already"):
        restore(small, repository, manifest)
    ahead = msgspec.structs.replace(manifest, taken_ms=manifest.taken_ms + 3_600_000)
    with pytest.raises(UserError, match="the clock of this machine is behind"):
        restore(tmp_path / "new", repository, ahead)
    assert not (tmp_path / "new").exists()


def test_a_box_that_was_restored_by_half_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "restoring").mkdir()
    with (
        pytest.raises(StartError, match="was not finished: run `smack restore` again"),
        box_directory(BoxSettings(dir=tmp_path)),
    ):
        raise AssertionError


def test_the_manifest_tells_how_long_clients_were_held(small: Path, repository: Repository) -> None:
    manifest: Manifest = back_up(small, repository).manifest
    assert int(manifest.facts["held_ms"]) >= 0


def test_one_server_alone_is_saved_while_it_runs(small: Path, repository: Repository, tmp_path: Path) -> None:
    saved = back_up_server("kafka", small / "kafka", repository)
    assert list(saved.manifest.parts) == ["kafka"]
    assert not list((small / "kafka").glob("backup-staging-*"))
    restore(tmp_path / "new", repository, saved.manifest)
    with ServiceThread(KafkaServer(KafkaSettings(dir=tmp_path / "new" / "kafka"))) as kafka:
        assert "t" in AdminClient({"bootstrap.servers": kafka.url}).list_topics(timeout=LIMIT_S).topics
    with pytest.raises(UserError, match="is not a cassandra server's data directory"):
        back_up_server("cassandra", small / "kafka", repository)
    with pytest.raises(UserError, match="there is no directory"):
        back_up_server("kafka", small / "none", repository)


def test_how_a_streams_state_is_divided_is_saved_with_it(small: Path, repository: Repository, tmp_path: Path) -> None:
    stream = small / "streams" / "app" / "s"
    Checkpoint.open(stream / "partition-0", stream="s", topic="t", unique_horizon=9, sync=False).close()
    (stream / "division.json").write_text('{"partitions": 1}')
    restore(tmp_path / "new", repository, back_up(small, repository).manifest)
    assert (tmp_path / "new/streams/app/s/division.json").read_text() == '{"partitions": 1}'
    assert (tmp_path / "new/streams/app/s/partition-0/state/CURRENT").exists()


def test_snapshots_and_logs_that_change_while_they_are_linked_are_linked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "zoo").mkdir()
    (tmp_path / "zoo" / "log.1").write_text("first")
    look = box_parts._snapshots_and_logs

    def changed(directory: Path) -> list[Path]:
        found = look(directory)
        (directory / "snapshot.5").write_text("made just now")
        return found

    monkeypatch.setattr(box_parts, "_snapshots_and_logs", changed)
    files = box_parts.link_zookeeper(tmp_path / "zoo", tmp_path)
    assert [file.path for file in files] == ["zookeeper/log.1", "zookeeper/snapshot.5"]
