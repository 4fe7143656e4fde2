"""``ferryman logs``: all that was logged of one run, or what a process of the stack has written."""

import sys
import time
from collections.abc import Container, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import quote

import click

from app.cli.calling import add_named_argument, connection_options, json_option
from app.cli.log import identify_entry, print_entry
from app.cli.options import WholeRange
from app.cli.running.stats import is_final
from app.cli.terminal import INTERRUPTED
from app.cli.watching import process_logs
from app.client import ApiClient, open_client
from app.engine.json_types import JSON, JsonObject
from app.engine.logs.entries import LogType
from app.engine.logs.range import LONGEST
from app.engine.times import format_utc

_PAGE: Final = 100
_MOST: Final = 100_000
_POLL_SECONDS: Final = 1.0
_A_DAY: Final = timedelta(days=1)
_COLUMNS: Final = ("timestamp", "event", "resource", "num_records", "webhook_status", "logs")


@click.command()
@add_named_argument("name", metavar="ID|PROCESS")
@click.option(
    "--follow", is_flag=True, help="Go on with what comes: of a run until it ends, of a process until Ctrl-C."
)
@click.option(
    "--limit", default=1000, show_default=True, type=WholeRange(1, _MOST), help="At most so many lines, the last."
)
@json_option
@connection_options
def logs(
    *, name: str, follow: bool, limit: int, as_json: bool, url: str | None, token: str | None, data_dir: Path
) -> None:
    """Show all that happened in a run, the oldest first; or what a process of 'ferryman up' wrote, such as daemon-1."""
    directory = data_dir.expanduser().resolve()
    try:
        if url is None and (file := process_logs.find_file(directory, name)) is not None:
            for line in process_logs.read_lines(file, limit=limit, follow=follow):
                process_logs.print_line(line, as_json=as_json)
            return
        client = open_client(url, token, directory)
        run = client.get(_path_of(name))
        entries = _follow(client, run, limit=limit) if follow else _list_entries(client, run, limit=limit)
        for entry in entries:
            print_entry(entry, _COLUMNS, as_json=as_json)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _list_entries(
    client: ApiClient, run: JsonObject, *, limit: int, known: Container[tuple[JSON, ...]] = ()
) -> list[JsonObject]:
    """Read the last entries of a run that are not known, the oldest first."""
    query = _build_query(run)
    found: list[JsonObject] = []
    while len(found) < limit:
        page = client.get("/log", {**query, "limit": min(_PAGE, limit - len(found))})
        new = [entry for entry in page["result"] if identify_entry(entry) not in known]
        found += new
        if not page["next_cursor"] or len(new) < len(page["result"]):
            break
        query = {**query, "next_cursor": page["next_cursor"]}
    return found[::-1]


def _follow(client: ApiClient, run: JsonObject, *, limit: int) -> Iterator[JsonObject]:
    """Yield a run's entries until it has ended; a delivery again when its status has changed."""
    known: set[tuple[JSON, ...]] = set()
    while True:
        # Before its entries, the last of which are there once it has ended.
        run = client.get(_path_of(run["id"]))
        new = _list_entries(client, run, limit=_MOST if known else limit, known=known)
        known |= {identify_entry(entry) for entry in new}
        yield from new
        if is_final(run):
            return
        time.sleep(_POLL_SECONDS)


def _build_query(run: JsonObject) -> JsonObject:
    """Return the query of a run's entries: one look at the log spans a month at most, and the run may be older."""
    latest = datetime.fromisoformat(run["finished_at"]) if run.get("finished_at") else datetime.now(UTC)
    begun = max(datetime.fromisoformat(run["created_at"]), latest + _A_DAY - LONGEST)
    span = {"created_at[gte]": format_utc(begun), "created_at[lt]": format_utc(latest + _A_DAY)}
    return {"log_type": LogType.RUNS.value, "sync_job_run_id": run["id"], **span}


def _path_of(run_id: str) -> str:
    return f"/sync-job-run/{quote(run_id, safe='')}"
