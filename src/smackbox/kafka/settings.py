"""The broker's settings: those common to all servers, and Kafka's broker configurations under Kafka's names.

`log_segment_bytes` here is `log.segment.bytes` in Kafka. Defaults are Kafka's, except where others suit a single
embedded broker better: no delay before a group's first rebalance, and loopback without authentication.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from smackbox.base.settings import ServerSettings

DEFAULT_PORT = 9092
NODE_ID = 1


class KafkaSettings(ServerSettings, frozen=True, kw_only=True):
    """All settings of one broker. `advertised` is `host:port`; None advertises the address that a client connected to.

    `host` and `port` speak `security_protocol` (PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL); `listeners` adds more, as
    a comma-separated list of `SASL_SSL://host:port`. `sasl_plain_users` maps users to passwords for PLAIN; SCRAM users
    are created with AlterUserScramCredentials. `authorizer` enforces ACLs; `super_users` is `User:a;User:b`.
    """

    advertised: str | None = None
    num_partitions: int = 1
    auto_create_topics: bool = True
    delete_topic_enable: bool = True

    security_protocol: str = "PLAINTEXT"
    listeners: str = ""
    sasl_enabled_mechanisms: str = "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512"
    sasl_plain_users: dict[str, str] = {}
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None
    ssl_cafile: Path | None = None
    ssl_client_auth: Literal["none", "requested", "required"] = "none"
    authorizer: bool = False
    super_users: str = ""
    allow_everyone_if_no_acl_found: bool = False

    log_segment_bytes: int = 1024 * 1024 * 1024
    log_roll_ms: int = 7 * 24 * 3_600_000
    log_retention_ms: int = 7 * 24 * 3_600_000
    log_retention_bytes: int = -1
    log_retention_check_interval_ms: int = 300_000
    log_index_interval_bytes: int = 4096
    log_cleaner_backoff_ms: int = 15_000
    log_cleaner_min_cleanable_ratio: float = 0.5
    log_cleaner_delete_retention_ms: int = 24 * 3_600_000
    log_cleanup_policy: str = "delete"
    log_message_timestamp_type: str = "CreateTime"
    log_message_timestamp_after_max_ms: int = 3_600_000
    message_max_bytes: int = 1_048_588

    offsets_topic_num_partitions: int = 50
    offsets_retention_minutes: int = 7 * 24 * 60
    offsets_retention_check_interval_ms: int = 600_000
    offset_metadata_max_bytes: int = 4096
    group_initial_rebalance_delay_ms: int = 0
    group_min_session_timeout_ms: int = 6_000
    group_max_session_timeout_ms: int = 1_800_000
    group_max_size: int = 2**31 - 1
    group_consumer_session_timeout_ms: int = 45_000
    group_consumer_heartbeat_interval_ms: int = 5_000
    group_consumer_max_size: int = 2**31 - 1
    group_consumer_migration_policy: Literal["bidirectional", "upgrade", "downgrade", "disabled"] = "bidirectional"

    transaction_state_log_num_partitions: int = 50
    transaction_max_timeout_ms: int = 900_000
    transactional_id_expiration_ms: int = 7 * 24 * 3_600_000
    producer_id_expiration_ms: int = 24 * 3_600_000

    socket_request_max_bytes: int = 104_857_600
    fetch_max_bytes: int = 57_671_680
    max_connections: int = 10_000
    max_partitions: int = 20_000
    max_inflight_requests: int = 1_000
    max_parked_fetches: int = 20_000
