"""The registry's settings: what every server takes, and where its topic is."""

from __future__ import annotations

from pathlib import Path

from smackbox.base.errors import SettingError
from smackbox.base.settings import ServerSettings
from smackbox.registry.wire.levels import LEVELS


class RegistrySettings(ServerSettings, frozen=True, kw_only=True):
    """The settings of the section `[registry]`.

    `kafka` is the broker that keeps the topic `kafkastore_topic`; `kafka_options` are librdkafka's own, such as
    `security.protocol`. `schema_compatibility_level` holds where neither a subject nor `PUT /config` says another.
    """

    kafka: str = "127.0.0.1:9092"
    kafka_options: dict[str, str] = {}
    kafkastore_topic: str = "_schemas"
    kafkastore_timeout_ms: int = 30_000
    schema_compatibility_level: str = "BACKWARD"
    auth_users: dict[str, str] = {}
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None

    def check(self) -> None:
        """Raises `SettingError`."""
        if self.schema_compatibility_level not in LEVELS:
            raise SettingError(f"registry: schema_compatibility_level is one of {', '.join(LEVELS)}")
        if self.kafkastore_timeout_ms <= 0:
            raise SettingError("registry: kafkastore_timeout_ms is more than 0")
