"""A Python node of the mixed cluster: `mixed_node.py HOST PORT STABLE_S SEED…`. It prints what it sees.

SIGTERM lets it leave. It ends when it is a member no more.
"""

from __future__ import annotations

import asyncio
import signal
import sys

from smackbox.akka import ActorSystem
from smackbox.akka.actor.path import Address
from smackbox.akka.cluster.cluster import Cluster
from smackbox.akka.cluster.core import ClusterSettings
from smackbox.akka.cluster.downing import KeepMajority
from smackbox.akka.cluster.member import Member
from smackbox.akka.cluster.resolver import DowningSettings
from smackbox.akka.remote.remoting import Remoting

REPORT_S = 0.25


def view(cluster: Cluster) -> str:
    unreachable = cluster.state.reachability.unreachable

    def text(member: Member) -> str:
        status = member.status.name.title().replace("_", "")
        return f"{member.node.address.host}:{status}{'!' if member.node in unreachable else ''}"

    leader = cluster.leader
    return f"{' '.join(sorted(map(text, cluster.members)))} leader {'none' if leader is None else leader.host}"


async def main(host: str, port: str, stable_s: str, *seeds: str) -> None:
    async with ActorSystem("lab") as system:
        remoting = await Remoting.start(system, host, int(port), insecure=True)
        cluster = Cluster(remoting, ClusterSettings(downing=DowningSettings(KeepMajority(), float(stable_s))))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, cluster.leave)
        cluster.join_seed_nodes([Address.parse(seed) for seed in seeds])
        print("ready", flush=True)
        while not cluster.is_terminated:
            print("view", view(cluster), flush=True)
            await asyncio.sleep(REPORT_S)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
