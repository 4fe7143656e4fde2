"""``ferryman sql``: a query over the views of an environment's records."""

import csv
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

import click
from rich.markup import escape
from rich.table import Table

from app.bootstrap.operators import build_operator_access, build_reader_queries
from app.cli.operating.operators import read_operator_settings
from app.cli.options import WholeRange, environment_option, stack_option
from app.cli.terminal import print_table
from app.invocation import escape_json

_MOST_SHOWN: Final = 1000
_NO_ROLE: Final = (
    "note: this environment has no reader role, so this is asked with Ferryman's own rights; 'ferryman schema show'"
    " says why"
)


@click.command(short_help="Ask for records by SQL, read-only.")
@click.argument("statement")
@environment_option
@click.option(
    "--timeout",
    "timeout_seconds",
    default=60,
    show_default=True,
    type=WholeRange(1, 86_400),
    help="Give up after so many seconds.",
)
@click.option("--json", "form", flag_value="json", help="Print a JSON object per line.")
@click.option("--csv", "form", flag_value="csv", help="Print CSV.")
@stack_option
def sql(statement: str, environment: str, timeout_seconds: int, form: str | None, data_dir: Path | None) -> None:
    """Run a SELECT over the views of records, such as 'select * from my_integration.users'.

    It runs in a read-only transaction, as the role that may read the environment's views and nothing else. Works on
    the database that DATABASE_URL names, else on the stack that 'ferryman up' runs here.
    """
    settings = read_operator_settings(data_dir)
    environment_id = build_operator_access(settings).environments.find(environment).id
    queries = build_reader_queries(settings)
    role = queries.find_role(environment_id)
    if role is None:
        click.echo(_NO_ROLE, err=True)
    queries.ask(statement, _PRINT[form], role=role, timeout_seconds=timeout_seconds)


def _print_as_table(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(escape(name))
    following = iter(rows)
    if not names:
        click.echo("There are no such rows.", err=True)
        return
    for row in islice(following, _MOST_SHOWN):
        table.add_row(*(escape(_show(value)) for value in row))
    print_table(table)
    if next(following, None) is not None:
        click.echo(f"There are more than {_MOST_SHOWN:,} rows: --csv and --json print all.", err=True)


def _print_as_json(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    for row in rows:
        click.echo(escape_json(json.dumps(dict(zip(names, row, strict=True)), default=str, ensure_ascii=False)))


def _print_as_csv(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    if names:
        writer.writerow(names)
    writer.writerows(_show_all(rows))


def _show_all(rows: Iterable[Sequence[Any]]) -> Iterator[list[str]]:
    for row in rows:
        yield [_show(value) for value in row]


def _show(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case dict() | list():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return str(value)


_PRINT: Final = {None: _print_as_table, "json": _print_as_json, "csv": _print_as_csv}
