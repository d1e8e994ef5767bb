"""What one entity's events are stored under. There may be one living actor for each id."""

from __future__ import annotations

from smackbox.akka.actor.record import record

SEPARATOR = "|"


@record
class PersistenceId:
    """`PersistenceId.of("Account", "42").id` is `Account|42`, as Pekko writes it."""

    id: str

    def __post_init__(self) -> None:
        if not self.id:
            raise ValueError("a persistence id is a text of at least one character")

    @classmethod
    def of(cls, entity_type: str, entity_id: str) -> PersistenceId:
        """Raises `ValueError` for a type with the separator in it, and for empty parts."""
        if not entity_type or not entity_id or SEPARATOR in entity_type:
            raise ValueError(f"a persistence id needs a type without {SEPARATOR!r} and an id, not {entity_type!r}")
        return cls(f"{entity_type}{SEPARATOR}{entity_id}")


def id_of(persistence_id: PersistenceId | str) -> str:
    """The text of an id. Raises `ValueError` for an empty one."""
    return persistence_id.id if isinstance(persistence_id, PersistenceId) else PersistenceId(persistence_id).id
