"""Masks attached to columns: their effect on values, who sees them, and how they are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from smackbox.cassandra.execution.context import Context
from smackbox.cassandra.state.catalog import Catalog
from smackbox.cassandra.state.columns import MaskRecord
from smackbox.cassandra.state.node import Endpoint
from smackbox.cassandra.state.schema import Table
from smackbox.cassandra.state.system_rows import SystemRows
from smackbox.cassandra.values.cql_text import as_literal
from smackbox.cassandra.values.masking import argument_kinds, mask_function
from smackbox.cassandra.wire.types import ASCII, TEXT, CqlType


def argument_types(mask: MaskRecord, kind: CqlType) -> list[CqlType]:
    """The types of the arguments after the column."""
    return argument_kinds(mask.function, kind)[: len(mask.arguments)]


def applied(mask: MaskRecord, kind: CqlType) -> Callable[[bytes | None], bytes | None]:
    """The masked value of the column."""
    function = mask_function(mask.function, kind)
    rest = [None if value is None else bytes.fromhex(value) for value in mask.arguments]
    return lambda value: function([value, *rest])


def shown_mask(mask: MaskRecord, kind: CqlType) -> str:
    """The mask as DESCRIBE shows it."""
    parts = [
        "null" if value is None else as_literal(argument_type, bytes.fromhex(value))
        for value, argument_type in zip(mask.arguments, argument_types(mask, kind), strict=True)
    ]
    return f"MASKED WITH system.{mask.function}({', '.join(parts)})"


def is_masked_for(context: Context, table: Table) -> bool:
    """Whether the user sees the table's masked columns through their masks."""
    if not table.masks or not context.state.masking:
        return False
    security = context.state.security
    return context.user is not None and not security.has_on_table(context.user, "UNMASK", table)


def show_masks(system_rows: SystemRows, catalog: Catalog) -> None:
    """Make system_schema.column_masks readable."""

    def rows(_: Endpoint) -> Iterator[dict[str, Any]]:
        for keyspace in catalog.user_keyspaces():
            for table in keyspace.tables.values():
                for ordinal, mask in table.masks.items():
                    column = table.columns[ordinal]
                    kinds = argument_types(mask, column.type)
                    yield {
                        "keyspace_name": keyspace.name,
                        "table_name": table.name,
                        "column_name": column.name,
                        "function_keyspace": "system",
                        "function_name": mask.function,
                        "function_argument_types": [kind.cql for kind in kinds],
                        "function_argument_values": [
                            _plain(kind, value) for kind, value in zip(kinds, mask.arguments, strict=True)
                        ],
                        "function_argument_nulls": [value is None for value in mask.arguments],
                    }

    system_rows.add("system_schema", "column_masks", rows)


def _plain(kind: CqlType, value: str | None) -> str:
    """An argument as the system table shows it: without quotes, null as an empty string."""
    if value is None:
        return ""
    raw = bytes.fromhex(value)
    return raw.decode() if kind in {TEXT, ASCII} else as_literal(kind, raw).strip("'")
