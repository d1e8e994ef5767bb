"""Settings that Marathon and Chronos share, with the names of their flags where both have one."""

from __future__ import annotations

from pathlib import Path

from smackbox.base.errors import SettingError
from smackbox.base.settings import ServerSettings

WEEK_S = 7 * 24 * 3600.0


class FrameworkSettings(ServerSettings, frozen=True, kw_only=True):
    """The settings of all frameworks: the addresses of Mesos and ZooKeeper, and the credentials."""

    master: str = "127.0.0.1:5050"
    """Mesos' master: host:port, a comma-separated list of these, or zk://host:port/mesos."""

    zk: str | None = None
    """zk://host:port/folder: stores the state there, and elects a leader among several processes."""

    hostname: str | None = None
    """The host name of this process for standbys and Mesos; defaults to `host`."""

    mesos_role: str = "*"
    mesos_user: str = ""
    failover_timeout: float = WEEK_S
    """Seconds for which tasks outlive a framework that is gone."""

    http_credentials: str | None = None
    """user:password that requests must use."""

    mesos_authentication_principal: str | None = None
    mesos_authentication_secret_file: Path | None = None
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None
    mesos_ssl_cafile: Path | None = None
    """The authority (PEM) for TLS to masters and other processes; if it is set, all of them must use TLS."""

    def check(self) -> None:
        """Check the settings. Raises `SettingError`."""
        if self.http_credentials is not None and ":" not in self.http_credentials:
            raise SettingError("http_credentials is user:password")
        if (self.mesos_authentication_principal is None) != (self.mesos_authentication_secret_file is None):
            raise SettingError("mesos_authentication_principal and mesos_authentication_secret_file go together")
        if self.ssl_keyfile is not None and self.ssl_certfile is None:
            raise SettingError("ssl_keyfile needs ssl_certfile")
        if self.failover_timeout < 0:
            raise SettingError("failover_timeout is 0 or more seconds")

    def secret(self) -> str | None:
        """The secret for the principal. Raises `SettingError`."""
        if self.mesos_authentication_secret_file is None:
            return None
        try:
            return self.mesos_authentication_secret_file.read_text().strip()
        except OSError as error:
            raise SettingError(f"cannot read mesos_authentication_secret_file: {error}") from error
