"""The dependency graph: children run after their parents, without cycles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from smackbox.chronos.wire.errors import Refusal

Parents = Mapping[str, Sequence[str]]
"""For each job by name."""


def check(parents: Parents) -> None:
    """Raises `Refusal` (400) if a parent does not exist, or jobs depend on one another."""
    for name, own in parents.items():
        missing = [parent for parent in own if parent not in parents]
        if missing:
            raise Refusal(400, f"the parent '{missing[0]}' of '{name}' does not exist")
    left: dict[str, set[str]] = {name: set(own) for name, own in parents.items()}
    while left:
        free = [name for name, own in left.items() if not own]
        if not free:
            raise Refusal(400, f"the jobs {', '.join(sorted(left))} would wait for one another")
        for name in free:
            del left[name]
        for waiting in left.values():
            waiting.difference_update(free)


def children(parents: Parents, name: str) -> list[str]:
    """The jobs that depend on that one."""
    return sorted(other for other, own in parents.items() if name in own)


def dot(parents: Parents) -> str:
    """The graph for Graphviz."""
    lines = [f"{_quoted(name)}" for name in sorted(parents)]
    lines += [f"{_quoted(parent)}->{_quoted(name)}" for name in sorted(parents) for parent in parents[name]]
    return "digraph JobGraph {\n" + "".join(f"  {line};\n" for line in lines) + "}\n"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '\\"') + '"'
