"""A group of commands with a default command."""

from __future__ import annotations

import click


class DefaultVerb(click.Group):
    """`default_verb` runs when the first argument is not the name of a command."""

    default_verb: str

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands:
            args = [self.default_verb, *args]
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0].startswith("-") and args[0] not in {"-h", "--help"}:
            args = [self.default_verb, *args]
        return super().parse_args(ctx, args)
