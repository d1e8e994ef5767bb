"""The actors of an application: one node of its cluster in the process that calls this.

The nodes of `app.actors` find each other through the box's ZooKeeper, under `/smackbox/actors/APP/NAME`. Its lease
decides which side of a split survives, even with two nodes. With `--akka` the node joins
another cluster instead, a Pekko one for instance, and is named after that cluster's actor system.

Each node has an HTTP address: `/metrics`, `/healthz`, `/actors` (what `smack status` shows), and Pekko Management's
`/ready`, `/alive`, `/cluster/members`.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from smackbox.akka.actor.path import Address
from smackbox.akka.actor.system import ActorSystem
from smackbox.akka.cluster.cluster import Cluster
from smackbox.akka.cluster.core import ClusterSettings
from smackbox.akka.cluster.downing import LeaseMajority
from smackbox.akka.cluster.management import ClusterManagement
from smackbox.akka.cluster.member import MemberStatus
from smackbox.akka.cluster.resolver import DowningSettings
from smackbox.akka.cluster.zookeeper import ZooKeeperLease
from smackbox.akka.http.directives import get
from smackbox.akka.http.paths import path
from smackbox.akka.http.route import complete, concat
from smackbox.akka.http.server import Http
from smackbox.akka.metrics import SystemCollector, mailboxes, members
from smackbox.akka.remote.remoting import Remoting
from smackbox.akka.sharding.messages import CurrentShardRegionState, GetShardRegionState
from smackbox.akka.sharding.sharding import ClusterSharding
from smackbox.app.model import Actors, App
from smackbox.base.errors import SettingError, StartError
from smackbox.net.http import HttpResponse
from smackbox.net.service import at_end_of, run_loop, say
from smackbox.runtime.process import LIFELINE
from smackbox.runtime.settings import BoxSettings, Urls

ZOOKEEPER_FOLDER = "/smackbox/actors"
STABLE_AFTER_S = 5.0
"""How long a node must be away until it is taken for dead: short, for the nodes of a box are on one machine."""
JOIN_TIMEOUT_S = 60.0
SHARDS_TIMEOUT_S = 1.0


@dataclass(slots=True)
class ActorNode:
    """The argument of `app.actors` functions: one node that is a member of its cluster. `directory` is its own."""

    app: App
    name: str
    urls: Urls
    directory: Path
    system: ActorSystem
    remoting: Remoting
    cluster: Cluster
    routes: list[Any] = field(default_factory=list)
    """Routes of the application, beside those of the node."""

    @property
    def sharding(self) -> ClusterSharding:
        """The node's cluster sharding."""
        return ClusterSharding(self.system)


def actors_part(app: App, actors: Actors, urls: Urls, settings: BoxSettings) -> None:
    """Run one node until it is asked to stop; then it leaves the cluster, and its actors stop.

    Raises `StartError` if it cannot join, `SettingError` for an invalid address.
    """
    run_loop(_run(app, actors, urls, settings))


async def _run(app: App, actors: Actors, urls: Urls, settings: BoxSettings) -> None:
    began = time.monotonic()
    seed = None if urls.akka is None else _address(urls.akka)
    async with ActorSystem(app.name.replace("_", "-") if seed is None else seed.system) as system:
        stopping = asyncio.Event()
        _stop_on_signals(stopping)
        remoting = await Remoting.start(system, settings.host, insecure=settings.insecure)
        zookeeper = f"zk://{urls.zookeeper}{ZOOKEEPER_FOLDER}/{app.name}/{actors.name}"
        async with contextlib.AsyncExitStack() as stack:
            if seed is None:
                cluster = await _own_cluster(stack, remoting, actors, zookeeper)
                await cluster.join_zookeeper(zookeeper)
            else:
                cluster = Cluster(remoting, ClusterSettings(roles=frozenset(actors.roles)))
                cluster.join_seed_nodes([seed])
            await _joined(cluster, urls.akka or zookeeper)
            directory = settings.dir / "actors" / app.name / f"{actors.name}-{remoting.address.port}"
            node = ActorNode(app, actors.name, urls, directory, system, remoting, cluster)
            result = actors.setup(node)
            if inspect.isawaitable(result):
                await result
            url = await _serve(node, settings)
            say(f"ready {actors.name} {url} in {(time.monotonic() - began) * 1000:.0f} ms")
            ended = asyncio.Event()
            system.on_termination(ended.set)
            await _first(stopping.wait(), ended.wait())
            if ended.is_set() and not stopping.is_set():
                raise StartError(f"the actor system of {actors.name} ended: {system.failure or 'its node was downed'}")
            await system.shutdown.run("the process is told to stop")


