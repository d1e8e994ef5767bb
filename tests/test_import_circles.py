"""No room's modules import each other in a circle: not for types alone, and not inside a function.

`python -m tests.test_import_circles ROOM…` prints what it finds in any package of `smackbox`, held or not.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src"
# a room joins when it has no circle; it does not leave
HELD = (
    "akka", "app", "base", "cassandra", "chronos", "cli", "election", "ingest", "kafka", "marathon", "mesos",
    "mesos_framework", "net", "runtime", "spark", "store", "testing", "zookeeper",
)  # fmt: skip

# each argued in docs/decisions/0501-pairs-of-modules.md
PAIRS = {
    frozenset({f"smackbox.akka.stream.{name}" for name in pair})
    for pair in (("source", "sub_source"), ("flow", "sub_flow"), ("stream_refs", "stream_ref_messages"))
}

Graph = dict[str, set[str]]


def modules_of(room: str, source: Path = SOURCE) -> dict[str, Path]:
    """The modules of a package by their whole names."""
    root = source / "smackbox" / room
    found = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(source).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports_of(path: Path, known: dict[str, Path]) -> Iterator[str]:
    """The modules of the package that a file imports, wherever in it and for whatever purpose."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            # what is imported of a package may be one of its modules
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in known else node.module for name in names]
        else:
            continue
        yield from (name for name in names if name in known)


def graph_of(modules: dict[str, Path]) -> Graph:
    return {name: set(imports_of(path, modules)) - {name} for name, path in modules.items()}


def circles(graph: Graph) -> list[list[str]]:
    """The sets of modules that reach each other (Tarjan's strongly connected components of two and more)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in graph[name]:
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            component = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(component) > 1:
                found.append(sorted(component))

    for name in graph:
        if name not in index:
            visit(name)
    return found


@pytest.mark.parametrize("room", HELD)
def test_no_circle(room: str) -> None:
    assert [circle for circle in circles(graph_of(modules_of(room))) if set(circle) not in PAIRS] == []


def test_each_pair_that_is_argued_is_one() -> None:
    """A pair that has come apart leaves the decision, too."""
    assert {frozenset(circle) for circle in circles(graph_of(modules_of("akka")))} == PAIRS


def test_circles_are_found_wherever_the_import_stands(tmp_path: Path) -> None:
    room = tmp_path / "smackbox" / "room"
    room.mkdir(parents=True)
    texts = {
        "__init__": "",
        "plain": "from smackbox.room import typed",
        "typed": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from smackbox.room.inner import x",
        "inner": "def f():\n    import smackbox.room.plain",
        "apart": "from smackbox.room.plain import y",
    }
    for name, text in texts.items():
        (room / f"{name}.py").write_text(text)
    found = circles(graph_of(modules_of("room", tmp_path)))
    assert found == [["smackbox.room.inner", "smackbox.room.plain", "smackbox.room.typed"]]


if __name__ == "__main__":
    for given in sys.argv[1:]:
        for circle in circles(graph_of(modules_of(given))):
            print(f"{given}: {len(circle)} modules in a circle: {', '.join(circle)}")
