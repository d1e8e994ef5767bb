"""Who runs the singleton, and how it is handed over: one node's part as a plain synchronous state machine.

The singleton runs on the oldest member. A new oldest node starts it only when the one before has said that its own has
stopped, or when that one was removed from the cluster.

    start -> younger -> becoming oldest -> oldest -> was oldest -> handing over -> end
                                                        (stopping, when this node is down or stuck)

    HandOverToMe         the new oldest to the old one; HandOverInProgress and HandOverDone are the answers
    TakeOverFromMe       the old oldest to the new one, which may not know who was oldest; HandOverToMe is the answer

Changes of who is oldest are looked at one at a time: the next one when the last one has led to younger or oldest.
Source: `ClusterSingletonManager` of Pekko 1.4.
"""

from __future__ import annotations

import enum
import logging
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from smackbox.akka.actor.path import Address
from smackbox.akka.cluster.member import AGE_UNKNOWN, GONE, Member, MemberStatus, UniqueAddress
from smackbox.akka.cluster.messages import MemberEvent, MemberRemoved

REMEMBER_REMOVED_S = 15 * 60.0

log = logging.getLogger("smackbox.akka.cluster")


class HandOver(enum.Enum):
    """Messages between managers, with the manifests of serializer 14."""

    HAND_OVER_TO_ME = "A"
    HAND_OVER_IN_PROGRESS = "B"
    HAND_OVER_DONE = "C"
    TAKE_OVER_FROM_ME = "D"


class State(enum.Enum):
    """Of a manager; the module's text has the order."""

    START = "start"
    YOUNGER = "younger"
    BECOMING_OLDEST = "becoming oldest"
    OLDEST = "oldest"
    WAS_OLDEST = "was oldest"
    HANDING_OVER = "handing over"
    STOPPING = "stopping"
    END = "end"


class SingletonStuckError(RuntimeError):
    """The other node did not answer within all retries: the manager begins again."""


@dataclass(frozen=True, slots=True)
class ManagerSettings:
    """`role` None is all members. `removal_margin_s` is how long after a removal its node may still run a singleton."""

    role: str | None = None
    retry_s: float = 1.0
    min_retries: int = 15
    removal_margin_s: float = 0.0

    @property
    def hand_over_retries(self) -> int:
        """How often a new oldest node asks before it begins again."""
        return max(self.min_retries, int(self.removal_margin_s / self.retry_s) + 3)

    @property
    def take_over_retries(self) -> int:
        """How often an old oldest node asks before it begins again."""
        return max(1, self.hand_over_retries - 3)


@dataclass(frozen=True, slots=True)
class ManagerCalls:
    """What a manager does. `stop_singleton` is answered by `singleton_stopped`; `exit_done` may be called twice."""

    send: Callable[[Address, HandOver], None]
    start_singleton: Callable[[], None]
    stop_singleton: Callable[[], None]
    exit_done: Callable[[], None]
    stop: Callable[[], None]


