"""Every verb with wrong addresses, files and names, and without servers: one line that says what to do."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from smackbox.cli.cql_tools import TOOLS
from smackbox.cli.main import VERBS, main
from smackbox.cli.topics import command as topics_command

APP = """
import uuid
import msgspec
import smackbox as sb

app = sb.App("one")

class Event(msgspec.Struct):
    id: uuid.UUID

app.stream(app.topic("t", Event), to=app.table("e", Event, primary_key="id"))

@app.job()
def broken(spark):
    raise KeyError("why")
"""


@pytest.fixture(scope="module")
def closed_port() -> Iterator[int]:
    """A port that nobody can listen on while the tests run."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


CQL = {
    "status": ["status"],
    "tablestats": ["tablestats"],
    "import": ["import", "k.t", "FILE"],
    "export": ["export", "k.t", "NEW"],
}
TOPICS = {
    "export": ["export", "t", "t.jsonl"],
    "import": ["import", "t", "t.jsonl"],
    "list": ["list"],
    "create": ["create", "x"],
    "alter": ["alter", "x", "-p", "3"],
    "describe": ["describe", "x"],
    "delete": ["delete", "x", "--yes"],
    "produce": ["produce", "x"],
    "consume": ["consume", "x"],
    "lag": ["lag", "g"],
    "reset": ["reset", "g", "x", "--to", "latest"],
}
SERVERS = [
    ["kafka", "serve"],
    ["cassandra", "serve"],
    ["zookeeper", "serve"],
    ["marathon", "serve"],
    ["chronos", "serve"],
    ["mesos", "master"],
    ["mesos", "agent"],
]


