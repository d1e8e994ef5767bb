"""The command line as a person meets it: help, mistakes, and errors of one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from smackbox.base.errors import SettingError
from smackbox.base.settings import ServerSettings
from smackbox.cli.main import VERBS, group, main
from smackbox.cli.server_options import settings_from


def server_flags(**given: object) -> dict[str, object]:
    nothing = dict.fromkeys(("host", "port", "insecure", "metrics_port", "config", "dir_", "sync"))
    return {**nothing, "memory": False, **given}


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_verb_has_help(verb: str) -> None:
    result = CliRunner().invoke(group, [verb, "--help"])
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: root {verb}") or f" {verb} " in result.output


def test_help_names_every_verb() -> None:
    output = CliRunner().invoke(group, ["--help"]).output
    assert [verb for verb in VERBS if verb not in output] == []


def test_an_unknown_verb_names_the_near_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["tpics"])
    assert "no verb 'tpics' (did you mean 'topics'?)" in capsys.readouterr().err


def test_an_error_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="1"):
        main(["run", str(tmp_path / "none.py")])
    assert capsys.readouterr().err == f"smack: no application file {tmp_path / 'none.py'}\n"


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="no application file"):
        main(["--debug", "run", str(tmp_path / "none.py")])


def test_the_verbs_port_is_the_default_and_zero_stays_zero(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert settings_from(ServerSettings, "kafka", 9092, server_flags()).port == 9092
    assert settings_from(ServerSettings, "kafka", 9092, server_flags(port=0)).port == 0
    for port in (7000, 0):
        monkeypatch.setenv("SMACK_KAFKA_PORT", str(port))
        assert settings_from(ServerSettings, "kafka", 9092, server_flags()).port == port


def test_where_the_data_goes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert settings_from(ServerSettings, "kafka", 9092, server_flags()).dir == Path(".smackbox/kafka")
    assert settings_from(ServerSettings, "kafka", 9092, server_flags(dir_=Path("d"))).dir == Path("d")
    assert settings_from(ServerSettings, "kafka", 9092, server_flags(memory=True)).dir is None
    with pytest.raises(SettingError, match="exclude each other"):
        settings_from(ServerSettings, "kafka", 9092, server_flags(memory=True, dir_=Path("d")))


def test_status_of_nothing_is_an_error(tmp_path: Path) -> None:
    result = CliRunner().invoke(group, ["status", "--dir", str(tmp_path)])
    assert result.exit_code == 1
    assert "nothing is running" in result.output
