"""ZooKeeper's settings, under its own names in this project's spelling."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from smackbox.base.errors import SettingError
from smackbox.base.settings import ServerSettings


class ZooKeeperSettings(ServerSettings, frozen=True, kw_only=True):
    """`tick_time_ms` and the bounds of session timeouts; limits; four-letter words.

    `secure_port` uses TLS with `ssl_certfile` (and `ssl_keyfile`, unless that file holds the key). Clients need a
    certificate signed by `ssl_cafile`, unless `ssl_client_auth` is want or none. `sasl_users` maps users to passwords.
    """

    tick_time_ms: int = 2_000
    min_session_timeout_ms: int = 4_000
    max_session_timeout_ms: int = 40_000
    max_client_cnxns: int = 1_000
    jute_maxbuffer: int = 0xFFFFF
    sweep_interval_ms: int = 60_000
    four_letter_words: str = "*"
    super_digest: str | None = None
    secure_port: int | None = None
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None
    ssl_cafile: Path | None = None
    ssl_client_auth: Literal["none", "want", "need"] = "need"
    sasl_users: dict[str, str] = {}

    def check(self) -> None:
        """Raises `SettingError` if two settings contradict each other."""
        if not 0 < self.min_session_timeout_ms <= self.max_session_timeout_ms:
            raise SettingError("zookeeper: min_session_timeout_ms must be positive and at most max_session_timeout_ms")
        if self.tick_time_ms <= 0 or self.sweep_interval_ms <= 0:
            raise SettingError("zookeeper: tick_time_ms and sweep_interval_ms must be positive")
        if self.secure_port is not None and self.ssl_certfile is None:
            raise SettingError("zookeeper: secure_port needs ssl_certfile (and ssl_keyfile, unless that holds the key)")
        if self.secure_port is not None and self.ssl_client_auth == "need" and self.ssl_cafile is None:
            raise SettingError(
                "zookeeper: ssl_client_auth need requires ssl_cafile, which signed the clients' certificates"
            )
