"""The platform that follows a killed one: its master need not wait until the former one's session expires."""

from __future__ import annotations

from pathlib import Path

from kazoo.client import KazooClient

from smackbox.net.service import ServiceThread
from smackbox.runtime.platform import MASTERS, end_former_master
from smackbox.zookeeper.server import ZooKeeperServer
from smackbox.zookeeper.settings import ZooKeeperSettings


async def end(server: ZooKeeperServer) -> None:
    end_former_master(server.running)


def test_the_former_masters_session_is_ended_and_no_other(tmp_path: Path) -> None:
    server = ZooKeeperServer(ZooKeeperSettings(dir=tmp_path))
    with ServiceThread(server) as thread:
        master, other = KazooClient(thread.url), KazooClient(thread.url)
        for client in (master, other):
            client.start()
        thread.call(end(server))  # nobody has stood yet
        master.create(f"{MASTERS}/json.info_", b"{}", ephemeral=True, sequence=True, makepath=True)
        other.create("/mine", b"", ephemeral=True)
        assert other.get_children(MASTERS) == ["json.info_0000000000"]
        session = master.client_id[0]
        thread.call(end(server))
        assert other.get_children(MASTERS) == []
        assert other.exists("/mine") is not None
        assert server.running.database.sessions.get(session) is None
        for client in (master, other):
            client.stop()
            client.close()
