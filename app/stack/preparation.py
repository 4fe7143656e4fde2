"""Makes a database ready to serve: its tables, and a first API token."""

from collections.abc import Mapping
from pathlib import Path

from app import bootstrap, settings
from app.engine.errors import UnauthorizedError
from app.services.tokens import TokenService
from app.stack.data_directory import write_private
from app.store import migrate

_TOKEN_NAME = "first"  # noqa: S105  # a label, no secret


def prepare_database(environment: Mapping[str, str], token_file: Path) -> str:
    """Migrate, and return the token in ``token_file``, which is made anew when the database does not know it."""
    migrate.upgrade(environment["DATABASE_URL"])
    tokens = bootstrap.api_services(settings.from_environment(environment)).tokens
    kept = token_file.read_text().strip() if token_file.exists() else ""
    if kept and _is_valid(tokens, kept):
        return kept
    _, secret = tokens.create(tokens.default_environment(), _TOKEN_NAME, None)
    write_private(token_file, secret)
    return secret


def _is_valid(tokens: TokenService, secret: str) -> bool:
    try:
        tokens.authenticate(secret)
    except UnauthorizedError:
        return False
    return True