class SingletonManager:
    """Of the node `own`. Time comes in as an argument, in seconds."""

    def __init__(self, own: UniqueAddress, settings: ManagerSettings, calls: ManagerCalls) -> None:
        self.state = State.START
        self._own = own
        self._settings = settings
        self._calls = calls
        self._members: dict[UniqueAddress, Member] = {}
        self._nodes: dict[Address, UniqueAddress] = {}
        self._own_status = MemberStatus.JOINING
        self._changes: deque[UniqueAddress | None] = deque()
        self._ready = False
        self._running = False
        self._previous: list[UniqueAddress] = []
        self._new_oldest: UniqueAddress | None = None
        self._hand_over_to: Address | None = None
        self._removed: dict[UniqueAddress, float] = {}
        self._delayed: list[tuple[float, UniqueAddress]] = []
        self._exited = False
        self._gone = False
        self._retry_s: float | None = None
        self._retries = 0

    # -- the cluster

    def begin(self, members: Iterable[Member], now_s: float) -> None:
        """This node is Up."""
        if self.state is not State.START:
            return
        members = list(members)
        self._nodes = {member.node.address: member.node for member in members}
        self._members = {
            member.node: member for member in members if member.up_number != AGE_UNKNOWN and self._matches(member)
        }
        own = self._members.get(self._own)
        if own is None:
            return
        self._own_status = own.status
        older = [member for member in self._by_age() if member.up_number <= own.up_number]
        unsafe = GONE | {MemberStatus.LEAVING}
        self._previous = [member.node for member in older if member.node != self._own]
        if older[0].node != self._own:
            self._become(State.YOUNGER, now_s)
        elif any(member.status in unsafe for member in older):
            self._become(State.BECOMING_OLDEST, now_s)
        else:
            self._to_oldest(now_s)

    def member_event(self, event: MemberEvent, now_s: float) -> None:
        """A change of a member."""
        member = event.member
        if member.node == self._own:
            self._own_event(event, now_s)
            return
        if self.state is State.START:
            return
        self._nodes[member.node.address] = member.node
        if isinstance(event, MemberRemoved):
            del self._nodes[member.node.address]
            self._other_removed(member.node, now_s)
            self._track(lambda: self._members.pop(member.node, None), now_s)
        elif member.status is MemberStatus.UP and self._matches(member):
            self._track(lambda: self._members.update({member.node: member}), now_s)
        elif member.status is MemberStatus.EXITING:
            self._track(lambda: self._members.pop(member.node, None), now_s)

    def exiting(self, now_s: float) -> None:
        """This node leaves: hand over what runs here. `exit_done` says when."""
        self._exited = True
        if self.state not in {State.OLDEST, State.WAS_OLDEST, State.HANDING_OVER}:
            self._calls.exit_done()
        self._track(lambda: self._members.pop(self._own, None), now_s)

    def _own_event(self, event: MemberEvent, now_s: float) -> None:
        self._own_status = event.member.status
        if isinstance(event, MemberRemoved):
            self._gone = True
            if not self._exited or self.state is State.END:
                self._calls.stop()
        elif event.member.status is MemberStatus.DOWN:
            if self.state in {State.OLDEST, State.WAS_OLDEST} and self._running:
                self._to_stopping(now_s)
            elif self.state is not State.HANDING_OVER:
                self._calls.stop()

    def _other_removed(self, node: UniqueAddress, now_s: float) -> None:
        if self.state is State.WAS_OLDEST and node == self._new_oldest and not self._exited:
            self._removed[node] = now_s + REMEMBER_REMOVED_S
            self._to_handing_over(None, now_s)
        elif self.state in {State.YOUNGER, State.BECOMING_OLDEST} and self._settings.removal_margin_s > 0:
            self._delayed.append((now_s + self._settings.removal_margin_s, node))
        else:
            self._removal_is_safe(node, now_s)

    def _removal_is_safe(self, node: UniqueAddress, now_s: float) -> None:
        """Whatever ran on a removed node has ended by now."""
        self._removed[node] = now_s + REMEMBER_REMOVED_S
        if self.state not in {State.YOUNGER, State.BECOMING_OLDEST}:
            return
        was_awaited = node in self._previous
        if self.state is State.BECOMING_OLDEST and was_awaited and self._all_removed() and not self._gone:
            self._to_oldest(now_s)
        else:
            self._previous = [other for other in self._previous if other != node]

    # -- who is oldest

    def _by_age(self) -> list[Member]:
        return sorted(self._members.values(), key=lambda member: member.age)

    def _oldest(self) -> UniqueAddress | None:
        return min(self._members.values(), key=lambda member: member.age).node if self._members else None

    def _matches(self, member: Member) -> bool:
        return self._settings.role is None or self._settings.role in member.roles

    def _track(self, change: Callable[[], object], now_s: float) -> None:
        before = self._oldest()
        change()
        after = self._oldest()
        if before != after:
            self._changes.append(after)
            self._next_change(now_s)

    def _next_change(self, now_s: float) -> None:
        while self._ready and self._changes and not self._gone:
            self._ready = False
            self._oldest_changed(self._changes.popleft(), now_s)

    def _oldest_changed(self, oldest: UniqueAddress | None, now_s: float) -> None:
        if self.state is State.YOUNGER:
            if oldest == self._own:
                if self._all_removed():
                    self._to_oldest(now_s)
                else:
                    self._send(self._previous[0].address, HandOver.HAND_OVER_TO_ME)
                    self._become(State.BECOMING_OLDEST, now_s)
                return
            if oldest is not None and oldest not in self._previous:
                self._previous.insert(0, oldest)
            self._ready = True
        elif self.state is State.OLDEST:
            if oldest == self._own:
                self._ready = True
            elif oldest is not None and not self._exited and oldest in self._removed:
                self._to_handing_over(None, now_s)
            else:
                self._new_oldest = oldest
                if oldest is not None:
                    self._send(oldest.address, HandOver.TAKE_OVER_FROM_ME)
                self._become(State.WAS_OLDEST, now_s)

    # -- messages

    def receive(self, message: HandOver, sender: Address, now_s: float) -> None:
        """A message of another node's manager."""
        if message is HandOver.HAND_OVER_TO_ME:
            self._asked_to_hand_over(sender, now_s)
        elif message is HandOver.TAKE_OVER_FROM_ME:
            self._asked_to_take_over(sender)
        elif self.state is State.BECOMING_OLDEST:
            if message is HandOver.HAND_OVER_IN_PROGRESS:
                self._retry_s = None
            elif self._previous and self._previous[0].address == sender:
                self._to_oldest(now_s)

    def _asked_to_hand_over(self, sender: Address, now_s: float) -> None:
        if self.state is State.YOUNGER:
            # this node came back so fast that the sender asks for the singleton of its earlier incarnation
            if self._own_status not in {MemberStatus.LEAVING, MemberStatus.EXITING}:
                self._send(sender, HandOver.HAND_OVER_DONE)
        elif self.state in {State.OLDEST, State.WAS_OLDEST}:
            self._to_handing_over(sender, now_s)
        elif self.state is State.HANDING_OVER and sender == self._hand_over_to:
            self._send(sender, HandOver.HAND_OVER_IN_PROGRESS)

    def _asked_to_take_over(self, sender: Address) -> None:
        if self.state is State.OLDEST:
            self._send(sender, HandOver.HAND_OVER_TO_ME)
        elif self.state is State.BECOMING_OLDEST:
            known = self._nodes.get(sender)
            if known is None:
                return
            if not self._previous:
                self._previous = [known]
            if self._previous[0] == known:
                self._send(sender, HandOver.HAND_OVER_TO_ME)

    def singleton_stopped(self, now_s: float) -> None:
        """The singleton of this node has stopped, asked for or not."""
        self._running = False
        if self.state is State.HANDING_OVER:
            self._handed_over(now_s)
        elif self.state is State.STOPPING:
            self._calls.stop()

    def tick(self, now_s: float) -> None:
        """At least once in `retry_s`. Raises `SingletonStuckError`."""
        due = [node for at_s, node in self._delayed if now_s >= at_s]
        self._delayed = [(at_s, node) for at_s, node in self._delayed if now_s < at_s]
        for node in due:
            self._removal_is_safe(node, now_s)
        self._removed = {node: until_s for node, until_s in self._removed.items() if now_s < until_s}
        if self._retry_s is None or now_s < self._retry_s:
            return
        self._retry_s = now_s + self._settings.retry_s
        self._retries += 1
        if self.state is State.BECOMING_OLDEST:
            self._retry_hand_over(now_s)
        elif self.state is State.WAS_OLDEST:
            self._retry_take_over(now_s)

    def _retry_hand_over(self, now_s: float) -> None:
        if self._retries <= self._settings.hand_over_retries:
            if self._previous:
                self._send(self._previous[0].address, HandOver.HAND_OVER_TO_ME)
        elif self._all_removed():
            self._to_oldest(now_s)
        elif self._gone:
            self._calls.stop()
        else:
            raise SingletonStuckError(f"{self._previous[0].address}, which was oldest, does not hand over")

    def _retry_take_over(self, now_s: float) -> None:
        limit = self._settings.take_over_retries
        if (self._gone or self._exited) and (self._new_oldest is None or self._retries > limit):
            if self._running:
                self._to_stopping(now_s)
            else:
                self._calls.stop()
        elif self._retries <= limit:
            if self._new_oldest is not None:
                self._send(self._new_oldest.address, HandOver.TAKE_OVER_FROM_ME)
        else:
            raise SingletonStuckError(f"{self._new_oldest}, which is oldest, does not take over")

    # -- states

    def _all_removed(self) -> bool:
        return all(node in self._removed for node in self._previous)

    def _send(self, to: Address, message: HandOver) -> None:
        self._calls.send(to, message)

    def _become(self, state: State, now_s: float) -> None:
        self.state = state
        self._retry_s, self._retries = None, 0
        if state in {State.BECOMING_OLDEST, State.WAS_OLDEST}:
            self._retry_s = now_s + (0.0 if state is State.BECOMING_OLDEST else self._settings.retry_s)
        if state in {State.YOUNGER, State.OLDEST}:
            self._ready = True
            self._next_change(now_s)

    def _to_oldest(self, now_s: float) -> None:
        self._running = True
        self._calls.start_singleton()
        self._become(State.OLDEST, now_s)

    def _to_handing_over(self, to: Address | None, now_s: float) -> None:
        self._hand_over_to = to
        if not self._running:
            self._handed_over(now_s)
            return
        if to is not None:
            self._send(to, HandOver.HAND_OVER_IN_PROGRESS)
        self._become(State.HANDING_OVER, now_s)
        self._calls.stop_singleton()

    def _handed_over(self, now_s: float) -> None:
        if self._hand_over_to is not None:
            self._send(self._hand_over_to, HandOver.HAND_OVER_DONE)
        self._calls.exit_done()
        if self._gone:
            self._calls.stop()
        elif self._hand_over_to is None:
            self._previous = []
            self._become(State.YOUNGER, now_s)
        else:
            self._become(State.END, now_s)

    def _to_stopping(self, now_s: float) -> None:
        self._become(State.STOPPING, now_s)
        self._calls.stop_singleton()
