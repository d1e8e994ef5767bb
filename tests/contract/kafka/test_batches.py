"""What a broker checks, corrects and keeps of a batch: the answers of a real Kafka 4.4, in `golden/kafka_batches.json`.

`python -m tests.contract.kafka.test_batches HOST:PORT` records one again. Not compared: which code refuses a batch
where Kafka's own is UNKNOWN_SERVER_ERROR, and the moment of the log's append time."""

from __future__ import annotations

import json
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from tests.contract.kafka.batches import CASES
from tests.contract.kafka.conftest import wait_for
from tests.kafka.client import RawClient

from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages import create_topics, list_offsets
from smackbox.kafka.wire.record_batch import COMPRESSION_MASK, read_header

GOLDEN = Path(__file__).parents[2] / "golden" / "kafka_batches.json"
CONFIGS: dict[str, dict[str, str]] = {
    "plain": {},
    "before": {"message.timestamp.before.max.ms": "3600000"},
    "append": {"message.timestamp.type": "LogAppendTime"},
    "compact": {"cleanup.policy": "compact"},
    "gzip": {"compression.type": "gzip"},
    "uncompressed": {"compression.type": "uncompressed"},
    "small": {"compression.type": "producer", "max.decompressed.message.bytes": "5"},
}
# Kafka looks a largest timestamp up in an index that believes offsets inside of a batch; ours reads the records
BELIEVED_OFFSETS = {"record offsets with a gap", "record offsets not from 0"}


def observe(client: RawClient, config: str, case: str) -> Any:
    """What a fresh topic of this configuration answers to a batch, what it keeps of it, and what it finds by time."""
    topic = f"batches-{uuid.uuid4().hex[:12]}"
    configs = [create_topics.CreatableTopicConfig(name, value) for name, value in CONFIGS[config].items()]
    created = client.ask(
        create_topics.CreateTopicsRequest([create_topics.CreatableTopic(topic, 1, 1, configs=configs)], 10_000), 5
    )
    assert created.topics[0].error_code == 0
    wait_for(lambda: client.fetch(topic, 0)[0] == 0)
    now_ms = int(time.time() * 1000)
    code, offset = client.produce(topic, CASES[case](now_ms))
    if code:
        return "refused" if code == errors.UNKNOWN_SERVER_ERROR else code
    header = read_header(client.fetch(topic, 0)[1])

    def relative(stamp: int) -> Any:
        if config == "append" and 0 <= stamp - now_ms < 60_000:
            return "about now"
        return stamp if stamp < 1_000_000 else f"now {stamp - now_ms:+}"

    def found(timestamp: int) -> list[Any]:
        asked = list_offsets.ListOffsetsPartition(0, -1, timestamp)
        request = list_offsets.ListOffsetsRequest(-1, 0, [list_offsets.ListOffsetsTopic(topic, [asked])])
        (answer,) = client.ask(request, 7).topics[0].partitions
        return [relative(answer.timestamp), answer.offset]

    compressed = header.attributes & COMPRESSION_MASK
    observed = {
        "offset": offset,
        "kept": [header.base_offset, header.partition_leader_epoch, header.attributes, header.last_offset_delta],
        "producer": [header.producer_id, header.producer_epoch, header.base_sequence, header.record_count],
        "stamps": [relative(header.base_timestamp), relative(header.max_timestamp)],
        "bytes": None if compressed else header.size,
    }
    if config != "append" and case not in BELIEVED_OFFSETS:
        observed |= {"largest": found(-3), "at or after": found(now_ms + 1)}
    return observed


@pytest.mark.contract
@pytest.mark.parametrize("config", CONFIGS)
def test_batches_are_checked_and_corrected_as_in_kafka(kafka_bootstrap: str, config: str) -> None:
    golden = json.loads(GOLDEN.read_text())[config]
    assert golden.keys() == CASES.keys()
    with RawClient(kafka_bootstrap) as client:
        for case, expected in golden.items():
            observed = observe(client, config, case)
            if expected == "refused" and isinstance(observed, int):
                observed = "refused"
            assert observed == expected, case


def record(bootstrap: str) -> None:
    with RawClient(bootstrap) as client:
        golden = {config: {case: observe(client, config, case) for case in CASES} for config in CONFIGS}
    lines = [
        f"{json.dumps(config)}: {{\n"
        + ",\n".join(f"{json.dumps(case)}: {json.dumps(answer)}" for case, answer in cases.items())
        + "\n}"
        for config, cases in golden.items()
    ]
    GOLDEN.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    record(sys.argv[1])
