"""The dashboard asks for metrics that there are."""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DASHBOARD = ROOT / "examples" / "grafana" / "dashboard.json"
NAME = re.compile(r"\b(?:smack|smackbox|kafka)_[a-z_]+")
SUFFIXES = re.compile(r"_(total|bucket|sum|count)$")
PREFIXES = ("smack_stream_", "smack_ingest_events_", "smack_ingest_")


def test_every_metric_of_the_dashboard_is_made_somewhere() -> None:
    expressions = [
        target["expr"] for panel in json.loads(DASHBOARD.read_text())["panels"] for target in panel.get("targets", ())
    ]
    names = {SUFFIXES.sub("", name) for expression in expressions for name in NAME.findall(expression)}
    assert len(names) > 25
    files = [*ROOT.glob("src/smackbox/*/metrics.py"), *ROOT.glob("src/smackbox/*/*/metrics.py")]
    source = "\n".join(file.read_text() for file in files)

    def is_made(name: str) -> bool:
        short = next((name.removeprefix(prefix) for prefix in PREFIXES if name.startswith(prefix)), name)
        return f'"{name}"' in source or f'"{short}"' in source

    assert {name for name in names if not is_made(name)} == set()


def test_panels_do_not_overlap() -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    places = [
        (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
        for panel in panels
        for x in range(panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["h"])
    ]
    assert len(places) == len(set(places))
    assert len({panel["id"] for panel in panels}) == len(panels)
