"""Settings of Marathon, with the names of Marathon's flags where they exist."""

from __future__ import annotations

from pathlib import Path

from smackbox.mesos_framework.settings import FrameworkSettings


class MarathonSettings(FrameworkSettings, frozen=True, kw_only=True):
    """The settings of the section `[marathon]`."""

    framework_name: str = "marathon"
    secrets_dir: Path | None = None
    """A file for each secret source; its content is the secret."""
