"""Authorization: Mesos' access lists (docs/authorization.md).

Each action has a list of rules. The first rule that matches the caller and the object decides; if none does,
`permissive` decides. A caller without a principal is matched only by rules for ANY and NONE.
"""

from __future__ import annotations

from typing import Any

import msgspec

from smackbox.base.errors import SettingError

Message = dict[str, Any]

ACTIONS: dict[str, str] = {
    "register_frameworks": "roles",
    "unregister_frameworks": "framework_principals",
    "teardown_frameworks": "framework_principals",
    "run_tasks": "users",
    "reserve_resources": "roles",
    "unreserve_resources": "reserver_principals",
    "create_volumes": "roles",
    "destroy_volumes": "creator_principals",
    "update_quotas": "roles",
    "get_quotas": "roles",
    "update_weights": "roles",
    "view_roles": "roles",
    "view_frameworks": "users",
    "view_tasks": "users",
    "view_executors": "users",
    "access_sandboxes": "users",
    "access_mesos_logs": "logs",
    "get_endpoints": "paths",
    "view_flags": "flags",
    "set_log_level": "level",
    "register_agents": "agents",
    "update_maintenance_schedules": "machines",
    "get_maintenance_schedules": "machines",
    "start_maintenances": "machines",
    "stop_maintenances": "machines",
    "get_maintenance_statuses": "machines",
    "drain_agents": "agents",
    "deactivate_agents": "agents",
    "reactivate_agents": "agents",
    "mark_agents_gone": "agents",
}
"""Each action, with the field that holds its objects; the subjects are `principals`."""

_RENAMED = {
    "set_quotas": "update_quotas",
    "remove_quotas": "update_quotas",
    "shutdown_frameworks": "teardown_frameworks",
    "update_quota": "update_quotas",
    "get_quota": "get_quotas",
}


class AccessLists:
    """The parsed access lists."""

    def __init__(self, lists: Message | None = None) -> None:
        lists = dict(lists or {})
        self.permissive = bool(lists.pop("permissive", True))
        self._rules: dict[str, list[tuple[Message, Message]]] = {}
        for name, rules in lists.items():
            action = _RENAMED.get(name, name)
            if action not in ACTIONS:
                raise SettingError(f"acls: {name!r} is not an action that can be authorized")
            field = ACTIONS[action]
            for rule in rules:
                if "principals" not in rule:
                    raise SettingError(f"acls: a rule of {name!r} has no 'principals'")
                objects = rule.get(field) or next(
                    (value for key, value in rule.items() if key != "principals"), {"type": "ANY"}
                )
                self._rules.setdefault(action, []).append((rule["principals"], objects))

    @classmethod
    def read(cls, data: bytes) -> AccessLists:
        """Parse access lists from JSON. Raises `SettingError`."""
        try:
            value = msgspec.json.decode(data, type=Message)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise SettingError(f"acls are not JSON: {error}") from error
        return cls(value)

    def allows(self, principal: str | None, action: str, thing: str | None = None) -> bool:
        """The first rule that matches both decides. `thing` None means any object of that kind."""
        for subjects, objects in self._rules.get(action, ()):
            if _speaks_of(subjects, principal) and _speaks_of(objects, thing):
                return _grants(subjects, principal) and _grants(objects, thing)
        return self.permissive


def _speaks_of(entity: Message, value: str | None) -> bool:
    kind = entity.get("type", "SOME")
    return kind in {"ANY", "NONE"} or (value is not None and _among(entity, value))


def _grants(entity: Message, value: str | None) -> bool:
    kind = entity.get("type", "SOME")
    return kind == "ANY" or (kind == "SOME" and value is not None and _among(entity, value))


def _among(entity: Message, value: str) -> bool:
    """`eng/%` matches all roles below `eng`."""
    return any(
        pattern == value or (pattern.endswith("/%") and value.startswith(pattern[:-1]))
        for pattern in entity.get("values", [])
    )
