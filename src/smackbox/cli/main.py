"""`smack`: one file per command, loaded only when that command is used, so that every command starts fast."""

from __future__ import annotations

import logging
import sys
from importlib import import_module

import click

from smackbox.base.errors import UserError
from smackbox.base.settings import near

VERBS = {
    "backup": "save the whole box to a folder or a bucket; list, verify and prune what is there",
    "cassandra": "one CQL server alone",
    "chronos": "one Chronos alone: scheduled and dependent jobs on Mesos",
    "cql": "run CQL statements, or a prompt",
    "demo": "336,776 real flights through the whole stack, every figure checked",
    "dlq": "dead letters: which and why; send them again after a mend, or drop them",
    "kafka": "one broker alone",
    "lag": "how far consumer groups and streams are behind",
    "marathon": "one Marathon alone: long-running apps on Mesos",
    "mesos": "a Mesos master or agent alone",
    "migrate": "make tables and topics follow what has changed in an application",
    "patch": "put rows of a table right by a function, once; show, limit, undo",
    "pipelines": "run the declarative pipelines of a spark-pipeline.yml",
    "projection": "pause, resume and rewind the projections of a running process",
    "registry": "one schema registry alone: Avro, JSON Schema, Protobuf",
    "replay": "make a stream's totals again from its history, compare them, put them in; undo",
    "restore": "an empty box made what it was at a back-up",
    "run": "run an application file, or one of its jobs",
    "spark": "one Spark Connect server alone",
    "submit": "run a Spark job here, or on a cluster of Spark's",
    "status": "what is running, and whether it answers; --watch shows it live",
    "streams": "the streams that run: batches, rates, lag, watermark",
    "topics": "list, create, describe, delete, produce to and consume from topics",
    "up": "start everything and keep it running",
    "zookeeper": "one ZooKeeper server alone",
}
LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class Verbs(click.Group):
    """The commands by name; help loads none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command = import_module(f"smackbox.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            ctx.fail(f"no verb {args[0]!r}{near(args[0], VERBS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(sorted(VERBS.items()))


@click.command(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="smackbox", prog_name="smack")
@click.option("--debug", is_flag=True, help="Show tracebacks and debug logs.")
@click.pass_context
def group(ctx: click.Context, debug: bool) -> None:
    """The SMACK stack from one pip install: Kafka, Cassandra and Spark by their own protocols."""
    ctx.obj = debug
    logging.basicConfig(level=logging.DEBUG if debug else logging.INFO, format=LOG_FORMAT, stream=sys.stderr)
    if not debug:
        logging.getLogger("cassandra").setLevel(logging.CRITICAL)  # what the driver reports, it raises as well


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; a `UserError` is one line on standard error and exit status 1."""
    debug = "--debug" in (sys.argv[1:] if arguments is None else arguments)
    try:
        group.main(arguments, prog_name="smack", standalone_mode=True)
    except UserError as error:
        if debug:
            raise
        click.echo(f"smack: {error}", err=True)
        sys.exit(1)
