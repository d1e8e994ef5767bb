"""The signature of a program's state, so that another program's state is not read as its own.

A signature is kept with the state. A program may differ in functions, delays and timeouts; what its state is keyed by,
its windows, its aggregates and its sources may not. The struct of a `stateful` step, and rows that wait in a join, may
gain fields with defaults and lose fields.
"""

from __future__ import annotations

from typing import Any, get_type_hints

import msgspec

from smackbox.flow.errors import FlowStateError
from smackbox.flow.steps import Aggregation, Branch, Distinct, Join, RowType, Stateful

Fields = dict[str, tuple[str, bool]]
"""By name: the type, and whether it must be there."""


class StepSignature(msgspec.Struct, frozen=True):
    """One step with state: what may not change, and the structs that may grow."""

    what: str
    structs: dict[str, Fields] = {}


def signature(branch: Branch) -> list[StepSignature]:
    """The steps with state, in the order in which they are numbered."""
    found: list[StepSignature] = []
    for step in branch.steps:
        if isinstance(step, Join):
            found += signature(step.right_branch)
            structs = {"left": fields_of(step.left), "right": fields_of(step.right)}
            found.append(StepSignature(f"join on {_types(step.left, step.keys)}", structs))
        elif isinstance(step, Distinct):
            found.append(StepSignature(f"distinct {_types(step.rows, step.keys)}"))
        elif isinstance(step, Stateful):
            found.append(StepSignature(f"stateful by {_types(step.rows, step.keys)}", {"state": fields_of(step.state)}))
        elif isinstance(step, Aggregation):
            window = "running" if step.window is None else repr(step.window)
            columns = ", ".join(f"{name}={_aggregate(each, step.rows)}" for name, each in step.aggregates)
            found.append(StepSignature(f"{window} by {_types(step.rows, step.keys)}: {columns}"))
    return found


def check_same(saved: list[StepSignature], current: list[StepSignature]) -> None:
    """Raises `FlowStateError` that says what differs and what to do, unless `current` can read the state of `saved`."""
    advice = "give the stream another name, or remove its checkpoint to begin again"
    if len(saved) != len(current):
        raise FlowStateError(
            f"the saved state is of a program with {len(saved)} steps that keep state, this one has {len(current)}: "
            f"{advice}"
        )
    for old, new in zip(saved, current, strict=True):
        if old.what != new.what:
            raise FlowStateError(f"the saved state is of `{old.what}`, the program says `{new.what}`: {advice}")
        for name, fields in new.structs.items():
            _check_fields(name, old.structs.get(name, {}), fields, advice)


def fields_of(kind: RowType) -> Fields:
    """A struct's fields by the names that they are saved under."""
    hints = get_type_hints(kind)
    return {field.encode_name: (_name(hints[field.name]), field.required) for field in msgspec.structs.fields(kind)}


def _check_fields(what: str, old: Fields, new: Fields, advice: str) -> None:
    for name, (kind, required) in new.items():
        if name in old and old[name][0] != kind:
            raise FlowStateError(f"the saved {what} has {name} as {old[name][0]}, the program says {kind}: {advice}")
        if name not in old and required:
            raise FlowStateError(f"the saved {what} has no {name}: give it a default, or {advice}")


def _aggregate(aggregate: Any, rows: RowType) -> str:
    field = aggregate.field
    kind = "" if field is None else f"{field}: {_name(get_type_hints(rows)[field])}"
    return f"{type(aggregate).__name__}({kind})"


def _types(rows: RowType, names: tuple[str, ...]) -> str:
    hints = get_type_hints(rows)
    return ", ".join(f"{name}: {_name(hints[name])}" for name in names)


def _name(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) and not getattr(hint, "__args__", ()) else str(hint)
