"""The key by file or environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from smackbox.backup.key import KEY_VARIABLE, read_key
from smackbox.base.errors import UserError


def test_a_file_wins_over_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    assert read_key(None) is None
    monkeypatch.setenv(KEY_VARIABLE, "")
    assert read_key(None) is None
    monkeypatch.setenv(KEY_VARIABLE, "of the environment")
    assert read_key(None) == b"of the environment"
    (tmp_path / "key").write_text("  of the file\n")
    assert read_key(tmp_path / "key") == b"of the file"


def test_a_file_without_a_key_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read the key"):
        read_key(tmp_path / "none")
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(UserError, match="is empty"):
        read_key(tmp_path / "empty")
