"""The broker as a service: the sockets above it, the synchronous broker below, and the loop's timers between them."""

from __future__ import annotations

from smackbox.kafka.server.service import KafkaServer

__all__ = ["KafkaServer"]
