"""kill -9 under load: every acknowledged write is there after the restart."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from kazoo.client import KazooClient

ROUNDS = 5
WRITES = 200


def test_acknowledged_writes_outlive_the_process(tmp_path: Path) -> None:
    acknowledged: list[str] = []
    for round_ in range(ROUNDS):
        server = subprocess.Popen(
            [sys.executable, "-m", "smackbox", "zookeeper", "serve", "--port", "0", "--dir", str(tmp_path / "data")],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert server.stdout is not None
        ready = server.stdout.readline().split()
        assert ready[:2] == ["ready", "zookeeper"]
        client = KazooClient(ready[2], timeout=6.0, connection_retry={"max_tries": 0}, command_retry={"max_tries": 0})
        client.start(10)
        assert [path for path in acknowledged if client.exists(path) is None] == []
        pending = [client.create_async(f"/r{round_}-{number}", b"x" * 100) for number in range(WRITES)]
        pending[WRITES * round_ // ROUNDS].get(timeout=10)
        server.send_signal(signal.SIGKILL)
        server.communicate()
        client.stop()
        client.close()
        acknowledged += [result.value for result in pending if result.ready() and result.successful()]
    assert len(acknowledged) >= WRITES
