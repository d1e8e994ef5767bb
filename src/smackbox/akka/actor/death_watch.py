"""Death watch: each watcher is notified of a termination exactly once, in its own mailbox's turn."""

from __future__ import annotations

from types import CoroutineType
from typing import Any, TypeVar

from smackbox.akka.actor.actor import UNHANDLED
from smackbox.akka.actor.behaviors import FunctionalActor
from smackbox.akka.actor.cell_state import STOPPED, CellState, SignalItem
from smackbox.akka.actor.local_ref import LocalRef
from smackbox.akka.actor.messages import ChildFailed, Signal, Terminated
from smackbox.akka.actor.ref import ActorRef

M = TypeVar("M")
N = TypeVar("N")

_WATCHED = object()
_DEAD = object()


class DeathWatch(CellState[M]):
    """The watching side and the watched side of a cell."""

    __slots__ = ()

    def _handle_signal(self, signal: Signal) -> Any:
        if isinstance(signal, Terminated):
            watching = self._watching or {}
            if watching.get(signal.ref) is not _DEAD:
                return None
            del watching[signal.ref]
        result = self.instance.on_signal(signal)
        if result is UNHANDLED:
            self._unhandled()
            return None
        return result if type(self.instance) is FunctionalActor or type(result) is CoroutineType else None

    def _hear_death(self, ref: ActorRef[Any], cause: BaseException | None) -> None:
        """Called when a watched actor has terminated."""
        watching = self._watching
        found = watching.get(ref) if watching is not None else None
        if watching is None or found is None or found is _DEAD or self.state == STOPPED:
            return
        if found is not _WATCHED:
            del watching[ref]
            self._put(found)
            return
        watching[ref] = _DEAD
        is_child = isinstance(ref, LocalRef) and ref.cell.parent_cell is self
        self._put(SignalItem(ChildFailed(ref, cause) if cause is not None and is_child else Terminated(ref)))

    def add_watcher(self, watcher: ActorRef[Any]) -> None:
        if self.state == STOPPED:
            watcher._hear_death(self._ref, self._cause)
            return
        if self._watchers is None:
            self._watchers = set()
        self._watchers.add(watcher)

    def remove_watcher(self, watcher: ActorRef[Any]) -> None:
        if self._watchers is not None:
            self._watchers.discard(watcher)

    def watch(self, ref: ActorRef[N]) -> ActorRef[N]:
        self._watch(ref, _WATCHED)
        return ref

    def watch_with(self, ref: ActorRef[Any], message: M) -> None:
        self._watch(ref, message)

    def _watch(self, ref: ActorRef[Any], found: Any) -> None:
        if ref == self._ref:
            return
        if self._watching is None:
            self._watching = {}
        known = self._watching.get(ref)
        self._watching[ref] = found
        if known is None or known is _DEAD:
            ref._watched_by(self._ref)

    def unwatch(self, ref: ActorRef[Any]) -> None:
        if self._watching is not None and self._watching.pop(ref, None) is not None:
            ref._unwatched_by(self._ref)
