"""From a request's JSON to a normalised app, or to a `Refusal` with the errors and their paths.

A wrong structure is answered with 400 (`Invalid JSON`), a broken rule with 422 (`Object is not valid`), each with the
paths of the fields.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from smackbox.marathon.wire import path_id
from smackbox.marathon.wire.app import (
    BRIDGE,
    CONTAINER,
    DISABLED,
    HOST,
    App,
    Check,
    Container,
    Network,
    PortDefinition,
    PortMapping,
    Residency,
    UnreachableEnabled,
    UpgradeStrategy,
)
from smackbox.marathon.wire.errors import Refusal, invalid, malformed
from smackbox.marathon.wire.legacy import modern

Json = dict[str, Any]
Problem = tuple[str, str]

ANY_ROLE = "*"
OPERATORS = {"UNIQUE", "CLUSTER", "GROUP_BY", "LIKE", "UNLIKE", "MAX_PER", "IS", "IN"}
WITH_VALUE = {"LIKE", "UNLIKE", "MAX_PER", "IS", "IN"}
VALUE_OPTIONAL = {("@region", "IS"), ("@zone", "IS")}
COMMAND_LENGTH_MIN = 2
"""Marathon's own bound: its check for `minLength: 1` requires more than one character."""
PORT_LIMIT = 65535
MAX_GRACE_S = 2**31 - 1
READ_ONLY = {
    "tasks", "tasksStaged", "tasksRunning", "tasksHealthy", "tasksUnhealthy", "deployments", "lastTaskFailure",
    "taskStats", "readinessCheckResults", "storeUrls", "versionInfo", "version",
}  # fmt: skip
_PLACE = re.compile(r"^(?P<what>.*?)(?: - at `\$(?P<path>.*)`)?$", re.DOTALL)
_JSON_NAMES = {
    "int": "jsnumber", "float": "jsnumber", "str": "jsstring", "bool": "jsboolean", "array": "jsarray",
    "object": "jsobject",
}  # fmt: skip


def read_json(body: bytes) -> Any:
    """Parse JSON. Raises `Refusal` (400) when it is invalid."""
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise Refusal(400, "Invalid JSON", details=str(error)) from error


def read_app(
    given: Any,
    *,
    base: str = path_id.ROOT,
    app_id: str | None = None,
    default_role: str = ANY_ROLE,
    asked: Json | None = None,
) -> App:
    """A normalised app without versions. `app_id` is that of the request's path. Raises `Refusal`.

    `asked` is the request's own JSON if `given` is that merged with the existing app.
    """
    if not isinstance(given, dict):
        raise malformed("", "error.expected.jsobject")
    fields = {key: value for key, value in modern(given).items() if key not in READ_ONLY}
    own_id = fields.get("id", app_id)
    if own_id is None:
        raise malformed("/id", "error.path.missing")
    if not isinstance(own_id, str):
        raise malformed("/id", "error.expected.jsstring")
    fields["id"] = path_id.absolute(own_id, base)
    if app_id is not None and fields["id"] != app_id:
        raise invalid([("/id", f"An app with id {app_id} cannot be changed to {fields['id']}")])
    fields["constraints"] = _texts(fields.get("constraints", []))
    problems = list(_given_problems(given if asked is None else asked, fields))
    try:
        app = msgspec.convert(fields, App)
    except msgspec.ValidationError as error:
        raise _shape_refusal(error) from error
    app = _normalised(app, default_role)
    problems += _problems(app)
    if "executor" in fields and "cmd" in given and "args" in given and given["cmd"] and given["args"]:
        problems.append(("/", "AppDefinition must either contain one of 'cmd' or 'args', and/or a 'container'."))
    if problems:
        raise invalid(problems)
    return app


def _given_problems(given: Json, fields: Json) -> list[Problem]:
    """Contradictions in the input that the normalised app can no longer show."""
    found: list[Problem] = []
    if given.get("uris") and given.get("fetch"):
        found.append(("/uris", "cannot specify both uris and fetch fields"))
    networks = fields.get("networks")
    if not isinstance(networks, list) or not networks:
        return found
    modes = {network.get("mode", CONTAINER) for network in networks if isinstance(network, dict)}
    container = fields.get("container")
    if modes == {HOST} and given.get("networks") and isinstance(container, dict) and container.get("portMappings"):
        found.append(("/container/portMappings", "must be empty with host networking: use portDefinitions"))
    if modes <= {BRIDGE, "container"} and (
        given.get("portDefinitions") or (given.get("networks") and given.get("ports"))
    ):
        found.append(("/portDefinitions", "must be empty with container networking: use container.portMappings"))
    return found


