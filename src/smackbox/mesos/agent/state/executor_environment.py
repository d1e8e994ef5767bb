"""The environment that Mesos gives to executors and to commands (docs/executor-http-api.md, docs/sandbox.md)."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING

from smackbox.mesos.agent.state.entities import AgentExecutor, AgentFramework
from smackbox.mesos.agent.state.options import AgentOptions

if TYPE_CHECKING:
    from smackbox.mesos.wire.messages import CommandInfo, EnvironmentVariable, ExecutorInfo, Resource


SUBSCRIPTION_BACKOFF_MAX = "2secs"
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class SecretError(ValueError):
    """A variable whose value is unavailable."""


def executor_environment(
    settings: AgentOptions,
    agent_id: str,
    framework: AgentFramework,
    executor: AgentExecutor,
    sandbox: Path,
    command: CommandInfo,
    resources: list[Resource],
) -> dict[str, str]:
    """The environment of one container. Raises `SecretError` for a secret that requires a secret resolver."""
    grace_ms = shutdown_grace_period_ms(settings, executor.info)
    environment = {
        "PATH": DEFAULT_PATH,
        **settings.environment,
        "LIBPROCESS_IP": settings.ip,
        "MESOS_AGENT_ENDPOINT": settings.endpoint,
        "MESOS_CHECKPOINT": "1" if framework.is_checkpointed else "0",
        "MESOS_CONTAINER_IP": settings.ip,
        "MESOS_DIRECTORY": str(sandbox),
        "MESOS_EXECUTOR_ID": executor.id,
        "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": duration(grace_ms),
        "MESOS_FRAMEWORK_ID": framework.id,
        "MESOS_HTTP_COMMAND_EXECUTOR": "0",
        "MESOS_SANDBOX": str(sandbox),
        "MESOS_SLAVE_ID": agent_id,
        "MESOS_SLAVE_PID": f"slave(1)@{settings.endpoint}",
    }
    if settings.scheme == "https":
        environment["LIBPROCESS_SSL_ENABLED"] = "true"
    if framework.is_checkpointed:
        environment["MESOS_RECOVERY_TIMEOUT"] = duration(settings.recovery_timeout_ms)
        environment["MESOS_SUBSCRIPTION_BACKOFF_MAX"] = SUBSCRIPTION_BACKOFF_MAX
    roles = {part["allocation_info"]["role"] for part in resources if "allocation_info" in part}
    if len(roles) == 1:
        environment["MESOS_ALLOCATION_ROLE"] = roles.pop()
    for variable in command.get("environment", {}).get("variables", []):
        environment[variable["name"]] = _value(variable)
    return environment


def shutdown_grace_period_ms(settings: AgentOptions, executor_info: ExecutorInfo) -> int:
    """The shutdown grace period of an executor, in milliseconds."""
    own = executor_info.get("shutdown_grace_period")
    return settings.executor_shutdown_grace_period_ms if own is None else int(own["nanoseconds"]) // 1_000_000


def duration(milliseconds: int) -> str:
    """A duration in Mesos' form: `5secs`, `15mins`."""
    for unit, size in (("weeks", 604_800_000), ("days", 86_400_000), ("hrs", 3_600_000), ("mins", 60_000)):
        if milliseconds and milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    if milliseconds % 1_000 == 0:
        return f"{milliseconds // 1_000}secs"
    return f"{milliseconds}ms"


def _value(variable: EnvironmentVariable) -> str:
    if variable.get("type") != "SECRET":
        return str(variable.get("value", ""))
    secret = variable.get("secret", {})
    if secret.get("type") != "VALUE":
        raise SecretError(f"Failed to resolve the secret of the environment variable {variable['name']}")
    return base64.b64decode(secret.get("value", {}).get("data", "")).decode()
