"""Access control for the statements of one session, if there is an authorizer.

It caches the statements that it allowed until a role or a permission changes, so that checking a repeated EXECUTE costs
one set look-up.
"""

from __future__ import annotations

from smackbox.cassandra.execution.security import Security
from smackbox.cassandra.statements.registry import Statement

ALLOWED_STATEMENTS_LIMIT = 4096


class Gate:
    """The statements that one logged-in session may execute."""

    __slots__ = ("_allowed", "_generation", "_security", "user")

    def __init__(self, security: Security, user: str) -> None:
        self.user = user
        self._security = security
        self._allowed: set[Statement] = set()
        self._generation = -1

    def check(self, statement: Statement) -> None:
        """Raises `Unauthorized` unless the session may execute the statement."""
        generation = self._security.roles.generation
        if generation != self._generation:
            self._allowed.clear()
            self._generation = generation
        elif statement in self._allowed:
            return
        for access in statement.access:
            self._security.ensure_access(self.user, access)
        if statement.select is not None:
            self._security.ensure_unmasked(self.user, statement.select.table, statement.select.masked_restricted())
        if any(access.of_index for access in statement.access):
            return  # the table of an index may change
        if len(self._allowed) >= ALLOWED_STATEMENTS_LIMIT:
            self._allowed.clear()
        self._allowed.add(statement)
