"""What commands share that call the HTTP API: their client, JSON arguments, and how answers are printed."""

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from pathlib import Path
from typing import TypeVar

import click
from rich.markup import escape
from rich.table import Table

from app.cli.options import data_dir_option
from app.cli.terminal import console
from app.cli.terminal import print_table as print_whole
from app.client import open_client
from app.engine.json_types import JSON, JsonObject

Command = TypeVar("Command", bound=Callable[..., object])

json_option = click.option("--json", "as_json", is_flag=True, help="Print the API's JSON.")

limit_option = click.option(
    "--limit", default=20, show_default=True, type=click.IntRange(1, 1000), help="At most so many."
)


def named_argument(name: str, *, metavar: str | None = None) -> Callable[[Command], Command]:
    """Give a command an argument that names a thing: an empty one, such as of an unset variable, names none."""
    return click.argument(name, callback=_refuse_empty, metavar=metavar)


def connection_options(command: Command) -> Command:
    """Return a command the options that say which API is called, and as whom."""
    command = click.option("--url", envvar="FERRYMAN_URL", help="URL of the API.  [default: the stack on <data-dir>]")(
        command
    )
    command = click.option("--token", envvar="FERRYMAN_TOKEN", help="API token.  [default: <data-dir>/token]")(command)
    return data_dir_option(command)


def connected(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command its client, as those options say."""

    @connection_options
    @wraps(command)
    def with_client(url: str | None, token: str | None, data_dir: Path, **others: object) -> None:
        command(open_client(url, token, data_dir.expanduser().resolve()), **others)

    return with_client


class JsonValue(click.ParamType[JSON]):
    """Any JSON, or ``@file`` that holds it; ``@-`` is what comes in."""

    name = "json"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> JSON:
        """Parse the text; usage fault when it is not JSON."""
        try:
            return json.loads(_content(value[1:]) if value.startswith("@") else value)
        except OSError as error:
            return self.fail(f"can not read {value[1:]}: {error.strerror}", param, ctx)
        except ValueError as error:
            where = f" in {value[1:]}" if value.startswith("@") else ""
            return self.fail(f"not JSON{where}: {error}", param, ctx)


class JsonArgument(click.ParamType[JsonObject]):
    """A JSON object, or ``@file`` that holds one."""

    name = "json"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> JsonObject:
        """Parse the text; usage fault when it is not a JSON object."""
        parsed = JsonValue().convert(value, param, ctx)
        if not isinstance(parsed, dict):
            self.fail("expected a JSON object such as '{\"user_ids\": [1, 2]}'", param, ctx)
        return parsed


def given(wishes: JsonObject) -> JsonObject:
    """Leave out what nobody asked for."""
    return {name: value for name, value in wishes.items() if value is not None}


def print_json(value: JSON) -> None:
    """Print what the API answered."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_facts(title: str, facts: Iterable[tuple[str, JSON]]) -> None:
    """Print one thing: a line, and below it what is known of it."""
    output = console()
    output.print(escape(title))
    for name, value in facts:
        if value is not None:
            output.print(f"  {name}: {escape(_shown(value))}")


def print_table(rows: Sequence[JsonObject], columns: Sequence[str], *, none: str) -> None:
    """Print things of one kind, a line each; ``none`` is said when there are none."""
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(escape(_shown(row.get(column))) for column in columns))
    if rows:
        print_whole(table)
    else:
        click.echo(none)


def _content(file: str) -> str:
    return sys.stdin.read() if file == "-" else Path(file).read_text()


def _refuse_empty(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not value:
        raise click.BadParameter("it is empty")
    return value


def _shown(value: JSON) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
