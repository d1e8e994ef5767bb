"""The Java client 3.9, unchanged, and its shell `zkCli`."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest
from tests.contract.clients import builds

pytestmark = [pytest.mark.polyglot, pytest.mark.timeout(900)]

CLI = "org.apache.zookeeper.ZooKeeperMain"


def test_the_java_client(zookeeper_address: str, unique: Callable[[str], str]) -> None:
    said = builds.run("zookeeper_java", zookeeper_address, "/" + unique("java")).splitlines()
    assert len(said) == 26
    assert said[-1] == "the list itself"


def cli(address: str, *command: str) -> str:
    java, flag, classpath, _ = builds.command("zookeeper_java")
    done = subprocess.run(
        [java, flag, classpath, CLI, "-server", address, *command],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


def test_zkcli(zookeeper_address: str, unique: Callable[[str], str]) -> None:
    path = "/" + unique("cli")
    assert f"Created {path}" in cli(zookeeper_address, "create", path, "hello")
    assert "hello" in cli(zookeeper_address, "get", path)
    cli(zookeeper_address, "set", path, "world")
    assert "dataVersion = 1" in cli(zookeeper_address, "stat", path)
    assert "Created" in cli(zookeeper_address, "create", "-e", "-s", path + "/e-", "")
    assert path.strip("/") in cli(zookeeper_address, "ls", "/")
    assert "Node already exists" in cli(zookeeper_address, "create", path, "x")
    assert "world,'anyone" in cli(zookeeper_address, "getAcl", path).replace("'world", "world")
    cli(zookeeper_address, "deleteall", path)
    assert "Node does not exist" in cli(zookeeper_address, "get", path)
