"""``ferryman migrate``: the database's tables."""

import click

from app import settings
from app.cli.calling import json_option, print_json
from app.cli.next_steps import tell_next
from app.store.db import migrate as migrations


@click.command(short_help="Bring the database's tables up to date.")
@click.option("--down-to", metavar="REVISION", help="Go back to this revision, before an older version is installed.")
@json_option
def migrate(down_to: str | None, as_json: bool) -> None:
    """Bring the database's tables up to date; may run many times, and at the same time.

    Reads DATABASE_URL, BROKER_URL and FERRYMAN_ENCRYPTION_KEY from the environment.
    """
    database_url = settings.read_environment().direct_database_url
    if down_to is None:
        migrations.upgrade(database_url)
    else:
        migrations.downgrade(database_url, down_to)
    if as_json:
        print_json({"down_to": down_to, "done": True})
    elif down_to is None:
        click.echo("The database is up to date.")
        tell_next("token", "create")
    else:
        click.echo(f"The database is at revision {down_to}.")
