"""The moment of a back-up: the data are linked, and nobody is served until the broker goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
from confluent_kafka import Producer

from smackbox.base.errors import UserError
from smackbox.kafka.server import KafkaServer
from smackbox.kafka.server.backup import Resume, Resumed, Stage, Staged, stage, topics_in
from smackbox.kafka.settings import KafkaSettings
from smackbox.net.control import call
from smackbox.net.service import ServiceThread

LIMIT_S = 20.0
SILENCE_S = 0.3


def produced(producer: Producer, value: bytes, wait_s: float = LIMIT_S) -> bool:
    """Whether it is acknowledged within that time."""
    producer.produce("t", value)
    return producer.flush(wait_s) == 0


def test_nobody_is_served_between_stage_and_resume(tmp_path: Path) -> None:
    with ServiceThread(KafkaServer(KafkaSettings(dir=tmp_path / "data"))) as kafka:
        old, new = (Producer({"bootstrap.servers": kafka.url, "linger.ms": 0}) for _ in range(2))
        assert produced(old, b"before")
        staged = call(tmp_path / "data", Stage(str(tmp_path / "staged"), 15), Staged, LIMIT_S)
        assert not produced(old, b"held", SILENCE_S)
        assert not produced(new, b"held too", SILENCE_S)  # a connection that came later
        log = next(file for file in staged.files if file.name == "t-0/00000000000000000000.log")
        assert (tmp_path / "data" / log.name).stat().st_size == log.size
        assert call(tmp_path / "data", Resume(), Resumed, LIMIT_S).was_held
        assert old.flush(LIMIT_S) == new.flush(LIMIT_S) == 0
        assert (
            tmp_path / "staged" / log.name
        ).stat().st_size > log.size  # the link grows on; its size of then is known
        assert not call(tmp_path / "data", Resume(), Resumed, LIMIT_S).was_held
    assert {file.name for file in staged.files} >= {"cluster-metadata.jsonl", "meta.properties"}
    assert not {"smackbox.lock", "control"} & {file.name for file in staged.files}


def test_a_hold_ends_by_itself_and_says_that_it_did_not_last(tmp_path: Path) -> None:
    with ServiceThread(KafkaServer(KafkaSettings(dir=tmp_path / "data"))) as kafka:
        producer = Producer({"bootstrap.servers": kafka.url, "linger.ms": 0})
        assert produced(producer, b"before")
        call(tmp_path / "data", Stage(str(tmp_path / "staged"), 0.05), Staged, LIMIT_S)
        assert produced(producer, b"after")
        assert not call(tmp_path / "data", Resume(), Resumed, LIMIT_S).was_held


def test_a_hold_that_another_back_up_began_later_does_not_count_for_an_earlier_one(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with ServiceThread(KafkaServer(KafkaSettings(dir=data))) as kafka:
        producer = Producer({"bootstrap.servers": kafka.url, "linger.ms": 0})
        assert produced(producer, b"before")
        first = call(data, Stage(str(tmp_path / "first"), 0.05), Staged, LIMIT_S)
        assert produced(producer, b"between")
        second = call(data, Stage(str(tmp_path / "second"), 15), Staged, LIMIT_S)
        third = call(data, Stage(str(tmp_path / "third"), 15), Staged, LIMIT_S)
        assert not call(data, Resume(first.silence), Resumed, LIMIT_S).was_held
        assert not produced(producer, b"held", SILENCE_S)
        assert call(data, Resume(third.silence), Resumed, LIMIT_S).was_held
        assert producer.flush(LIMIT_S) == 0
        assert not call(data, Resume(second.silence), Resumed, LIMIT_S).was_held


def test_a_folder_with_something_in_it_is_refused_and_nobody_is_held(tmp_path: Path) -> None:
    (tmp_path / "staged").mkdir()
    (tmp_path / "staged" / "mine").write_text("dear")
    with ServiceThread(KafkaServer(KafkaSettings(dir=tmp_path / "data"))) as kafka:
        with pytest.raises(UserError, match="is not empty"):
            call(tmp_path / "data", Stage(str(tmp_path / "staged"), 15), Staged, LIMIT_S)
        assert produced(Producer({"bootstrap.servers": kafka.url}), b"served")


def test_a_stopped_broker_is_staged_without_what_is_being_deleted(tmp_path: Path) -> None:
    with ServiceThread(KafkaServer(KafkaSettings(dir=tmp_path / "data"))) as kafka:
        assert produced(Producer({"bootstrap.servers": kafka.url}), b"kept")
    (tmp_path / "data" / "old-0.123-delete").mkdir()
    (tmp_path / "data" / "t-0" / "00000000000000000000.log.cleaned").write_text("compaction writes on")
    staged = stage(tmp_path / "data", topics_in(tmp_path / "data"), tmp_path / "staged")
    assert "t-0/00000000000000000000.log" in {file.name for file in staged.files}
    assert not [file.name for file in staged.files if any(x in file.name for x in ("delete", "index", "cleaned"))]
