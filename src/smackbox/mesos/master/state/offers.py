"""Offers and inverse offers: created by a pass of the allocator, rescinded when their resources are no longer
available.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from smackbox.mesos.master.state.allocator import Grant
from smackbox.mesos.master.state.entities import Agent, Framework, InverseOffer, Offer
from smackbox.mesos.master.state.master import Master, time_info
from smackbox.mesos.master.state.registry import machine_key

if TYPE_CHECKING:
    from smackbox.mesos.wire import messages
    from smackbox.mesos.wire.messages import URL, SchedulerEventRescindInverseOffer, Unavailability

DEFAULT_INVERSE_REFUSE_MS = 5_000


def allocate(master: Master) -> None:
    """One pass: offer free resources, and send inverse offers for machines with planned maintenance."""
    master.allocation_wanted = False
    by_framework: dict[str, list[messages.Offer]] = {}
    for grant in master.allocator.allocate():
        offer = _make_offer(master, grant)
        if offer is None:
            master.allocator.recover(grant.framework_id, grant.role, grant.agent_id, grant.resources)
        else:
            by_framework.setdefault(grant.framework_id, []).append(offer.message)
    for framework_id, offers in by_framework.items():
        master.frameworks[framework_id].send({"type": "OFFERS", "offers": {"offers": offers}})
    _ask_back(master)


def _make_offer(master: Master, grant: Grant) -> Offer | None:
    framework = master.frameworks.get(grant.framework_id)
    agent = master.agents.get(grant.agent_id)
    if framework is None or not framework.active or agent is None or not agent.active:
        return None
    refined = "RESERVATION_REFINEMENT" in framework.capabilities
    offer_id = master.new_id("O")
    message: messages.Offer = {
        "id": {"value": offer_id},
        "framework_id": {"value": framework.id},
        "agent_id": {"value": agent.id},
        "hostname": agent.hostname,
        "url": agent_url(agent),
        "resources": grant.resources.to_messages(role=grant.role, refined=refined),
        "attributes": agent.info.get("attributes", []),
        "executor_ids": [{"value": executor_id} for executor_id in framework.executors.get(agent.id, {})],
        "allocation_info": {"role": grant.role},
    }
    if "domain" in agent.info:
        message["domain"] = agent.info["domain"]
    if (unavailability := unavailability_of(master, agent)) is not None:
        message["unavailability"] = unavailability
    timeout_ms = master.options.offer_timeout_ms
    offer = Offer(
        offer_id,
        framework.id,
        agent.id,
        grant.role,
        grant.resources,
        message,
        None if timeout_ms is None else master.now_ms + timeout_ms,
    )
    master.offers[offer_id] = framework.offers[offer_id] = agent.offers[offer_id] = offer
    return offer


def agent_url(agent: Agent) -> URL:
    ip, _, port = agent.address.rpartition(":")
    return {
        "scheme": "http",
        "address": {"hostname": agent.hostname, "ip": ip, "port": int(port)},
        "path": "/slave(1)",
        "query": [],
    }


def remove_offer(
    master: Master, offer: Offer, *, rescind: bool, recover: bool = True, refuse_seconds: float | None = None
) -> None:
    """Remove an offer that was accepted, declined or rescinded."""
    master.offers.pop(offer.id, None)
    if (framework := master.frameworks.get(offer.framework_id)) is not None:
        framework.offers.pop(offer.id, None)
        if rescind:
            framework.send({"type": "RESCIND", "rescind": {"offer_id": {"value": offer.id}}})
    if (agent := master.agents.get(offer.agent_id)) is not None:
        agent.offers.pop(offer.id, None)
    if recover:
        master.allocator.recover(offer.framework_id, offer.role, offer.agent_id, offer.resources, refuse_seconds)


def rescind_all(master: Master, owner: Agent | Framework, *, tell: bool = True) -> None:
    """Rescind all offers of an agent, or to a framework."""
    for offer in list(owner.offers.values()):
        remove_offer(master, offer, rescind=tell)
    for inverse in list(owner.inverse_offers.values()):
        remove_inverse_offer(master, inverse, rescind=tell)


def expire_offers(master: Master) -> None:
    now_ms = master.now_ms
    for offer in [
        offer for offer in master.offers.values() if offer.expires_ms is not None and offer.expires_ms <= now_ms
    ]:
        remove_offer(master, offer, rescind=True)


# --- inverse offers


def unavailability_of(master: Master, agent: Agent) -> Unavailability | None:
    machine = master.registry.machines.get(machine_key({"hostname": agent.hostname, "ip": agent.ip}))
    return None if machine is None else machine.get("unavailability")


def _ask_back(master: Master) -> None:
    """Send an inverse offer to each framework that uses an agent with planned maintenance, unless one was sent
    recently.
    """
    if not master.registry.machines:
        return
    now_ms = master.now_ms
    for agent in master.agents.values():
        unavailability = unavailability_of(master, agent)
        if unavailability is None or not agent.connected:
            continue
        pool = master.allocator.agents[agent.id]
        for framework_id in {one for one, _ in pool.allocated}:
            framework = master.frameworks.get(framework_id)
            asked = (
                any(offer.agent_id == agent.id for offer in framework.inverse_offers.values()) if framework else True
            )
            if framework is None or not framework.active or asked:
                continue
            if master.inverse_filters.get((framework_id, agent.id), 0) > now_ms:
                continue
            _make_inverse_offer(master, framework, agent, unavailability)


def _make_inverse_offer(master: Master, framework: Framework, agent: Agent, unavailability: Unavailability) -> None:
    inverse_id = master.new_id("O")
    message: messages.InverseOffer = {
        "id": {"value": inverse_id},
        "url": agent_url(agent),
        "framework_id": {"value": framework.id},
        "agent_id": {"value": agent.id},
        "unavailability": unavailability,
    }
    inverse = InverseOffer(inverse_id, framework.id, agent.id, message)
    master.inverse_offers[inverse_id] = framework.inverse_offers[inverse_id] = inverse
    agent.inverse_offers[inverse_id] = inverse
    framework.send({"type": "INVERSE_OFFERS", "inverse_offers": {"inverse_offers": [message]}})


def remove_inverse_offer(master: Master, inverse: InverseOffer, *, rescind: bool) -> None:
    master.inverse_offers.pop(inverse.id, None)
    if (framework := master.frameworks.get(inverse.framework_id)) is not None:
        framework.inverse_offers.pop(inverse.id, None)
        if rescind:
            event: SchedulerEventRescindInverseOffer = {"inverse_offer_id": {"value": inverse.id}}
            framework.send({"type": "RESCIND_INVERSE_OFFER", "rescind_inverse_offer": event})
    if (agent := master.agents.get(inverse.agent_id)) is not None:
        agent.inverse_offers.pop(inverse.id, None)


def answer_inverse_offer(master: Master, inverse: InverseOffer, status: str, refuse_seconds: float | None) -> None:
    """The framework's answer to an inverse offer."""
    remove_inverse_offer(master, inverse, rescind=False)
    key = (inverse.framework_id, inverse.agent_id)
    master.inverse_statuses[key] = {
        "status": status,
        "framework_id": {"value": inverse.framework_id},
        "timestamp": time_info(master.clock.wall_ms()),
    }
    wait_ms = DEFAULT_INVERSE_REFUSE_MS if refuse_seconds is None or refuse_seconds < 0 else int(refuse_seconds * 1_000)
    master.inverse_filters[key] = master.now_ms + wait_ms