def _texts(constraints: Any) -> Any:
    """Constraints are arrays of texts; numbers are converted to text, and operators may have any case."""
    if not isinstance(constraints, list):
        return constraints
    return [_constraint(constraint) if isinstance(constraint, list) else constraint for constraint in constraints]


def _constraint(parts: list[Any]) -> list[Any]:
    texts = [str(part) if isinstance(part, int) else part for part in parts]
    if len(texts) > 1 and isinstance(texts[1], str):
        texts[1] = texts[1].upper()
    return texts


def _shape_refusal(error: msgspec.ValidationError) -> Refusal:
    match = _PLACE.match(str(error))
    assert match is not None
    path = "/" + re.sub(r"\[(\d+|\.\.\.)\]", r"/\1", match["path"] or "").replace(".", "/").strip("/")
    expected = re.match(r"Expected `(\w+)", match["what"])
    missing = re.search(r"missing required field `(\w+)`", match["what"])
    if missing:
        return malformed(path.rstrip("/") + "/" + missing[1], "error.path.missing")
    if expected and expected[1] in _JSON_NAMES:
        return malformed(path, f"error.expected.{_JSON_NAMES[expected[1]]}")
    return malformed(path, match["what"])


def _normalised(app: App, default_role: str) -> App:
    changes: Json = {
        "dependencies": [path_id.absolute(dependency, path_id.parent(app.id)) for dependency in app.dependencies]
    }
    networks = app.networks or [Network(mode="host")]
    changes["networks"] = networks
    if all(network.mode == HOST for network in networks):
        if app.port_definitions is None:
            changes["port_definitions"] = [PortDefinition(name="default")]
        if app.container is not None:
            changes["container"] = msgspec.structs.replace(app.container, port_mappings=None)
    else:
        container = app.container or Container(type="MESOS")
        mappings = container.port_mappings
        if mappings is None:
            mappings = [PortMapping(name="default")]
        if any(network.mode == BRIDGE for network in networks):
            mappings = [
                msgspec.structs.replace(mapping, host_port=0) if mapping.host_port is None else mapping
                for mapping in mappings
            ]
        changes["container"] = msgspec.structs.replace(container, port_mappings=mappings)
        changes["port_definitions"] = None
    resident = app.is_resident
    if resident and app.residency is None:
        changes["residency"] = Residency()
    if app.upgrade_strategy is None:
        changes["upgrade_strategy"] = _default_upgrade(app)
    if app.unreachable_strategy is None:
        changes["unreachable_strategy"] = DISABLED if resident else UnreachableEnabled()
    role = changes["role"] = app.role or default_role
    if app.accepted_resource_roles is None and role == ANY_ROLE:
        changes["accepted_resource_roles"] = [ANY_ROLE]
    return msgspec.structs.replace(app, **changes)


def _default_upgrade(app: App) -> UpgradeStrategy:
    if app.is_single_instance:
        return UpgradeStrategy(minimum_health_capacity=0.0, maximum_over_capacity=0.0)
    if app.is_resident:
        return UpgradeStrategy(minimum_health_capacity=0.5, maximum_over_capacity=0.0)
    return UpgradeStrategy()


