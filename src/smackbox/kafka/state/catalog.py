"""The catalog: the topics of this broker, and the journal that keeps them across restarts.

`cluster-metadata.jsonl` in the data directory, has one JSON object on each line; for each key the last line wins:

    {"topic": NAME, "id": UUID, "partitions": N, "configs": {…}}     created or changed
    {"topic": NAME}                                                  deleted
    {"broker_configs": {…}}  {"producer_ids": N}  {"scram": …}  {"acl": …}    other state to be kept

It is compacted when the broker starts. A truncated last line is ignored: its change was never acknowledged.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from smackbox.base.clock import Clock
from smackbox.base.errors import StorageError
from smackbox.kafka.settings import KafkaSettings
from smackbox.kafka.state import topic_config
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.partition import Partition
from smackbox.kafka.state.topic import Topic, check_name, collision_key
from smackbox.kafka.wire import error_codes as errors
from smackbox.store.fs import File, FileSystem

JOURNAL = "cluster-metadata.jsonl"
START_OFFSETS = "log-start-offset-checkpoint"
RECOVERY_POINTS = "recovery-point-offset-checkpoint"
CLEAN_SHUTDOWN = ".kafka_cleanshutdown"
META_PROPERTIES = "meta.properties"
DELETED_SUFFIX = "-delete"

log = logging.getLogger(__name__)


class Catalog:
    """Topics by name and by id."""

    def __init__(
        self, fs: FileSystem, directory: Path, settings: KafkaSettings, clock: Clock, new_id: Callable[[], uuid.UUID]
    ) -> None:
        self.fs = fs
        self.directory = directory
        self.settings = settings
        self.clock = clock
        self.new_id = new_id
        self.topics: dict[str, Topic] = {}
        self.by_id: dict[bytes, Topic] = {}
        self.cluster_id = ""
        self.broker_overrides: dict[str, str] = {}  # for all brokers
        self.node_overrides: dict[str, str] = {}  # for this one
        self.group_overrides: dict[str, dict[str, str]] = {}
        self.metrics_overrides: dict[str, dict[str, str]] = {}  # by client metrics subscription
        self.listeners = ""  # as bound: a comma-separated list of `PROTOCOL://host:port`
        self.defaults = topic_config.broker_defaults(settings)
        self.memory: dict[str, Any] = {}
        self.partition_count = 0
        self._journal: File | None = None
        self._to_delete: list[Path] = []
        self.deleted: Callable[[], None] | None = None

    # --- life

    def open(self) -> None:
        """Read the data directory. Raises `StorageError`."""
        self._open_identity()
        clean = self._take_clean_shutdown()
        journal_path = self.directory / JOURNAL
        entries = _read_journal(self.fs.read(journal_path))
        self.memory = {key: value for key, value in entries.items() if not isinstance(key, tuple)}
        self.broker_overrides = self.memory.get("broker_configs", {})
        self.node_overrides = self.memory.get("node_configs", {})
        self.group_overrides = self.memory.get("group_configs", {})
        self.metrics_overrides = self.memory.get("client_metrics_configs", {})
        self._fall_back()
        starts = _read_checkpoint(self.fs.read(self.directory / START_OFFSETS))
        for key, entry in entries.items():
            if isinstance(key, tuple):
                self._open_topic(entry, starts, clean=clean)
        lines = [msgspec.json.encode(self._entry(topic, topic.overrides)) for topic in self.topics.values()]
        lines += [msgspec.json.encode({key: value}) for key, value in self.memory.items()]
        self.fs.replace(journal_path, b"".join(line + b"\n" for line in lines), sync=self.settings.sync)
        self._journal = self.fs.open(journal_path)
        self._collect_left_overs()

    def _open_identity(self) -> None:
        path = self.directory / META_PROPERTIES
        properties = dict(
            line.split("=", 1) for line in self.fs.read(path).decode().splitlines() if "=" in line and line[0] != "#"
        )
        self.cluster_id = properties.get("cluster.id", "")
        if not self.cluster_id:
            self.cluster_id = _short(self.new_id())
            self.fs.replace(
                path,
                f"#\nnode.id=1\ndirectory.id={_short(self.new_id())}\nversion=1\ncluster.id={self.cluster_id}\n".encode(),
            )

    def _take_clean_shutdown(self) -> bool:
        """Whether the last stop was clean. The mark is removed, as this run may not stop cleanly."""
        path = self.directory / CLEAN_SHUTDOWN
        clean = bool(self.fs.read(path))
        self.fs.remove(path)
        return clean

    def _open_topic(self, entry: Mapping[str, Any], starts: Mapping[tuple[str, int], int], *, clean: bool) -> None:
        name = entry["topic"]
        topic = Topic(name, uuid.UUID(entry["id"]).bytes, overrides=dict(entry["configs"]))
        config = topic_config.resolve(self.defaults, topic.overrides)
        now_ms = self.clock.wall_ms()
        for index in range(entry["partitions"]):
            partition = Partition(self.fs, self.directory, name, topic.topic_id, index, config)
            partition.synced = not self.settings.sync
            partition.open(starts.get((name, index), 0), clean=clean, now_ms=now_ms)
            topic.partitions.append(partition)
        self._register(topic)

    def _collect_left_overs(self) -> None:
        """Directories of topics that were being deleted, or whose creation was never acknowledged."""
        for entry in self.fs.entries(self.directory):
            if not entry.is_dir():
                continue
            name, _, index = entry.name.rpartition("-")
            known = self.topics.get(name)
            if entry.name.endswith(DELETED_SUFFIX) or (
                name and index.isdigit() and (known is None or int(index) >= len(known.partitions))
            ):
                self._to_delete.append(Path(entry.path))

    def close(self) -> None:
        """Flush and close everything, and leave the mark of a clean stop. Raises `StorageError`."""
        failure: StorageError | None = None
        for partition in self.partitions():
            try:
                partition.close()
            except StorageError as error:
                failure = error
        if self._journal is not None:
            self._journal.close()
            self._journal = None
        if failure is not None:
            raise failure
        self.checkpoint()
        self.fs.replace(self.directory / CLEAN_SHUTDOWN, b'{"version":1,"brokerEpoch":0}')

    def checkpoint(self) -> None:
        """Write the log start offsets, which are in no log."""
        starts = [(p.topic, p.index, p.log_start_offset) for p in self.partitions() if p.log_start_offset > 0]
        self.fs.replace(self.directory / START_OFFSETS, _checkpoint(starts), sync=self.settings.sync)
        ends = [(p.topic, p.index, p.log.active.base_offset) for p in self.partitions()]
        self.fs.replace(self.directory / RECOVERY_POINTS, _checkpoint(ends), sync=self.settings.sync)

    # --- look-ups

    def partitions(self) -> Iterator[Partition]:
        """The partitions of all topics."""
        for topic in self.topics.values():
            yield from topic.partitions

    def partition(self, topic: str, index: int) -> Partition:
        """Look up a partition. Raises `KafkaError` UNKNOWN_TOPIC_OR_PARTITION."""
        topic_entry = self.topics.get(topic)
        if topic_entry is None or not 0 <= index < len(topic_entry.partitions):
            raise KafkaError(errors.UNKNOWN_TOPIC_OR_PARTITION, "This server does not host this topic-partition.")
        return topic_entry.partitions[index]

    def holds(self, partition: Partition) -> bool:
        """Whether the topic of this partition still exists; another topic of the same name does not count."""
        return partition.topic_id in self.by_id

    def topic(self, name: str) -> Topic:
        """Look up a topic. Raises `KafkaError` UNKNOWN_TOPIC_OR_PARTITION."""
        topic = self.topics.get(name)
        if topic is None:
            raise KafkaError(errors.UNKNOWN_TOPIC_OR_PARTITION, "This server does not host this topic-partition.")
        return topic

    # --- changes

    def check_new(self, name: str, partitions: int, overrides: Mapping[str, str | None]) -> dict[str, str]:
        """Check that such a topic can be created; returns its configurations in stored form. Raises `KafkaError`."""
        check_name(name)
        if name in self.topics:
            raise KafkaError(errors.TOPIC_ALREADY_EXISTS, f"Topic '{name}' already exists.")
        key = collision_key(name)
        for other in self.topics:
            if collision_key(other) == key:
                raise KafkaError(
                    errors.INVALID_TOPIC_EXCEPTION,
                    f"Topic '{name}' collides with existing topic: {other}",
                )
        if partitions <= 0:
            raise KafkaError(
                errors.INVALID_PARTITIONS, "Number of partitions was set to an invalid non-positive value."
            )
        self.check_room(partitions)
        return {config: topic_config.check(config, value) for config, value in overrides.items()}

    def check_room(self, more: int) -> None:
        """Raises `KafkaError` when `more` partitions would exceed the limit `max_partitions`."""
        limit = self.settings.max_partitions
        if self.partition_count + more > limit:
            raise KafkaError(
                errors.POLICY_VIOLATION,
                f"{more} more partitions are over max_partitions, {limit}: this broker has {self.partition_count}",
            )

    def create(self, name: str, partitions: int, overrides: Mapping[str, str | None]) -> Topic:
        """Create a topic. Raises `KafkaError`."""
        stored = self.check_new(name, partitions, overrides)
        topic = Topic(name, self.new_id().bytes, overrides=stored)
        topic.partitions = self._made_partitions(topic, partitions)
        self._write(self._entry(topic, topic.overrides))
        self._register(topic)
        return topic

    def add_partitions(self, topic: Topic, total: int) -> None:
        """Grow a topic to `total` partitions. Raises `KafkaError`."""
        before = len(topic.partitions)
        self.check_room(total - before)
        partitions = self._made_partitions(topic, total)
        topic.partitions += partitions
        try:
            self._write(self._entry(topic, topic.overrides))
        except KafkaError:
            del topic.partitions[before:]
            raise
        self.partition_count += total - before

    def _made_partitions(self, topic: Topic, total: int) -> list[Partition]:
        """Empty partitions, up to `total`: they become the topic's only when the journal has them."""
        config = topic_config.resolve(self.defaults, topic.overrides)
        now_ms = self.clock.wall_ms()
        partitions = []
        try:
            for index in range(len(topic.partitions), total):
                partition = Partition(self.fs, self.directory, topic.name, topic.topic_id, index, config)
                partition.synced = not self.settings.sync
                partition.create(now_ms)
                partitions.append(partition)
        except StorageError as error:
            raise KafkaError(errors.KAFKA_STORAGE_ERROR, str(error)) from error
        return partitions

    def delete(self, topic: Topic) -> None:
        """Forget a topic; its directories are renamed here and removed by the caller of `take_deleted`."""
        self._write({"topic": topic.name})
        del self.topics[topic.name]
        del self.by_id[topic.topic_id]
        self.partition_count -= len(topic.partitions)
        for partition in topic.partitions:
            for segment in partition.log.segments:
                segment.close()
            target = partition.directory.with_name(
                f"{topic.name}-{partition.index}.{uuid.UUID(bytes=topic.topic_id).hex}{DELETED_SUFFIX}"
            )
            try:
                self.fs.rename(partition.directory, target)
                self._to_delete.append(target)
            except StorageError:
                log.exception("kafka will remove %s, of a deleted topic, at its next start", partition.directory)
            partition.wake()
        if self.deleted is not None:
            self.deleted()

    def take_deleted(self) -> list[Path]:
        """Directories to be removed later."""
        taken, self._to_delete = self._to_delete, []
        return taken

    def configure(self, topic: Topic, overrides: dict[str, str]) -> None:
        """Replace the topic's overrides with these (checked) ones."""
        self._write(self._entry(topic, overrides))
        topic.overrides = overrides
        self._apply(topic)

    def configure_broker(self, overrides: dict[str, str], *, node: bool) -> None:
        """Replace the dynamic configurations of this broker (`node`) or of all brokers with these (checked) ones."""
        if node:
            self.remember("node_configs", overrides)
            self.node_overrides = overrides
        else:
            self.remember("broker_configs", overrides)
            self.broker_overrides = overrides
        self._fall_back()
        for topic in self.topics.values():
            self._apply(topic)

    def _fall_back(self) -> None:
        """The configurations of topics that have none of their own."""
        self.defaults = topic_config.broker_defaults(self.settings)
        by_broker_key = {key.broker_key: key.name for key in topic_config.KEYS.values()}
        for overrides in (self.broker_overrides, self.node_overrides):
            self.defaults.update({by_broker_key[k]: v for k, v in overrides.items() if k in by_broker_key})

    def broker_config(self, name: str) -> str | None:
        """A broker configuration that was set while the broker ran."""
        return self.node_overrides.get(name, self.broker_overrides.get(name))

    @property
    def default_overrides(self) -> dict[str, str]:
        """The overrides for all brokers; a new Kafka 4.4 cluster starts with one."""
        return {"min.insync.replicas": "1"} | self.broker_overrides

    def configure_group(self, group: str, overrides: dict[str, str]) -> None:
        """Replace a group's configurations with these (checked) ones."""
        changed = {**self.group_overrides, group: overrides}
        if not overrides:
            del changed[group]
        self.remember("group_configs", changed)
        self.group_overrides = changed

    def configure_client_metrics(self, name: str, overrides: dict[str, str]) -> None:
        """Replace the subscription's configurations with these (checked) ones."""
        changed = {**self.metrics_overrides, name: overrides}
        if not overrides:
            del changed[name]
        self.remember("client_metrics_configs", changed)
        self.metrics_overrides = changed

    def group_config(self, group: str, name: str) -> str | None:
        """A group's own configuration."""
        return self.group_overrides.get(group, {}).get(name)

    def remember(self, key: str, value: Any) -> None:
        """Keep one value across restarts."""
        self._write({key: value})
        self.memory[key] = value

    def _apply(self, topic: Topic) -> None:
        config = topic_config.resolve(self.defaults, topic.overrides)
        for partition in topic.partitions:
            partition.reconfigure(config)

    def _register(self, topic: Topic) -> None:
        self.topics[topic.name] = topic
        self.by_id[topic.topic_id] = topic
        self.partition_count += len(topic.partitions)

    @staticmethod
    def _entry(topic: Topic, overrides: dict[str, str]) -> dict[str, Any]:
        return {
            "topic": topic.name,
            "id": str(uuid.UUID(bytes=topic.topic_id)),
            "partitions": len(topic.partitions),
            "configs": overrides,
        }

    def _write(self, entry: Mapping[str, Any]) -> None:
        try:
            if self._journal is None:
                raise StorageError("the catalog is not open")
            self._journal.append(msgspec.json.encode(entry) + b"\n")
            if self.settings.sync:
                self._journal.sync()
        except StorageError as error:
            raise KafkaError(errors.KAFKA_STORAGE_ERROR, str(error)) from error


