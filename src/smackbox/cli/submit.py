"""`smack submit`: a Spark job, here or on a Spark cluster."""

from __future__ import annotations

import json
import sys

import click

from smackbox.base.errors import SettingError


@click.command("submit", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option(
    "--master",
    default="local[*]",
    show_default=True,
    help="local, local[N], sc://…, mesos://…, spark://…, yarn, k8s://…",
)
@click.option("--name", help="Name of the job.")
@click.option("--class", "class_name", help="Main class of a jar.")
@click.option("--deploy-mode", type=click.Choice(["client", "cluster"]), default="client", show_default=True)
@click.option("--py-files", default="", help="Comma-separated Python files and .zip, .egg, .whl for the path.")
@click.option("--files", default="", help="Comma-separated files that tasks find by SparkFiles.get(name).")
@click.option("--conf", multiple=True, metavar="KEY=VALUE", help="A Spark setting; may be repeated.")
@click.option("--packages", help="Maven coordinates, for spark-submit.")
@click.option("--jars", help="Jars, for spark-submit.")
@click.option("--driver-memory", help="Memory of the driver, on a cluster.")
@click.option("--driver-cores", help="Cores of the driver, on a cluster.")
@click.option("--supervise", is_flag=True, help="Restart a failed driver, in cluster mode on mesos://.")
@click.option("--executor-memory", help="Memory of each executor, on a cluster.")
@click.option("--executor-cores", help="Cores of each executor, on a cluster.")
@click.option("--num-executors", help="How many executors, on a cluster.")
@click.option("--total-executor-cores", help="Total cores of all executors, on a cluster.")
@click.option("--status", "asked", metavar="ID", help="Show a driver of the dispatcher at mesos://host:port.")
@click.option("--kill", "killed", metavar="ID", help="End a driver of the dispatcher at mesos://host:port.")
@click.argument("job", required=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(
    master: str,
    name: str | None,
    class_name: str | None,
    deploy_mode: str,
    py_files: str,
    files: str,
    conf: tuple[str, ...],
    asked: str | None,
    killed: str | None,
    job: str | None,
    arguments: tuple[str, ...],
    supervise: bool,
    **passed: str | None,
) -> None:
    """Run JOB, a .py file, module:function or a .jar, with ARGUMENTS, and exit with its code.

    Options come before JOB. A file or path may be on this machine or an s3:// URL.
    """
    from smackbox.spark.submission import Submission
    from smackbox.spark.submit import submit

    if asked is not None or killed is not None:
        from smackbox.spark.dispatcher import client

        answer = client.status(master, asked) if asked is not None else client.kill(master, killed or "")
        click.echo(json.dumps(answer, indent=2))
        return
    if job is None:
        raise SettingError("smack submit needs a JOB: a .py file, module:function or a .jar; see --help")
    settings = {}
    for pair in conf:
        key, equals, value = pair.partition("=")
        if not equals:
            raise SettingError(f"--conf {pair}: it has to be KEY=VALUE")
        settings[key] = value
    if supervise:
        settings.setdefault("spark.driver.supervise", "true")
    submission = Submission(
        job,
        arguments,
        master,
        name,
        class_name,
        deploy_mode,
        _listed(py_files),
        _listed(files),
        settings,
        {f"--{option.replace('_', '-')}": value for option, value in passed.items() if value is not None},
    )
    sys.exit(submit(submission))


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
