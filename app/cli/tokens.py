"""``ferryman token``: the API's bearer tokens."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from rich.markup import escape
from rich.table import Table

from app.cli.options import stack_option
from app.cli.services import api_services
from app.cli.terminal import console
from app.engine.objects import ApiToken
from app.engine.times import iso_utc


@click.group()
def token() -> None:
    """Create, list and revoke tokens of the API.

    Works on the database that DATABASE_URL names, else on the stack that 'ferryman up' runs here.
    """


@token.command()
@click.option("--name", default="cli", show_default=True, help="What the token is for.")
@click.option("--expires-in-days", type=click.IntRange(1, 3650), help="When it ends.  [default: never]")
@stack_option
def create(name: str, expires_in_days: int | None, data_dir: Path | None) -> None:
    """Create a token and print it, which is the only time that it can be seen."""
    tokens = api_services(data_dir).tokens
    expires_at = None if expires_in_days is None else datetime.now(UTC) + timedelta(days=expires_in_days)
    _, secret = tokens.create(tokens.default_environment(), name, expires_at)
    click.echo(secret)


@token.command("list")
@stack_option
def list_tokens(data_dir: Path | None) -> None:
    """List the tokens; never their secrets, which are not stored."""
    tokens = api_services(data_dir).tokens
    table = Table("id", "name", "created", "last used", "state", box=None, pad_edge=False)
    for entry in tokens.list(tokens.default_environment()):
        last_used = iso_utc(entry.last_used_at) if entry.last_used_at else "never"
        table.add_row(entry.id, escape(entry.name), iso_utc(entry.created_at), last_used, _state(entry))
    console().print(table)


@token.command()
@click.argument("token_id")
@stack_option
def revoke(token_id: str, data_dir: Path | None) -> None:
    """End a token at once."""
    tokens = api_services(data_dir).tokens
    tokens.revoke(tokens.default_environment(), token_id)
    click.echo(f"Token {token_id} is revoked.")


def _state(entry: ApiToken) -> str:
    if entry.revoked_at:
        return "revoked"
    if entry.expires_at is None:
        return "valid"
    verb = "expired" if entry.expires_at <= datetime.now(UTC) else "valid until"
    return f"{verb} {iso_utc(entry.expires_at)}"
