"""What holds for a part of a stream: what failures of its functions lead to, the size of its buffers, its name."""

from __future__ import annotations

from dataclasses import dataclass, replace

from smackbox.akka.actor.supervision import Decider, Directive

INPUT_BUFFER = 16
"""Elements that wait at an asynchronous boundary."""
INPUT_BUFFER_LIMIT = 1 << 20


def stopping_decider(_: BaseException) -> Directive:
    """The stream fails."""
    return Directive.STOP


def resuming_decider(cause: BaseException) -> Directive:
    """The element is dropped, and the stream goes on."""
    return Directive.RESUME if isinstance(cause, Exception) else Directive.STOP


def restarting_decider(cause: BaseException) -> Directive:
    """The element is dropped, and the operator forgets what it gathered."""
    return Directive.RESTART if isinstance(cause, Exception) else Directive.STOP


@dataclass(frozen=True, slots=True)
class Attributes:
    """The settings of the stages of a part of a stream: the decider, the size of buffers, a name for logs."""

    decider: Decider = stopping_decider
    input_buffer: int = INPUT_BUFFER
    name: str = ""

    def with_changes(self, decider: Decider | None, input_buffer: int | None, name: str | None) -> Attributes:
        """Raises `ValueError` for an invalid buffer."""
        if input_buffer is not None and not 1 <= input_buffer <= INPUT_BUFFER_LIMIT:
            raise ValueError(f"input_buffer must be 1 to {INPUT_BUFFER_LIMIT}, not {input_buffer}")
        return replace(
            self,
            decider=self.decider if decider is None else decider,
            input_buffer=self.input_buffer if input_buffer is None else input_buffer,
            name=self.name if name is None else name,
        )


DEFAULT = Attributes()
