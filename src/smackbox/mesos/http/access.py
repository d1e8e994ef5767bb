"""Who the caller is, by name and secret, and what that principal may do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from smackbox.mesos.http.access_lists import AccessLists


@dataclass(slots=True)
class Access:
    """Secrets by principal, which paths require them, and the principals' permissions."""

    secrets: dict[str, str] = field(default_factory=dict)
    asked: frozenset[str] = frozenset()
    lists: AccessLists = field(default_factory=AccessLists)
    equal: Callable[[bytes, bytes], bool] = bytes.__eq__

    def knows(self, principal: str, secret: str) -> bool:
        """Whether this is the principal's secret, compared in constant time."""
        expected = self.secrets.get(principal)
        return self.equal(secret.encode(), (expected or "").encode()) and expected is not None
