"""What the Spark Connect server can be told."""

from __future__ import annotations

from smackbox.base.settings import ServerSettings


class SparkSettings(ServerSettings, frozen=True, kw_only=True):
    """Where to listen. Sail keeps nothing on disk: `dir` and `sync` have no effect."""