async def _own_cluster(stack: contextlib.AsyncExitStack, remoting: Remoting, actors: Actors, zookeeper: str) -> Cluster:
    lease = ZooKeeperLease(zookeeper, "split-brain", f"{remoting.address}#{remoting.own.uid}")
    await lease.start()
    stack.push_async_callback(lease.stop)
    downing = DowningSettings(LeaseMajority(), STABLE_AFTER_S)
    return Cluster(remoting, ClusterSettings(roles=frozenset(actors.roles), downing=downing), lease=lease)


async def _joined(cluster: Cluster, place: str) -> None:
    try:
        await cluster.until(MemberStatus.UP, timeout_s=JOIN_TIMEOUT_S)
    except TimeoutError as error:
        raise StartError(
            f"the node could not join the cluster at {place} within {JOIN_TIMEOUT_S:.0f} s; "
            "its log says what the others answered"
        ) from error


def _address(text: str) -> Address:
    """`akka://system@host:port`, or `pekko://…`."""
    try:
        return Address.parse(text.replace("akka://", "pekko://", 1))
    except ValueError as error:
        raise SettingError(f"{text!r} is no address of an actor system: akka://system@host:port") from error


async def _serve(node: ActorNode, settings: BoxSettings) -> str:
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry()
    collector = SystemCollector(node.system)
    registry.register(collector)

    async def metrics() -> Any:
        collector.shards = await shards(node.system)
        return complete(HttpResponse(200, generate_latest(registry), "text/plain; version=0.0.4; charset=utf-8"))

    async def summary() -> Any:
        return complete(HttpResponse.json(await shown(node.system)))

    routes = concat(
        path("metrics")(get(metrics)),
        path("actors")(get(summary)),
        path("healthz")(get(lambda: complete("ok"))),
        ClusterManagement(node.system).routes,
        *node.routes,
    )
    server = Http(node.system).new_server_at(settings.host, settings.ingest_port, insecure=settings.insecure)
    binding = await server.bind(routes)
    return f"http://{settings.host}:{binding.local_address[1]}/actors"


async def shown(system: ActorSystem) -> dict[str, Any]:
    """A node in a few figures, as `smack status` shows them."""
    found = mailboxes(system)
    return {
        "members": members(system),
        "shards": {
            name: {"shards": shard, "entities": entity} for name, (shard, entity) in (await shards(system)).items()
        },
        "actors": found.actors,
        "mailbox": {"messages": found.messages, "longest": found.longest, "path": found.longest_path},
        "dead_letters": system.dead_letter_log.count,
    }


async def shards(system: ActorSystem) -> dict[str, tuple[int, int]]:
    """Shards and entities of this node by entity type; a type whose region does not answer is left out."""
    found = {}
    for name, region in ClusterSharding.regions_of(system).items():
        with contextlib.suppress(Exception):
            state = await region.request(GetShardRegionState(), SHARDS_TIMEOUT_S)
            if isinstance(state, CurrentShardRegionState):
                found[name] = (len(state.shards), sum(map(len, state.shards.values())))
    return found


def _stop_on_signals(stopping: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stopping.set)
    if lifeline := os.environ.get(LIFELINE):
        at_end_of(lifeline, lambda: loop.call_soon_threadsafe(stopping.set))


async def _first(*works: Any) -> None:
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
