"""`smack replay`, `patch` and `migrate`: what they refuse is one line that says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from smackbox.cli.main import main

APP = """
import msgspec
import smackbox as sb

app = sb.App("shop")

class Sale(msgspec.Struct, frozen=True):
    id: int
    price: int

sales = app.topic("sales", Sale)
sale = app.table("sale", Sale, primary_key="id")
app.stream(sales, to=sale)
"""
NOWHERE = ("--kafka", "127.0.0.1:1", "--cassandra", "127.0.0.1:1")


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop_app.py").write_text(APP)
    (tmp_path / "empty_script.py").write_text("")
    return "shop_app.py"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("replay", "APP", "--stream", "sales_to_sale", *NOWHERE), "it copies events and makes no totals"),
        (("replay", "APP", *NOWHERE), "which stream? --stream NAME, one of none that can be replayed"),
        (("replay", "APP", "--stream", "sale", *NOWHERE), "no stream 'sale'"),
        (("replay", "APP", "--from", "yesterday", *NOWHERE), "write it as 2026-01-31"),
        (("replay", "undo", "APP"), "start `smack up`, or give --kafka and --cassandra"),
        (("replay", "none.py", *NOWHERE), "no application file"),
        (("patch", "APP", "cents", *NOWHERE), "no patch 'cents'; there is none"),
        (("patch", "APP", "empty_script.py", *NOWHERE), "declares no patch"),
        (("patch", "APP", "none.py", *NOWHERE), "no script"),
        (("migrate", "APP"), "start `smack up`, or give --kafka and --cassandra"),
        (("migrate", "APP", *NOWHERE), "no Cassandra answers at 127.0.0.1:1"),
    ],
)
def test_what_is_refused(app: str, arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([app if word == "APP" else word for word in arguments])
    assert end.value.code == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert said in lines[0]


def test_an_undo_of_a_patch_takes_everything_back(app: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["patch", app, "cents", "--undo", "--limit", "3"])
    assert end.value.code == 2
    assert "--undo takes everything back" in capsys.readouterr().err
