"""Chronos' error answers: a status and a JSON body with a message."""

from __future__ import annotations

from smackbox.base.errors import RequestError


class Refusal(RequestError):  # noqa: N818 - it is an answer
    """An answer other than success."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def unknown_job(name: str) -> Refusal:
    """404."""
    return Refusal(404, f"the job '{name}' does not exist")
