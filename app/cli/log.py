"""``ferryman log``: the logs of runs, webhooks, calls and triggers, over the HTTP API."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import click
from rich.markup import escape

from app.cli.calling import drop_none, json_option, pass_client, print_json, print_more, print_table
from app.cli.options import WholeRange
from app.cli.terminal import INTERRUPTED, build_console
from app.client import ApiClient
from app.engine.json_types import JSON, JsonObject
from app.engine.logs.entries import LogType

_PATH: Final = "/log"
_MOST: Final = 100
_POLL_SECONDS: Final = 1.0
_OF_RUNS: Final = ("timestamp", "sync_job_run_id", "event", "resource", "num_records", "webhook_status", "logs")
_COLUMNS: Final[Mapping[str, Sequence[str]]] = {
    LogType.RUNS: _OF_RUNS,
    LogType.RAPID_BRIDGE: _OF_RUNS,
    LogType.WEBHOOKS: ("created_at", "webhook_id", "event", "status", "attempts", "last_status_code", "last_error"),
    LogType.DIRECT_CALLS: ("created_at", "resource", "method", "response_status", "duration_ms", "error"),
    LogType.TRIGGERS: ("created_at", "sync_job_cron_trigger_id", "due_at", "sync_job_run_id", "error"),
}


@click.command("log")
@click.option(
    "--type",
    "log_type",
    type=click.Choice([str(kind) for kind in LogType]),
    default=LogType.RUNS.value,
    show_default=True,
    help="Whose log is meant.",
)
@click.option("--run", "sync_job_run_id", help="Only what happened in this run.")
@click.option("--job", "sync_job_id", help="Only what happened in runs of this sync job.")
@click.option("--account", "integrated_account_id", help="Only what happened for this integrated account.")
@click.option("--webhook", "webhook_id", help="Only what has to do with this webhook.")
@click.option("--event", "sync_job_run_event", help="Only one event of runs, such as failed.")
@click.option("--limit", default=20, show_default=True, type=WholeRange(1, _MOST), help="At most so many.")
@click.option("--follow", is_flag=True, help="Go on showing what happens, the newest last, until interrupted.")
@json_option
@pass_client
def log(client: ApiClient, *, follow: bool, as_json: bool, **filters: JSON) -> None:
    """Show what happened: in runs, to webhooks, by direct calls or to cron triggers; the newest first."""
    kind, query = filters["log_type"], drop_none(filters)
    if follow:
        try:
            _follow(client, query, _COLUMNS[kind], as_json=as_json)
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)
    page = client.get(_PATH, query)
    if as_json:
        print_json(page)
    else:
        rows = [_build_row(entry) for entry in page["result"]]
        print_table(rows, _COLUMNS[kind], none="Nothing of that kind happened.")
        print_more(page, limit=query["limit"], most=_MOST)


def _follow(client: ApiClient, query: JsonObject, columns: Sequence[str], *, as_json: bool) -> None:
    newest = {**query, "limit": _MOST}
    for entry in new_entries(lambda: client.get(_PATH, newest)["result"], query["limit"], pause=time.sleep):
        print_entry(entry, columns, as_json=as_json)


def new_entries(
    read: Callable[[], Sequence[JsonObject]], first: int, *, pause: Callable[[float], object]
) -> Iterator[JsonObject]:
    """Yield entries without end, oldest first, beginning with the last few.

    A new entry may stand among older ones, such as that of a run which started late: it is recognised by its id. A
    delivery is yielded again when its status has changed.
    """
    newest = read()
    yield from reversed(newest[:first])
    while True:
        known = {identify_entry(entry) for entry in newest}
        pause(_POLL_SECONDS)
        newest = read()
        yield from [entry for entry in reversed(newest) if identify_entry(entry) not in known]


def identify_entry(entry: JsonObject) -> tuple[JSON, ...]:
    """Return what two looks at the same state of one entry have in common."""
    return entry["id"], entry.get("status"), entry.get("delivery_status")


def print_entry(entry: JsonObject, columns: Sequence[str], *, as_json: bool) -> None:
    """Print an entry as one line."""
    if as_json:
        print_json(entry)
        return
    row = _build_row(entry)
    texts = [str(row[column]) for column in columns if row.get(column) is not None]
    build_console().print("  ".join(map(escape, texts)), soft_wrap=True)


def _build_row(entry: JsonObject) -> JsonObject:
    """Return an entry as columns show it: an event of a run by its last word, its lines as one text."""
    row: dict[str, Any] = dict(entry)
    if "sync_job_run_event" in entry:
        name = entry["sync_job_run_event"].partition(":")[2]
        row["event"] = f"{name} ({entry['delivery_status']})" if entry["delivery_status"] else name
        row["logs"] = "; ".join(entry["logs"]) or None
    return row
