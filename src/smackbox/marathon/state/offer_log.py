"""Why an app waits: the results of the offers that were checked for it (`GET /v2/queue`)."""

from __future__ import annotations

from collections import Counter
from typing import Any

from smackbox.marathon.state.matcher import REASONS
from smackbox.marathon.state.timestamps import timestamp
from smackbox.mesos_framework.offer import Offer

Json = dict[str, Any]

AGENTS_LIMIT = 1_000
"""The number of agents whose last offer is remembered for each app."""


class OfferLog:
    """The offers of one app since it began to wait."""

    def __init__(self, since_ms: int, config_version: str) -> None:
        self.config_version = config_version
        """The part of the app that offers are matched against."""
        self.since_ms = since_ms
        self._processed = 0
        self._unused = 0
        self._last_used_ms = 0
        self._last_unused_ms = 0
        self._rejected: Counter[str] = Counter()
        self._reached: Counter[str] = Counter()
        self._last: dict[str, tuple[int, Json, list[str]]] = {}

    def used(self, now_ms: int) -> None:
        """An offer was used."""
        self._processed += 1
        self._last_used_ms = now_ms

    def unused(self, offer: Offer, reasons: list[str], now_ms: int) -> None:
        """An offer was not used, for these reasons."""
        self._processed += 1
        self._unused += 1
        self._last_unused_ms = now_ms
        _count(reasons, self._rejected, self._reached)
        self._last.pop(offer.agent_id, None)
        self._last[offer.agent_id] = (now_ms, offer.message, reasons)
        if len(self._last) > AGENTS_LIMIT:
            self._last.pop(next(iter(self._last)))

    def summary(self) -> Json:
        """How often each reason rejected an offer, for all offers and for the last one of each agent."""
        rejected: Counter[str] = Counter()
        reached: Counter[str] = Counter()
        for _, _, reasons in self._last.values():
            _count(reasons, rejected, reached)
        shown: Json = {
            "processedOffersCount": self._processed,
            "unusedOffersCount": self._unused,
            "rejectSummaryLastOffers": _steps(rejected, reached),
            "rejectSummaryLaunchAttempt": _steps(self._rejected, self._reached),
        }
        if self._last_unused_ms:
            shown["lastUnusedOfferAt"] = timestamp(self._last_unused_ms)
        if self._last_used_ms:
            shown["lastUsedOfferAt"] = timestamp(self._last_used_ms)
        return shown

    def last_unused_offers(self) -> list[Json]:
        """The last unused offer of each agent."""
        return [
            {
                "offer": {
                    "id": offer["id"]["value"],
                    "agentId": offer["agent_id"]["value"],
                    "hostname": offer.get("hostname", ""),
                    "resources": offer.get("resources", []),
                    "attributes": offer.get("attributes", []),
                },
                "reason": reasons,
                "timestamp": timestamp(at_ms),
            }
            for at_ms, offer, reasons in self._last.values()
        ]


def _count(reasons: list[str], rejected: Counter[str], reached: Counter[str]) -> None:
    """An offer passes the steps in order, up to the first that rejects it."""
    for step in REASONS:
        reached[step] += 1
        if step in reasons:
            rejected[step] += 1
            return


def _steps(rejected: Counter[str], reached: Counter[str]) -> list[Json]:
    return [{"reason": step, "declined": rejected[step], "processed": reached[step]} for step in REASONS]
