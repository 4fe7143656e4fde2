"""The root of the command line: loads a command when it is called, and prints a known error as one sentence.

Exit codes: 0 done, 1 a known error, 2 a usage error (click's own), 130 interrupted (docs/cli.md).
"""

import os
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from app.engine.errors import FerrymanError, StoreUnavailableError
from app.invocation import rewrite_commands, show_plain
from app.setting_errors import MissingSettingError

HIDDEN: Final = ""
"""The description of a command that no help lists."""


class LazyGroup(click.Group):
    """A group whose commands are ``name -> ("module:attribute", "what it does")``.

    No command loads what another one needs; help and completion load none.
    """

    def __init__(self, *arguments: Any, commands_at: Mapping[str, tuple[str, str]], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._commands_at = commands_at

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse words that can be sent to no API: bytes of the shell that are no UTF-8."""
        for word in args:
            if any("\ud800" <= character <= "\udfff" for character in word):
                raise click.UsageError(f"{word!a} is no text in UTF-8")
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the commands in the order in which a newcomer needs them."""
        return list(self._commands_at)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command by its name."""
        if (known := self._commands_at.get(cmd_name)) is None:
            return None
        module, _, attribute = known[0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is named; a usage error, with those that are spelt nearly so."""
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            names = [name for name, _ in self._visible_commands()]
            raise click.NoSuchCommand(error.command_name, possibilities=names, ctx=ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what the commands do, without loading one."""
        with formatter.section("Commands"):
            formatter.write_dl(self._visible_commands())

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the first command to type."""
        if self.epilog:
            formatter.write_paragraph()
            formatter.write_text(rewrite_commands(self.epilog))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the name of a command, without loading one."""
        names = [
            CompletionItem(name, help=does) for name, does in self._visible_commands() if name.startswith(incomplete)
        ]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, and print a known error as one sentence."""
        try:
            return super().invoke(ctx)
        except (FerrymanError, MissingSettingError) as error:
            raise click.ClickException(show_plain(rewrite_commands(_find_message(error)))) from error
        except BrokenPipeError:
            # Whoever read our output (such as `head`) has gone; Python would complain when it flushes at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)

    def _visible_commands(self) -> list[tuple[str, str]]:
        return [(name, does) for name, (_, does) in self._commands_at.items() if does != HIDDEN]


def _find_message(error: Exception) -> str:
    """Return an error's message; for an unreachable database with the reason, which the API does not show."""
    says_why = type(error) is not StoreUnavailableError or str(error) != str(StoreUnavailableError())
    if says_why or error.__cause__ is None:
        return str(error)
    return f"the database can not be reached: {' '.join(str(error.__cause__).split())}"
