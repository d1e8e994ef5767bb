"""What remoting tells on the event stream of its actor system."""

from __future__ import annotations

from smackbox.akka.actor.path import Address
from smackbox.akka.actor.record import record


@record
class SystemQuarantined:
    """This system has given up another one in its life `uid`."""

    address: Address
    uid: int


@record
class ThisSystemQuarantined:
    """The system `address`, in its life `uid`, has given this one up."""

    address: Address
    uid: int
