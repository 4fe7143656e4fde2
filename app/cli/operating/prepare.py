"""``ferryman prepare``, which `ferryman up` runs before anything serves; not for people."""

from pathlib import Path

import click

from app import settings
from app.bootstrap.encryption import demand_key
from app.bootstrap.operators import people
from app.engine.errors import UnauthorizedError
from app.services.catalog.tokens import TokenService
from app.stack.data_directory import write_private
from app.store.db import migrate


@click.command(hidden=True)
@click.argument("token_file", type=click.Path(path_type=Path))
def prepare(token_file: Path) -> None:
    """Migrate, and make the token in TOKEN_FILE anew unless the database knows it."""
    chosen = settings.read_environment()
    migrate.upgrade(chosen.direct_database_url)
    demand_key(chosen)
    tokens = people(chosen).tokens
    if not (token_file.exists() and _is_valid(tokens, token_file.read_text().strip())):
        _, secret = tokens.create(tokens.default_environment(), "up")
        write_private(token_file, secret)


def _is_valid(tokens: TokenService, secret: str) -> bool:
    try:
        tokens.authenticate(secret)
    except UnauthorizedError:
        return False
    return True
