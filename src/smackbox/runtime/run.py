"""`smack run`: an application as processes beside the stack, or one part of it in this process.

The parts are what a scheduler would place: `prepare` (topics and tables, once), `ingest` (all endpoints) and
`stream:NAME` (one each). This module chooses the servers: the URLs given, else those of a running box
in the directory, else a box started for the application.
"""

from __future__ import annotations

import asyncio
import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from smackbox.app.model import App, Job, Stream
from smackbox.base.errors import SettingError, StartError
from smackbox.net.listener import free_port
from smackbox.net.service import run_loop, say
from smackbox.runtime.avro_topics import needs_registry
from smackbox.runtime.changes import Changes
from smackbox.runtime.keeping import archive_part, archive_specs, backup_jobs
from smackbox.runtime.parts import ingest_instances
from smackbox.runtime.process import ProcessSpec, job_files
from smackbox.runtime.settings import BoxSettings, Urls, box_directory
from smackbox.runtime.stack import SMACK, config_flags, registry_spec, stack_specs
from smackbox.runtime.supervisor import Supervisor, running

PREPARE_TIMEOUT_S = 60.0
NO_CHANGES = Changes()


def run_app(
    app: App,
    file: Path,
    urls: Urls,
    settings: BoxSettings,
    config: Path | None = None,
    changes: Changes = NO_CHANGES,
) -> None:
    """Run the application until SIGINT or SIGTERM; all of its processes read the settings file `config`.

    Raises `StartError` when a part cannot start.
    """
    with box_directory(settings) as placed:
        run_loop(_run_app(app, file.resolve(), urls | running_urls(placed.dir), placed, config, changes))


def run_job(app: App, job: Job, urls: Urls, settings: BoxSettings, config: Path | None = None) -> None:
    """Run one job to completion, on the running box or on one started for it."""
    from smackbox.runtime.parts import job_part

    def work(servers: Urls) -> None:
        started = time.monotonic()
        rows = job_part(app, job, servers, settings)
        wrote = f", {rows} rows written to {job.target.name}" if job.target is not None else ""
        say(f"job {job.name} done in {time.monotonic() - started:.1f} s{wrote}")

    with box_directory(settings) as placed:
        known = urls | running_urls(placed.dir)
        if known.kafka and known.cassandra:
            work(known)
        else:
            run_loop(_with_stack(app, known, placed, config, work))


def run_part(
    app: App,
    part: str,
    urls: Urls,
    settings: BoxSettings,
    config: Path | None = None,
    changes: Changes = NO_CHANGES,
) -> None:
    """Run one part in this process. Raises `SettingError` for an unknown part."""
    from smackbox.runtime import parts

    known = urls | running_urls(settings.dir)
    if known.kafka is None or known.cassandra is None:
        raise StartError(
            f"nothing is running in {settings.dir}: give --kafka and --cassandra, or start `smack up` first"
        )
    kind, _, name = part.partition(":")
    if kind == "stream":
        parts.stream_part(app, app.find_stream(name), known, settings)
    elif kind == "actors":
        parts.actors_part(app, app.find_actors(name), known, settings)
    elif kind == "archive":
        archive_part(app, app.find_archive(name), known, settings)
    elif kind == "ingest" and (not name or name.isdecimal()):
        parts.ingest_part(app, int(name or "1"), known, settings, config)
    elif part == "prepare":
        parts.prepare_part(app, known, settings, changes)
    else:
        raise SettingError(
            f"no part {part!r}: there is prepare, ingest (or ingest:NUMBER), stream:NAME, archive:NAME and actors:NAME"
        )


def running_urls(directory: Path) -> Urls:
    """The servers of the supervisors that are alive in `directory`."""
    urls = Urls()
    for state in running(directory):
        urls |= Urls(**{name: state.url(name) for name in ("kafka", "cassandra", "spark", "zookeeper")})
        urls |= Urls(schema_registry=state.url("registry"))
    return urls