def _read_journal(data: bytes) -> dict[Any, Any]:
    """Topics are under `("topic", name)`, everything else under its own key."""
    entries: dict[Any, Any] = {}
    for line in data.split(b"\n")[:-1]:
        entry = msgspec.json.decode(line)
        name = entry.get("topic")
        if name is None:
            entries.update(entry)
        elif "id" in entry:
            entries["topic", name] = entry
        else:
            entries.pop(("topic", name), None)
    return entries


def _checkpoint(entries: list[tuple[str, int, int]]) -> bytes:
    """Kafka's offset checkpoint: version, count, then "topic partition offset" lines."""
    lines = ["0", str(len(entries)), *(f"{topic} {partition} {offset}" for topic, partition, offset in entries)]
    return ("\n".join(lines) + "\n").encode()


def _read_checkpoint(data: bytes) -> dict[tuple[str, int], int]:
    offsets = {}
    for line in data.decode().splitlines()[2:]:
        topic, partition, offset = line.split(" ")
        offsets[topic, int(partition)] = int(offset)
    return offsets


def _short(identifier: uuid.UUID) -> str:
    """22 characters of base64, as Kafka writes its ids; none begins with a dash."""
    from base64 import urlsafe_b64encode

    text = urlsafe_b64encode(identifier.bytes).decode().rstrip("=")
    return "A" + text[1:] if text.startswith("-") else text
