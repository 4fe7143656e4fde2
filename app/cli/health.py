"""``ferryman health``: whether this machine's daemon lives, for a container's health check."""

import os
import socket
from pathlib import Path

import click

from app.cli.options import group_option, stack_option
from app.cli.services import joined_settings
from app.life_signs import LifeSigns

_LATE_BEATS = 3


@click.command(short_help="Check that a daemon on this machine is alive.")
@group_option
@stack_option
def health(group: str, data_dir: Path | None) -> None:
    """Check that a daemon of the group on this machine takes messages; exit code 1 if none does.

    Asks neither Postgres nor the broker: daemons leave their signs of life on the machine.
    """
    settings = joined_settings(data_dir, os.environ)
    patience = settings.deaf_seconds + _LATE_BEATS * settings.heartbeat_seconds
    if not LifeSigns(settings.database_url).is_alive(group, within_seconds=patience):
        raise click.ClickException(f"no daemon of group '{group}' on {socket.gethostname()} took a message lately")
    click.echo(f"A daemon of group '{group}' is alive.")
