"""Holds the house's words: `python -m docs.glossary` lists each place that uses a word which the glossary avoids.

The glossary is the table in CONTRIBUTING.md: in its first column a regular expression to avoid, in its second the term
to use. Code, comments, docstrings, messages, tests and docs are searched, line by line, in any case.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
GLOSSARY = ROOT / "CONTRIBUTING.md"
HEADING = "## Words"
SEARCHED = (".py", ".md", ".toml")
ROW = re.compile(r"\| `(?P<avoid>[^`]+)` \| (?P<use>.+?) \|$")


class Entry(NamedTuple):
    """A phrase to avoid, and the term to use."""

    avoid: re.Pattern[str]
    use: str


def entries() -> list[Entry]:
    """The glossary's rows. Raises `ValueError` when there are none."""
    section = GLOSSARY.read_text(encoding="utf-8").partition(HEADING)[2]
    found = [
        Entry(re.compile(row["avoid"].replace(r"\|", "|"), re.IGNORECASE), row["use"])
        for row in map(ROW.match, section.splitlines())
        if row
    ]
    if not found:
        raise ValueError(f"{GLOSSARY.name} has no table under {HEADING!r}")
    return found


def findings(files: list[Path]) -> list[str]:
    """`file:line: phrase -> term` of each place."""
    glossary = entries()
    found = []
    for file in files:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            for entry in glossary:
                hit = entry.avoid.search(line)
                if hit is not None:
                    found.append(f"{file.relative_to(ROOT)}:{number}: {hit[0]!r} -> {entry.use}")
    return found


def tracked() -> list[Path]:
    """The files that are searched: all that git knows, and new ones that it does not ignore."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [
        ROOT / name for name in names if name.endswith(SEARCHED) and name != GLOSSARY.name and (ROOT / name).exists()
    ]


def main() -> int:
    found = findings(tracked())
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
