"""What the master does because it is time: heartbeats, pings, time-outs, the turn of the allocator."""

from __future__ import annotations

from smackbox.mesos.master.state import agents, frameworks, offers
from smackbox.mesos.master.state.master import Master


def begin_to_lead(master: Master) -> None:
    """Agents that an earlier master admitted have their time to come back."""
    master.elected_ms = master.clock.wall_ms()
    until_ms = master.now_ms + master.options.agent_reregister_timeout_ms
    master.recovered_agents = dict.fromkeys(master.registry.agents, until_ms)


def tick(master: Master) -> None:
    """All that is due. Called often; how often decides how late things are."""
    now_ms = master.now_ms
    for framework in list(master.frameworks.values()):
        if framework.connected:
            if framework.next_heartbeat_ms <= now_ms:
                framework.next_heartbeat_ms = now_ms + master.options.heartbeat_interval_ms
                framework.send({"type": "HEARTBEAT"})
        elif framework.fails_over_until_ms is not None and framework.fails_over_until_ms <= now_ms:
            frameworks.remove_framework(master, framework)
    for agent in list(master.agents.values()):
        if agent.next_ping_ms <= now_ms:
            agents.ping(master, agent)
    for agent_id, until_ms in list(master.recovered_agents.items()):
        if until_ms <= now_ms:
            agents.mark_unreachable(master, agent_id)
    for subscriber in master.subscribers.values():
        if subscriber.next_heartbeat_ms <= now_ms:
            subscriber.next_heartbeat_ms = now_ms + master.options.heartbeat_interval_ms
            subscriber.sink.send({"type": "HEARTBEAT"})
    offers.expire_offers(master)
    if master.next_allocation_ms <= now_ms:
        master.next_allocation_ms = now_ms + master.options.allocation_interval_ms
        offers.allocate(master)
