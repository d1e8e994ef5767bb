"""The reference pages are what the code makes of them, and every setting and limit of a server is on them."""

from pathlib import Path

import pytest
from docs import reference


@pytest.mark.parametrize("name", sorted(reference.pages()))
def test_the_reference_is_current(name: str) -> None:
    written = (reference.FOLDER / name).read_text(encoding="utf-8")
    assert written == reference.pages()[name].rstrip() + "\n", "run `make docs`"


@pytest.mark.parametrize(
    "room",
    [
        "kafka",
        "cassandra",
        "spark",
        "ingest",
        "registry",
        "zookeeper",
        "mesos",
        "marathon",
        "chronos",
        "akka",
        "runtime",
        "app",
        "store",
        "net",
        "base",
        "mesos_framework",
        "election",
        "flow",
    ],
)
def test_every_room_has_its_page(room: str) -> None:
    assert Path(reference.FOLDER.parent / "architecture" / f"{room}.md").read_text().startswith(f"# {room}")
