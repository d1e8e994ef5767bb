"""How many entities each region of a type has: asked by the coordinator of all regions at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from smackbox.akka.actor.path import Address
from smackbox.akka.actor.ref import ActorRef
from smackbox.akka.sharding.messages import ClusterShardingStats, GetShardRegionStats, ShardRegionStats


async def statistics_of(regions: Iterable[tuple[Address, ActorRef[Any]]], timeout_s: float) -> ClusterShardingStats:
    """What the regions answer within the timeout."""

    async def ask(region: ActorRef[Any]) -> ShardRegionStats | None:
        try:
            answer = await region.request(GetShardRegionStats(), timeout_s)
        except Exception:
            return None
        return answer if isinstance(answer, ShardRegionStats) else None

    known = list(regions)
    answers = await asyncio.gather(*(ask(region) for _, region in known))
    return ClusterShardingStats(
        {address: answer for (address, _), answer in zip(known, answers, strict=True) if answer is not None}
    )
