"""``ferryman environment``: environments, each with objects and tokens of its own."""

from pathlib import Path

import click

from app.bootstrap.operators import OperatorAccess, build_operator_access
from app.cli.calling import Answer, print_answer, print_table
from app.cli.operating.operators import read_operator_settings
from app.cli.options import stack_option
from app.engine.json_types import JsonObject
from app.engine.objects.environments import DEFAULT_ENVIRONMENT, Environment, EnvironmentId
from app.engine.times import format_utc


@click.group()
def environment() -> None:
    """Create and list environments: what one holds is not seen from another.

    Works on the database that DATABASE_URL names, else on the stack that 'ferryman up' runs here.
    """


@environment.command()
@click.argument("name")
@print_answer
@stack_option
def create(name: str, data_dir: Path | None) -> Answer:
    """Create an environment and print its id."""
    made = build_operator_access(read_operator_settings(data_dir)).environments.create(name)
    return Answer(_build_row(made), made.id, ("token", "create", "--environment", made.name))


@environment.command("list")
@print_answer
@stack_option
def list_environments(data_dir: Path | None) -> Answer:
    """List all environments, the oldest first."""
    rows = [_build_row(entry) for entry in build_operator_access(read_operator_settings(data_dir)).environments.all()]
    return Answer(rows, lambda: print_table(rows, ("id", "name", "created_at"), none="There are none."))


def find_environment(found: OperatorAccess, name: str) -> EnvironmentId:
    """Return the id of an environment; raise NotFoundError."""
    if name == DEFAULT_ENVIRONMENT:
        return found.tokens.default_environment()
    return found.environments.find(name).id


def _build_row(entry: Environment) -> JsonObject:
    return {"id": entry.id, "name": entry.name, "created_at": format_utc(entry.created_at)}
