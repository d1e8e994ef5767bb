"""Heartbeats: which nodes this one watches, and which of them it takes for alive.

All nodes stand in a ring, sorted by a hash; each watches the next nine, and the unreachable ones on the way there.
A node that leaves the nine while it is unreachable is watched until it answers again.
Source: Pekko's `ClusterHeartbeatSenderState` and `HeartbeatNodeRing`.
"""

from __future__ import annotations

from collections.abc import Collection

from smackbox.akka.cluster.member import UniqueAddress
from smackbox.akka.remote.failure_detector import DetectorSettings, PhiAccrualDetector

MONITORED_BY = 9
FIRST_ANSWER_S = 1.0
"""A node that never answered counts as having answered once, this long after the first heartbeat to it."""


class Heartbeats:
    """Of one node. Time comes in as an argument, in seconds."""

    def __init__(self, own: UniqueAddress, settings: DetectorSettings | None = None) -> None:
        self._own = own
        self._settings = settings or DetectorSettings()
        self._detectors: dict[UniqueAddress, PhiAccrualDetector] = {}
        self._begun_s: dict[UniqueAddress, float] = {}
        self._receivers: set[UniqueAddress] = set()
        self._kept: set[UniqueAddress] = set()

    @property
    def receivers(self) -> set[UniqueAddress]:
        return self._receivers | self._kept

    def members_changed(
        self, nodes: Collection[UniqueAddress], unreachable: Collection[UniqueAddress], now_s: float
    ) -> None:
        receivers = ring_receivers(self._own, nodes, unreachable)
        for node in self._receivers - receivers:
            if node in nodes and not self.is_available(node, now_s):
                self._kept.add(node)
            else:
                self._forget(node)
        for node in self._kept - set(nodes):
            self._kept.discard(node)
            self._forget(node)
        self._receivers = receivers

    def beat(self, now_s: float) -> set[UniqueAddress]:
        """To whom heartbeats go."""
        for node in self.receivers:
            begun_s = self._begun_s.setdefault(node, now_s)
            detector = self._detectors.setdefault(node, PhiAccrualDetector(self._settings))
            if not detector.is_monitoring and now_s - begun_s >= FIRST_ANSWER_S:
                detector.heartbeat(now_s)
        return self.receivers

    def answered(self, node: UniqueAddress, now_s: float) -> None:
        if node not in self.receivers:
            return
        self._detectors.setdefault(node, PhiAccrualDetector(self._settings)).heartbeat(now_s)
        if node in self._kept:
            self._kept.discard(node)
            if node not in self._receivers:
                self._forget(node)

    def is_available(self, node: UniqueAddress, now_s: float) -> bool:
        """A node that is not watched counts as available."""
        detector = self._detectors.get(node)
        return detector is None or detector.is_available(now_s)

    def _forget(self, node: UniqueAddress) -> None:
        self._detectors.pop(node, None)
        self._begun_s.pop(node, None)


def ring_receivers(
    own: UniqueAddress,
    nodes: Collection[UniqueAddress],
    unreachable: Collection[UniqueAddress],
    monitored_by: int = MONITORED_BY,
) -> set[UniqueAddress]:
    """The nodes that `own` watches."""
    others = sorted(set(nodes) - {own}, key=_ring_order)
    if len(others) <= monitored_by:
        return set(others)
    place = _ring_order(own)
    ring = [node for node in others if _ring_order(node) > place] + [
        node for node in others if _ring_order(node) < place
    ]
    chosen: set[UniqueAddress] = set()
    left = monitored_by
    for node in ring:
        if left == 0:
            break
        if node not in unreachable:
            left -= 1
            chosen.add(node)
        elif len(chosen) < monitored_by:
            chosen.add(node)
    return chosen


def _ring_order(node: UniqueAddress) -> tuple[int, tuple[str, int, int]]:
    """By Java's hash of the uid, as the JVM's nodes do."""
    bits = (node.uid ^ ((node.uid & 0xFFFFFFFFFFFFFFFF) >> 32)) & 0xFFFFFFFF
    return (bits ^ 0x80000000) - 0x80000000, node.order
