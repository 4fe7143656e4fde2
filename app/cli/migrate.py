"""``ferryman migrate``: the database's tables."""

import click

from app import settings
from app.store import migrate as migrations


@click.command(short_help="Bring the database's tables up to date.")
def migrate() -> None:
    """Bring the database's tables up to date; may run many times, and at the same time.

    Reads DATABASE_URL, BROKER_URL and FERRYMAN_ENCRYPTION_KEY from the environment.
    """
    migrations.upgrade(settings.from_environment().direct_database_url)
    click.echo("The database is up to date.")
