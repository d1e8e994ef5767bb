"""The parts of an application, each run in the process that calls it."""

from __future__ import annotations

from smackbox.app.model import App
from smackbox.box.prepare import prepare
from smackbox.box.settings import Urls


def prepare_part(app: App, urls: Urls) -> None:
    assert urls.kafka is not None and urls.cassandra is not None
    prepare(app, kafka=urls.kafka, cassandra=urls.cassandra)
