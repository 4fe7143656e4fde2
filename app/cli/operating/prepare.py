"""``ferryman prepare``, which ``ferryman up`` runs before it starts the API and daemons."""

from pathlib import Path

import click

from app import settings
from app.bootstrap.encryption import check_encryption_key
from app.bootstrap.operators import build_operator_access, build_reader_queries
from app.bootstrap.tracing import check_tracing
from app.engine.errors import UnauthorizedError
from app.services.catalog.tokens import TokenService
from app.stack.data_directory import write_private
from app.store.db import migrate


@click.command(hidden=True)
@click.argument("token_file", type=click.Path(path_type=Path))
def prepare(token_file: Path) -> None:
    """Migrate, and make the token in TOKEN_FILE anew unless the database knows it."""
    chosen = settings.read_environment()
    check_tracing(chosen)
    migrate.upgrade(chosen.direct_database_url)
    check_encryption_key(chosen)
    tokens = build_operator_access(chosen).tokens
    # The line that 'ferryman up' prints for psql names it.
    build_reader_queries(chosen).find_role(tokens.default_environment())
    if not (token_file.exists() and _is_valid(tokens, token_file.read_text().strip())):
        _, secret = tokens.create(tokens.default_environment(), "up")
        write_private(token_file, secret)


def _is_valid(tokens: TokenService, secret: str) -> bool:
    try:
        tokens.authenticate(secret)
    except UnauthorizedError:
        return False
    return True
