"""`smack up`: the stack under one supervisor, and the table of its URLs."""

from __future__ import annotations

import time
from pathlib import Path

from smackbox.net.service import run_loop, say
from smackbox.runtime.settings import BoxSettings, box_directory
from smackbox.runtime.stack import registry_spec, stack_specs
from smackbox.runtime.supervisor import Supervisor

BOX = "box"


def up(settings: BoxSettings, config: Path | None = None) -> None:
    """Run the stack until SIGINT or SIGTERM; its servers read the settings file `config`.

    Raises `StartError` when a server cannot start.
    """
    with box_directory(settings) as placed:
        run_loop(_up(placed, config))


async def _up(settings: BoxSettings, config: Path | None) -> None:
    started = time.monotonic()
    async with Supervisor.claim(BOX, settings) as supervisor:
        await supervisor.start(*stack_specs(settings, config=config))
        if settings.registry:
            await supervisor.start(registry_spec(settings, supervisor.url("kafka"), config))
        say(supervisor.table())
        say(f"ready box in {(time.monotonic() - started) * 1000:.0f} ms, data in {settings.dir}; Ctrl-C stops it")
        await supervisor.wait()
