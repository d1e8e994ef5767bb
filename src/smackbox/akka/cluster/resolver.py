"""The split brain resolver of one node: waits until a split is stable, lets a strategy decide, says whom to down.

    observe(gossip)     each change of what the node sees
    tick()              about once a second; gives the nodes to down, this one last
    lease_result(held)  the answer to `LeaseRequests.ask`; gives the nodes to down

A decision is taken by the leader of a side (each side has one), `stable_after_s` after the last change of who is a
member or reachable. Where reachability goes on changing for `stable_after_s` and `down_all_when_unstable_s` together,
every node downs all. While a lease is asked for, nothing new is looked at.

Source: `SplitBrainResolver` of Pekko 1.4.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Protocol

from smackbox.akka.cluster.downing import AskLease, Decision, KeepMajority, LeaseMajority, Strategy, View, nodes_to_down
from smackbox.akka.cluster.gossip import Gossip
from smackbox.akka.cluster.member import MemberStatus, UniqueAddress

log = logging.getLogger("smackbox.akka.cluster")

RESETS = frozenset({MemberStatus.UP, MemberStatus.EXITING, MemberStatus.DOWN})
"""A member that comes into one of these statuses begins the wait for stability again."""


@dataclass(frozen=True, slots=True)
class DowningSettings:
    """`down_all_when_unstable_s` None is three quarters of `stable_after_s`, at least 4 s; 0 is never."""

    strategy: Strategy = field(default_factory=KeepMajority)
    stable_after_s: float = 20.0
    down_all_when_unstable_s: float | None = None

    @property
    def unstable_s(self) -> float:
        """`down_all_when_unstable_s` in effect."""
        if self.down_all_when_unstable_s is not None:
            return self.down_all_when_unstable_s
        return max(4.0, self.stable_after_s * 3 / 4)


class LeaseRequests(Protocol):
    """What lease-majority asks for; the calls begin to do so and return at once."""

    def ask(self) -> None:
        """Answered by `lease_result`."""

    def release(self) -> None:
        """Begin to give the lease back."""

    def is_held(self) -> bool:
        """Whether it is held now."""


@dataclass(slots=True)
class _Waiting:
    """For a lease: what it is for, and when it is asked for."""

    ask: AskLease
    at_s: float
    asked: bool = False


class SplitBrainResolver:
    """Raises `ValueError` for lease-majority without a lease."""

    def __init__(self, own: UniqueAddress, settings: DowningSettings, lease: LeaseRequests | None = None) -> None:
        if isinstance(settings.strategy, LeaseMajority) and lease is None:
            raise ValueError("lease-majority needs a lease: give the cluster one, such as ZooKeeperLease")
        self._own = own
        self._settings = settings
        self._lease = lease
        self._gossip = Gossip()
        self._next: Gossip | None = None
        self._added = False
        self._stable_s: float | None = None
        self._first_change_s: float | None = None
        self._last_change_s = 0.0
        self._waiting: _Waiting | None = None
        self._downed_with_lease: frozenset[UniqueAddress] | None = None
        self._release_at_s: float | None = None

    @property
    def view(self) -> View:
        """What a decision is taken on."""
        return View.of(self._gossip, self._own)

    def observe(self, gossip: Gossip, now_s: float) -> None:
        """What the node sees now."""
        if self._waiting is not None:
            self._next = gossip
            return
        before, self._gossip = self._gossip, gossip
        if before.members is gossip.members and before.reachability is gossip.reachability:
            return
        was, view = View.of(before, self._own), self.view
        own = gossip.status(self._own)
        self._added = self._added or own in {MemberStatus.UP, MemberStatus.WEAKLY_UP}
        changed = {
            node
            for node, member in gossip.members.items()
            if member.status in RESETS and before.status(node) is not member.status
        }
        moved = (view.unreachable ^ was.unreachable) & gossip.members.keys()
        if changed or moved:
            self._stable_s = now_s + self._settings.stable_after_s
        if moved:
            self._last_change_s = now_s
            if self._first_change_s is None:
                self._first_change_s = now_s
        if view.all_unreachable_are_leaving:
            self._first_change_s = None
        if self._downed_with_lease is not None:
            self._downed_with_lease &= gossip.members.keys()
            self._release_when_removed(now_s)

    def tick(self, now_s: float) -> list[UniqueAddress]:
        """Whom to down."""
        if self._waiting is not None:
            if not self._waiting.asked and now_s >= self._waiting.at_s:
                self._ask()
            return []
        if self._release_at_s is not None and now_s >= self._release_at_s:
            self._release_at_s = None
            if self._lease is not None:
                self._lease.release()
        settings, unstable_s = self._settings, self._settings.unstable_s
        if self._first_change_s is not None:
            if unstable_s > 0 and now_s - self._first_change_s > settings.stable_after_s + unstable_s:
                log.warning("reachability has changed for %.0f s: all nodes are downed", now_s - self._first_change_s)
                return self._act(Decision.DOWN_ALL, now_s)
            if unstable_s <= 0 and now_s - self._last_change_s > 2 * settings.stable_after_s:
                self._first_change_s = None
        leads = self._added and self._gossip.leader(self._own) == self._own
        if not leads or not self.view.unreachable or self._stable_s is None or now_s < self._stable_s:
            return []
        decision = settings.strategy.decide(self.view)
        if isinstance(decision, Decision):
            return self._act(decision, now_s)
        self._waiting = _Waiting(decision, now_s + decision.delay_s)
        if self._lease is not None and self._lease.is_held():
            return self.lease_result(True, now_s)
        if decision.delay_s == 0:
            self._ask()
        return []

    def lease_result(self, held: bool, now_s: float) -> list[UniqueAddress]:
        """Whom to down. A lease that could not be asked for is one that is not held."""
        waiting, self._waiting = self._waiting, None
        if waiting is None:
            return []
        downed = self._act(waiting.ask.granted if held else waiting.ask.denied, now_s)
        if held:
            self._downed_with_lease = (self._downed_with_lease or frozenset()) | frozenset(downed)
            self._release_at_s = None
            self._release_when_removed(now_s)
        else:
            self._downed_with_lease = None
        if self._next is not None:
            gossip, self._next = self._next, None
            self.observe(gossip, now_s)
        return downed

    def quarantined(self, by: UniqueAddress, now_s: float) -> list[UniqueAddress]:
        """A member has given this node up: it downs itself."""
        return self._act(Decision.DOWN_SELF, now_s) if by in self._gossip.members else []

    def _ask(self) -> None:
        assert self._waiting is not None and self._lease is not None
        self._waiting.asked = True
        self._lease.ask()

    def _release_when_removed(self, now_s: float) -> None:
        strategy = self._settings.strategy
        if not self._downed_with_lease and isinstance(strategy, LeaseMajority):
            self._downed_with_lease = None
            self._release_at_s = now_s + strategy.release_after_s

    def _act(self, decision: Decision, now_s: float) -> list[UniqueAddress]:
        view = self.view
        nodes = nodes_to_down(self._settings.strategy, view, decision)
        if not nodes:
            return []
        log.warning(
            "split brain resolver, %s: %s; %d unreachable of %d members, indirectly connected: %s",
            decision.value,
            ", ".join(sorted(str(node.address) for node in nodes)),
            len(view.unreachable),
            len(view.members),
            ", ".join(sorted(str(node.address) for node in view.indirectly_connected)) or "none",
        )
        self._first_change_s = None
        self._stable_s = now_s + self._settings.stable_after_s
        return sorted(nodes, key=lambda node: (node == self._own, node.order))
