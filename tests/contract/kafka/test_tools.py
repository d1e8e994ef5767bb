"""Kafka's own command-line tools, from its jars, as an administrator uses them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from bench.engines import real_kafka

pytestmark = [pytest.mark.polyglot, pytest.mark.timeout(1200)]
TOOLS = "org.apache.kafka.tools."
TIMEOUT_S = 90
Tool = Callable[..., str]


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    if reason := real_kafka.missing():
        pytest.skip(reason)
    real_kafka.install(real_kafka.TOOLS_VERSION)


@pytest.fixture
def tool(kafka_bootstrap: str) -> Tool:
    """`tool("TopicCommand", "--list")` -> what it prints; standard input by `stdin`."""

    def tool(name: str, *arguments: str, stdin: str | None = None) -> str:
        main = name if name.startswith("kafka.") else TOOLS + name
        command = real_kafka.java_command(
            main, "--bootstrap-server", kafka_bootstrap, *arguments, version=real_kafka.TOOLS_VERSION
        )
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return tool


def test_topics_configs_and_partitions(tool: Tool, unique: Callable[[str], str]) -> None:
    topic = unique("tools")
    created = tool("TopicCommand", "--create", "--topic", topic, "--partitions", "2", "--config", "retention.ms=60000")
    assert f"Created topic {topic}." in created
    tool("TopicCommand", "--alter", "--topic", topic, "--partitions", "3")
    tool(
        "kafka.admin.ConfigCommand", "--alter", "--entity-type", "topics", "--entity-name", topic, "--add-config",
        "max.message.bytes=2000000", "--delete-config", "retention.ms",
    )  # fmt: skip
    described = tool("TopicCommand", "--describe", "--topic", topic)
    assert "PartitionCount: 3" in described
    assert "max.message.bytes=2000000" in described
    assert "retention.ms" not in described
    assert topic in tool("TopicCommand", "--list").split()
    tool("TopicCommand", "--delete", "--topic", topic)
    assert topic not in tool("TopicCommand", "--list").split()


def test_console_producer_consumer_groups_and_offsets(tool: Tool, unique: Callable[[str], str], tmp_path: Path) -> None:
    topic, group = unique("console"), unique("group")
    tool("TopicCommand", "--create", "--topic", topic)
    lines = "".join(f"k{number}:v{number}\n" for number in range(10))
    keyed = ("--reader-property", "parse.key=true", "--reader-property", "key.separator=:")
    tool("ConsoleProducer", "--topic", topic, *keyed, stdin=lines)
    consumed = tool(
        "consumer.ConsoleConsumer", "--topic", topic, "--from-beginning", "--max-messages", "10", "--group", group,
        "--formatter-property", "print.key=true", "--formatter-property", "key.separator=:",
    )  # fmt: skip
    assert consumed == lines
    assert f"{topic}:0:10" in tool("GetOffsetShell", "--topic", topic)
    described = tool("consumer.group.ConsumerGroupCommand", "--describe", "--group", group)
    row = next(line.split() for line in described.splitlines() if line.startswith(group))
    assert row[1:6] == [topic, "0", "10", "10", "0"]
    assert group in tool("consumer.group.ConsumerGroupCommand", "--list").split()
    reset = ("--reset-offsets", "--group", group, "--topic", topic, "--to-offset", "4", "--execute")
    tool("consumer.group.ConsumerGroupCommand", *reset)
    cut = tmp_path / "cut.json"
    cut.write_text(json.dumps({"version": 1, "partitions": [{"topic": topic, "partition": 0, "offset": 3}]}))
    assert "low_watermark: 3" in tool("DeleteRecordsCommand", "--offset-json-file", str(cut))
    rest = tool("consumer.ConsoleConsumer", "--topic", topic, "--group", group, "--max-messages", "6")
    assert rest.split() == [f"v{number}" for number in range(4, 10)]
    tool("consumer.group.ConsumerGroupCommand", "--delete", "--group", group)
    assert group not in tool("consumer.group.ConsumerGroupCommand", "--list").split()


def test_the_cluster_explains_itself(tool: Tool) -> None:
    assert "Produce(0): " in tool("BrokerApiVersionsCommand")
    log_dirs = tool("LogDirsCommand", "--describe")
    described = json.loads(log_dirs[log_dirs.index("{") :])
    assert [broker["broker"] for broker in described["brokers"]] == [1]
    assert "metadata.version" in tool("FeatureCommand", "describe")
    assert "LeaderId:" in tool("MetadataQuorumCommand", "describe", "--status")
    assert "TransactionalId" in tool("TransactionsCommand", "list")
