"""``ferryman session``: who is signed in to the dashboard."""

from pathlib import Path
from typing import Final

import click

from app.bootstrap.operators import build_operator_access
from app.cli.calling import Answer, print_answer, print_table
from app.cli.operating.environments import find_environment
from app.cli.operating.operators import read_operator_settings
from app.cli.options import environment_option, stack_option
from app.engine.json_types import JsonObject
from app.engine.objects.environments import DEFAULT_ENVIRONMENT
from app.engine.objects.sessions import Session
from app.engine.times import format_utc

_COLUMNS: Final = ("id", "name", "role", "signed_in_by", "created_at", "expires_at")


@click.group()
def session() -> None:
    """List who is signed in to the dashboard, and sign them out.

    Works on the database that DATABASE_URL names, else on the stack that 'ferryman up' runs here.
    """


@session.command("list")
@environment_option
@print_answer
@stack_option
def list_sessions(environment: str, data_dir: Path | None) -> Answer:
    """List who is signed in, the newest first."""
    found = build_operator_access(read_operator_settings(data_dir))
    rows = [_build_row(entry) for entry in found.sessions.list(find_environment(found, environment))]
    return Answer(rows, lambda: print_table(rows, _COLUMNS, none="Nobody is signed in."))


@session.command()
@click.argument("whose")
@environment_option
@print_answer
@stack_option
def end(whose: str, environment: str, data_dir: Path | None) -> Answer:
    """End the session of an id, or all of a name, at once.

    The provider or the token that let them in lets them in again: take that away first.
    """
    found = build_operator_access(read_operator_settings(data_dir))
    count = found.sessions.end(find_environment(found, environment), whose)
    option = () if environment == DEFAULT_ENVIRONMENT else ("--environment", environment)
    return Answer({"ended": count}, f"Sessions ended: {count}.", ("session", "list", *option))


def _build_row(entry: Session) -> JsonObject:
    return {
        "id": entry.id,
        "name": entry.name,
        "role": str(entry.role),
        "signed_in_by": "openid" if entry.token_id is None else f"token {entry.token_id}",
        "created_at": format_utc(entry.created_at),
        "expires_at": format_utc(entry.expires_at),
    }
