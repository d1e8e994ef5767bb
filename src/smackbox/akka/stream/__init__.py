"""Streams with back-pressure: `Source`, `Flow`, `Sink`. Names are loaded when they are first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smackbox.akka.stream.attributes import restarting_decider as restarting_decider
    from smackbox.akka.stream.attributes import resuming_decider as resuming_decider
    from smackbox.akka.stream.attributes import stopping_decider as stopping_decider
    from smackbox.akka.stream.blueprint import Keep as Keep
    from smackbox.akka.stream.buffers import OverflowStrategy as OverflowStrategy
    from smackbox.akka.stream.flow import Flow as Flow
    from smackbox.akka.stream.frames import Compression as Compression
    from smackbox.akka.stream.frames import Framing as Framing
    from smackbox.akka.stream.graph import GraphBuilder as GraphBuilder
    from smackbox.akka.stream.graph import RunnableGraph as RunnableGraph
    from smackbox.akka.stream.hub import BroadcastHub as BroadcastHub
    from smackbox.akka.stream.hub import MergeHub as MergeHub
    from smackbox.akka.stream.hub import PartitionHub as PartitionHub
    from smackbox.akka.stream.kill_switch import KillSwitches as KillSwitches
    from smackbox.akka.stream.materializer import Materializer as Materializer
    from smackbox.akka.stream.queues import Offered as Offered
    from smackbox.akka.stream.restart import RestartFlow as RestartFlow
    from smackbox.akka.stream.restart import RestartSettings as RestartSettings
    from smackbox.akka.stream.restart import RestartSink as RestartSink
    from smackbox.akka.stream.restart import RestartSource as RestartSource
    from smackbox.akka.stream.sink import Sink as Sink
    from smackbox.akka.stream.source import Source as Source
    from smackbox.akka.stream.stream_refs import SinkRef as SinkRef
    from smackbox.akka.stream.stream_refs import SourceRef as SourceRef
    from smackbox.akka.stream.stream_refs import StreamRefs as StreamRefs
    from smackbox.akka.stream.timed import ThrottleMode as ThrottleMode

_STREAM = "smackbox.akka.stream."
_LAZY = {
    **dict.fromkeys(("restarting_decider", "resuming_decider", "stopping_decider"), _STREAM + "attributes"),
    "Keep": _STREAM + "blueprint",
    "OverflowStrategy": _STREAM + "buffers",
    "Flow": _STREAM + "flow",
    **dict.fromkeys(("Compression", "Framing"), _STREAM + "frames"),
    **dict.fromkeys(("GraphBuilder", "RunnableGraph"), _STREAM + "graph"),
    **dict.fromkeys(("BroadcastHub", "MergeHub", "PartitionHub"), _STREAM + "hub"),
    "KillSwitches": _STREAM + "kill_switch",
    "Materializer": _STREAM + "materializer",
    "Offered": _STREAM + "queues",
    **dict.fromkeys(("RestartFlow", "RestartSettings", "RestartSink", "RestartSource"), _STREAM + "restart"),
    "Sink": _STREAM + "sink",
    "Source": _STREAM + "source",
    **dict.fromkeys(("SinkRef", "SourceRef", "StreamRefs"), _STREAM + "stream_refs"),
    "ThrottleMode": _STREAM + "timed",
}  # fmt: skip

__all__ = list(_LAZY)


def __getattr__(name: str) -> Any:
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(module), name)