def _problems(app: App) -> list[Problem]:
    found: list[Problem] = []

    def check(holds: bool, path: str, error: str) -> None:
        if not holds:
            found.append((path, error))

    check(app.id != path_id.ROOT, "/id", "Path must contain at least one path element")
    check(path_id.is_valid(app.id), "/id", f"'{app.id}' is not a valid path: lower-case letters, digits, - and .")
    check(
        (app.cmd is not None) != (app.args is not None) or (app.container is not None and app.cmd is None),
        "/",
        "AppDefinition must either contain one of 'cmd' or 'args', and/or a 'container'.",
    )
    check(
        app.cmd is None or len(app.cmd) >= COMMAND_LENGTH_MIN,
        "/cmd",
        f"must have {COMMAND_LENGTH_MIN} or more characters",
    )
    check(app.instances >= 0, "/instances", f"got {app.instances}, expected 0 or more")
    check(app.cpus >= 0.001 or app.instances == 0, "/cpus", f"got {app.cpus}, expected 0.001 or more")
    for name, amount in (("mem", app.mem), ("disk", app.disk), ("gpus", app.gpus)):
        check(amount >= 0, f"/{name}", f"got {amount}, expected 0.0 or more")
    check(app.backoff_seconds >= 0, "/backoffSeconds", f"got {app.backoff_seconds}, expected 0 or more")
    check(app.backoff_factor >= 1, "/backoffFactor", f"got {app.backoff_factor}, expected 1.0 or more")
    check(app.max_launch_delay_seconds >= 0, "/maxLaunchDelaySeconds", "expected 0 or more")
    assert app.upgrade_strategy is not None
    for name, part in (
        ("minimumHealthCapacity", app.upgrade_strategy.minimum_health_capacity),
        ("maximumOverCapacity", app.upgrade_strategy.maximum_over_capacity),
    ):
        check(0 <= part <= 1, f"/upgradeStrategy/{name}", f"got {part}, expected between 0.0 and 1.0")
    if app.is_single_instance:
        check(app.instances <= 1, "/instances", "a single instance app (by its label) has at most one instance")
        check(
            (app.upgrade_strategy.minimum_health_capacity, app.upgrade_strategy.maximum_over_capacity) == (0, 0),
            "/upgradeStrategy",
            "a single instance app (by its label) needs minimumHealthCapacity 0 and maximumOverCapacity 0",
        )
    limits = app.resource_limits
    if limits is not None:
        check(limits.cpus is None or limits.cpus >= app.cpus, "/resourceLimits/cpus", f"expected {app.cpus} or more")
        check(limits.mem is None or limits.mem >= app.mem, "/resourceLimits/mem", f"expected {app.mem} or more")
    if app.check is not None:
        found += _check_problems(app, app.check)
    for at, constraint in enumerate(app.constraints):
        found += [(f"/constraints({at})", error) for error in _constraint_problems(constraint)]
    found += _port_problems(app)
    found += _health_check_problems(app)
    for at, readiness in enumerate(app.readiness_checks):
        names = [definition.name for definition in app.port_definitions or app.port_mappings]
        check(
            readiness.port_name in names,
            f"/readinessChecks({at})/portName",
            f"Unknown port name '{readiness.port_name}': the app has {', '.join(map(str, names)) or 'none'}",
        )
        check(
            0 < readiness.timeout_seconds < readiness.interval_seconds,
            f"/readinessChecks({at})/timeoutSeconds",
            "must be more than 0 and less than intervalSeconds",
        )
    check(len(app.readiness_checks) <= 1, "/readinessChecks", "there can be only one readiness check")
    strategy = app.unreachable_strategy
    if isinstance(strategy, UnreachableEnabled):
        check(strategy.inactive_after_seconds >= 0, "/unreachableStrategy/inactiveAfterSeconds", "expected 0 or more")
        check(
            strategy.expunge_after_seconds >= strategy.inactive_after_seconds,
            "/unreachableStrategy",
            "inactiveAfterSeconds must be less or equal to expungeAfterSeconds",
        )
        check(not app.is_resident, "/unreachableStrategy", "must be disabled for an app with persistent volumes")
    check(app.gpus == 0 or app.container is None or app.container.type == "MESOS", "/container/type", "GPUs need MESOS")
    grace = app.task_kill_grace_period_seconds
    check(grace is None or 0 <= grace <= MAX_GRACE_S, "/taskKillGracePeriodSeconds", "expected 0 or more")
    for at, dependency in enumerate(app.dependencies):
        check(path_id.is_valid(dependency), f"/dependencies({at})", f"'{dependency}' is not a valid path")
    for name, value in app.env.items():
        if not isinstance(value, str):
            check(value.secret in app.secrets, f"/env({name})", f"references an undefined secret: {value.secret}")
    found += _container_problems(app)
    return found


def _constraint_problems(constraint: list[str]) -> list[str]:
    if not 2 <= len(constraint) <= 3:
        return ["Each constraint must have either 2 or 3 fields"]
    operator = constraint[1]
    value = constraint[2] if len(constraint) > 2 else None
    if operator not in OPERATORS:
        return [
            f"Operator must be one of the following UNIQUE, CLUSTER, GROUP_BY, LIKE, MAX_PER, UNLIKE or IS: {operator}"
        ]
    if operator == "UNIQUE" and value is not None:
        return ["Value specified but not used"]
    if operator in WITH_VALUE and value is None and (constraint[0], operator) not in VALUE_OPTIONAL:
        return ["A regular expression value must be provided" if "LIKE" in operator else "A value must be provided"]
    if operator in {"GROUP_BY", "MAX_PER"} and value is not None and not value.isdigit():
        return [f"Value was specified but is not a number: {value}"]
    if operator in {"LIKE", "UNLIKE"}:
        try:
            re.compile(value or "")
        except re.error as error:
            return [f"'{value}' is not a valid regular expression: {error}"]
    return []


