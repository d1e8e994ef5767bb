"""Views and clicks of each campaign, counted by actors: one for each campaign, wherever in the cluster it is.

smack run examples/cluster/counters.py
smack status                                                                     where the three nodes are
curl -X POST localhost:PORT/count/42 -H 'content-type: application/json' -d '{"id": "1", "type": "view"}'
curl localhost:PORT/count/42                                                     on any node, of any campaign

Each campaign is an event-sourced entity of cluster sharding. Its events are in Cassandra, so it goes on counting on
another node when its own dies. An event's id counts once, however often a client that saw no answer posts it again.

With `--akka akka://system@host:port` the same nodes are members of a Pekko cluster, whose JVMs reach the campaigns by a
proxy of the entity type `Campaign` and the role `counting`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import msgspec

import smackbox as sb
from smackbox import akka
from smackbox.akka import persistence as p

if TYPE_CHECKING:
    from smackbox.akka.http import Route
    from smackbox.runtime.actors import ActorNode

KEYSPACE = "counters"
ROLE = "counting"
"""Of the nodes that host campaigns."""
ANSWER_TIMEOUT_S = 5.0

app = sb.App("counters")


class Counted(msgspec.Struct, frozen=True):
    """To a campaign: count this event. Also the event that is stored of it."""

    id: str
    type: Literal["view", "click"]


class GetTotals(msgspec.Struct, frozen=True):
    """To a campaign."""


class Totals(msgspec.Struct, frozen=True):
    """What a campaign answers."""

    views: int
    clicks: int


@dataclass
class Campaign:
    """The state of one campaign; it has no snapshots, so it may be changed in place."""

    views: int = 0
    clicks: int = 0
    seen: set[str] = field(default_factory=set)

    def counted(self, event: Counted) -> Campaign:
        self.seen.add(event.id)
        if event.type == "view":
            self.views += 1
        else:
            self.clicks += 1
        return self

    def totals(self) -> Totals:
        return Totals(self.views, self.clicks)


CAMPAIGN: akka.EntityTypeKey[Any] = akka.EntityTypeKey("Campaign")


def campaign(entity: akka.EntityContext) -> akka.Behavior[Any]:
    """The behavior of one campaign."""

    def setup(context: akka.ActorContext[Any]) -> akka.Behavior[Any]:
        def on_command(state: Campaign, command: Any) -> p.Effect[Counted, Campaign]:
            sender = context.sender
            if isinstance(command, Counted) and command.id not in state.seen:
                return p.Effect.persist(command).then_run(lambda after: sender.tell(after.totals()))
            return p.Effect.reply(sender, state.totals())

        return p.EventSourcedBehavior(
            p.PersistenceId.of("Campaign", entity.entity_id), Campaign(), on_command, Campaign.counted
        )

    return akka.Behaviors.setup(setup)


@app.actors(instances=3, roles=(ROLE,))
async def counters(node: ActorNode) -> None:
    """Begin sharding, the journal, and the routes of one node."""
    for message in (Counted, GetTotals, Totals):
        node.remoting.serialization.register(f"counters.{message.__name__}", message)
    await open_journal(node)
    node.sharding.init(akka.Entity(CAMPAIGN, campaign, settings=akka.ShardingSettings(role=ROLE)))
    node.routes.append(routes(node))


async def open_journal(node: ActorNode) -> None:
    """The events are in the Cassandra that the application uses."""
    from cassandra.cluster import Cluster

    from smackbox.akka.persistence.cassandra import CassandraPersistence
    from smackbox.akka.persistence.cassandra_settings import CassandraSettings

    host, port = (node.urls.cassandra or "127.0.0.1:9042").rsplit(":", 1)
    driver = Cluster([host], port=int(port))
    node.system.on_termination(driver.shutdown)
    settings = CassandraSettings(keyspace=KEYSPACE, snapshot_keyspace=f"{KEYSPACE}_snapshots")
    stores = await CassandraPersistence.open(driver.connect(), settings)
    stores.add_to(node.system)
    persistence = p.Persistence(node.system, stores.journal, stores.snapshots)
    persistence.register("counters.Counted", Counted)


def routes(node: ActorNode) -> Route:
    """`POST` and `GET /count/CAMPAIGN`."""
    from smackbox.akka.http import as_, complete, concat, entity, get, path, post

    def ref(name: str) -> akka.EntityRef[Any]:
        return node.sharding.entity_ref_for(CAMPAIGN, name)

    @(path("count", str) & post & entity(as_(Counted)))
    async def count(name: str, event: Counted) -> Any:
        return complete(await ref(name).request(event, ANSWER_TIMEOUT_S))

    @(path("count", str) & get)
    async def totals(name: str) -> Any:
        return complete(await ref(name).request(GetTotals(), ANSWER_TIMEOUT_S))

    return concat(count, totals)
