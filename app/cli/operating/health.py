"""``ferryman health``: whether this machine's daemon lives, for a container's health check."""

import socket
import sys
from pathlib import Path

import click

from app.cli.calling import json_option, print_json
from app.cli.operating.operators import operator_settings
from app.cli.options import group_option, stack_option
from app.liveness_files import LivenessFiles

_LATE_BEATS = 3


@click.command(short_help="Check that a daemon on this machine is alive.")
@group_option
@json_option
@stack_option
def health(group: str, data_dir: Path | None, as_json: bool) -> None:
    """Check that a daemon of the group on this machine takes messages; exit code 1 if none does.

    Asks neither Postgres nor the broker: daemons leave their signs of life on the machine.
    """
    settings = operator_settings(data_dir)
    patience = settings.deaf_seconds + _LATE_BEATS * settings.heartbeat_seconds
    is_alive = LivenessFiles(settings.database_url).is_alive(group, within_seconds=patience)
    if as_json:
        print_json({"group": group, "host": socket.gethostname(), "alive": is_alive})
        sys.exit(0 if is_alive else 1)
    if not is_alive:
        raise click.ClickException(f"no daemon of group '{group}' on {socket.gethostname()} took a message lately")
    click.echo(f"A daemon of group '{group}' is alive.")
