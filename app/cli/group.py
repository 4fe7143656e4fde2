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
        except StoreUnavailableError as error:
            raise click.ClickException(f"the database can not be reached: {_reason(error)}") from error
        except (FerrymanError, MissingSettingError) as error:
            raise click.ClickException(str(error)) from error
        except BrokenPipeError:
            # Whoever read our output (such as `head`) has gone; Python would complain when it flushes at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)


def _reason(error: BaseException) -> str:
    """Tell in one line what the server or the network said, which an operator may read and an API's caller may not."""
    while error.__cause__ is not None:
        error = error.__cause__
    return " ".join(str(error).split())
