"""What an actor system and its cluster do, for Prometheus.

`smack_actors`, `smack_mailbox_messages` and `smack_mailbox_longest` are of the actors below `/user`;
`smack_actor_processing_seconds` are samples of the time that classes of actors take for a message;
`smack_actor_failures_total` counts by what the supervisor did; `smack_cluster_members` are this node's view by status.
`smack_stream_asked`, `smack_stream_held_back` and `smack_stream_waiting` are the demand of streams, by the names that
`named` gives to their parts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from smackbox.akka.actor.processing import ProcessingTimes
from smackbox.akka.actor.system import ActorSystem
from smackbox.akka.cluster.cluster import Cluster
from smackbox.akka.stream.demand import demand_of, islands

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric


@dataclass(frozen=True, slots=True)
class Mailboxes:
    """How many actors a part of the tree has, and how many messages wait for them."""

    actors: int
    messages: int
    longest: int
    longest_path: str


def mailboxes(system: ActorSystem) -> Mailboxes:
    """Of all actors that users spawned."""
    actors = messages = longest = 0
    longest_path = ""
    waiting: list[Any] = list(system.user_cell._cells())
    while waiting:
        cell = waiting.pop()
        actors += 1
        waiting += cell._cells()
        length = 0 if cell.box is None else len(cell.box)
        messages += length
        if length > longest:
            longest, longest_path = length, str(cell.path)
    return Mailboxes(actors, messages, longest, longest_path)


def members(system: ActorSystem) -> Mapping[str, int]:
    """The members of the cluster by status, those that cannot be reached as `unreachable` too; none without one."""
    try:
        cluster = Cluster.of(system)
    except LookupError:
        return {}
    counts = Counter(member.status.name.lower() for member in cluster.members)
    unreachable = len(cluster.state.reachability.unreachable)
    return {**counts, "unreachable": unreachable} if unreachable else counts


class SystemCollector:
    """For a registry of `prometheus_client`. `shards` are by entity type, as the application last asked for them."""

    def __init__(self, system: ActorSystem) -> None:
        self._system = system
        self._times = system.dispatcher.processing = system.dispatcher.processing or ProcessingTimes()
        self.shards: dict[str, tuple[int, int]] = {}

    def collect(self) -> Iterator[Metric]:
        """The metrics as they are now."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily

        found = mailboxes(self._system)
        for name, help_text, value in (
            ("smack_actors", "Actors that are there", found.actors),
            ("smack_mailbox_messages", "Messages that wait in mailboxes", found.messages),
            ("smack_mailbox_longest", "Messages in the fullest mailbox", found.longest),
        ):
            yield GaugeMetricFamily(name, help_text, value=value)
        yield CounterMetricFamily(
            "smack_dead_letters", "Messages without a recipient", value=self._system.dead_letter_log.count
        )
        times = SummaryMetricFamily(
            "smack_actor_processing_seconds", "Time for a message on the event loop, sampled", labels=["actor"]
        )
        for name, processed in self._times.by_name.items():
            times.add_metric([name], processed.messages, processed.seconds)
        yield times
        failures = CounterMetricFamily("smack_actor_failures", "Failures by what was done", labels=["directive"])
        for directive, count in self._system.failures.items():
            failures.add_metric([directive.value], count)
        yield failures
        yield from self._streams()
        nodes = GaugeMetricFamily("smack_cluster_members", "Members of the cluster by status", labels=["status"])
        for status, count in members(self._system).items():
            nodes.add_metric([status], count)
        yield nodes
        shards = GaugeMetricFamily("smack_shards", "Shards of this node by entity type", labels=["type"])
        entities = GaugeMetricFamily("smack_entities", "Entities of this node by type", labels=["type"])
        for name, (shard_count, entity_count) in self.shards.items():
            shards.add_metric([name], shard_count)
            entities.add_metric([name], entity_count)
        yield shards
        yield entities

    def _streams(self) -> Iterator[Metric]:
        from prometheus_client.core import GaugeMetricFamily

        yield GaugeMetricFamily("smack_streams", "Parts of streams that run", value=islands(self._system))
        found = demand_of(self._system)
        for name, help_text in (
            ("asked", "Edges where an element is asked for and has not come"),
            ("held_back", "Edges where no element is asked for: back-pressure"),
            ("waiting", "Elements in buffers, queues and asynchronous boundaries"),
        ):
            gauge = GaugeMetricFamily(f"smack_stream_{name}", help_text, labels=["stream"])
            for stream, demand in found.items():
                gauge.add_metric([stream], getattr(demand, name))
            yield gauge
