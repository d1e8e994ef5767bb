"""Settings of Marathon; where Marathon has a flag for a thing, its name."""

from __future__ import annotations

from pathlib import Path

from smackbox.base.errors import SettingError
from smackbox.base.settings import ServerSettings

WEEK_S = 7 * 24 * 3600.0


class MarathonSettings(ServerSettings, frozen=True, kw_only=True):
    master: str = "127.0.0.1:5050"
    """Mesos' master: host:port, several of them with commas, or zk://host:port/mesos."""

    zk: str | None = None
    """zk://host:port/marathon: state there, and several Marathons of which one leads."""

    hostname: str | None = None
    """How standbys and Mesos reach this process; `host` where it is not given."""

    framework_name: str = "marathon"
    mesos_role: str = "*"
    mesos_user: str = ""
    failover_timeout: float = WEEK_S
    """Seconds that tasks outlive a Marathon that does not come back."""

    http_credentials: str | None = None
    """user:password that requests need."""

    mesos_authentication_principal: str | None = None
    mesos_authentication_secret_file: Path | None = None
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None
    secrets_dir: Path | None = None
    """A file for each secret's source; its content is the secret."""

    def check(self) -> None:
        """Raises `SettingError`."""
        if self.http_credentials is not None and ":" not in self.http_credentials:
            raise SettingError("marathon: http_credentials is user:password")
        if (self.mesos_authentication_principal is None) != (self.mesos_authentication_secret_file is None):
            raise SettingError(
                "marathon: mesos_authentication_principal and mesos_authentication_secret_file go together"
            )
        if self.ssl_keyfile is not None and self.ssl_certfile is None:
            raise SettingError("marathon: ssl_keyfile needs ssl_certfile")
        if self.failover_timeout < 0:
            raise SettingError("marathon: failover_timeout is 0 or more seconds")
