"""What the three schema languages have in common: a text is parsed, has a canonical form, and can read others."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Protocol

SCHEMA_LIMIT = 1_000_000
"""Characters of a schema's text."""

NESTING_LIMIT = 100
"""Types inside types."""


class InvalidSchema(ValueError):  # noqa: N818 - it is an answer
    """A text that is no schema of its language; the message says where."""


class Schema(Protocol):
    """A schema that was parsed."""

    @property
    def canonical(self) -> str:
        """The text that is stored: the same for texts that differ in white space."""
        ...

    @property
    def normalized(self) -> str:
        """The text that is stored when a client asks to normalize."""
        ...

    @abstractmethod
    def unreadable(self, writer: Schema) -> list[str]:
        """Why data that `writer`, of the same language, describes cannot be read with this; empty when it can."""
        ...

    def formatted(self, form: str) -> str:
        """The text in one of the forms that a query asks for; a form that the language lacks is the canonical one."""
        ...


Resolved = Sequence[tuple[str, str]]
"""The texts of a schema's references, those that others need first: name and text."""

Parser = Callable[[str, Resolved], Schema]


def no_constant(name: str) -> None:
    """For `json.loads`: NaN and the infinities are not JSON. Raises `ValueError`."""
    raise ValueError(f"{name} is not JSON")
