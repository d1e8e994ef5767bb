"""A behavior whose latest state is stored, not the way to it: `Effect.persist(new_state)` replaces the stored one.

    DurableStateBehavior("Cart|42", Cart(()), on_command)

Each write has a revision. Where another actor wrote meanwhile the revision is stale: nothing is stored, and the actor
fails with `JournalFailureError`, as after any failed write.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from smackbox.akka.actor.behaviors import SAME, Behavior, Behaviors, Deferred
from smackbox.akka.actor.messages import Signal
from smackbox.akka.actor.supervision import SupervisorStrategy
from smackbox.akka.persistence.adapters import SnapshotAdapter
from smackbox.akka.persistence.effect import Effect, Kind
from smackbox.akka.persistence.errors import EventRejectedError, JournalFailureError, RecoveryTimeoutError
from smackbox.akka.persistence.event_sourced import check_failure_strategy
from smackbox.akka.persistence.life import PersistentLife
from smackbox.akka.persistence.persistence_id import PersistenceId, id_of
from smackbox.akka.persistence.serialization import SerializationError
from smackbox.akka.persistence.state_store import StoredState

if TYPE_CHECKING:
    from smackbox.akka.actor.context import ActorContext

C = TypeVar("C")
S = TypeVar("S")


@dataclass(frozen=True)
class DurableStateBehavior(Deferred[C], Generic[C, S]):
    """Of commands C and states S. Each `with_…` gives a changed copy."""

    persistence_id: PersistenceId | str
    empty_state: S
    command_handler: Callable[[S, C], Effect[Any, S]]
    tag: str = ""
    signal_handler: Callable[[S, Signal], Any] | None = None
    adapter: SnapshotAdapter[S] | None = None
    failure_strategy: SupervisorStrategy | None = None

    def receive_signal(self, handler: Callable[[S, Signal], Any]) -> DurableStateBehavior[C, S]:
        """As `EventSourcedBehavior.receive_signal`."""
        return replace(self, signal_handler=handler)

    def with_adapter(self, adapter: SnapshotAdapter[S]) -> DurableStateBehavior[C, S]:
        """Store another form of the state."""
        return replace(self, adapter=adapter)

    def on_persist_failure(self, strategy: SupervisorStrategy) -> DurableStateBehavior[C, S]:
        """As `EventSourcedBehavior.on_persist_failure`. Raises `ValueError`."""
        return replace(self, failure_strategy=check_failure_strategy(strategy))

    def make(self, context: ActorContext[C]) -> Behavior[C]:
        begin: Behavior[C] = Behaviors.setup(lambda own: _DurableStateLife(self, own).begin())
        if self.failure_strategy is None:
            return begin
        return Behaviors.supervise(begin).on_failure(self.failure_strategy, JournalFailureError)


class _DurableStateLife(PersistentLife[C, S]):
    def __init__(self, behavior: DurableStateBehavior[C, S], context: ActorContext[C]) -> None:
        super().__init__(
            context,
            id_of(behavior.persistence_id),
            behavior.empty_state,
            behavior.command_handler,
            behavior.signal_handler,
        )
        self._behavior = behavior
        self._store = self._persistence.states
        self.revision = 0

    async def _recover(self) -> None:
        limit_s = self._persistence.settings.recovery_event_timeout_s
        async with self._persistence.recoveries:
            try:
                async with asyncio.timeout(limit_s):
                    stored, self.revision = await self._store.get(self._id)
            except TimeoutError as error:
                raise RecoveryTimeoutError(f"the state of {self._id} did not come within {limit_s} s") from error
        if stored is not None:
            value = self._persistence.serialization.read(stored.serializer, stored.manifest, stored.data)
            adapter = self._behavior.adapter
            self.state = value if adapter is None else adapter.from_journal(value)

    def _recovered_up_to(self) -> str:
        return f"revision {self.revision}"

    def _persist(self, effect: Effect[Any, S]) -> Any:
        revision = self.revision + 1
        if effect.kind is Kind.DELETE:
            state, work = self._behavior.empty_state, self._store.delete(self._id, revision)
        else:
            if len(effect.events) != 1:
                raise TypeError(f"a durable state is one value, and the effect persists {len(effect.events)}")
            (state,) = effect.events
            work = self._store.put(self._stored(state, revision))

        def written(error: BaseException | None) -> Any:
            if error is not None:
                raise JournalFailureError(f"revision {revision} of {self._id} is not stored: {error}") from error
            self.state, self.revision = state, revision
            return self._finish(effect)

        self._wait(work, written)
        return SAME

    def _stored(self, state: S, revision: int) -> StoredState:
        adapter = self._behavior.adapter
        try:
            serialized = self._persistence.serialization.write(state if adapter is None else adapter.to_journal(state))
        except (SerializationError, TypeError, ValueError, NotImplementedError) as error:
            raise EventRejectedError(f"revision {revision} of {self._id} cannot be stored: {error}") from error
        return StoredState(self._id, revision, *serialized, self._behavior.tag)
