from smackbox.akka.actor import guardians as _guardians

__all__ = ["_guardians"]
