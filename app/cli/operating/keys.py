"""``ferryman keys``: the keys that encrypt credentials and secrets."""

import sys
from dataclasses import asdict
from pathlib import Path

import click

from app.bootstrap.operator_secrets import key_rotation
from app.cli.calling import json_option, print_json, print_table
from app.cli.next_steps import tell_next
from app.cli.operating.operators import operator_settings
from app.cli.options import stack_option
from app.engine.json_types import JsonObject
from app.engine.times import format_utc, format_utc_or_none
from app.services.maintenance.key_rotation import KeyUse, Rotated


@click.group()
def keys() -> None:
    """List and rotate the keys that encrypt credentials and secrets.

    Works on the database that DATABASE_URL names, else on the stack that 'ferryman up' runs here.
    """


@keys.command("list")
@json_option
@stack_option
def list_keys(data_dir: Path | None, as_json: bool) -> None:
    """List the keys, and how many rows each has encrypted; never the keys themselves."""
    rows = [_row(key) for key in key_rotation(operator_settings(data_dir)).list()]
    if as_json:
        print_json(rows)
        return
    named = [{**row, "id": row["id"] or "(the setting itself)"} for row in rows]
    print_table(named, ("id", "created_at", "state", "rows"), none="There are none.")


@keys.command()
@json_option
@stack_option
def rotate(data_dir: Path | None, as_json: bool) -> None:
    """Encrypt everything by a new key, while API and daemons run.

    Killed in the middle, it goes on when it is called again. Keys that nothing needs any more, retired an hour ago or
    earlier, are removed.
    """
    rotated = key_rotation(operator_settings(data_dir)).rotate()
    if as_json:
        print_json(asdict(rotated))
    else:
        _print(rotated)
    if rotated.unreadable:
        sys.exit(1)
    if not as_json:
        tell_next("keys", "list")


def _print(rotated: Rotated) -> None:
    words = "finished the rotation that had broken off" if rotated.went_on else "made a new key"
    click.echo(f"{rotated.key_id}: {words}; {rotated.rows} rows are encrypted anew.")
    for key_id in rotated.removed:
        click.echo(f"{key_id}: removed, nothing is encrypted by it any more.")
    for place in rotated.unreadable:
        click.echo(f"{place}: does not open by any key at hand, and stays as it is.", err=True)
    if rotated.unreadable:
        click.echo("The format before is not refused until all of these are mended, or gone.", err=True)


def _row(key: KeyUse) -> JsonObject:
    return {"id": key.id, "created_at": format_utc_or_none(key.created_at), "state": _state(key), "rows": key.rows}


def _state(key: KeyUse) -> str:
    if not key.id:
        return "to be replaced by 'rotate'"
    return "current" if key.retired_at is None else f"retired {format_utc(key.retired_at)}"
