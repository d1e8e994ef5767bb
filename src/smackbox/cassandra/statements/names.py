"""Names and ids of keyspaces, tables and views, and whether a keyspace can be changed at all."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from smackbox.cassandra.execution.context import Context
from smackbox.cassandra.state.catalog import is_system
from smackbox.cassandra.wire.errors import ConfigFault, Invalid, Unauthorized

NAME_LIMIT = 48
TABLE_NAME_LIMIT = 222
_NAME = re.compile(r"\w+", re.ASCII)


def check_writable(keyspace: str) -> None:
    """Raises `Unauthorized` for a system keyspace."""
    if is_system(keyspace):
        raise Unauthorized(f"{keyspace} keyspace is not user-modifiable.")


def check_table_name(keyspace: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ConfigFault(
            f"{keyspace}.{name}: Table name must not be empty or not contain non-alphanumeric-underscore characters "
            f'(got "{name}")'
        )
    if len(name) > TABLE_NAME_LIMIT:
        raise ConfigFault(
            f"{keyspace}.{name}: Table name must not be more than {TABLE_NAME_LIMIT} characters long "
            f'(got {len(name)} characters for "{name}")'
        )


def new_id(options: Mapping[str, Any], context: Context, problem: str) -> UUID:
    """The id in the options of CREATE, otherwise a new one. Raises `ConfigFault` with `problem` for an invalid UUID."""
    id_option = options.get("id")
    if id_option is None:
        return UUID(bytes=context.next_timeuuid())
    try:
        return UUID(str(id_option))
    except ValueError:
        raise ConfigFault(problem) from None


def check_keyspace_name(name: str) -> None:
    check_writable(name)
    if len(name) > NAME_LIMIT:
        raise Invalid(
            f"Keyspace name must not be more than {NAME_LIMIT} characters long "
            f'(got {len(name)} characters for "{name}")'
        )
    if not _NAME.fullmatch(name):
        raise Invalid(
            "Keyspace name must not be empty and must contain alphanumeric or underscore characters only "
            f'(got "{name}")'
        )
