"""A Docker Engine for tests: its containers are processes of this machine. On a unix socket, in a thread."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
import time
import uuid
from pathlib import Path
from typing import Any

from aiohttp import web

IMAGES = {"busybox:latest"}


class StubContainer:
    def __init__(self, name: str, config: dict[str, Any]) -> None:
        self.id = uuid.uuid4().hex
        self.name = name
        self.config = config
        self.process: asyncio.subprocess.Process | None = None
        self.code: int | None = None
        self.output: list[tuple[float, int, bytes]] = []
        self.changed = asyncio.Condition()

    @property
    def status(self) -> str:
        return "created" if self.process is None else "running" if self.code is None else "exited"


class DockerStub:
    """A context manager. `calls` are what it was asked; images whose name has `missing` in it cannot be pulled."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.calls: list[str] = []
        self.images = set(IMAGES)
        self.containers: dict[str, StubContainer] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._tasks: set[asyncio.Task[None]] = set()

    def __enter__(self) -> DockerStub:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def only(self) -> StubContainer:
        (container,) = {one.id: one for one in self.containers.values()}.values()
        return container

    async def _start(self) -> None:
        app = web.Application(middlewares=[self._note])
        app.add_routes(
            [
                web.get("/v1.40/images/{name:.+}/json", self._image),
                web.post("/v1.40/images/create", self._pull),
                web.post("/v1.40/containers/create", self._create),
                web.post("/v1.40/containers/{id}/start", self._start_container),
                web.post("/v1.40/containers/{id}/wait", self._wait),
                web.post("/v1.40/containers/{id}/kill", self._kill),
                web.get("/v1.40/containers/{id}/json", self._inspect),
                web.get("/v1.40/containers/{id}/logs", self._logs),
                web.delete("/v1.40/containers/{id}", self._remove),
                web.post("/v1.40/containers/{id}/exec", self._exec),
                web.post("/v1.40/exec/{id}/start", self._exec_start),
                web.get("/v1.40/exec/{id}/json", self._exec_inspect),
            ]
        )
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.UnixSite(self._runner, str(self.socket)).start()
        self._execs: dict[str, tuple[StubContainer, list[str], int]] = {}

    async def _stop(self) -> None:
        for container in list(self.containers.values()):
            self._signal(container, signal.SIGKILL)
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._runner.cleanup()

    @web.middleware
    async def _note(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.calls.append(f"{request.method} {request.path.removeprefix('/v1.40')}")
        answer: web.StreamResponse = await handler(request)
        return answer

    def _find(self, request: web.Request) -> StubContainer:
        container = self.containers.get(request.match_info["id"])
        if container is None:
            raise web.HTTPNotFound(text='{"message": "No such container"}')
        return container

    async def _image(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        known = name if ":" in name else f"{name}:latest"
        return web.json_response({"Id": name}, status=200 if known in self.images else 404)

    async def _pull(self, request: web.Request) -> web.Response:
        name = f"{request.query['fromImage']}:{request.query['tag']}"
        if "missing" in name:
            return web.Response(text='{"status": "Pulling"}\n{"error": "manifest unknown"}\n')
        self.images.add(name)
        return web.Response(text='{"status": "Pulling"}\n{"status": "Done"}\n')

    async def _create(self, request: web.Request) -> web.Response:
        name = request.query["name"]
        if name in self.containers:
            return web.json_response({"message": "the name is in use"}, status=409)
        container = StubContainer(name, await request.json())
        self.containers[name] = self.containers[container.id] = container
        return web.json_response({"Id": container.id}, status=201)

    async def _start_container(self, request: web.Request) -> web.Response:
        container = self._find(request)
        config = container.config
        words = [*config.get("Entrypoint", []), *config.get("Cmd", [])]
        sandbox = config["HostConfig"]["Binds"][0].partition(":")[0]
        container.process = await asyncio.create_subprocess_exec(
            *words,
            cwd=sandbox,
            env={"PATH": os.environ["PATH"], **dict(one.split("=", 1) for one in config["Env"])},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        self._spawn(self._run(container))
        return web.Response(status=204)

    async def _run(self, container: StubContainer) -> None:
        assert container.process is not None

        async def read(stream: int, pipe: asyncio.StreamReader) -> None:
            while data := await pipe.read(4096):
                async with container.changed:
                    container.output.append((time.time(), stream, data))
                    container.changed.notify_all()

        assert container.process.stdout is not None and container.process.stderr is not None
        await asyncio.gather(read(1, container.process.stdout), read(2, container.process.stderr))
        code = await container.process.wait()
        async with container.changed:
            container.code = code if code >= 0 else 128 - code
            container.changed.notify_all()

    async def _wait(self, request: web.Request) -> web.Response:
        container = self._find(request)
        async with container.changed:
            await container.changed.wait_for(lambda: container.code is not None)
        return web.json_response({"StatusCode": container.code})

    async def _kill(self, request: web.Request) -> web.Response:
        container = self._find(request)
        if container.status != "running":
            return web.json_response({"message": "is not running"}, status=409)
        self._signal(container, signal.Signals[request.query["signal"]])
        return web.Response(status=204)

    def _signal(self, container: StubContainer, signum: int) -> None:
        if container.process is not None and container.code is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(container.process.pid, signum)

    async def _inspect(self, request: web.Request) -> web.Response:
        container = self._find(request)
        pid = container.process.pid if container.process is not None else 0
        return web.json_response(
            {
                "Id": container.id,
                "State": {"Status": container.status, "Pid": pid, "ExitCode": container.code or 0},
                "NetworkSettings": {"IPAddress": "127.0.0.1", "Networks": {"bridge": {"IPAddress": "127.0.0.1"}}},
            }
        )

    async def _logs(self, request: web.Request) -> web.StreamResponse:
        container, since = self._find(request), float(request.query["since"])
        response = web.StreamResponse()
        await response.prepare(request)
        sent = 0
        while True:
            async with container.changed:
                await container.changed.wait_for(lambda: len(container.output) > sent or container.code is not None)  # noqa: B023
                fresh = container.output[sent:]
                over = container.code is not None
            sent += len(fresh)
            for at, stream, data in fresh:
                if at > since:
                    await response.write(bytes([stream, 0, 0, 0]) + len(data).to_bytes(4, "big") + data)
            if over and sent == len(container.output):
                return response

    async def _remove(self, request: web.Request) -> web.Response:
        container = self._find(request)
        self._signal(container, signal.SIGKILL)
        for key in (container.id, container.name):
            del self.containers[key]
        return web.Response(status=204)

    async def _exec(self, request: web.Request) -> web.Response:
        key = uuid.uuid4().hex
        self._execs[key] = (self._find(request), (await request.json())["Cmd"], 0)
        return web.json_response({"Id": key}, status=201)

    async def _exec_start(self, request: web.Request) -> web.Response:
        key = request.match_info["id"]
        container, command, _ = self._execs[key]
        sandbox = container.config["HostConfig"]["Binds"][0].partition(":")[0]
        process = await asyncio.create_subprocess_exec(*command, cwd=sandbox)
        self._execs[key] = (container, command, await process.wait())
        return web.Response()

    async def _exec_inspect(self, request: web.Request) -> web.Response:
        return web.json_response({"ExitCode": self._execs[request.match_info["id"]][2]})

    def _spawn(self, work: Any) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def environment(container: StubContainer) -> dict[str, str]:
    return dict(one.split("=", 1) for one in container.config["Env"])
