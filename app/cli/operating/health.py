"""``ferryman health``: whether a daemon of this machine is alive, for a container's health check."""

import socket
from pathlib import Path

import click

from app.cli.calling import Answer, print_answer
from app.cli.operating.operators import read_operator_settings
from app.cli.options import group_option, stack_option
from app.liveness_files import LivenessFiles

_LATE_BEATS = 3


@click.command(short_help="Check that a daemon on this machine is alive.")
@group_option
@print_answer
@stack_option
def health(group: str, data_dir: Path | None) -> Answer:
    """Check that a daemon of the group on this machine takes messages; exit code 1 if none does.

    Asks neither Postgres nor the broker: daemons write their liveness to files on the machine.
    """
    settings = read_operator_settings(data_dir)
    patience = settings.deaf_seconds + _LATE_BEATS * settings.heartbeat_seconds
    is_alive = LivenessFiles(settings.database_url).is_alive(group, within_seconds=patience)
    host = socket.gethostname()

    def show() -> None:
        if not is_alive:
            raise click.ClickException(f"no daemon of group '{group}' on {host} took a message lately")
        click.echo(f"A daemon of group '{group}' is alive.")

    return Answer({"group": group, "host": host, "alive": is_alive}, show, exit_code=0 if is_alive else 1)
