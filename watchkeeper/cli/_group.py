"""A group of commands of which one is meant where none is named."""

import click


class ListGroup(click.Group):
    """A group whose command `list` is meant where none is named: `tickets`, `tickets --json`, `tickets DESK-12`.

    The numbers of tickets and incidents have digits; a word without any is a command that there is not.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        first = args[0] if args else ""
        is_command = first in ctx.help_option_names or (first.isascii() and first.isalpha())
        return super().parse_args(ctx, args if is_command else ["list", *args])

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(self.commands)
