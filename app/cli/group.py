"""The root of the command line: loads a command when it is asked for, and tells a fault in one sentence.

Exit codes: 0 done, 1 a known fault, 2 a usage fault (click's own).
"""

import os
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from app.engine.errors import FerrymanError, StoreUnavailableError
from app.settings import MissingSettingError


class LazyGroup(click.Group):
    """A group that knows its commands as ``name -> "module:attribute"``: `ferryman daemon` need not load the API."""

    def __init__(self, *arguments: Any, commands_at: Mapping[str, str], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._commands_at = commands_at

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the commands in the order in which a newcomer needs them."""
        return list(self._commands_at)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command by its name."""
        if (place := self._commands_at.get(cmd_name)) is None:
            return None
        module, _, attribute = place.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a known fault is told as one sentence."""
        try:
            return super().invoke(ctx)
        except (FerrymanError, MissingSettingError) as error:
            raise click.ClickException(_told(error)) from error
        except BrokenPipeError:
            # Whoever read our output (such as `head`) has gone; Python would complain when it flushes at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)


def _told(error: Exception) -> str:
    """Tell a fault; of a database that is away also why, which callers of the API do not see."""
    says_why = type(error) is not StoreUnavailableError or str(error) != str(StoreUnavailableError())
    if says_why or error.__cause__ is None:
        return str(error)
    return f"the database can not be reached: {' '.join(str(error.__cause__).split())}"
