"""``ferryman environment``: tenants, each with things and tokens of its own."""

from pathlib import Path

import click
from rich.markup import escape
from rich.table import Table

from app.cli.options import stack_option
from app.cli.services import api_services
from app.cli.terminal import print_table
from app.engine.times import iso_utc


@click.group()
def environment() -> None:
    """Create and list environments: what one holds is not seen from another.

    Works on the database that DATABASE_URL names, else on the stack that 'ferryman up' runs here.
    """


@environment.command()
@click.argument("name")
@stack_option
def create(name: str, data_dir: Path | None) -> None:
    """Create an environment and print its id; 'ferryman token create --environment NAME' lets somebody in."""
    click.echo(api_services(data_dir).environments.create(name).id)


@environment.command("list")
@stack_option
def list_environments(data_dir: Path | None) -> None:
    """List all environments, the oldest first."""
    table = Table("id", "name", "created", box=None, pad_edge=False)
    for entry in api_services(data_dir).environments.all():
        table.add_row(entry.id, escape(entry.name), iso_utc(entry.created_at))
    print_table(table)
