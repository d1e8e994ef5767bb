"""`MergeHub`, `BroadcastHub` and `PartitionHub`: sinks and sources that may be used while a hub runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from smackbox.akka.stream.blueprint import StageHead
from smackbox.akka.stream.hubs import (
    BroadcastHubSink,
    ConsumerInfo,
    DrainingControl,
    HubConsumer,
    MergeHubSink,
    MergeHubSource,
    PartitionHubSink,
    _FanCore,
    _MergeCore,
    check_buffer,
)
from smackbox.akka.stream.sink import Sink
from smackbox.akka.stream.source import Source

if TYPE_CHECKING:
    from smackbox.akka.stream.materializer import Part
    from smackbox.akka.stream.stage import Stage

PER_PRODUCER = 16
HUB_BUFFER = 256


class MergeHub:
    """Many producers into one running consumer."""

    @staticmethod
    def source(per_producer_buffer: int = PER_PRODUCER) -> Source[Any, Sink[Any, None]]:
        """A source of what all runs of the sink that it materializes are given."""
        return MergeHub.source_with_draining(per_producer_buffer).map_materialized_value(lambda pair: pair[0])

    @staticmethod
    def source_with_draining(
        per_producer_buffer: int = PER_PRODUCER,
    ) -> Source[Any, tuple[Sink[Any, None], DrainingControl]]:
        """The same, with a control that lets it end with its last producer. Raises `ValueError`."""
        check_buffer(per_producer_buffer)

        def make(_: Part) -> tuple[Stage, tuple[Sink[Any, None], DrainingControl]]:
            core = _MergeCore(per_producer_buffer)
            stage = MergeHubSource(core)
            sink: Sink[Any, None] = Sink.of_stage(lambda _: (MergeHubSink(core), None))
            return stage, (sink, DrainingControl(core))

        return Source.of_stage(make)


class BroadcastHub:
    """One running producer to many consumers, each of which gets every element."""

    @staticmethod
    def sink(start_after_consumers: int = 0, buffer: int = HUB_BUFFER) -> Sink[Any, Source[Any, None]]:
        """Materializes a source; each of its runs gets every element that comes from then on, as fast as the slowest.

        Without a consumer `buffer` elements wait for the first.
        """
        check_buffer(buffer)

        def make(_: Part) -> tuple[Stage, Source[Any, None]]:
            core = _FanCore(buffer, start_after_consumers)
            return BroadcastHubSink(core), _consumer(core)

        return Sink.of_stage(make)


class PartitionHub:
    """One running producer to many consumers; each element goes to one of them."""

    @staticmethod
    def sink(
        partitioner: Callable[[int, Any], int], start_after_consumers: int = 0, buffer: int = HUB_BUFFER
    ) -> Sink[Any, Source[Any, None]]:
        """Each element to the consumer whose place `partitioner(size, element)` gives; negative drops it."""

        def make() -> Callable[[ConsumerInfo, Any], int]:
            def by_place(info: ConsumerInfo, element: Any) -> int:
                ids = info.ids
                place = partitioner(len(ids), element)
                return -1 if place < 0 else ids[place]

            return by_place

        return PartitionHub.stateful_sink(make, start_after_consumers, buffer)

    @staticmethod
    def stateful_sink(
        make: Callable[[], Callable[[ConsumerInfo, Any], int]],
        start_after_consumers: int = 0,
        buffer: int = HUB_BUFFER,
    ) -> Sink[Any, Source[Any, None]]:
        """The same with a partitioner made in each run, which gives a consumer's id of `info.ids`."""
        check_buffer(buffer)

        def stage(_: Part) -> tuple[Stage, Source[Any, None]]:
            core = _FanCore(buffer, start_after_consumers)
            return PartitionHubSink(core, make()), _consumer(core)

        return Sink.of_stage(stage)


def _consumer(core: _FanCore) -> Source[Any, None]:
    return Source(StageHead(lambda _: (HubConsumer(core), None)))
