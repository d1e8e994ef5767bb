"""From an offer to operations: launches for waiting apps, and creating and releasing reservations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from smackbox.marathon.state import instance as states
from smackbox.marathon.state.instance import Instance
from smackbox.marathon.state.instances_owner import InstancesOwner
from smackbox.marathon.state.matcher import INSTANCE_LABEL, Match, PortChoice, match, match_reserved
from smackbox.marathon.state.task_builder import task_info
from smackbox.marathon.wire import path_id
from smackbox.marathon.wire.app import App
from smackbox.mesos_framework.offer import Offer, reservation_labels

Json = dict[str, Any]

INSTANCES_PER_OFFER = 100


class Launcher:
    """`delayed` has the apps that were skipped because of their back-off."""

    def __init__(self, marathon: InstancesOwner, principal: str | None, secrets: Callable[[str], str | None]) -> None:
        self.delayed: dict[str, bool] = {}
        self._marathon = marathon
        self._principal = principal
        self._secrets = secrets
        self._ports = PortChoice()

    def operations(self, offer: Offer) -> list[Json]:
        """The operations to accept this offer with; empty to decline it."""
        operations = self._end_reservations(offer)
        launches: list[Json] = []
        turn = list(self._marathon.waiting)
        while turn and len(launches) < INSTANCES_PER_OFFER:
            turn = [app_id for app_id in turn if self._one_more(app_id, offer, operations, launches)]
        if launches:
            operations.append({"type": "LAUNCH", "launch": {"task_infos": launches}})
        return operations

    def _one_more(self, app_id: str, offer: Offer, operations: list[Json], launches: list[Json]) -> bool:
        """Launch, or reserve for, one instance of an app; returns whether another one may follow."""
        marathon = self._marathon
        app = marathon.definition(app_id)
        waiting = marathon.waiting.get(app_id)
        if app is None or waiting is None:
            return False
        now_ms = marathon.clock.wall_ms()
        for one in marathon.instances_of(app_id):
            if one.condition == states.RESERVED and one.wanted and one.agent_id == offer.agent_id:
                matched = match_reserved(offer, one)
                if isinstance(matched, Match):
                    waiting.used(now_ms)
                    one.condition, one.app_version, one.config_version = (
                        states.PROVISIONED,
                        app.version,
                        app.config_version,
                    )
                    launches.append(self._launch(app, one, matched))
                    return True
                waiting.unused(offer, matched, now_ms)
        if marathon.missing(app) == 0:
            marathon.enforce(app_id)
            return False
        if marathon.delays.left_ms(app, now_ms) > 0:
            self.delayed[app_id] = True
            return False
        siblings = [instance for instance in marathon.instances_of(app_id) if instance.is_live]
        matched = match(app, offer, siblings, self._ports)
        if not isinstance(matched, Match):
            waiting.unused(offer, matched, now_ms)
            return False
        waiting.used(now_ms)
        one = self._instance(app, offer, matched)
        if app.is_resident:
            operations += self._reserve(app, one, matched)
            one.condition = states.RESERVED
            one.since_ms = now_ms
            marathon.keep(one)
        else:
            launches.append(self._launch(app, one, matched))
        return True

    def _instance(self, app: App, offer: Offer, found: Match) -> Instance:
        return Instance(
            id=f"{path_id.safe(app.id)}.instance-{self._marathon.new_id()}",
            app_id=app.id,
            app_version=app.version,
            config_version=app.config_version,
            role=app.role or "*",
            agent_id=offer.agent_id,
            host=offer.hostname,
            attributes=offer.attributes,
            region=offer.attribute("@region"),
            zone=offer.attribute("@zone"),
            ports=found.ports,
        )

    def _launch(self, app: App, instance: Instance, found: Match) -> Json:
        marathon = self._marathon
        instance.staged_ms = instance.since_ms = marathon.clock.wall_ms()
        marathon.keep(instance)
        if marathon.missing(app) == 0:
            marathon.enforce(app.id)
        return task_info(app, instance, found.resources, self._secrets)

    def _reserve(self, app: App, instance: Instance, found: Match) -> list[Json]:
        """RESERVE everything for this instance, and CREATE its volumes."""
        reservation: Json = {
            "type": "DYNAMIC",
            "role": app.role,
            "labels": {
                "labels": [
                    {"key": INSTANCE_LABEL, "value": instance.id},
                    {"key": "marathon_framework_id", "value": self._marathon.framework_id or ""},
                ]
            },
        }
        if self._principal is not None:
            reservation["principal"] = self._principal

        def reserved(lot: Json) -> Json:
            kept = {key: value for key, value in lot.items() if key not in {"role", "allocation_info"}}
            return {**kept, "reservations": [*(lot.get("reservations") or []), reservation], **_allocation(lot)}

        created: list[Json] = []
        whole = list(found.resources)
        for volume, lots in zip(app.persistent_volumes, found.volumes, strict=True):
            assert volume.container_path is not None
            persistence_id = f"{instance.id}#{volume.container_path}#{self._marathon.new_id()}"
            instance.volumes.append(persistence_id)
            persistence: Json = {"id": persistence_id}
            if self._principal is not None:
                persistence["principal"] = self._principal
            disk = {
                "persistence": persistence,
                "volume": {"mode": volume.mode or "RW", "container_path": volume.container_path},
            }
            created += [{**reserved(lot), "disk": disk} for lot in lots]
            whole += lots
        return [
            {"type": "RESERVE", "reserve": {"resources": [reserved(lot) for lot in whole]}},
            {"type": "CREATE", "create": {"volumes": created}},
        ]

    def _end_reservations(self, offer: Offer) -> list[Json]:
        """DESTROY and UNRESERVE the reservations of removed instances."""
        orphaned = [
            lot
            for lot in offer.resources
            if (owner := reservation_labels(lot).get(INSTANCE_LABEL)) and self._marathon.instance(owner) is None
        ]
        volumes = [lot for lot in orphaned if "persistence" in (lot.get("disk") or {})]
        operations: list[Json] = []
        if volumes:
            operations.append({"type": "DESTROY", "destroy": {"volumes": volumes}})
        if orphaned:
            plain = [{key: value for key, value in lot.items() if key != "disk"} for lot in orphaned]
            operations.append({"type": "UNRESERVE", "unreserve": {"resources": plain}})
        return operations


def _allocation(lot: Json) -> Json:
    return {"allocation_info": lot["allocation_info"]} if "allocation_info" in lot else {}
