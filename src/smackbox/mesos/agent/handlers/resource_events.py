"""CHECKPOINT_RESOURCES: the agent's new dynamic reservations and persistent volumes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from smackbox.base.errors import StorageError
from smackbox.mesos.agent.state.agent import Agent

if TYPE_CHECKING:
    from smackbox.mesos.wire.link_messages import LinkEvent, LinkOperationUpdate
    from smackbox.mesos.wire.messages import OperationStatus


log = logging.getLogger(__name__)


def checkpoint_resources(agent: Agent, event: LinkEvent) -> None:
    """Answer each operation: finished, or failed when the disk rejects the write."""
    order = event["checkpoint_resources"]
    state, message = "OPERATION_FINISHED", ""
    try:
        agent.volumes.replace(order.get("resources", []))
    except StorageError as error:
        log.error("%s", error)
        state, message = "OPERATION_FAILED", str(error)
    for operation in order.get("operations", []):
        status: OperationStatus = {"state": state, "uuid": operation["uuid"]}
        if message:
            status["message"] = message
        if "operation_id" in operation:
            status["operation_id"] = operation["operation_id"]
        update: LinkOperationUpdate = {"status": status}
        if "framework_id" in operation:
            update["framework_id"] = operation["framework_id"]
        agent.tell_master({"type": "OPERATION_UPDATE", "operation_update": update})
