"""A bar where standard error is a terminal, and nothing where it is not."""

from __future__ import annotations

import io
import sys

import pytest

from smackbox.cli.progress import byte_progress, counted_progress, record_progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("is_terminal", [True, False])
def test_progress(monkeypatch: pytest.MonkeyPatch, is_terminal: bool) -> None:
    shown = Terminal() if is_terminal else io.StringIO()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", shown)
    with byte_progress("saving") as bytes_done:
        bytes_done(500_000, 1_000_000)
    with record_progress("importing") as records_done:
        records_done(1_234)
    with counted_progress("replaying") as counted:
        counted(300, 1_200)
    text = shown.getvalue()
    assert ("saving" in text) == ("1234 records" in text) == ("300/1200" in text) == is_terminal
    assert is_terminal or text == ""
