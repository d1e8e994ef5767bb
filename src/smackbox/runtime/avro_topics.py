"""The topics of an application that are in Avro, and the registry that they need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smackbox.app.model import App, Topic
from smackbox.base.errors import StartError

if TYPE_CHECKING:
    from smackbox.net.avro_topic import AvroTopic


def needs_registry(app: App) -> bool:
    """Whether any topic has a schema to register."""
    return any(topic.format == "avro" for topic in app.topics)


def avro_topic(topic: Topic, registry: str | None) -> AvroTopic | None:
    """How its values are written and read; None for JSON. Raises `StartError` without a registry."""
    if topic.format != "avro":
        return None
    if registry is None:
        raise StartError(
            f"topic {topic.name} is in Avro: start a schema registry with `smack up --registry`, or say where one is "
            "(--schema-registry http://host:port)"
        )
    from smackbox.net.avro_topic import AvroTopic

    return AvroTopic(registry, topic.name, topic.event)


def register_schemas(app: App, registry: str | None) -> None:
    """Register the schema of each topic. Raises `StartError` for one that is incompatible with what is there."""
    for topic in app.topics:
        codec = avro_topic(topic, registry)
        if codec is not None:
            codec.register()
