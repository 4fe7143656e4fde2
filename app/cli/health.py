"""``ferryman health``: whether this machine's daemon lives, for a container's health check."""

import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from app.cli.options import group_option, stack_option
from app.cli.services import api_services
from app.engine.objects import Daemon
from app.engine.status import DaemonStatus
from app.services.daemons import DaemonService

_SILENCE = timedelta(seconds=30)
_PAGE = 1000


@click.command(short_help="Check that a daemon on this machine is alive.")
@group_option
@stack_option
def health(group: str, data_dir: Path | None) -> None:
    """Check that a daemon of the group on this machine gave a sign of life lately; exit code 1 if none did."""
    if not any(_is_live_here(daemon) for daemon in _all_of(api_services(data_dir).daemons, group)):
        raise click.ClickException(f"no daemon of group '{group}' on {socket.gethostname()} gave a sign of life lately")
    click.echo(f"A daemon of group '{group}' is alive.")


def _is_live_here(daemon: Daemon) -> bool:
    is_here = daemon.metadata.get("hostname") == socket.gethostname()
    heard_at = daemon.last_active_at
    is_heard = heard_at is not None and datetime.now(UTC) - heard_at < _SILENCE
    return is_here and is_heard and daemon.status == DaemonStatus.ACTIVE


def _all_of(daemons: DaemonService, group: str) -> Iterator[Daemon]:
    cursor = None
    while True:
        page = daemons.list(limit=_PAGE, cursor=cursor, group_key=group)
        yield from page.result
        cursor = page.next_cursor
        if cursor is None:
            return
