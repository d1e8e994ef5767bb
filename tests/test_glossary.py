"""The lint of words finds a phrase wherever it stands, and names the term to use."""

from __future__ import annotations

from pathlib import Path

import pytest
from docs import glossary

PHRASE = "Into " + "the BOOKS"


@pytest.fixture
def searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(glossary, "ROOT", tmp_path)
    return tmp_path / "module.py"


def test_a_phrase_is_found_with_its_place_and_its_term(searched: Path) -> None:
    searched.write_text(f'"""A docstring."""\n\nx = 1  # Taken {PHRASE} by a caller\n')
    (finding,) = glossary.findings([searched])
    assert finding.startswith(f"module.py:3: {PHRASE!r} -> state")


def test_a_part_of_a_word_is_no_finding(searched: Path) -> None:
    searched.write_text("canew = manewver = 1\n")
    assert glossary.findings([searched]) == []


def test_a_glossary_without_rows_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "CONTRIBUTING.md").write_text("# Nothing\n")
    monkeypatch.setattr(glossary, "GLOSSARY", tmp_path / "CONTRIBUTING.md")
    with pytest.raises(ValueError, match="has no table"):
        glossary.entries()
