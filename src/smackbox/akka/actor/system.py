"""An actor system: the guardians, the dispatcher, and the state shared by all of its actors."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self, TypeVar

from smackbox.akka.actor.dead_letters import DeadLetters
from smackbox.akka.actor.dispatcher import Dispatcher, LoopDispatcher
from smackbox.akka.actor.errors import AskTimeoutError
from smackbox.akka.actor.events import EventStream
from smackbox.akka.actor.local_ref import DeadLetterRef, LocalActor, LocalRef
from smackbox.akka.actor.messages import PoisonPill
from smackbox.akka.actor.path import PROTOCOL, ActorPath, Address
from smackbox.akka.actor.receptionist import Receptionist
from smackbox.akka.actor.recipe import Spawnable
from smackbox.akka.actor.ref import ActorRef
from smackbox.akka.actor.shutdown import CoordinatedShutdown
from smackbox.akka.actor.supervision import Directive

if TYPE_CHECKING:
    from concurrent.futures import Executor

M = TypeVar("M")

UID_MAX = 2**31 - 1

log = logging.getLogger("smackbox.akka")


@dataclass(frozen=True, slots=True)
class ActorSettings:
    """`pools` are threads by dispatcher; `handler_stop_timeout_s` is the time that a waiting handler has to end."""

    pools: dict[str, int] = field(default_factory=lambda: {"blocking": 16})
    processes: int | None = None
    handler_stop_timeout_s: float = 5.0
    stop_timeout_s: float = 10.0


class Guardians(NamedTuple):
    """The actors at `/`, `/system` and `/user`."""

    root: LocalActor
    system: LocalActor
    user: LocalActor


class ActorSystem:
    """An async context manager; made on a running event loop, and ended by `shutdown.run` (or, at once, `terminate`).

    `chance` gives 0 to 1, for jitter; tests give their own, and their own dispatcher.
    """

    make_guardians: ClassVar[Callable[[ActorSystem], Guardians]]
    """Starts the actors that a system begins with (`guardians.py`)."""

    def __init__(
        self,
        name: str = "default",
        *,
        settings: ActorSettings | None = None,
        dispatcher: Dispatcher | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.name = name
        self.settings = settings or ActorSettings()
        self.address = Address(PROTOCOL, name)
        self.dispatcher = dispatcher or LoopDispatcher(asyncio.get_running_loop())
        self.events = EventStream()
        self.dead_letters: ActorRef[Any] = DeadLetterRef(self)
        self.dead_letter_log = DeadLetters(self.events, self.dispatcher)
        self.dead_letter = self.dead_letter_log.add
        self.chance = chance
        self.failures: Counter[Directive] = Counter()
        self.waiting: dict[int, list[tuple[Callable[[], None], bool]]] = {}
        """What cells do once their children are gone, by the uid of the cell."""
        self.failure: BaseException | None = None
        """What ended the system, where a failure did."""
        self.receptionist = Receptionist(self)
        self.shutdown = CoordinatedShutdown(self.terminate)
        self._uid = int(chance() * UID_MAX)
        self._pools: dict[str, Executor] = {}
        self._futures: set[asyncio.Future[Any]] = set()
        self._terminated: list[Callable[[], None]] = []
        self.is_terminated = False
        self.remote_resolve: Callable[[str], ActorRef[Any]] | None = None
        """Where the system is on a network: what makes references of others' paths."""
        self._root, self._system_guardian, self._user_guardian = ActorSystem.make_guardians(self)

    # -- actors

    def spawn(self, what: Spawnable[M], name: str | None = None) -> LocalRef[M]:
        """Start an actor under `/user`. Raises `InvalidNameError` for a name that is taken or invalid."""
        return self._user_guardian.spawn(what, name)

    actor_of = spawn

    def spawn_system(self, what: Any, name: str) -> LocalRef[Any]:
        """Start a part of the system under `/system`."""
        return self._system_guardian.spawn(what, name)

    def stop(self, ref: ActorRef[Any]) -> None:
        """Stop any local actor, after its current message."""
        if not isinstance(ref, LocalRef):
            raise ValueError(f"{ref.path} is not an actor of this system that can be stopped: tell it PoisonPill")
        self.dispatcher.on_loop(ref.cell.command, ref.cell._stop)

    async def graceful_stop(self, ref: ActorRef[Any], timeout_s: float, message: Any = None) -> None:
        """Tell `ref` to stop (`PoisonPill`, or `message`), and wait until it has, `post_stop` included.

        Raises `AskTimeoutError` when it has not within `timeout_s`; it goes on stopping.
        """
        stopped = asyncio.get_running_loop().create_future()
        ref._watched_by(_Once(self, lambda: None if stopped.done() else stopped.set_result(None)))
        ref.tell(PoisonPill() if message is None else message)
        try:
            async with asyncio.timeout(timeout_s):
                await stopped
        except TimeoutError:
            raise AskTimeoutError(f"{ref.path} did not stop within {timeout_s} s") from None

    def resolve(self, path: ActorPath | str) -> ActorRef[Any]:
        """The actor at `path`; a reference to dead letters if there is none (any more).

        Raises `ValueError` for an invalid path.
        """
        if self.remote_resolve is not None:
            return self.remote_resolve(str(path))
        return self.resolve_local(ActorPath.parse(path) if isinstance(path, str) else path)

    def resolve_local(self, path: ActorPath) -> ActorRef[Any]:
        """The same among this system's own actors."""
        cell: LocalActor | None = self._root
        for element in path.elements:
            cell = cell.child(element) if cell is not None else None
        if cell is None or (path.uid and cell.uid != path.uid):
            return DeadLetterRef(self, path)
        return cell.ref

    @property
    def root_cell(self) -> LocalActor:
        """For selections, which go from here down."""
        return self._root

    # -- the end

    async def terminate(self) -> None:
        """Stop all actors, the users' first, and wait until they have stopped."""
        if not self.is_terminated:
            done = asyncio.get_running_loop().create_future()
            self.on_termination(lambda: None if done.done() else done.set_result(None))
            self.stop(self._user_guardian.ref)
            self._user_guardian.add_watcher(_Once(self, lambda: self.stop(self._root.ref)))
            await done
        await self._close()

    def on_termination(self, call: Callable[[], Any]) -> None:
        """Call when the last actor has stopped."""
        if self.is_terminated:
            call()
        else:
            self._terminated.append(call)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.shutdown.run("the block that made the system ends")
        if self.failure is not None:
            raise self.failure

    async def _close(self) -> None:
        for future in tuple(self._futures):
            future.cancel()
        pools, self._pools = self._pools, {}
        for pool in pools.values():
            await asyncio.to_thread(pool.shutdown, True, cancel_futures=True)

    # -- for cells

    def next_uid(self) -> int:
        self._uid = self._uid % UID_MAX + 1
        return self._uid

    def pool(self, name: str) -> Executor:
        """Raises `ValueError` for a pool that the settings do not name."""
        pool = self._pools.get(name)
        if pool is None:
            size = self.settings.pools.get(name)
            if size is None:
                known = ", ".join(self.settings.pools)
                raise ValueError(f"no pool of threads {name!r} in ActorSettings.pools; there is {known or 'none'}")
            from concurrent.futures import ThreadPoolExecutor

            pool = self._pools[name] = ThreadPoolExecutor(size, f"{self.name}-{name}")
        return pool

    def processes(self) -> Executor:
        pool = self._pools.get("")
        if pool is None:
            from concurrent.futures import ProcessPoolExecutor

            pool = self._pools[""] = ProcessPoolExecutor(self.settings.processes)
        return pool

    def keep(self, future: asyncio.Future[Any]) -> None:
        """Keep a reference to an actor's work, and cancel it at the end."""
        self._futures.add(future)
        future.add_done_callback(self._futures.discard)

    @property
    def user_cell(self) -> LocalActor:
        """The guardian of the actors that users spawn."""
        return self._user_guardian

    def report_failure(self, path: ActorPath, cause: BaseException, directive: Directive) -> None:
        """Log and count an actor's failure and its supervisor's directive."""
        self.failures[directive] += 1
        level = logging.WARNING if directive is Directive.RESUME else logging.ERROR
        log.log(level, "[%s] failed, %s: %r", path, directive.value, cause, exc_info=cause)

    def report_hook(self, path: ActorPath, hook: str, error: BaseException) -> None:
        log.error("[%s] %s failed: %r", path, hook, error, exc_info=error)

    def root_failed(self, cause: BaseException) -> None:
        """A failure was escalated to the top: the system ends."""
        self.failure = cause
        self._root.command(self._root._stop)

    def root_stopped(self) -> None:
        self.is_terminated = True
        calls, self._terminated = self._terminated, []
        for call in calls:
            call()


class _Once(DeadLetterRef):
    """Watches for the system itself."""

    __slots__ = ("_call",)

    def __init__(self, system: ActorSystem, call: Callable[[], None]) -> None:
        super().__init__(system)
        self._call = call

    def _hear_death(self, ref: ActorRef[Any], cause: BaseException | None) -> None:
        self._call()

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other
