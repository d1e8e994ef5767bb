"""`make docs`: the reference pages that are made from the code, so that they cannot disagree with it.

`docs/reference/cli.md` is every verb and flag, `docs/reference/settings.md` every setting of every server. A test
fails when they are not what this program makes.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import click
import msgspec

from smackbox.cli.main import VERBS, group

FOLDER = Path(__file__).parent / "reference"
SETTINGS = {
    "box": "smackbox.runtime.settings:BoxSettings",
    "kafka": "smackbox.kafka.settings:KafkaSettings",
    "cassandra": "smackbox.cassandra.settings:CassandraSettings",
    "spark": "smackbox.spark.settings:SparkSettings",
    "dispatcher": "smackbox.spark.dispatcher.service:DispatcherSettings",
    "ingest": "smackbox.ingest.settings:IngestSettings",
    "registry": "smackbox.registry.settings:RegistrySettings",
    "zookeeper": "smackbox.zookeeper.settings:ZooKeeperSettings",
    "mesos_master": "smackbox.mesos.master.settings:MasterSettings",
    "mesos_agent": "smackbox.mesos.agent.settings:MesosAgentSettings",
}


def pages() -> dict[str, str]:
    """Each page's text by its file name."""
    return {"cli.md": cli_page(), "settings.md": settings_page()}


def cli_page() -> str:
    context = click.Context(group, info_name="smack", terminal_width=100, max_content_width=100)
    parts = ["# Command line\n", _help(group, context)]
    for verb in sorted(VERBS):
        command = group.get_command(context, verb)
        assert command is not None
        parts += _command_pages(command, click.Context(command, info_name=verb, parent=context))
    return "\n".join(parts)


def settings_page() -> str:
    parts = [
        "# Settings\n",
        "Flags win over the environment (`SMACK_<SECTION>_<NAME>`), which wins over `smackbox.toml` (a table each),",
        "which wins over these defaults (a verb has its own port and folder). An unknown name is an error that says",
        "which known one is near.\n",
    ]
    for section, place in SETTINGS.items():
        module, _, name = place.partition(":")
        settings_type = getattr(import_module(module), name)
        parts += [f"## [{section}]\n", " ".join((settings_type.__doc__ or "").split()) + "\n"]
        parts += ["| name | default |", "|---|---|"]
        parts += [f"| `{field.name}` | {_default(field)} |" for field in msgspec.structs.fields(settings_type)]
        parts.append("")
    return "\n".join(parts)


def _command_pages(command: click.Command, context: click.Context) -> list[str]:
    pages = [f"\n## {context.command_path}\n", _help(command, context)]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            pages += _command_pages(inner, click.Context(inner, info_name=name, parent=context))
    return pages


def _help(command: click.Command, context: click.Context) -> str:
    return f"```\n{command.get_help(context)}\n```"


def _default(field: Any) -> str:
    if field.default is not msgspec.NODEFAULT:
        return f"`{field.default}`" if field.default is not None else "none"
    if field.default_factory is not msgspec.NODEFAULT:
        return f"`{field.default_factory()}`"
    return "required"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text.rstrip() + "\n", encoding="utf-8")
        print(f"docs/reference/{name}")


if __name__ == "__main__":
    main()
