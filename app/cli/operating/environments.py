"""``ferryman environment``: tenants, each with things and tokens of its own."""

from pathlib import Path

import click

from app.bootstrap.operators import people
from app.cli.calling import json_option, print_json, print_table
from app.cli.next_steps import tell_next
from app.cli.operating.operators import operator_settings
from app.cli.options import stack_option
from app.engine.json_types import JsonObject
from app.engine.objects.environments import Environment
from app.engine.times import format_utc


@click.group()
def environment() -> None:
    """Create and list environments: what one holds is not seen from another.

    Works on the database that DATABASE_URL names, else on the stack that 'ferryman up' runs here.
    """


@environment.command()
@click.argument("name")
@json_option
@stack_option
def create(name: str, data_dir: Path | None, as_json: bool) -> None:
    """Create an environment and print its id."""
    made = people(operator_settings(data_dir)).environments.create(name)
    if as_json:
        print_json(_row(made))
        return
    click.echo(made.id)
    tell_next("token", "create", "--environment", made.name)


@environment.command("list")
@json_option
@stack_option
def list_environments(data_dir: Path | None, as_json: bool) -> None:
    """List all environments, the oldest first."""
    rows = [_row(entry) for entry in people(operator_settings(data_dir)).environments.all()]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, ("id", "name", "created_at"), none="There are none.")


def _row(entry: Environment) -> JsonObject:
    return {"id": entry.id, "name": entry.name, "created_at": format_utc(entry.created_at)}
