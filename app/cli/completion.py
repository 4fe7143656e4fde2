"""``ferryman completion``: what makes a shell complete Ferryman's commands."""

import sys
from typing import Final

import click
from click.shell_completion import get_completion_class

from app.cli.next_steps import tell_next_text
from app.invocation import name_program

_PROGRAM: Final = "ferryman"
_VARIABLE: Final = "_FERRYMAN_COMPLETE"
_SHELLS: Final = {
    "bash": 'eval "$({} completion bash)"   # in ~/.bashrc',
    "zsh": 'eval "$({} completion zsh)"   # in ~/.zshrc',
    "fish": "{} completion fish > ~/.config/fish/completions/ferryman.fish",
}


@click.command()
@click.argument("shell", type=click.Choice(list(_SHELLS)))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes a shell complete the commands and options of a 'ferryman' that is on the PATH."""
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(context.find_root().command, {}, _PROGRAM, _VARIABLE).source())
    if sys.stdout.isatty():
        tell_next_text(_SHELLS[shell].format(name_program()))
