"""Name the next step, as it can be typed where it is printed.

On stderr: what comes on stdout is for programs, too.
"""

from collections.abc import Sequence
from typing import Final

import click
from click.core import ParameterSource

from app import invocation

_CONNECTION: Final = {"url": "--url", "data_dir": "--data-dir"}


def tell_next(*words: str, why: str = "", is_connected: bool = True) -> None:
    """Name the command that mostly comes next; ``is_connected`` repeats which stack or API was named by options."""
    command = invocation.write_command([*words, *(connection_words() if is_connected else ())])
    tell_next_text(f"{command}   # {why}" if why else command)


def tell_next_text(text: str) -> None:
    """Name the next step in other words than a command of this program."""
    click.echo(f"next: {text}", err=True)


def connection_words() -> Sequence[str]:
    """Return the options by which the present command was told whom to call."""
    context = click.get_current_context(silent=True)
    if context is None:
        return []
    given = [
        (option, context.params[name])
        for name, option in _CONNECTION.items()
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE and context.params.get(name) is not None
    ]
    return [word for option, value in given for word in (option, str(value))]
