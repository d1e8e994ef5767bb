"""Errors that actors and their supervisors raise on purpose. `DeathPactError` is beside its message."""

from __future__ import annotations


class ActorError(Exception):
    """Root of the errors that actors and their supervisors raise on purpose."""


class ActorInitializationError(ActorError):
    """The constructor, or `pre_start`, of an actor failed. By default its supervisor stops it."""


class ActorKilledError(ActorError):
    """An actor was told `Kill`. By default its supervisor stops it."""


class AskTimeoutError(ActorError, TimeoutError):
    """No reply came in time."""


class StashOverflowError(ActorError):
    """The stash is full."""


class InvalidNameError(ActorError, ValueError):
    """The name of an actor is taken, or invalid."""
