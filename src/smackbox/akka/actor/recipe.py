"""What an actor can be started from, by the messages that it will take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeAlias, TypeVar

M = TypeVar("M")


class Recipe(Generic[M]):
    """How an actor that takes messages of type M is made: `Props` or a `Behavior`."""

    __slots__ = ()


class Takes(Generic[M]):
    """An instance that takes messages of type M: an `Actor`."""

    __slots__ = ()


Spawnable: TypeAlias = Recipe[M] | Callable[..., Takes[M]]
"""`Props`, a `Behavior`, or a class (or function) that makes an `Actor`."""
