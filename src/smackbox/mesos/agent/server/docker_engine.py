"""The Docker Engine's HTTP API, as much of it as the agent needs, over its unix socket; podman's socket works too."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from smackbox.net.http import JSON
from smackbox.net.http_client import HttpClient, HttpClientError

BASE = "http://docker"
API = "/v1.40"
TIMEOUT_S = 60.0
PULL_IDLE_TIMEOUT_S = 300.0
WAIT_TIMEOUT_S = 86_400.0
FRAME_HEADER = 8


class DockerError(Exception):
    """The engine rejected a request, or did not answer. `status` is the HTTP status, 0 without an answer."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class DockerEngine:
    """A Docker Engine. All methods raise `DockerError`."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._client = HttpClient(unix_socket=socket)

    async def close(self) -> None:
        """Close the connections to the engine."""
        await self._client.close()

    async def has_image(self, image: str) -> bool:
        """Whether the image is on this machine."""
        try:
            await self._call("GET", f"/images/{quote(image, safe='/:@')}/json")
        except DockerError as error:
            if error.status == 404:
                return False
            raise
        return True

    async def pull(self, image: str) -> None:
        """Pull the image, without a time limit as long as there is progress."""
        name, tag = split_image(image)
        query = urlencode({"fromImage": name, **({"tag": tag} if tag else {})})
        try:
            async with self._client.stream(
                "POST", f"{BASE}{API}/images/create?{query}", timeout_s=PULL_IDLE_TIMEOUT_S
            ) as answer:
                if answer.status != 200:
                    raise DockerError(_message(await answer.read()), answer.status)
                said = b""
                async for chunk in answer.chunks(PULL_IDLE_TIMEOUT_S):
                    *lines, said = (said + chunk).split(b"\n")
                    _raise_pull_error(lines)
                _raise_pull_error([said])
        except HttpClientError as error:
            raise self._unreachable(error) from error

    async def create(self, name: str, config: Mapping[str, object]) -> str:
        """Create a container; returns its id."""
        answer = await self._call("POST", f"/containers/create?{urlencode({'name': name})}", config)
        return str(answer["Id"])

    async def start(self, container: str) -> None:
        """Start a container that was created."""
        await self._call("POST", f"/containers/{container}/start")

    async def inspect(self, container: str) -> dict[str, Any]:
        """The engine's information on a container."""
        details: dict[str, Any] = await self._call("GET", f"/containers/{container}/json")
        return details

    async def wait(self, container: str) -> int:
        """Wait for the container's end; returns its exit code."""
        ended = await self._call("POST", f"/containers/{container}/wait", timeout_s=WAIT_TIMEOUT_S)
        return int(ended["StatusCode"])

    async def kill(self, container: str, signal: str) -> None:
        """Kill a container; one that has already ended is not an error."""
        with contextlib.suppress(_NotRunningError):
            await self._call("POST", f"/containers/{container}/kill?{urlencode({'signal': signal})}")

    async def remove(self, container: str) -> None:
        """Remove a container, if it exists."""
        with contextlib.suppress(_NotThereError):
            await self._call("DELETE", f"/containers/{container}?force=1&v=1")

    async def run(self, container: str, command: list[str]) -> int:
        """Run another command in a running container; returns its exit code."""
        created = await self._call("POST", f"/containers/{container}/exec", {"Cmd": command, "AttachStdout": True})
        async with self._client.stream(
            "POST",
            f"{BASE}{API}/exec/{created['Id']}/start",
            body=b'{"Detach": false, "Tty": false}',
            headers={"Content-Type": JSON},
        ) as answer:
            async for _ in answer.chunks(TIMEOUT_S):
                pass
        details = await self._call("GET", f"/exec/{created['Id']}/json")
        return int(details["ExitCode"])

    async def logs(self, container: str, since: float) -> AsyncIterator[tuple[int, bytes]]:
        """The container's output until it ends: 1 and bytes of standard output, 2 and bytes of standard error."""
        query = urlencode({"follow": 1, "stdout": 1, "stderr": 1, "since": f"{since:.9f}"})
        try:
            async with self._client.stream(
                "GET", f"{BASE}{API}/containers/{container}/logs?{query}", timeout_s=TIMEOUT_S
            ) as answer:
                if answer.status != 200:
                    raise DockerError(_message(await answer.read()), answer.status)
                buffer = bytearray()
                async for chunk in answer.chunks(WAIT_TIMEOUT_S):
                    buffer += chunk
                    while len(buffer) >= FRAME_HEADER:
                        length = int.from_bytes(buffer[4:FRAME_HEADER], "big")
                        if len(buffer) < FRAME_HEADER + length:
                            break
                        yield buffer[0], bytes(buffer[FRAME_HEADER : FRAME_HEADER + length])
                        del buffer[: FRAME_HEADER + length]
        except HttpClientError as error:
            raise self._unreachable(error) from error

    async def _call(self, method: str, path: str, body: object = None, timeout_s: float = TIMEOUT_S) -> Any:
        data = None if body is None else msgspec.json.encode(body)
        headers = {} if body is None else {"Content-Type": JSON}
        try:
            answer = await self._client.request(
                method, BASE + API + path, body=data, headers=headers, timeout_s=timeout_s
            )
        except HttpClientError as error:
            raise self._unreachable(error) from error
        if answer.status in {304, 204}:
            return None
        if answer.status >= 400:
            kind = _NotThereError if answer.status == 404 else _NotRunningError if answer.status == 409 else DockerError
            raise kind(_message(answer.body), answer.status)
        return msgspec.json.decode(answer.body) if answer.body else None

    def _unreachable(self, error: Exception) -> DockerError:
        return DockerError(f"the Docker Engine at {self._socket} does not answer: {error}")


class _NotThereError(DockerError):
    pass


class _NotRunningError(DockerError):
    pass


def split_image(image: str) -> tuple[str, str]:
    """Name and tag; a name with a digest has no tag."""
    if "@" in image:
        return image, ""
    name, colon, tag = image.rpartition(":")
    if not colon or "/" in tag:
        return image, "latest"
    return name, tag


def _raise_pull_error(lines: list[bytes]) -> None:
    for line in lines:
        with contextlib.suppress(ValueError):
            progress = json.loads(line) if line.strip() else {}
            if isinstance(progress, dict) and progress.get("error"):
                raise DockerError(str(progress["error"]))


def _message(body: bytes) -> str:
    try:
        decoded = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return body.decode(errors="replace").strip()
    return str(decoded.get("message") or decoded.get("cause") or decoded) if isinstance(decoded, dict) else str(decoded)
