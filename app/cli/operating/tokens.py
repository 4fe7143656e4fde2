"""``ferryman token``: the API's bearer tokens."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import click

from app.bootstrap.operators import build_operator_access
from app.cli.calling import Answer, print_answer, print_table
from app.cli.next_steps import list_connection_words, print_next_step_text
from app.cli.operating.environments import find_environment
from app.cli.operating.operators import read_operator_settings
from app.cli.options import Span, environment_option, stack_option
from app.engine.json_types import JsonObject
from app.engine.objects.environments import DEFAULT_ENVIRONMENT, ApiToken, Role
from app.engine.times import format_utc, format_utc_or_none
from app.invocation import write_command

_COLUMNS: Final = ("id", "name", "role", "created_at", "last_used_at", "state")


@click.group()
def token() -> None:
    """Create, list and revoke tokens of the API.

    Works on the database that DATABASE_URL names, else on the stack that 'ferryman up' runs here.
    """


@token.command()
@click.option("--name", default="cli", show_default=True, help="What the token is for.")
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    default=Role.ADMIN.value,
    show_default=True,
    help="What it may do: look, also run and deliver, or everything.",
)
@click.option("--expires-in", type=Span(), metavar="SPAN", help="When it ends: 90m, 12h, 30d, 8w.  [default: never]")
@environment_option
@print_answer
@stack_option
def create(name: str, role: str, expires_in: timedelta | None, environment: str, data_dir: Path | None) -> Answer:
    """Create a token and print it, which is the only time that it can be seen."""
    found = build_operator_access(read_operator_settings(data_dir))
    expires_at = None if expires_in is None else datetime.now(UTC) + expires_in
    made, secret = found.tokens.create(find_environment(found, environment), name, expires_at, role=Role(role))

    def show() -> None:
        click.echo(secret)
        listing = write_command(["run", "list", *list_connection_words()])
        print_next_step_text(f"export FERRYMAN_TOKEN=<the line above>; {listing}")

    return Answer({**_build_row(made), "token": secret}, show)


@token.command("list")
@environment_option
@print_answer
@stack_option
def list_tokens(environment: str, data_dir: Path | None) -> Answer:
    """List the tokens; never their secrets, which are not stored."""
    found = build_operator_access(read_operator_settings(data_dir))
    rows = [_build_row(entry) for entry in found.tokens.list(find_environment(found, environment))]
    return Answer(rows, lambda: print_table(rows, _COLUMNS, none="There are no tokens."))


@token.command()
@click.argument("token_id")
@environment_option
@print_answer
@stack_option
def revoke(token_id: str, environment: str, data_dir: Path | None) -> Answer:
    """End a token at once."""
    found = build_operator_access(read_operator_settings(data_dir))
    found.tokens.revoke(find_environment(found, environment), token_id)
    option = () if environment == DEFAULT_ENVIRONMENT else ("--environment", environment)
    revoked = {"id": token_id, "state": "revoked"}
    return Answer(revoked, f"Token {token_id} is revoked.", ("token", "list", *option))


def _build_row(entry: ApiToken) -> JsonObject:
    return {
        "id": entry.id,
        "name": entry.name,
        "role": str(entry.role),
        "created_at": format_utc(entry.created_at),
        "last_used_at": format_utc_or_none(entry.last_used_at),
        "state": _describe_state(entry),
    }


def _describe_state(entry: ApiToken) -> str:
    if entry.revoked_at:
        return "revoked"
    if entry.expires_at is None:
        return "valid"
    verb = "expired" if entry.expires_at <= datetime.now(UTC) else "valid until"
    return f"{verb} {format_utc(entry.expires_at)}"
