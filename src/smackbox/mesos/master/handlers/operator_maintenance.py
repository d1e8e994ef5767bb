"""Planned maintenance (docs/maintenance.md): machines in the schedule are drained, then down, then up again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smackbox.mesos.http.answers import Answer, Refused
from smackbox.mesos.master.handlers.context import Call
from smackbox.mesos.master.state.agents import remove_agent
from smackbox.mesos.master.state.entities import Agent
from smackbox.mesos.master.state.offers import rescind_all
from smackbox.mesos.master.state.registry import SCHEDULE, Changes, machine_key, record

if TYPE_CHECKING:
    from smackbox.mesos.wire.messages import (
        AllocatorInverseOfferStatus,
        MachineID,
        MachineInfo,
        MaintenanceClusterStatusDrainingMachine,
        MaintenanceSchedule,
        MasterCallStartMaintenance,
        MasterCallStopMaintenance,
        MasterCallUpdateMaintenanceSchedule,
        MasterResponseGetMaintenanceSchedule,
        MasterResponseGetMaintenanceStatus,
    )


def get_schedule(call: Call) -> MasterResponseGetMaintenanceSchedule:
    """GET_MAINTENANCE_SCHEDULE."""
    call.require("get_maintenance_schedules")
    return {"schedule": call.master.registry.schedule or {"windows": []}}


def get_status(call: Call) -> MasterResponseGetMaintenanceStatus:
    """GET_MAINTENANCE_STATUS: which machines are draining, and which are down."""
    call.require("get_maintenance_statuses")
    draining: list[MaintenanceClusterStatusDrainingMachine] = []
    down: list[MachineID] = []
    for machine in call.master.registry.machines.values():
        if machine.get("mode") == "DOWN":
            down.append(machine["id"])
        elif machine.get("mode") == "DRAINING":
            draining.append({"id": machine["id"], "statuses": _statuses(call, machine["id"])})
    return {"status": {"draining_machines": draining, "down_machines": down}}


def _statuses(call: Call, machine: MachineID) -> list[AllocatorInverseOfferStatus]:
    agents = {agent.id for agent in _agents_on(call, machine_key(machine))}
    return [status for (_, agent_id), status in call.master.inverse_statuses.items() if agent_id in agents]


def update_schedule(call: Call, message: MasterCallUpdateMaintenanceSchedule) -> Answer:
    """UPDATE_MAINTENANCE_SCHEDULE."""
    return update_schedule_to(call, message["schedule"])


def update_schedule_to(call: Call, schedule: MaintenanceSchedule) -> Answer:
    """Replace the schedule. Raises `Refused`: 400 if a machine is in two windows, or a machine that is down is
    missing.
    """
    registry = call.master.registry
    machines: dict[str, MachineInfo] = {}
    for window in schedule.get("windows", []):
        if not window.get("machine_ids"):
            raise Refused(400, "List of machines in the maintenance window is empty")
        if window["unavailability"].get("duration", {}).get("nanoseconds", 0) < 0:
            raise Refused(400, "Unavailability 'duration' is negative")
        for machine in window["machine_ids"]:
            key = _valid_key(machine)
            if key in machines:
                raise Refused(400, f"Machine '{key}' appears more than once in the schedule")
            registered = registry.machines.get(key)
            mode = "DRAINING" if registered is None else registered.get("mode", "DRAINING")
            machines[key] = {"id": machine, "mode": mode, "unavailability": window["unavailability"]}
    for key, known in registry.machines.items():
        if known.get("mode") == "DOWN" and key not in machines:
            raise Refused(400, f"Machine '{key}' is deactivated and cannot be removed from the schedule")
    call.require("update_maintenance_schedules")
    changes: Changes = record(SCHEDULE, schedule)
    for key in {*registry.machines, *machines}:
        changes.update(record(f"machine/{key}", machines.get(key)))
    before = {key: one.get("unavailability") for key, one in registry.machines.items()}

    def apply() -> None:
        for key in {*before, *machines}:
            planned = machines.get(key)
            if before.get(key) != (None if planned is None else planned.get("unavailability")):
                for agent in _agents_on(call, key):
                    rescind_all(call.master, agent)
                    for both in [filter_ for filter_ in call.master.inverse_filters if filter_[1] == agent.id]:
                        del call.master.inverse_filters[both]
        call.master.allocation_wanted = True

    return call.store(changes, apply)


def start(call: Call, message: MasterCallStartMaintenance) -> Answer:
    """START_MAINTENANCE: take these machines down."""
    return start_maintenance(call, message.get("machines", []))


def start_maintenance(call: Call, machines: list[MachineID]) -> Answer:
    """Shut down and remove the machines' agents. Raises `Refused`: 400 for machines that are not draining."""
    keys = _keys(call, machines, "DRAINING", "start_maintenances")
    changes: Changes = {}
    for key in keys:
        changes.update(record(f"machine/{key}", {**call.master.registry.machines[key], "mode": "DOWN"}))
        for agent in _agents_on(call, key):
            changes.update(record(f"agent/{agent.id}", None))

    def apply() -> None:
        for key in keys:
            for agent in _agents_on(call, key):
                agent.send({"type": "SHUTDOWN", "shutdown": {"message": "Operator initiated 'Machine DOWN'"}})
                said = "Agent is down for maintenance"
                remove_agent(call.master, agent, "TASK_LOST", "REASON_AGENT_REMOVED", said)

    return call.store(changes, apply)


def stop(call: Call, message: MasterCallStopMaintenance) -> Answer:
    """STOP_MAINTENANCE: bring these machines back up."""
    return stop_maintenance(call, message.get("machines", []))


def stop_maintenance(call: Call, machines: list[MachineID]) -> Answer:
    """Allow agents on these machines again, and remove them from the schedule. Raises `Refused`: 400 if one is not
    down.
    """
    keys = _keys(call, machines, "DOWN", "stop_maintenances")
    changes: Changes = {}
    for key in keys:
        changes.update(record(f"machine/{key}", None))
    windows = []
    for window in call.master.registry.schedule.get("windows", []):
        left = [id_ for id_ in window["machine_ids"] if machine_key(id_) not in keys]
        if left:
            windows.append({**window, "machine_ids": left})
    changes.update(record(SCHEDULE, {"windows": windows}))
    return call.store(changes, lambda: None)


def _keys(call: Call, machines: list[MachineID], mode: str, action: str) -> list[str]:
    call.require(action)
    if not machines:
        raise Refused(400, "List of machines is empty")
    keys = []
    for machine in machines:
        key = _valid_key(machine)
        known = call.master.registry.machines.get(key)
        if known is None or known.get("mode") != mode:
            raise Refused(400, f"Machine '{key}' is not in {mode} mode")
        keys.append(key)
    if len(set(keys)) < len(keys):
        raise Refused(400, "A machine occurs twice in the list")
    return keys


def _valid_key(machine: MachineID) -> str:
    if not machine.get("hostname") and not machine.get("ip"):
        raise Refused(400, "Both 'hostname' and 'ip' for a machine are empty")
    return machine_key(machine)


def _agents_on(call: Call, key: str) -> list[Agent]:
    agents = call.master.agents.values()
    return [agent for agent in agents if machine_key({"hostname": agent.hostname, "ip": agent.ip}) == key]
