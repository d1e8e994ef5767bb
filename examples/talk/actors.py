"""The talk's actors and its HTTP microservice: parse, write to Cassandra, publish to Kafka.

smack run examples/talk/actors.py
smack status                                                   where the node is
curl -i localhost:PORT/event -d '{"id": "…", "campaign": "…", "ts": 1443657600000, "type": "view"}'     to Kafka
curl -i localhost:PORT/write -d '{"id": "…", "campaign": "…", "ts": 1443657600000, "type": "view"}'     to Cassandra

201 or 202 is said when Cassandra or Kafka has the event, so what was acknowledged outlives the process.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

import msgspec

import smackbox as sb
from smackbox import akka

if TYPE_CHECKING:
    from smackbox.akka.http import Route
    from smackbox.runtime.actors import ActorNode

WRITE_TIMEOUT_S = 5.0

app = sb.App("talk")


class Event(msgspec.Struct, frozen=True):
    """A view of an ad, or a click on it. `ts` is milliseconds since 1970."""

    id: UUID
    campaign: UUID
    ts: int
    type: Literal["view", "click"]


published = app.topic("published", Event, key="campaign", partitions=2)
event_table = app.table("event", Event, primary_key="id")


@dataclass(frozen=True)
class Failure:
    """What went wrong with a request."""

    reason: str


@dataclass(frozen=True)
class WriteSuccessful:
    """The event is in Cassandra."""

    event: Event


class JsonParserActor(akka.Actor[str]):
    """A text to its sender as an `Event`, or as a `Failure`."""

    def receive(self, text: str) -> None:
        try:
            event = msgspec.json.decode(text, type=Event)
        except msgspec.MsgspecError as error:
            self.context.log.info("no event: %s", error)
            self.context.sender.tell(Failure(str(error)))
        else:
            self.context.sender.tell(event)


class CassandraWriterActor(akka.Actor[Event]):
    """Writes each event at QUORUM, and says `WriteSuccessful` or `Failure` to its sender."""

    def __init__(self, session: Any) -> None:
        from cassandra import ConsistencyLevel

        self._session = session
        self._insert = session.prepare("INSERT INTO talk.event (id, campaign, ts, type) VALUES (?, ?, ?, ?)")
        self._insert.consistency_level = ConsistencyLevel.QUORUM

    def receive(self, event: Event) -> None:
        sender, loop = self.context.sender, asyncio.get_running_loop()
        values = (event.id, event.campaign, event.ts, event.type)
        future = self._session.execute_async(self._insert, values)
        future.add_callbacks(
            lambda _: loop.call_soon_threadsafe(sender.tell, WriteSuccessful(event)),
            lambda error: loop.call_soon_threadsafe(sender.tell, Failure(f"Cassandra did not take it: {error}")),
        )


class HttpActor(akka.Actor[Any]):
    """One for each request: its text to the parser, the event to the writer, the outcome to who asked."""

    def __init__(self, parser: akka.ActorRef[str], writer: akka.ActorRef[Event]) -> None:
        self._parser = parser
        self._writer = writer
        self._asked: akka.ActorRef[Any] | None = None

    def receive(self, message: str | Event | WriteSuccessful | Failure) -> None:
        if isinstance(message, str):
            self._asked = self.context.sender
            self._parser.tell(message, self.context.ref)
        elif isinstance(message, Event):
            self._writer.tell(message, self.context.ref)
        elif self._asked is not None:
            self._asked.tell(message)
            self.context.stop()


@app.actors()
async def microservice(node: ActorNode) -> None:
    """The actors and the routes of the node."""
    from cassandra.cluster import Cluster

    host, port = (node.urls.cassandra or "127.0.0.1:9042").rsplit(":", 1)
    driver = Cluster([host], port=int(port))
    node.system.on_termination(driver.shutdown)
    parser = node.system.spawn(JsonParserActor, "parser")
    writer = node.system.spawn(akka.Props.of(CassandraWriterActor, driver.connect()), "writer")
    node.routes += [write_route(node, parser, writer), event_route(node)]


def write_route(node: ActorNode, parser: akka.ActorRef[str], writer: akka.ActorRef[Event]) -> Route:
    """`POST /write`: through the actors into Cassandra."""
    from smackbox.akka.http import as_, complete, decode_request, entity, path, post

    @(path("write") & post & decode_request & entity(as_(str)))
    async def write(text: str) -> Any:
        outcome = await node.system.spawn(akka.Props.of(HttpActor, parser, writer)).request(text, WRITE_TIMEOUT_S)
        if isinstance(outcome, Failure):
            return complete({"errors": [outcome.reason]}, status=400)
        return complete(status=201)

    return write


def event_route(node: ActorNode) -> Route:
    """`POST /event`: validated, then into Kafka; 400 with flat JSON errors."""
    from smackbox.akka.http import as_, complete, decode_request, entity, path, post
    from smackbox.akka.stream.connectors.kafka_producer import KafkaProducer, ProducerSettings
    from smackbox.akka.stream.errors import StreamError

    assert node.urls.kafka is not None
    producer = KafkaProducer(node.system, ProducerSettings(node.urls.kafka, {"linger.ms": 1}))

    @(path("event") & post & decode_request & entity(as_(str)))
    async def event(text: str) -> Any:
        try:
            found = msgspec.json.decode(text, type=Event)
        except msgspec.MsgspecError as error:
            return complete({"errors": [str(error)]}, status=400)
        try:
            await producer.send(published.name, text, str(found.campaign))
        except StreamError as error:
            return complete({"errors": [str(error)]}, status=503)
        return complete(status=202)

    return event
