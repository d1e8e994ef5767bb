"""Kafka's own `kafka-dump-log` reads our log directory without complaint."""

from __future__ import annotations

import subprocess
import uuid
from pathlib import Path

import pytest
from bench.engines import real_kafka
from tests.kafka.client import batch

from smackbox.base.clock import FakeClock
from smackbox.kafka.settings import KafkaSettings
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.group_offsets import CommittedOffset
from smackbox.kafka.wire.control_record import Marker
from smackbox.store.fs import Disk

pytestmark = pytest.mark.skipif(
    not real_kafka.installed(real_kafka.TOOLS_VERSION) or real_kafka.missing() is not None,
    reason="Kafka's tools are not in .cache/real (make real fetches them), or Java is missing",
)


def dump(*arguments: str) -> str:
    command = real_kafka.java_command(
        "org.apache.kafka.tools.DumpLogSegments", *arguments, version=real_kafka.TOOLS_VERSION
    )
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    output = done.stdout + done.stderr
    for complaint in ("mismatch", "Found timestamp mismatch", "Mismatches in", "Exception", "isvalid: false"):
        assert complaint not in output, output
    return output


def test_log_indexes_snapshot_and_aborted_transactions(tmp_path: Path) -> None:
    clock = FakeClock()
    broker = Broker(Disk(), tmp_path, KafkaSettings(), clock, uuid.uuid4)
    broker.open()
    topic = broker.catalog.create("t", 1, {"segment.bytes": "1048576", "index.interval.bytes": "1000"})
    partition = topic.partitions[0]
    now = clock.wall_ms()
    for i in range(60):
        plain = batch(b"x" * 20_000, b"y", timestamp=now + i)
        partition.produce(memoryview(plain), now)
    for i in range(20):
        idempotent = batch(b"z" * 500, timestamp=now + 100 + i, producer_id=5, producer_epoch=0, base_sequence=i)
        partition.produce(memoryview(idempotent), now)
    transactional = batch(b"gone", timestamp=now, producer_id=6, producer_epoch=1, base_sequence=0, attributes=0x10)
    partition.produce(memoryview(transactional), now)
    partition.write_marker(6, 1, Marker(commit=False, coordinator_epoch=0), now)
    group = broker.groups.for_classic_join("group", "")
    broker.groups.commit(group, {("t", 0): CommittedOffset(3, 0, "", now)}, lambda _: None)
    offsets = broker.groups.log.partition_for("group")
    broker.close()

    files = sorted(
        str(path)
        for path in (tmp_path / "t-0").iterdir()
        if path.suffix in {".log", ".index", ".timeindex", ".txnindex", ".snapshot"}
    )
    assert len([file for file in files if file.endswith(".log")]) >= 2
    output = dump("--deep-iteration", "--files", ",".join(files))
    assert "endTxnMarker: ABORT" in output
    assert "producerId: 5" in output
    log = next(str(path) for path in offsets.directory.iterdir() if path.suffix == ".log")
    assert "group" in dump("--offsets-decoder", "--files", log)
