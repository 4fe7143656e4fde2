"""``ferryman migrate``: the database's tables."""

import click

from app import settings
from app.cli.calling import Answer, print_answer
from app.store.db import migrate as migrations


@click.command(short_help="Bring the database's tables up to date.")
@click.option("--down-to", metavar="REVISION", help="Go back to this revision, before an older version is installed.")
@print_answer
def migrate(down_to: str | None) -> Answer:
    """Bring the database's tables up to date; may run many times, and at the same time.

    Reads DATABASE_URL, BROKER_URL and FERRYMAN_ENCRYPTION_KEY from the environment.
    """
    database_url = settings.read_environment().direct_database_url
    done = {"down_to": down_to, "done": True}
    if down_to is None:
        migrations.upgrade(database_url)
        return Answer(done, "The database is up to date.", ("token", "create"))
    migrations.downgrade(database_url, down_to)
    return Answer(done, f"The database is at revision {down_to}.")
