"""A job as somebody submits it, and the command line of the real `spark-submit` for it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from smackbox.base.errors import StartError


@dataclass(frozen=True, slots=True)
class Submission:
    """A job: `job` is a `.py` file, `module:function` or a `.jar`. `passed` are options of `spark-submit` alone."""

    job: str
    arguments: Sequence[str] = ()
    master: str = "local[*]"
    name: str | None = None
    class_name: str | None = None
    deploy_mode: str = "client"
    py_files: Sequence[str] = ()
    files: Sequence[str] = ()
    conf: Mapping[str, str] = field(default_factory=dict)
    passed: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_jar(self) -> bool:
        return self.job.endswith(".jar")

    def command_line(self) -> list[str]:
        """What follows the master in the command line of `spark-submit`, and of `smack submit`."""
        line: list[str] = []
        for option, value in (
            ("--name", self.name),
            ("--class", self.class_name),
            ("--py-files", ",".join(self.py_files)),
            ("--files", ",".join(self.files)),
        ):
            if value:
                line += [option, value]
        for key, value in self.conf.items():
            line += ["--conf", f"{key}={value}"]
        for option, value in self.passed.items():
            line += [option, value]
        return [*line, self.job, *self.arguments]


def spark_submit_command(submission: Submission) -> list[str]:
    """The command line of the real `spark-submit`. Raises `StartError` where there is none."""
    home = os.environ.get("SPARK_HOME")
    found = str(Path(home) / "bin" / "spark-submit") if home else shutil.which("spark-submit")
    if found is None or not Path(found).exists():
        raise StartError(
            f"--master {submission.master} with {submission.job} needs Spark's own spark-submit"
            + (
                f", which is not in SPARK_HOME ({home})"
                if home
                else ": set SPARK_HOME to a Spark 4, or install pyspark"
            )
            + "; pyspark and pyspark-client (smackbox[spark]) cannot share an environment, so give it one of its own"
        )
    options = ["--master", submission.master, "--deploy-mode", submission.deploy_mode]
    return [found, *options, *submission.command_line()]