def said(capfd: pytest.CaptureFixture[str], arguments: list[str]) -> str:
    """The one line that the command says as it fails."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 1
    out, err = capfd.readouterr()
    # librdkafka's lines of clients that other tests of this process left are not the command's
    err = "".join(line for line in err.splitlines(keepends=True) if not re.match(r"%\d\|.*rdkafka#", line))
    lines = err.splitlines()
    assert (len(lines), out) == (1, ""), err
    assert lines[0].startswith("smack: ")
    assert "Traceback" not in err
    return lines[0].removeprefix("smack: ")


def filled(arguments: list[str], tmp_path: Path) -> list[str]:
    existing = tmp_path / "rows.csv"
    existing.write_text("a\n1\n")
    names = {"FILE": str(existing), "NEW": str(tmp_path / "new.csv")}
    return [names.get(argument, argument) for argument in arguments]


def test_every_verb_is_among_these_tests() -> None:
    others = {"cql", "topics", "run", "up", "spark", "status", "demo", "submit", "projection"}
    others |= {"backup", "restore", "dlq", "streams", "lag"}  # theirs are in test_backup and test_dlq
    others |= {"replay", "patch", "migrate", "registry"}  # theirs are in test_mending and tests/registry
    others |= {"pipelines"}
    assert {verb for verb, *_ in SERVERS} | others == VERBS.keys()
    assert TOPICS.keys() == topics_command.commands.keys()  # type: ignore[attr-defined]
    of_directories = {"snapshot", "listsnapshots", "clearsnapshot", "restore", "flush", "compact"}
    assert CQL.keys() | of_directories == {tool.name for tool in TOOLS}


def test_a_pipeline_that_is_not_there(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    spec = tmp_path / "spark-pipeline.yml"
    assert said(capfd, ["pipelines", "run", "--spec", str(spec)]) == f"there is no file {spec}"


def test_a_job_that_is_not_there(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert said(capfd, ["submit", str(tmp_path / "job.py")]) == f"there is no file {tmp_path / 'job.py'}"


@pytest.mark.parametrize("tool", [["status"], ["pause", "n", "k"], ["resume", "n", "k"], ["rewind", "n", "k"]])
def test_projections_of_no_process(tool: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert str(tmp_path) in said(capfd, ["projection", "--dir", str(tmp_path), *tool])


@pytest.mark.parametrize("tool", TOPICS)
def test_topics_without_a_broker(
    tool: str, closed_port: int, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smackbox.cli.topics.TIMEOUT_S", 1.0)
    line = said(capfd, ["topics", "--kafka", f"127.0.0.1:{closed_port}", *TOPICS[tool]])
    assert "no Kafka answers at 127.0.0.1" in line and "smack up" in line


@pytest.mark.parametrize("address", ["localhost:x", "::1:9092", ":", "nohost.invalid:9092"])
def test_topics_at_a_wrong_address(
    address: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smackbox.cli.topics.TIMEOUT_S", 1.0)
    line = said(capfd, ["topics", "--kafka", address, "list"])
    assert re.search(r"is not host:port|needs brackets|no Kafka answers", line)


@pytest.mark.parametrize("tool", [*CQL, "SELECT 1"])
def test_cql_without_a_server(tool: str, closed_port: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = filled(CQL.get(tool, [tool]), tmp_path)
    line = said(capfd, ["cql", *arguments, "--cassandra", f"127.0.0.1:{closed_port}"])
    assert "no Cassandra answers at 127.0.0.1" in line and "smack up" in line


@pytest.mark.parametrize("address", ["localhost:x", "localhost", "nohost.invalid", "a:1,b:2"])
def test_cql_at_a_wrong_address(address: str, capfd: pytest.CaptureFixture[str]) -> None:
    line = said(capfd, ["cql", "--cassandra", address, "SELECT 1"])
    assert re.search(r"is not host:port|no Cassandra answers|same port", line)


@pytest.mark.parametrize("tool", ["snapshot", "listsnapshots", "clearsnapshot", "restore", "flush", "compact"])
def test_cql_tools_without_a_data_directory(tool: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = {"clearsnapshot": ["--all"], "restore": ["tag"]}.get(tool, [])
    assert str(tmp_path) in said(capfd, ["cql", tool, *arguments, "--dir", str(tmp_path / "none")])


@pytest.mark.parametrize("server", SERVERS, ids=lambda words: words[0] + "-" + words[1])
@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (["--dir", "/proc/none"], "data directory"),
        (["--host", "0.0.0.0"], "--insecure"),
        (["--config", "/none.toml"], "no settings file /none.toml"),
    ],
)
def test_servers_that_cannot_start(
    server: list[str], flags: list[str], reason: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    directory = [] if "--dir" in flags else ["--dir", str(tmp_path)]
    assert reason in said(capfd, [*server, "--port", "0", *directory, *flags])


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["run", "/none.py"], "no application file /none.py"),
        (["run", "SYNTAX"], "line 1: SyntaxError"),
        (["run", "RAISES"], "line 2: ValueError: boom"),
        (["run", "EMPTY"], "must hold one smackbox.App, it holds 0"),
        (["run", "APP", "--job", "brokem"], "did you mean 'broken'"),
        (["run", "APP", "--only", "ingest"], "start `smack up` first"),
        (["run", "APP", "--only", "what", "--kafka", "a:1", "--cassandra", "a:1"], "archive:NAME and actors:NAME"),
        (["run", "APP", "--only", "stream:x", "--kafka", "a:1", "--cassandra", "a:1"], "no stream 'x'"),
        (["run", "APP", "--kafka", "a:b"], "'a:b' is not host:port"),
        (["run", "APP", "--cassandra", "a:b"], "'a:b' is not host:port"),
        (["run", "APP", "--job", "broken", "--kafka", "a:1", "--cassandra", "a:1"], "line 15: KeyError: 'why'"),
        (["run", "APP", "--job", "broken", "--kafka", "a:1", "--cassandra", "a:1", "--spark", "a:1"], "sc://host"),
        (["run", "APP", "--job", "broken", "--kafka", "a:1", "--cassandra", "a:1", "--spark", "sc://127.0.0.1:PORT"],
         "no Spark Connect server answers"),
        (["up", "--memory", "--dir", "x"], "exclude each other"),
        (["up", "--config", "/none.toml"], "no settings file"),
        (["spark", "serve", "--host", "0.0.0.0"], "--insecure"),
    ],
)  # fmt: skip
def test_applications_and_the_box(
    arguments: list[str],
    reason: str,
    tmp_path: Path,
    closed_port: int,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    files = {"SYNTAX": "x = (", "RAISES": "\nraise ValueError('boom')", "EMPTY": "", "APP": APP}
    for name, text in files.items():
        (tmp_path / f"{name.lower()}.py").write_text(text)
    words = [
        str(tmp_path / f"{word.lower()}.py") if word in files else word.replace("PORT", str(closed_port))
        for word in arguments
    ]
    assert reason in said(capfd, words)


def test_status_where_nothing_runs(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["status", "--dir", str(tmp_path)])
    assert (ended.value.code, len(capfd.readouterr().out.splitlines())) == (1, 1)


@pytest.mark.parametrize(("verb", "near"), [("topcs", "topics"), ("casandra", "cassandra")])
def test_an_unknown_verb_names_the_near_one(verb: str, near: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([verb])
    assert ended.value.code == 2
    assert f"did you mean '{near}'" in capfd.readouterr().err
