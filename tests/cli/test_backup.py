"""`smack backup` and `smack restore` as a person uses them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from confluent_kafka import Producer

from smackbox.backup import cipher
from smackbox.backup.manifest import id_of
from smackbox.cli import backup as module
from smackbox.cli.main import main
from smackbox.kafka.server import KafkaServer
from smackbox.kafka.settings import KafkaSettings
from smackbox.net.service import ServiceThread

LIMIT_S = 20.0


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A box whose broker has stopped."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "setpriority", lambda *_: None)  # of the tests' own process
    monkeypatch.setattr(cipher, "SCRYPT_N", 2)
    write(tmp_path / ".smackbox", b"first")
    return tmp_path / ".smackbox"


def write(box: Path, value: bytes) -> None:
    with ServiceThread(KafkaServer(KafkaSettings(dir=box / "kafka"))) as kafka:
        producer = Producer({"bootstrap.servers": kafka.url})
        producer.produce("t", value)
        assert producer.flush(LIMIT_S) == 0


def smack(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert isinstance(ended.value.code, int)
    return ended.value.code


def ids(capsys: pytest.CaptureFixture[str], place: str) -> list[str]:
    capsys.readouterr()
    assert smack("backup", "list", place) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split("\t") == ["id", "box", "taken", "files", "MB", "stored MB", "parts"]
    return [line.split("\t")[0] for line in lines]


def test_saved_listed_verified_restored_pruned(box: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert smack("backup", "safe") == 0
    assert "; new were " in capsys.readouterr().out
    (first,) = ids(capsys, "safe")
    write(box, b"second")
    assert smack("backup", "--dir", ".smackbox", "safe") == 0
    first, second = ids(capsys, "safe")
    for flags in ((), ("--quick",), ("--id", second)):
        assert smack("backup", "verify", "safe", *flags) == 0
        assert f"{second}\twhole" in capsys.readouterr().out
    for place, flags in (("new", ()), ("old", ("--id", first)), ("part", ("--part", "kafka"))):
        assert smack("restore", "safe", "--dir", place, *flags) == 0
        assert (tmp_path / place / "kafka/t-0/00000000000000000000.log").read_bytes().count(b"second") == (
            place != "old"
        )
    assert smack("backup", "prune", "safe", "--keep", "1d") == 0
    assert "0 back-ups forgotten, 0 objects" in capsys.readouterr().out
    (tmp_path / "safe/backups" / first).rename(tmp_path / "safe/backups" / id_of(0))
    assert smack("backup", "safe", "--keep", "1d") == 0
    assert "1 back-ups forgotten" in capsys.readouterr().out
    assert ids(capsys, "safe")[0] == second


def test_until_takes_the_latest_of_then(box: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    smack("backup", "safe")
    (first,) = ids(capsys, "safe")
    taken = f"{first[:4]}-{first[4:6]}-{first[6:8]}T{first[9:11]}:{first[11:13]}:{first[13:19]}+00:00"
    assert smack("restore", "safe", "--until", taken, "--dir", "new") == 0
    assert smack("restore", "safe", "--until", "2001-01-01", "--dir", "older") == 1
    assert "has no back-up as old as that" in capsys.readouterr().err
    assert smack("restore", "safe", "--until", "yesterday") == 1
    assert "write it as 2026-01-31T12:00:00Z" in capsys.readouterr().err
    assert smack("restore", "safe", "--until", taken, "--id", first) == 2


def test_a_key_by_file_or_environment(
    box: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_text("correct horse\n")
    assert smack("backup", "safe", "--key-file", "key") == 0
    assert smack("restore", "safe", "--dir", "new") == 1
    assert "are encrypted: give their key (--key-file)" in capsys.readouterr().err
    monkeypatch.setenv("SMACK_BACKUP_KEY", "wrong")
    assert smack("backup", "verify", "safe") == 1
    assert "the key is not that of the back-ups" in capsys.readouterr().err
    monkeypatch.setenv("SMACK_BACKUP_KEY", "correct horse")
    assert smack("restore", "safe", "--dir", "new") == 0
    (tmp_path / "empty").touch()
    assert smack("backup", "safe", "--key-file", "empty") == 1
    assert "is empty" in capsys.readouterr().err


def test_a_broken_back_up_is_refused_by_name(box: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    smack("backup", "safe")
    (only,) = ids(capsys, "safe")
    shutil.rmtree(next((tmp_path / "safe/objects").iterdir()))
    assert smack("backup", "verify", "safe") == 1
    printed = capsys.readouterr()
    assert f"{only}\tkafka/" in printed.out
    assert "1 of 1 back-ups in safe cannot be restored" in printed.err
    assert smack("restore", "safe", "--dir", "new") == 1
    assert "is not whole: kafka/" in capsys.readouterr().err
    assert not list((tmp_path / "new").glob("*/*"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("backup", "safe", "--dir", "nowhere"), "there is no box in nowhere"),
        (("backup", "list", "nowhere"), "there are no back-ups in"),
        (("restore", "nowhere"), "there are no back-ups in"),
        (("backup", "ftp://x"), "begins with s3://"),
        (("backup", "safe", "--keep", "a week"), "such as 7d"),
    ],
)
def test_one_line_says_what_to_do(
    box: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    assert smack(*arguments) == 1
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1


def test_help_shows_the_verbs(capsys: pytest.CaptureFixture[str]) -> None:
    assert smack("backup", "--help") == 0
    shown = capsys.readouterr().out
    assert all(verb in shown for verb in module.command.commands)