def _port_problems(app: App) -> list[Problem]:
    found: list[Problem] = []
    lots: list[tuple[str, list[Any], str]] = [
        ("/portDefinitions", list(app.port_definitions or []), "port"),
        ("/container/portMappings", list(app.port_mappings), "container_port"),
    ]
    for path, entries, field in lots:
        names = [entry.name for entry in entries if entry.name is not None]
        if len(names) != len(set(names)):
            found.append((path, "Port names must be unique."))
        for at, one in enumerate(entries):
            values = [getattr(one, field), getattr(one, "host_port", None) or 0, getattr(one, "service_port", 0)]
            if any(not 0 <= value <= PORT_LIMIT for value in values):
                found.append((f"{path}({at})", "ports must be between 0 and 65535"))
            if not set(one.protocol.split(",")) <= {"tcp", "udp"}:
                found.append((f"{path}({at})/protocol", "must be tcp, udp or udp,tcp"))
    fixed = [definition.port for definition in app.port_definitions or [] if definition.port]
    if len(fixed) != len(set(fixed)):
        found.append(("/portDefinitions", "Ports must be unique."))
    modes = {network.mode for network in app.networks}
    if HOST in modes and len(app.networks) > 1:
        found.append(("/networks", "Host networking cannot be combined with other networks"))
    return found


def _health_check_problems(app: App) -> list[Problem]:
    found: list[Problem] = []
    ports = len(app.port_definitions or []) if app.host_networking else len(app.port_mappings)
    for at, check in enumerate(app.health_checks):
        path = f"/healthChecks({at})"
        if (check.protocol == "COMMAND") != (check.command is not None):
            found.append((path, "A command is required for protocol COMMAND, and only there"))
        if check.protocol == "COMMAND":
            continue
        if check.path is not None and check.protocol in {"TCP", "MESOS_TCP"}:
            found.append((f"{path}/path", "TCP checks have no path"))
        if check.port is None and (check.port_index or 0) not in range(ports):
            found.append((f"{path}/portIndex", "Health check port indices must address an element of the ports array."))
        if check.port is not None and not 0 <= check.port <= PORT_LIMIT:
            found.append((f"{path}/port", "must be between 0 and 65535"))
    if sum(check.by_mesos and check.protocol != "COMMAND" for check in app.health_checks) > 1:
        found.append(("/healthChecks", "AppDefinition can contain at most one Mesos health check"))
    return found


def _check_problems(app: App, check: Check) -> list[Problem]:
    found: list[Problem] = []
    kinds = [kind for kind in (check.http, check.tcp, check.exec) if kind is not None]
    if len(kinds) != 1:
        found.append(("/check", "needs one of http, tcp and exec"))
    if check.exec is not None and (check.exec.command.shell is None) == (check.exec.command.argv is None):
        found.append(("/check/exec/command", "needs one of shell and argv"))
    ports = len(app.port_definitions or []) if app.host_networking else len(app.port_mappings)
    for name, kind in (("http", check.http), ("tcp", check.tcp)):
        if kind is not None and kind.port_index not in range(ports):
            found.append((f"/check/{name}/portIndex", "must address an element of the ports array"))
    return found


def _container_problems(app: App) -> list[Problem]:
    container = app.container
    if container is None:
        return []
    found: list[Problem] = []
    if container.type == "DOCKER" and container.docker is None:
        found.append(("/container/docker", "not defined"))
    for at, volume in enumerate(container.volumes):
        path = f"/container/volumes({at})"
        kinds = [volume.host_path, volume.persistent, volume.external, volume.secret]
        if sum(kind is not None for kind in kinds) != 1:
            found.append((path, "needs one of hostPath, persistent, external, secret"))
        if volume.container_path in {None, ""} and volume.external is None:
            found.append((f"{path}/containerPath", "must not be empty"))
        if volume.external is not None:
            found.append((f"{path}/external", "external volumes are not supported here"))
        if volume.persistent is not None:
            if app.role == ANY_ROLE:
                found.append((path, "persistent volumes need a role to reserve them for: start with --mesos-role"))
            if volume.persistent.size <= 0:
                found.append((f"{path}/persistent/size", "must be greater than 0"))
            if volume.persistent.type == "root" and "/" in (volume.container_path or ""):
                found.append((f"{path}/containerPath", "a persistent volume's path has no slash"))
            if app.upgrade_strategy is not None and app.upgrade_strategy.maximum_over_capacity > 0:
                found.append(("/upgradeStrategy/maximumOverCapacity", "must be 0 for an app with persistent volumes"))
    return found
