"""Checks that the security settings are consistent."""

from __future__ import annotations

from smackbox.base.errors import StartError
from smackbox.cassandra.execution.security import (
    ALLOW_ALL_AUTHENTICATOR,
    ALLOW_ALL_AUTHORIZER,
    CASSANDRA_AUTHORIZER,
)
from smackbox.cassandra.settings import CassandraSettings


def check_security(settings: CassandraSettings) -> None:
    """Raises `StartError` for settings with which Cassandra does not start either."""
    if settings.authenticator == ALLOW_ALL_AUTHENTICATOR and settings.authorizer != ALLOW_ALL_AUTHORIZER:
        raise StartError(f"cassandra: {ALLOW_ALL_AUTHENTICATOR} can't be used with {CASSANDRA_AUTHORIZER}")
