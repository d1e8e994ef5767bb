"""kcat, as Debian has it: an older librdkafka, run as a command."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable

import pytest

pytestmark = [
    pytest.mark.contract,
    pytest.mark.skipif(shutil.which("kcat") is None, reason="kcat is not installed (Debian: apt-get install kcat)"),
]


def kcat(*arguments: str, stdin: str = "") -> str:
    done = subprocess.run(["kcat", *arguments], input=stdin, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("compression", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_kcat_produces_and_consumes(kafka_bootstrap: str, make_topic: Callable[..., str], compression: str) -> None:
    topic = make_topic()
    lines = "".join(f"line {i}\n" for i in range(200))
    kcat("-b", kafka_bootstrap, "-P", "-t", topic, "-z", compression, stdin=lines)
    assert kcat("-b", kafka_bootstrap, "-C", "-t", topic, "-e", "-q", "-o", "beginning") == lines


def test_kcat_lists_topics_and_offsets(kafka_bootstrap: str, make_topic: Callable[..., str]) -> None:
    topic = make_topic(partitions=3)
    kcat("-b", kafka_bootstrap, "-P", "-t", topic, "-p", "1", stdin="a\nb\n")
    assert f'topic "{topic}" with 3 partitions' in kcat("-b", kafka_bootstrap, "-L")
    assert "offset 2" in kcat("-b", kafka_bootstrap, "-Q", "-t", f"{topic}:1:-1")


def test_kcat_in_a_group(kafka_bootstrap: str, make_topic: Callable[..., str], unique: Callable[[str], str]) -> None:
    topic = make_topic()
    kcat("-b", kafka_bootstrap, "-P", "-t", topic, stdin="a\nb\nc\n")
    output = kcat(
        "-b", kafka_bootstrap, "-q", "-c", "3", "-X", "auto.offset.reset=earliest", "-G", unique("group"), topic
    )
    assert output == "a\nb\nc\n"
