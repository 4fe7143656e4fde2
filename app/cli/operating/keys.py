"""``ferryman keys``: the keys that encrypt credentials and secrets."""

from dataclasses import asdict
from pathlib import Path

import click

from app.bootstrap.operator_secrets import build_key_rotation
from app.cli.calling import Answer, print_answer, print_table
from app.cli.operating.operators import read_operator_settings
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
@print_answer
@stack_option
def list_keys(data_dir: Path | None) -> Answer:
    """List the keys, and how many rows each has encrypted; never the keys themselves."""
    rows = [_build_row(key) for key in build_key_rotation(read_operator_settings(data_dir)).list()]
    named = [{**row, "id": row["id"] or "(the setting itself)"} for row in rows]
    return Answer(rows, lambda: print_table(named, ("id", "created_at", "state", "rows"), none="There are none."))


@keys.command()
@print_answer
@stack_option
def rotate(data_dir: Path | None) -> Answer:
    """Encrypt everything by a new key, while API and daemons run.

    Killed in the middle, it goes on when it is called again. Keys that nothing needs any more, retired an hour ago or
    earlier, are removed.
    """
    rotated = build_key_rotation(read_operator_settings(data_dir)).rotate()
    if rotated.unreadable:
        return Answer(asdict(rotated), lambda: _print(rotated), exit_code=1)
    return Answer(asdict(rotated), lambda: _print(rotated), ("keys", "list"))


def _print(rotated: Rotated) -> None:
    words = "finished the rotation that had broken off" if rotated.went_on else "made a new key"
    click.echo(f"{rotated.key_id}: {words}; {rotated.rows} rows are encrypted anew.")
    for key_id in rotated.removed:
        click.echo(f"{key_id}: removed, nothing is encrypted by it any more.")
    for place in rotated.unreadable:
        click.echo(f"{place}: does not open by any key at hand, and stays as it is.", err=True)
    if rotated.unreadable:
        click.echo("The format before is not refused until all of these are mended, or gone.", err=True)


def _build_row(key: KeyUse) -> JsonObject:
    return {
        "id": key.id,
        "created_at": format_utc_or_none(key.created_at),
        "state": _describe_state(key),
        "rows": key.rows,
    }


def _describe_state(key: KeyUse) -> str:
    if not key.id:
        return "to be replaced by 'rotate'"
    return "current" if key.retired_at is None else f"retired {format_utc(key.retired_at)}"
