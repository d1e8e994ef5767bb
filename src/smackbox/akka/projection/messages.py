"""What a running projection may be told; `management.py` sends it."""

from __future__ import annotations

from smackbox.akka.actor.record import record
from smackbox.akka.persistence.offset import Offset


@record
class GetOffset:
    """Answered with the saved offset, `NoOffset` where there is none."""


@record
class SetOffset:
    """Go on after this offset, earlier or later. Answered with it."""

    offset: Offset


@record
class Clear:
    """Start again from the beginning. Answered with `NoOffset`."""


@record
class Pause:
    """Handle no more events, also after a restart of the process. Answered with itself."""


@record
class Resume:
    """Go on. Answered with itself."""


@record
class IsPaused:
    """Answered with a boolean."""
