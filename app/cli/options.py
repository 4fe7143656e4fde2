"""Options that several commands share."""

from pathlib import Path

import click

from app.engine.objects.daemons import GROUP_KEY
from app.engine.objects.environments import DEFAULT_ENVIRONMENT


def _check_group(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not GROUP_KEY.fullmatch(value):
        raise click.BadParameter("use letters, digits, '_', '.' and '-', and begin with a letter or digit")
    return value


data_dir_option = click.option(
    "--data-dir",
    default=".ferryman",
    show_default=True,
    envvar="FERRYMAN_DATA_DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the stack keeps its data, token and logs.",
)

stack_option = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Join the stack that 'ferryman up' runs on this data directory, instead of what the environment names.",
)

environment_option = click.option(
    "--environment",
    default=DEFAULT_ENVIRONMENT,
    show_default=True,
    metavar="NAME",
    help="The environment that is meant.",
)

group_option = click.option(
    "--group", default="default", show_default=True, callback=_check_group, help="Daemon group that is served."
)

concurrency_option = click.option(
    "--concurrency",
    default=8,
    show_default=True,
    type=click.IntRange(1, 512),
    help="How many units of work a daemon carries out at once.",
)
