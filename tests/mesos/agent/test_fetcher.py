"""What a command's URIs name is in its sandbox before it starts."""

from __future__ import annotations

import gzip
import http.server
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.mesos.agent.conftest import StartAgent
from tests.mesos.agent.fake_master import FakeMaster
from tests.mesos.agent.test_tasks import sandbox

from smackbox.mesos.agent.server.service import AgentService


class Files(http.server.BaseHTTPRequestHandler):
    served: list[str]

    def do_GET(self) -> None:
        name = self.path.partition("?")[0]
        self.served.append(name)
        if name == "/moved":
            self.send_response(302)
            self.send_header("Location", "/plain.txt")
            self.end_headers()
            return
        body = b"" if name == "/missing" else b"content of " + name.encode()
        self.send_response(404 if name == "/missing" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Last-Modified", "Wed, 01 Jan 2025 00:00:00 GMT")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def web() -> Iterator[tuple[str, list[str]]]:
    served: list[str] = []
    handler = type("Handler", (Files,), {"served": served})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", served
    server.shutdown()
    thread.join()
    server.server_close()


def command(value: str, *uris: dict[str, Any]) -> dict[str, Any]:
    return {"value": value, "uris": list(uris)}


def test_files_and_their_names(
    agent: AgentService, master: FakeMaster, web: tuple[str, list[str]], tmp_path: Path
) -> None:
    local = tmp_path / "local.sh"
    local.write_text("#!/bin/sh\necho local\n")
    url = web[0]
    task = master.run(
        command(
            "./local.sh && cat plain.txt sub/other moved",
            {"value": str(local), "executable": True},
            {"value": f"{url}/plain.txt?token=secret"},
            {"value": f"{url}/x", "output_file": "sub/other"},
            {"value": f"{url}/moved"},
        )
    )
    assert master.terminal(task)["state"] == "TASK_FINISHED"
    output = (sandbox(tmp_path, task) / "stdout").read_text()
    assert output == "local\ncontent of /plain.txtcontent of /xcontent of /plain.txt"
    log = (sandbox(tmp_path, task) / "stderr").read_text()
    assert f"Fetching URI '{url}/plain.txt'\n" in log
    assert "secret" not in log


def test_archives_are_unpacked(agent: AgentService, master: FakeMaster, tmp_path: Path) -> None:
    (tmp_path / "member").write_text("in the archive\n")
    for name, mode in (
        ("a.tar", "w"),
        ("b.tar.gz", "w:gz"),
        ("c.tgz", "w:gz"),
        ("d.tar.bz2", "w:bz2"),
        ("e.txz", "w:xz"),
    ):
        with tarfile.open(tmp_path / name, mode) as archive:  # type: ignore[call-overload]
            archive.add(tmp_path / "member", f"from-{name}")
    with zipfile.ZipFile(tmp_path / "f.zip", "w") as packed:
        packed.write(tmp_path / "member", "from-f.zip")
    (tmp_path / "g.txt.gz").write_bytes(gzip.compress(b"in the archive\n"))
    names = ["a.tar", "b.tar.gz", "c.tgz", "d.tar.bz2", "e.txz", "f.zip", "g.txt.gz"]
    uris = [{"value": f"file://{tmp_path / name}"} for name in names]
    whole = {"value": str(tmp_path / "a.tar"), "extract": False, "output_file": "whole.tar"}
    task = master.run(command("cat from-* g.txt | sort -u; test -e whole.tar", *uris, whole))
    assert master.terminal(task)["state"] == "TASK_FINISHED"
    assert (sandbox(tmp_path, task) / "stdout").read_text() == "in the archive\n"


def test_the_cache_is_asked_first(agent: AgentService, master: FakeMaster, web: tuple[str, list[str]]) -> None:
    url, served = web
    tasks = [master.run(command("grep content file", {"value": f"{url}/file", "cache": True})) for _ in range(5)]
    assert {master.terminal(task)["state"] for task in tasks} == {"TASK_FINISHED"}
    assert served == ["/file"]


def test_the_cache_has_a_size(start_agent: StartAgent, master: FakeMaster, web: tuple[str, list[str]]) -> None:
    start_agent(fetcher_cache_size=20)
    url, served = web
    for name in ("one", "two", "two", "one"):
        master.terminal(master.run(command("true", {"value": f"{url}/{name}", "cache": True})))
    assert served == ["/one", "/two", "/one"]


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ({"value": "/no/such/file"}, "Failed to copy '/no/such/file': No such file"),
        ({"value": "relative"}, "A relative path was passed"),
        ({"value": "ftp://x/y"}, "is not one of file, http, https, s3"),
        ({"value": "/etc/hostname", "output_file": "../x"}, "cannot be stored as '../x'"),
        ({"value": "http://127.0.0.1:1/x"}, "Error downloading resource 'http://127.0.0.1:1/x'"),
        ({"value": "WEB/missing"}, "received HTTP return code 404"),
    ],
)
def test_what_cannot_be_fetched(
    agent: AgentService, master: FakeMaster, web: tuple[str, list[str]], uri: dict[str, Any], message: str
) -> None:
    uri = {**uri, "value": uri["value"].replace("WEB", web[0])}
    failed = master.terminal(master.run(command("true", uri)))
    assert (failed["state"], failed["reason"]) == ("TASK_FAILED", "REASON_CONTAINER_LAUNCH_FAILED")
    assert failed["message"].startswith("Failed to launch container: Failed to fetch all URIs for container")
    assert message in failed["message"]


def test_an_archive_does_not_lead_out_of_the_sandbox(agent: AgentService, master: FakeMaster, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "bad.tar", "w") as archive:
        entry = tarfile.TarInfo("../../escaped")
        entry.size = 1
        archive.addfile(entry, io.BytesIO(b"x"))
    failed = master.terminal(master.run(command("true", {"value": str(tmp_path / "bad.tar")})))
    assert failed["reason"] == "REASON_CONTAINER_LAUNCH_FAILED"


def test_a_kill_stops_a_download(agent: AgentService, master: FakeMaster) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        task = master.run(command("true", {"value": f"http://127.0.0.1:{silent.getsockname()[1]}/x"}))
        connection, _ = silent.accept()
        with connection:
            master.kill(task)
            killed = master.terminal(task)
    assert (killed["state"], killed["reason"]) == ("TASK_KILLED", "REASON_TASK_KILLED_DURING_LAUNCH")


def test_s3(
    agent: AgentService, master: FakeMaster, web: tuple[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT", web[0])
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    task = master.run(command("cat object.txt", {"value": "s3://bucket/folder/object.txt"}))
    assert master.terminal(task)["state"] == "TASK_FINISHED"
    assert (sandbox(tmp_path, task) / "stdout").read_text() == "content of /bucket/folder/object.txt"