async def _run_app(
    app: App, file: Path, urls: Urls, settings: BoxSettings, config: Path | None, changes: Changes
) -> None:
    started = time.monotonic()
    async with Supervisor.claim(app.name, settings) as supervisor:
        servers = await _start_missing(supervisor, urls, settings, config)
        if servers.schema_registry is None and needs_registry(app):
            assert servers.kafka is not None
            await supervisor.start(registry_spec(settings, servers.kafka, config))
            servers |= Urls(schema_registry=supervisor.url("registry"))
        base = (*SMACK, "run", str(file), *servers.flags(), "--dir", str(settings.dir), *config_flags(config))
        await supervisor.unless_stopped(_run_once((*base, "--only", "prepare", *changes.flags())))
        parts = [spec for stream in app.streams for spec in stream_specs(stream, base)]
        parts += archive_specs(app, base)
        for actors in app.actor_systems:
            parts += [
                ProcessSpec(f"{actors.name}-{number}", (*base, "--only", f"actors:{actors.name}"), 0)
                for number in range(1, actors.instances + 1)
            ]
        parts += ingest_specs(app, base, settings)
        await supervisor.start(*parts)
        await supervisor.schedule(*jobs(app, base, settings.dir), *backup_jobs(app, settings.dir))
        say(supervisor.table())
        say(
            f"ready {app.name} in {(time.monotonic() - started) * 1000:.0f} ms, data in {settings.dir}; Ctrl-C stops it"
        )
        await supervisor.wait()


def stream_specs(stream: Stream, base: tuple[str, ...]) -> list[ProcessSpec]:
    """The processes of a stream: one, or one per instance. `base` runs the application."""
    command = (*base, "--only", f"stream:{stream.name}")
    if stream.instances is None:
        return [ProcessSpec(stream.name, command, 0)]
    return [ProcessSpec(f"{stream.name}-{number}", command, 0) for number in range(1, stream.instances + 1)]


def ingest_specs(app: App, base: tuple[str, ...], settings: BoxSettings) -> list[ProcessSpec]:
    """The processes of the endpoints: one, or several on one port."""
    instances = ingest_instances(app)
    if instances <= 1:
        return [ProcessSpec("ingest", (*base, "--only", "ingest"), settings.ingest_port)] * instances
    port = settings.ingest_port or free_port(settings.host)
    return [
        ProcessSpec(f"ingest-{number}", (*base, "--only", f"ingest:{number}"), port)
        for number in range(1, instances + 1)
    ]


def jobs(app: App, base: tuple[str, ...], directory: Path) -> list[dict[str, Any]]:
    """The Chronos jobs for the jobs that have a schedule, or follow one that has. `base` runs the application.

    A job's output goes to its file in `logs/`; the last line of a failed job also to its `failure_file`.
    """
    found: dict[str, dict[str, Any]] = {}
    for job in app.jobs:
        timing: dict[str, Any] = {}
        if job.schedule is not None:
            timing["schedule"] = job.schedule
        elif job.after in found:
            timing["parents"] = [f"{app.name}.{job.after}"]
        else:
            continue
        name = f"{app.name}.{job.name}"
        log_file, failure = (shlex.quote(str(file.resolve())) for file in job_files(directory, name))
        command = (
            f"cd {shlex.quote(str(Path.cwd()))} && {shlex.join((*base, '--job', job.name))} >> {log_file} 2>&1"
            f" || {{ code=$?; tail -n 1 {log_file} > {failure}; exit $code; }}"
        )
        found[job.name] = {"name": name, "command": command, **timing}
    return list(found.values())


async def _with_stack(
    app: App, urls: Urls, settings: BoxSettings, config: Path | None, work: Callable[[Urls], None]
) -> None:
    async with Supervisor.claim(app.name, settings) as supervisor:
        servers = await _start_missing(supervisor, urls, settings, config)
        await supervisor.unless_stopped(asyncio.to_thread(work, servers))


async def _start_missing(supervisor: Supervisor, urls: Urls, settings: BoxSettings, config: Path | None) -> Urls:
    specs = stack_specs(
        settings, kafka=urls.kafka is None, cassandra=urls.cassandra is None, spark=False, config=config
    )
    if specs:
        await supervisor.start(*specs)
    return urls | Urls(**{spec.name: supervisor.url(spec.name) for spec in specs})


async def _run_once(argv: tuple[str, ...]) -> None:
    """Run a command to its end. Raises `StartError` with the last line that it wrote when it fails."""
    process = await asyncio.create_subprocess_exec(
        *argv, stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(PREPARE_TIMEOUT_S):
            _, errors = await process.communicate()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    if process.returncode != 0:
        lines = errors.decode(errors="replace").strip().splitlines() or [f"{argv} ended with {process.returncode}"]
        raise StartError(lines[-1].removeprefix("smack: "))
