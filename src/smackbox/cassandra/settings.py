"""Settings of the Cassandra server, under Cassandra's own names where it has them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from smackbox.base.settings import ServerSettings

DEFAULT_PORT = 9042
MIB = 1024 * 1024


class CassandraSettings(ServerSettings, frozen=True, kw_only=True):
    """`port` is native_transport_port; the CLI defaults to 9042.

    With `PasswordAuthenticator`, an empty directory starts with the superuser cassandra, whose password is cassandra.
    With `client_encryption_certfile` (PEM) clients must use TLS; its key may be in the same file.
    """

    cluster_name: str = "Test Cluster"
    data_center: str = "datacenter1"
    rack: str = "rack1"
    native_transport_max_frame_size_bytes: int = 16 * MIB
    native_transport_max_concurrent_connections: int = 4096
    native_transport_max_request_data_in_flight_bytes: int = 128 * MIB
    native_transport_max_request_data_in_flight_per_ip_bytes: int = 64 * MIB
    batch_size_warn_threshold_bytes: int = 5 * 1024
    batch_size_fail_threshold_bytes: int = 50 * 1024
    materialized_views_enabled: bool = False
    dynamic_data_masking_enabled: bool = False
    authenticator: Literal["AllowAllAuthenticator", "PasswordAuthenticator"] = "AllowAllAuthenticator"
    authorizer: Literal["AllowAllAuthorizer", "CassandraAuthorizer"] = "AllowAllAuthorizer"
    client_encryption_certfile: Path | None = None
    client_encryption_keyfile: Path | None = None
    client_encryption_cafile: Path | None = None
    client_encryption_client_auth: Literal["none", "optional", "required"] = "none"
