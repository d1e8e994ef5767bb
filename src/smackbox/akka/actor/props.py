"""The recipe for creating an actor, used at each restart: it keeps the arguments, not the instance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from smackbox.akka.actor.actor import Actor, _making
from smackbox.akka.actor.behaviors import Behavior, FunctionalActor
from smackbox.akka.actor.context import ActorContext
from smackbox.akka.actor.mailbox import UNBOUNDED, MailboxType
from smackbox.akka.actor.recipe import Recipe, Spawnable

M = TypeVar("M")


@dataclass(frozen=True)
class Props(Recipe[M], Generic[M]):
    """`Props(JsonParser, "strict")`: the class (or a behavior), its arguments, its mailbox and its dispatcher.

    `dispatcher` names a pool of threads on which `receive` runs, for handlers that block; None is the event loop.
    """

    make: type[Actor[M]] | Callable[..., Actor[M]] | Behavior[M]
    arguments: tuple[Any, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    mailbox: MailboxType = UNBOUNDED
    dispatcher: str | None = None

    @classmethod
    def of(cls, make: type[Actor[M]] | Callable[..., Actor[M]], *arguments: Any, **options: Any) -> Props[M]:
        return cls(make, arguments, options)

    def with_mailbox(self, mailbox: MailboxType) -> Props[M]:
        return replace(self, mailbox=mailbox)

    def with_dispatcher(self, name: str) -> Props[M]:
        """Run `receive` on the thread pool of that name (`ActorSettings.pools`)."""
        return replace(self, dispatcher=name)

    def instance(self, context: ActorContext[M]) -> Any:
        """A new instance for `context`. Raises the constructor's errors."""
        if isinstance(self.make, Behavior):
            return FunctionalActor(self.make, context)
        _making.append(context)
        try:
            made = self.make(*self.arguments, **self.options)
        finally:
            _making.pop()
        if not isinstance(made, Actor):
            raise TypeError(f"{self.make} must make an Actor, not {made!r}")
        return made


def props_of(what: Spawnable[M]) -> Props[M]:
    """The `Props` of an actor to spawn."""
    return what if isinstance(what, Props) else Props(what)  # type: ignore[arg-type] # there is no other recipe
