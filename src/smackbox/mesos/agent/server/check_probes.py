"""A single run of a check: a command in the task's sandbox, an HTTP request, or a TCP connection to the task's port."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import ssl
from typing import TYPE_CHECKING, cast

import aiohttp

from smackbox.mesos.agent.server.wrapper import LaunchError, command_line, with_identity
from smackbox.mesos.agent.state.container import ContainerSpec, ProbeOutcome

if TYPE_CHECKING:
    from smackbox.mesos.wire.messages import (
        CheckInfo,
        CheckInfoCommand,
        CheckInfoHttp,
        CheckInfoTcp,
        CommandInfo,
        HealthCheck,
        HealthCheckHTTPCheckInfo,
        HealthCheckTCPCheckInfo,
    )


DOMAIN = "127.0.0.1"
BODY_LIMIT = 64 * 1024


async def probe(
    spec: ContainerSpec, check: CheckInfo | HealthCheck, timeout_s: float, host: str | None = None
) -> ProbeOutcome:
    """Run the check; its outcome has no value when it took longer than `timeout_s` (0 means no limit) or failed to run.

    `host` is the address of the task, if not this machine's loopback.
    """
    try:
        async with asyncio.timeout(timeout_s or None):
            match check["type"]:
                case "COMMAND":
                    return await _command(spec, check["command"])
                case "HTTP":
                    return await _http(check["http"], host)
                case _:
                    return await _tcp(check["tcp"], host)
    except TimeoutError:
        return ProbeOutcome(None, f"{check['type']} check timed out after {timeout_s:g}secs")
    except (OSError, LaunchError, aiohttp.ClientError) as error:
        return ProbeOutcome(None, f"{check['type']} check failed: {error}")


async def _command(spec: ContainerSpec, check: CheckInfoCommand | CommandInfo) -> ProbeOutcome:
    """A health check's command is a `CommandInfo`; a check has one in its `command`."""
    command = command_of(check)
    variables = command.get("environment", {}).get("variables", [])
    process = await asyncio.create_subprocess_exec(
        *with_identity(command_line(command), spec.user, []),
        cwd=spec.sandbox,
        env={**spec.environment, **{variable["name"]: variable.get("value", "") for variable in variables}},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        code = await process.wait()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    if code < 0:
        return ProbeOutcome(None if "command" in check else -code, f"Command terminated with signal {-code}")
    return ProbeOutcome(code, "" if code == 0 else f"Command returned: exited with status {code}")


async def _http(check: CheckInfoHttp | HealthCheckHTTPCheckInfo, host: str | None) -> ProbeOutcome:
    host = host or address(check)
    scheme = cast("HealthCheckHTTPCheckInfo", check).get("scheme", "http")
    url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{check['port']}{check.get('path', '')}"
    # like Mesos: this checks the task's health, not its certificate
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    async with (
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
        session.get(url, ssl=context, allow_redirects=True) as answer,
    ):
        await answer.content.read(BODY_LIMIT)
        return ProbeOutcome(answer.status, "" if answer.status < 400 else f"Unexpected HTTP code {answer.status}")


async def _tcp(check: CheckInfoTcp | HealthCheckTCPCheckInfo, host: str | None) -> ProbeOutcome:
    try:
        _, writer = await asyncio.open_connection(host or address(check), check["port"])
    except OSError as error:
        return ProbeOutcome(False, f"TCP connection failed: {error.strerror or error}")
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return ProbeOutcome(True)


def command_of(check: CheckInfoCommand | CommandInfo) -> CommandInfo:
    """A `HealthCheck` has a command, a `CheckInfo` has one in its `command`."""
    return cast("CheckInfoCommand", check).get("command", cast("CommandInfo", check))


def address(check: CheckInfoHttp | HealthCheckHTTPCheckInfo | CheckInfoTcp | HealthCheckTCPCheckInfo) -> str:
    """The task shares the host's network."""
    return "::1" if cast("HealthCheckTCPCheckInfo", check).get("protocol") == "IPv6" else DOMAIN
