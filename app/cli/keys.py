"""``ferryman keys``: the keys that encrypt credentials and secrets."""

import sys
from pathlib import Path

import click
from rich.table import Table

from app.cli.options import stack_option
from app.cli.services import api_services
from app.cli.terminal import print_table
from app.engine.times import iso_utc
from app.services.key_rotation import KeyUse


@click.group()
def keys() -> None:
    """List and rotate the keys that encrypt credentials and secrets.

    Works on the database that DATABASE_URL names, else on the stack that 'ferryman up' runs here.
    """


@keys.command("list")
@stack_option
def list_keys(data_dir: Path | None) -> None:
    """List the keys, and how many rows each has encrypted; never the keys themselves."""
    table = Table("id", "created", "state", "rows", box=None, pad_edge=False)
    for key in api_services(data_dir).keys.list():
        created = iso_utc(key.created_at) if key.created_at else "-"
        table.add_row(key.id or "(the setting itself)", created, _state(key), str(key.rows))
    print_table(table)


@keys.command()
@stack_option
def rotate(data_dir: Path | None) -> None:
    """Encrypt everything by a new key, while API and daemons run.

    Killed in the middle, it goes on when it is called again. Keys that nothing needs any more, retired an hour ago or
    earlier, are removed.
    """
    rotated = api_services(data_dir).keys.rotate()
    words = "finished the rotation that had broken off" if rotated.went_on else "made a new key"
    click.echo(f"{rotated.key_id}: {words}; {rotated.rows} rows are encrypted anew.")
    for key_id in rotated.removed:
        click.echo(f"{key_id}: removed, nothing is encrypted by it any more.")
    for place in rotated.unreadable:
        click.echo(f"{place}: does not open by any key at hand, and stays as it is.", err=True)
    if rotated.unreadable:
        click.echo("The format before is not refused until all of these are mended, or gone.", err=True)
        sys.exit(1)


def _state(key: KeyUse) -> str:
    if not key.id:
        return "to be replaced by 'rotate'"
    return "current" if key.retired_at is None else f"retired {iso_utc(key.retired_at)}"
