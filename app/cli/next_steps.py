"""Print the next step on stderr, as it can be typed here: stdout is for programs, too."""

from collections.abc import Sequence
from typing import Final, TypeAlias

import click
from click.core import ParameterSource

from app import invocation

_CONNECTION: Final = {"url": "--url", "data_dir": "--data-dir"}


NextStep: TypeAlias = Sequence[str]
"""The words of the command that mostly comes next."""


def print_next_step(*words: str, why: str = "") -> None:
    """Print the command that mostly comes next, with the options that named the stack or the API."""
    command = invocation.write_command([*words, *list_connection_words()])
    print_next_step_text(f"{command}   # {why}" if why else command)


def print_next_step_text(text: str) -> None:
    """Print a next step that is not a command of this program."""
    click.echo(f"next: {text}", err=True)


def list_connection_words() -> Sequence[str]:
    """Return the options by which the current command names the stack or the API."""
    context = click.get_current_context(silent=True)
    if context is None:
        return []
    given = [
        (option, context.params[name])
        for name, option in _CONNECTION.items()
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE and context.params.get(name) is not None
    ]
    return [word for option, value in given for word in (option, str(value))]
