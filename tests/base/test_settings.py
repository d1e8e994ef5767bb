from pathlib import Path

import pytest

from smackbox.base.errors import SettingError
from smackbox.base.settings import ServerSettings, load


class Settings(ServerSettings, frozen=True, kw_only=True):
    topics: int = 1


def test_flags_win_over_environment_over_file_over_defaults(tmp_path: Path) -> None:
    file = tmp_path / "smackbox.toml"
    file.write_text('[kafka]\nhost = "file"\nport = 1\ntopics = 2\n')
    environ = {"SMACK_KAFKA_HOST": "environment", "SMACK_KAFKA_PORT": "3", "SMACK_CASSANDRA_PORT": "9"}
    settings = load(Settings, "kafka", {"host": "flag", "port": None}, environ=environ, file=file)
    assert (settings.host, settings.port, settings.topics, settings.sync) == ("flag", 3, 2, False)


def test_text_of_the_environment_becomes_the_fields_type() -> None:
    environ = {"SMACK_KAFKA_SYNC": "true", "SMACK_KAFKA_DIR": "/data", "SMACK_KAFKA_METRICS_PORT": "7"}
    settings = load(Settings, "kafka", {}, environ=environ)
    assert (settings.sync, settings.dir, settings.metrics_port) == (True, Path("/data"), 7)


def test_an_unknown_key_names_the_near_one(tmp_path: Path) -> None:
    file = tmp_path / "smackbox.toml"
    file.write_text("[kafka]\nprot = 1\n")
    with pytest.raises(SettingError, match=r"'prot' in \[kafka\].*did you mean 'port'"):
        load(Settings, "kafka", {}, environ={}, file=file)
    with pytest.raises(SettingError, match=r"SMACK_KAFKA_PROT.*did you mean 'port'"):
        load(Settings, "kafka", {}, environ={"SMACK_KAFKA_PROT": "1"})


def test_a_wrong_type_names_the_field() -> None:
    with pytest.raises(SettingError, match=r"kafka: Expected `int`, got `str` - at `\$.port`"):
        load(Settings, "kafka", {}, environ={"SMACK_KAFKA_PORT": "many"})


@pytest.mark.parametrize("text", ["[kafka", "kafka = 1\n"])
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "smackbox.toml"
    file.write_text(text)
    with pytest.raises(SettingError, match=r"smackbox\.toml"):
        load(Settings, "kafka", {}, environ={}, file=file)


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="no settings file"):
        load(Settings, "kafka", {}, environ={}, file=tmp_path / "none.toml")
