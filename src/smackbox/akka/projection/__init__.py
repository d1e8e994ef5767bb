"""Projections: what events mean, in tables and topics, and how far they have come.

Names are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smackbox.akka.projection.behavior import ProjectionBehavior as ProjectionBehavior
    from smackbox.akka.projection.cassandra_offsets import CassandraOffsets as CassandraOffsets
    from smackbox.akka.projection.cassandra_upserts import CassandraUpserts as CassandraUpserts
    from smackbox.akka.projection.kafka_target import KafkaRecord as KafkaRecord
    from smackbox.akka.projection.kafka_target import KafkaTarget as KafkaTarget
    from smackbox.akka.projection.management import ProjectionManagement as ProjectionManagement
    from smackbox.akka.projection.projection import Projection as Projection
    from smackbox.akka.projection.projection import ProjectionSettings as ProjectionSettings
    from smackbox.akka.projection.projection import Retry as Retry
    from smackbox.akka.projection.projection import by_tag as by_tag
    from smackbox.akka.projection.projection_id import ProjectionId as ProjectionId
    from smackbox.akka.projection.slices import slice_tag as slice_tag
    from smackbox.akka.projection.slices import slice_tags as slice_tags
    from smackbox.akka.projection.state_offsets import StateOffsets as StateOffsets

_OWN = "smackbox.akka.projection."
_LAZY = {
    "ProjectionBehavior": "behavior",
    "CassandraOffsets": "cassandra_offsets",
    "CassandraUpserts": "cassandra_upserts",
    **dict.fromkeys(("KafkaRecord", "KafkaTarget"), "kafka_target"),
    "ProjectionManagement": "management",
    **dict.fromkeys(("Projection", "ProjectionSettings", "Retry", "by_tag"), "projection"),
    "ProjectionId": "projection_id",
    **dict.fromkeys(("slice_tag", "slice_tags"), "slices"),
    "StateOffsets": "state_offsets",
}

__all__ = list(_LAZY)


def __getattr__(name: str) -> Any:
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_OWN + module), name)
