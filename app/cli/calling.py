"""What commands share: the client of the HTTP API, JSON arguments, and how answers are printed."""

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from rich.markup import escape
from rich.table import Table

from app.cli.next_steps import NextStep, print_next_step
from app.cli.options import WholeRange, data_dir_option
from app.cli.terminal import build_console
from app.cli.terminal import print_table as print_whole
from app.client import open_client
from app.engine.json_types import JSON, JsonObject
from app.invocation import escape_json, show_plain

LARGEST_PAGE: Final = 1000

Command = TypeVar("Command", bound=Callable[..., object])
Result = TypeVar("Result")

json_option = click.option("--json", "as_json", is_flag=True, help="Print the API's JSON.")

limit_option = click.option(
    "--limit", default=20, show_default=True, type=WholeRange(1, LARGEST_PAGE), help="At most so many."
)


def add_named_argument(name: str, *, metavar: str | None = None) -> Callable[[Command], Command]:
    """Add an argument that names an object, and refuse an empty one, such as that of an unset variable."""
    return click.argument(name, callback=_refuse_empty, metavar=metavar)


def connection_options(command: Command) -> Command:
    """Add the options for the API's address and token."""
    command = click.option("--url", envvar="FERRYMAN_URL", help="URL of the API.  [default: the stack on <data-dir>]")(
        command
    )
    command = click.option("--token", envvar="FERRYMAN_TOKEN", help="API token.  [default: <data-dir>/token]")(command)
    return data_dir_option(command)


def pass_client(command: Callable[..., Result]) -> Callable[..., Result]:
    """Add these options, and call the command with the client that they describe."""

    @connection_options
    @wraps(command)
    def call_with_client(url: str | None, token: str | None, data_dir: Path, **others: Any) -> Result:
        return command(open_client(url, token, data_dir.expanduser().resolve()), **others)

    return call_with_client


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command prints: ``value`` with ``--json``, else ``text`` and the command that mostly comes next."""

    value: JSON
    text: str | Callable[[], object]
    """A function prints it itself."""
    next_step: NextStep = ()
    why: str = field(default="", kw_only=True)
    """What the next step is for."""
    exit_code: int = field(default=0, kw_only=True)

    def print(self, *, as_json: bool) -> None:
        """Print the answer, and exit unless the code is 0."""
        if as_json:
            print_json(self.value)
        elif isinstance(self.text, str):
            click.echo(show_plain(self.text))
        else:
            self.text()
        if self.next_step and not as_json:
            print_next_step(*self.next_step, why=self.why)
        if self.exit_code:
            sys.exit(self.exit_code)


def print_answer(command: Callable[..., Answer]) -> Callable[..., None]:
    """Add the option ``--json``, and print the answer that the command returns."""

    @json_option
    @wraps(command)
    def run(*arguments: Any, as_json: bool, **options: Any) -> None:
        command(*arguments, **options).print(as_json=as_json)

    return run


def call_api(command: Callable[..., Answer]) -> Callable[..., None]:
    """Call the command with a client of the API, and print the answer that it returns."""
    return print_answer(pass_client(command))


class JsonValue(click.ParamType[JSON]):
    """Any JSON, or ``@file`` that holds it; ``@-`` is stdin."""

    name = "json"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> JSON:
        """Parse the text; a usage error unless it is JSON."""
        try:
            return json.loads(_read_content(value[1:]) if value.startswith("@") else value)
        except OSError as error:
            return self.fail(f"can not read {value[1:]}: {error.strerror}", param, ctx)
        except ValueError as error:
            where = f" in {value[1:]}" if value.startswith("@") else ""
            return self.fail(f"not JSON{where}: {error}", param, ctx)
        except RecursionError:
            return self.fail("it is nested too deeply", param, ctx)


class JsonArgument(click.ParamType[JsonObject]):
    """A JSON object, or ``@file`` that holds one."""

    name = "json"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> JsonObject:
        """Parse the text; a usage error unless it is a JSON object."""
        parsed = JsonValue().convert(value, param, ctx)
        if not isinstance(parsed, dict):
            self.fail("expected a JSON object such as '{\"user_ids\": [1, 2]}'", param, ctx)
        return parsed


def drop_none(values: JsonObject) -> JsonObject:
    """Return the values without options that were not given."""
    return {name: value for name, value in values.items() if value is not None}


def print_json(value: JSON) -> None:
    """Print what the API answered."""
    click.echo(escape_json(json.dumps(value, indent=2, ensure_ascii=False)))


def print_facts(title: str, facts: Iterable[tuple[str, JSON]]) -> None:
    """Print one object: a title, and a line for each fact that is not null."""
    output = build_console()
    output.print(escape(title))
    for name, value in facts:
        if value is not None:
            output.print(f"  {name}: {escape(_text_of(value))}")


def print_table(rows: Sequence[JsonObject], columns: Sequence[str], *, none: str) -> None:
    """Print objects, a line each, or ``none`` where there are none."""
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(escape(_text_of(row.get(column))) for column in columns))
    if rows:
        print_whole(table)
    else:
        click.echo(none)


def print_page(page: JsonObject, columns: Sequence[str], *, limit: int, none: str) -> None:
    """Print a page of a list, and how to see more of it."""
    print_table(page["result"], columns, none=none)
    print_more(page, limit=limit)


def print_more(page: JsonObject, *, limit: int, most: int = LARGEST_PAGE) -> None:
    """Print how to see what follows a page; nothing at the end of a list."""
    if not page.get("next_cursor"):
        return
    how = "narrow the list by its options" if limit >= most else f"--limit {min(most, 10 * limit)} shows them"
    click.echo(f"There are more: {how}.", err=True)


def _read_content(file: str) -> str:
    return sys.stdin.read() if file == "-" else Path(file).read_text()


def _refuse_empty(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not value:
        raise click.BadParameter("it is empty")
    return value


def _text_of(value: JSON) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
