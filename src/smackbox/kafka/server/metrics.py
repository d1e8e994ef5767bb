"""The broker's Prometheus metrics, computed from its plain counters when they are scraped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from smackbox.kafka.handlers.apis import APIS
from smackbox.kafka.state.broker import Broker
from smackbox.net.metrics_endpoint import process_registry

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Metric


def registry(broker: Callable[[], Broker]) -> CollectorRegistry:
    """A registry that reads whichever broker is current."""
    return process_registry(lambda: _collect(broker()))


def _collect(broker: Broker) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily

    metrics = broker.metrics
    yield CounterMetricFamily("kafka_server_bytes_in", "Bytes of requests", value=metrics.bytes_in)
    yield CounterMetricFamily("kafka_server_bytes_out", "Bytes of answers", value=metrics.bytes_out)
    yield GaugeMetricFamily("kafka_server_connections", "Open connections", value=metrics.connections)
    yield CounterMetricFamily("kafka_server_connections_opened", "Connections taken", value=metrics.connections_total)
    yield CounterMetricFamily(
        "kafka_server_protocol_errors",
        "Connections closed for bytes that are not Kafka's",
        value=metrics.protocol_errors,
    )
    yield GaugeMetricFamily("kafka_server_parked_fetches", "Fetches that wait for records", value=broker.parked_fetches)
    yield GaugeMetricFamily("kafka_server_partitions", "Partitions", value=broker.catalog.partition_count)
    yield GaugeMetricFamily(
        "kafka_log_uncleanable_partitions",
        "Partitions whose compaction failed; they are tried again after a restart",
        value=sum(partition.uncleanable for partition in broker.catalog.partitions()),
    )
    times = SummaryMetricFamily(
        "kafka_request_seconds", "Requests and the time to their answers, parked time included", labels=["api"]
    )
    failures = CounterMetricFamily("kafka_request_failures", "Requests that hit a bug of the broker's", labels=["api"])
    for key, count in sorted(metrics.by_api.items()):
        name = APIS[key].name
        times.add_metric([name], count_value=count.requests, sum_value=count.seconds)
        failures.add_metric([name], count.errors)
    yield times
    yield failures
    labels = ["topic", "partition"]
    ends = GaugeMetricFamily("kafka_log_end_offset", "The offset behind a partition's last record", labels=labels)
    starts = GaugeMetricFamily("kafka_log_start_offset", "A partition's first offset", labels=labels)
    sizes = GaugeMetricFamily("kafka_log_size_bytes", "Bytes of a partition's log", labels=labels)
    for partition in broker.catalog.partitions():
        where = [partition.topic, str(partition.index)]
        ends.add_metric(where, partition.log_end_offset)
        starts.add_metric(where, partition.log_start_offset)
        sizes.add_metric(where, partition.log.size)
    yield ends
    yield starts
    yield sizes
    yield from _group_lag(broker)


def _group_lag(broker: Broker) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    labels = ["group", "topic", "partition"]
    lag = GaugeMetricFamily("kafka_consumergroup_lag", "Records behind a group's committed offset", labels=labels)
    members = GaugeMetricFamily("kafka_consumergroup_members", "Members of a group", labels=["group"])
    for group in broker.groups.groups.values():
        members.add_metric([group.group_id], len(group.members))
        for (name, index), committed in group.offsets.committed.items():
            topic = broker.catalog.topics.get(name)
            if topic is not None and index < len(topic.partitions):
                behind = topic.partitions[index].log_end_offset - committed.offset
                lag.add_metric([group.group_id, name, str(index)], max(behind, 0))
    yield members
    yield lag
