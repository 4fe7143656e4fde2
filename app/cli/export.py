"""``ferryman export``: records as a file, over the HTTP API."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

import click

from app.cli.calling import pass_client
from app.cli.options import WholeRange
from app.client import ApiClient, Download
from app.formats.formats import MEDIA_TYPES, FileFormat

_STANDARD_OUTPUT: Final = "-"


@click.command()
@click.option("--resource", required=True, help="The resource whose records are exported.")
@click.option("--account", "integrated_account_id", metavar="ID", help="Only those of this account.")
@click.option("--integration", "integration_name", metavar="NAME", help="Only those of this integration's accounts.")
@click.option(
    "--format",
    "file_format",
    default=FileFormat.PARQUET.value,
    show_default=True,
    type=click.Choice([str(one) for one in FileFormat]),
    help="Parquet needs the extra 'parquet' where the API runs.",
)
@click.option("--since-seq", "after_seq", type=WholeRange(0), help="Only what the account's log has after this.")
@click.option("--run", "sync_job_run_id", metavar="ID", help="Only those whose last change this run has brought.")
@click.option("--with-deleted", is_flag=True, help="Also those that have vanished upstream.")
@click.option("--with-data", is_flag=True, help="Add the column data: each record as JSON.")
@click.option("--keep-formulas", is_flag=True, help="In CSV, leave texts that a spreadsheet executes as they are.")
@click.option("--output", default=_STANDARD_OUTPUT, metavar="FILE", help="Where to; - is standard output, the default.")
@pass_client
def export(client: ApiClient, output: str, file_format: str, **query: str | int | bool | None) -> None:
    """Export the records of a resource as Parquet, CSV or JSON lines."""
    if output == _STANDARD_OUTPUT and file_format == FileFormat.PARQUET and sys.stdout.isatty():
        raise click.UsageError("Parquet is not for a terminal: give --output FILE, or another --format")
    asked = {name: str(value).lower() if isinstance(value, bool) else value for name, value in query.items()}
    accept = MEDIA_TYPES[FileFormat(file_format)]
    with client.download("/record/export", asked, accept=accept) as answer, _open_output(output) as file:
        for piece in answer.pieces:
            file.write(piece)
    _print_state(answer)


@contextmanager
def _open_output(output: str) -> Iterator[BinaryIO]:
    """Open where to write; a file has its name once it is complete."""
    if output == _STANDARD_OUTPUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(output)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with unfinished.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        raise click.ClickException(f"can not write {output}: {error.strerror or error}") from error
    finally:
        unfinished.unlink(missing_ok=True)


def _print_state(answer: Download) -> None:
    """Print to stderr what the next export goes on after, and what this one may lack."""
    headers = {name.lower(): value for name, value in answer.headers.items()}
    if gap := headers.get("ferryman-gap-until"):
        click.echo(f"warning: entries up to {gap} may be gone: export all anew, without --since-seq", err=True)
    if through := headers.get("ferryman-through-seq"):
        click.echo(f"next: --since-seq {through}", err=True)
