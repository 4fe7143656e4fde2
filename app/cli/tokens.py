"""``ferryman token``: the API's bearer tokens."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import click
from rich.markup import escape
from rich.table import Table

from app.api.services import ApiServices
from app.cli.options import environment_option, stack_option
from app.cli.services import api_services
from app.cli.terminal import print_table
from app.engine.objects import ApiToken, EnvironmentId
from app.engine.roles import Role
from app.engine.times import iso_utc
from app.services.tokens import DEFAULT_ENVIRONMENT

_UNITS: Final = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_LONGEST: Final = timedelta(days=3650)


class Span(click.ParamType[timedelta]):
    """A length of time such as ``30d``."""

    name = "span"

    def convert(self, value: str | timedelta, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Read a number and its unit."""
        if isinstance(value, timedelta):
            return value
        parts = re.fullmatch(r"([1-9][0-9]{0,5})([mhdw])", value)
        span = int(parts[1]) * _UNITS[parts[2]] if parts else _LONGEST
        if parts is None or span > _LONGEST:
            self.fail(f"'{value}' is no time such as 90m, 12h, 30d or 8w, of ten years at most", param, ctx)
        return span


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
@stack_option
def create(name: str, role: str, expires_in: timedelta | None, environment: str, data_dir: Path | None) -> None:
    """Create a token and print it, which is the only time that it can be seen."""
    services = api_services(data_dir)
    expires_at = None if expires_in is None else datetime.now(UTC) + expires_in
    _, secret = services.tokens.create(_environment(services, environment), name, expires_at, role=Role(role))
    click.echo(secret)


@token.command("list")
@environment_option
@stack_option
def list_tokens(environment: str, data_dir: Path | None) -> None:
    """List the tokens; never their secrets, which are not stored."""
    services = api_services(data_dir)
    table = Table("id", "name", "role", "created", "last used", "state", box=None, pad_edge=False)
    for entry in services.tokens.list(_environment(services, environment)):
        last_used = iso_utc(entry.last_used_at) if entry.last_used_at else "never"
        table.add_row(entry.id, escape(entry.name), entry.role, iso_utc(entry.created_at), last_used, _state(entry))
    print_table(table)


@token.command()
@click.argument("token_id")
@environment_option
@stack_option
def revoke(token_id: str, environment: str, data_dir: Path | None) -> None:
    """End a token at once."""
    services = api_services(data_dir)
    services.tokens.revoke(_environment(services, environment), token_id)
    click.echo(f"Token {token_id} is revoked.")


def _environment(services: ApiServices, name: str) -> EnvironmentId:
    if name == DEFAULT_ENVIRONMENT:
        return services.tokens.default_environment()
    return services.environments.named(name).id


def _state(entry: ApiToken) -> str:
    if entry.revoked_at:
        return "revoked"
    if entry.expires_at is None:
        return "valid"
    verb = "expired" if entry.expires_at <= datetime.now(UTC) else "valid until"
    return f"{verb} {iso_utc(entry.expires_at)}"
