"""An application's archives, as processes of their own, and its back-ups, as Chronos jobs."""

from __future__ import annotations

import os
import shlex
import signal
import threading
import time
from pathlib import Path
from typing import Any

from smackbox.app.keeping import Archive
from smackbox.app.model import App
from smackbox.backup.key import KEY_VARIABLE
from smackbox.base.errors import StartError
from smackbox.net.service import at_end_of, say
from smackbox.runtime.process import LIFELINE, ProcessSpec, job_files
from smackbox.runtime.settings import BoxSettings, Urls
from smackbox.runtime.stack import SMACK
from smackbox.store.objects import is_url


def archive_specs(app: App, base: tuple[str, ...]) -> list[ProcessSpec]:
    """The processes of the archives. `base` runs the application."""
    return [ProcessSpec(one.name, (*base, "--only", f"archive:{one.name}"), 0) for one in app.archives]


def archive_part(app: App, archive: Archive, urls: Urls, settings: BoxSettings) -> None:
    """Run one archive until told to stop; ready when it has its checkpoint and Kafka answers."""
    from smackbox.spark.streaming.archive import ArchiveRunner, ArchiveSettings

    assert urls.kafka is not None
    started = time.monotonic()
    stop = threading.Event()
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, lambda *_: stop.set())
    if lifeline := os.environ.get(LIFELINE):
        at_end_of(lifeline, stop.set)
    runner = ArchiveRunner(
        ArchiveSettings(
            name=archive.name,
            kafka=urls.kafka,
            topic=archive.topic,
            to=archive.to,
            checkpoint_dir=settings.dir / "streams" / app.name / archive.name,
            group=f"{app.name}.{archive.name}",
            every_s=archive.every.total_seconds(),
            sync=settings.sync,
            metrics_port=settings.ingest_port,
        )
    )

    def ready() -> None:
        say(f"ready {archive.name} {runner.metrics_url} in {(time.monotonic() - started) * 1000:.0f} ms")

    runner.run(stop, ready)


def backup_jobs(app: App, directory: Path) -> list[dict[str, Any]]:
    """The back-ups of the box in `directory` as Chronos jobs; the first is due when the application starts.

    Raises `StartError` if a key is in the environment, which a Chronos job does not inherit.
    """
    found = []
    for number, backup in enumerate(app.backups):
        name = f"{app.name}.backup" if number == 0 else f"{app.name}.backup{number + 1}"
        target = backup.to if is_url(backup.to) else str(Path(backup.to).resolve())
        keep: tuple[str, ...] = () if backup.keep is None else ("--keep", backup.keep)
        if backup.key_file is None and os.environ.get(KEY_VARIABLE):
            raise StartError(f"{KEY_VARIABLE} does not reach a scheduled back-up: give app.backup(key_file=…)")
        if backup.key_file is not None:
            keep += ("--key-file", str(Path(backup.key_file).resolve()))
        command = shlex.join((*SMACK, "backup", "save", target, "--dir", str(directory.resolve()), *keep))
        log_file, failure = (shlex.quote(str(file.resolve())) for file in job_files(directory, name))
        found.append(
            {
                "name": name,
                "schedule": f"R//PT{round(backup.every.total_seconds())}S",
                "command": f"cd {shlex.quote(str(Path.cwd()))} && {command} >> {log_file} 2>&1"
                f" || {{ code=$?; tail -n 1 {log_file} > {failure}; exit $code; }}",
            }
        )
    return found
