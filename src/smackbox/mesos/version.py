"""The version that master and agents report."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from smackbox.mesos.wire.messages import VersionInfo


VERSION = "1.11.0"
"""The Mesos version whose behaviour they implement; clients parse it."""

BUILD: VersionInfo = {
    "version": VERSION,
    "build_date": "2026-01-01 00:00:00",
    "build_time": 1767225600.0,
    "build_user": "smackbox",
}
