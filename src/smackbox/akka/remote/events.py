"""The events of remoting on its actor system's event stream."""

from __future__ import annotations

from smackbox.akka.actor.path import Address
from smackbox.akka.actor.record import record


@record
class SystemQuarantined:
    """This system has quarantined the incarnation `uid` of another one."""

    address: Address
    uid: int


@record
class ThisSystemQuarantined:
    """The incarnation `uid` of the system `address` has quarantined this one."""

    address: Address
    uid: int
