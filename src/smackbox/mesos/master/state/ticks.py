"""The master's timed work: heartbeats, pings, timeouts, allocation."""

from __future__ import annotations

from smackbox.mesos.master.state import agents, frameworks, offers
from smackbox.mesos.master.state.master import Master


def begin_to_lead(master: Master) -> None:
    """Give agents registered by an earlier master time to reconnect."""
    master.elected_ms = master.clock.wall_ms()
    until_ms = master.now_ms + master.options.agent_reregister_timeout_ms
    master.recovered_agents = dict.fromkeys(master.registry.agents, until_ms)


def tick(master: Master) -> None:
    """Do everything that is due. The interval between calls determines how late things can be."""
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
