import os
from pathlib import Path

import pytest

from smackbox.app.load import load_app
from smackbox.base.errors import SettingError


def test_the_one_application_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "shop_app.py").write_text("import smackbox as sb\napp = sb.App('shop')\nalias = app\n")
    assert load_app(tmp_path / "shop_app.py").name == "shop"


@pytest.mark.parametrize(("text", "count"), [("", 0), ("import smackbox as s\na = s.App('a')\nb = s.App('b')\n", 2)])
def test_none_or_several_are_refused(tmp_path: Path, text: str, count: int) -> None:
    (tmp_path / "bad_app.py").write_text(text)
    with pytest.raises(SettingError, match=f"must hold one smackbox.App, it holds {count}"):
        load_app(tmp_path / "bad_app.py")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="no application file"):
        load_app(tmp_path / "none.py")


def test_a_file_that_was_just_edited_is_read_again(tmp_path: Path) -> None:
    """Of the same size and in the same second: Python's compiled file would be the old one."""
    file = tmp_path / "application.py"
    for name in ("first", "other"):
        file.write_text(f"from smackbox import App\napp = App({name!r})\n")
        os.utime(file, (1_000_000_000, 1_000_000_000))
        assert load_app(file).name == name
