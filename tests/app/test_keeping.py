"""`app.archive` and `app.backup` are checked where they are declared."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from smackbox.app.model import App
from smackbox.base.errors import SettingError

TO = "s3://bucket/{hour}-{partition}-{offset}.json.gz"


class Event(msgspec.Struct):
    id: int


def test_an_archive_is_named_by_its_topic() -> None:
    app = App("a")
    raw = app.topic("Raw.events-1", Event)
    archive = app.archive(raw, to=TO, every=timedelta(seconds=10))
    assert (archive.name, archive.topic) == ("archive_raw_events_1", "Raw.events-1")
    assert app.archives == [archive]
    assert app.find_archive(archive.name) is archive
    with pytest.raises(SettingError, match="no archive 'x'; there is archive_raw_events_1"):
        app.find_archive("x")
    with pytest.raises(SettingError, match="declared twice"):
        app.archive(raw, to=TO)


def test_a_wrong_archive_says_why() -> None:
    app = App("a")
    raw = app.topic("raw", Event)
    with pytest.raises(SettingError, match="must be positive"):
        app.archive(raw, to=TO, every=timedelta(0))
    with pytest.raises(SettingError, match=r"needs \{offset\}"):
        app.archive(raw, to="s3://bucket/{partition}.json")
    assert app.archives == []


def test_back_ups() -> None:
    app = App("a")
    backup = app.backup(to="s3://safe/box", every=timedelta(hours=1), keep="7d")
    assert app.backups == [backup]
    with pytest.raises(SettingError, match="declared twice"):
        app.backup(to="s3://safe/box", every=timedelta(hours=2))
    with pytest.raises(SettingError, match="0:01:00 at least"):
        app.backup(to="x", every=timedelta(seconds=59))
    with pytest.raises(SettingError, match="such as 7d, not 'a week'"):
        app.backup(to="x", every=timedelta(hours=1), keep="a week")
