"""``ferryman ps``: the runs under way and the daemons, again and again, as ``top`` shows processes."""

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

import click
from rich.console import Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from app.cli.calling import json_option, pass_client, print_json
from app.cli.options import DecimalRange, WholeRange
from app.cli.running.printing import colour_status
from app.cli.running.stats import list_resources
from app.cli.terminal import INTERRUPTED, Console, build_console, print_table
from app.client import ApiClient, ApiError
from app.engine.json_types import JsonObject
from app.engine.status import LIVE_RUN_STATUSES, ResourceStatus
from app.invocation import show_plain

_DAEMONS: Final = 100
_NOTHING: Final[JsonObject] = {"waits": [], "seconds": None, "is_slow": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was seen at one moment."""

    seconds: float
    """On a clock that only goes on."""
    runs: Sequence[JsonObject]
    daemons: Sequence[JsonObject]
    has_more: bool
    """Whether more runs are under way than were looked at."""
    fetched: Mapping[str, int] = field(default_factory=dict)
    """The records of each run until then."""

    @property
    def shown(self) -> JsonObject:
        """Return it as JSON."""
        return {"runs": list(self.runs), "daemons": list(self.daemons), "has_more": self.has_more}


def look(client: ApiClient, *, limit: int, seconds: float, before: Look | None = None) -> Look:
    """Look at the newest runs that have not ended; their rates are those since the look before, or else of all time."""
    query = {"status[in]": ",".join(sorted(LIVE_RUN_STATUSES)), "limit": limit}
    page = client.get("/sync-job-run", query)
    daemons = client.get("/daemon", {"limit": _DAEMONS, "sort": "-updated_at"})["result"]
    fetched = {run["id"]: _count_fetched(run) for run in page["result"]}
    return Look(
        seconds=seconds,
        runs=[_describe_run(client, run, fetched[run["id"]], seconds, before) for run in page["result"]],
        daemons=[daemon for daemon in daemons if daemon["status"] != "stopped"],
        has_more=bool(page["next_cursor"]),
        fetched=fetched,
    )


def _describe_run(client: ApiClient, run: JsonObject, fetched: int, seconds: float, before: Look | None) -> JsonObject:
    found = _explain(client, run["id"])
    waits = [wait["message"] for wait in found["waits"]]
    return {
        "id": run["id"],
        "status": run["status"],
        "integrated_account_id": run["integrated_account_id"],
        "job": (run.get("sync_job") or {}).get("label") or run["sync_job_id"],
        "resources": _list_running(run),
        "records": fetched,
        "records_per_second": _measure_rate(run["id"], fetched, seconds, before, found["seconds"]),
        "seconds": found["seconds"],
        "waits": waits,
        "is_slow": found["is_slow"],
    }


def _explain(client: ApiClient, run_id: str) -> JsonObject:
    """Ask what a run waits for; nothing of one that was removed meanwhile."""
    try:
        found: JsonObject = client.get(f"/sync-job-run/{quote(run_id, safe='')}/waits")
    except ApiError as error:
        if error.status != 404:
            raise
        return _NOTHING
    return found


def _list_running(run: JsonObject) -> list[str]:
    return [name for name, stats in list_resources(run) if stats.get("status") == ResourceStatus.RUNNING]


def _count_fetched(run: JsonObject) -> int:
    return sum(stats.get("fetched", 0) for _, stats in list_resources(run))


def _measure_rate(
    run_id: str, fetched: int, seconds: float, before: Look | None, taken_seconds: float | None
) -> float | None:
    if before is not None and run_id in before.fetched and seconds > before.seconds:
        return round((fetched - before.fetched[run_id]) / (seconds - before.seconds), 1)
    return round(fetched / taken_seconds, 1) if taken_seconds else None


_MOST_RUNS: Final = 100


@click.command()
@click.option("--once", is_flag=True, help="Print it once, and end; so it is without a terminal.")
@click.option(
    "--interval",
    default=2.0,
    show_default=True,
    type=DecimalRange(0.5, 3600),
    help="Seconds between two looks.",
)
@click.option(
    "--limit",
    default=20,
    show_default=True,
    type=WholeRange(1, _MOST_RUNS),
    help="At most so many runs, the newest.",
)
@json_option
@pass_client
def ps(client: ApiClient, once: bool, interval: float, limit: int, as_json: bool) -> None:
    """Show the runs under way, what each waits for, and the daemons, until Ctrl-C; with --json once."""
    if as_json:
        print_json(look(client, limit=limit, seconds=time.monotonic()).shown)
    elif once or not Console().is_terminal:
        _print_once(look(client, limit=limit, seconds=time.monotonic()))
    else:
        try:
            _watch(client, limit=limit, interval=interval)
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)


def _print_once(seen: Look) -> None:
    output = build_console()
    output.print(_summarise(seen))
    for table in (_build_runs(seen), _build_daemons(seen)):
        if table.row_count:
            print_table(table)


def _watch(client: ApiClient, *, limit: int, interval: float) -> None:
    """Look and show, also while the API is away for a time."""
    seen: Look | None = None
    fault = ""
    with Live(console=Console(highlight=False), screen=True, auto_refresh=False) as live:
        while True:
            try:
                seen, fault = look(client, limit=limit, seconds=time.monotonic(), before=seen), ""
            except ApiError as error:
                if seen is None:
                    raise
                fault = str(error)
            live.update(_compose(seen, fault), refresh=True)
            time.sleep(interval)


def _compose(seen: Look, fault: str) -> RenderableType:
    parts: list[RenderableType] = [_summarise(seen), _build_runs(seen), Text(""), _build_daemons(seen)]
    return Group(*([Text(show_plain(fault), style="red")] if fault else []), *parts)


def _summarise(seen: Look) -> str:
    rate = sum(run["records_per_second"] or 0 for run in seen.runs)
    more = "more than " if seen.has_more else ""
    waiting = sum(bool(run["waits"]) for run in seen.runs)
    active = sum(daemon["status"] == "active" for daemon in seen.daemons)
    return f"{more}{len(seen.runs)} runs under way, {waiting} wait, {rate:,.1f} records/s; {active} daemons active"


def _build_runs(seen: Look) -> Table:
    table = Table("run", "status", "account", "resource", box=None, pad_edge=False)
    for name in ("records", "records/s"):
        table.add_column(name, justify="right")
    table.add_column("waits for")
    for run in seen.runs:
        rate = run["records_per_second"]
        words = "; ".join(run["waits"]) or ("nothing, and is slow" if run["is_slow"] else "-")
        texts = (run["integrated_account_id"], ", ".join(run["resources"]) or "-")
        numbers = (f"{run['records']:,}", "-" if rate is None else f"{rate:,.1f}")
        table.add_row(escape(run["id"]), colour_status(run["status"]), *map(escape, texts), *numbers, escape(words))
    return table


def _build_daemons(seen: Look) -> Table:
    table = Table("daemon", "group", "status", "last message", "failing duties", box=None, pad_edge=False)
    for daemon in seen.daemons:
        duties = ", ".join(sorted(daemon["metadata"].get("failing_duties", {}))) or "-"
        texts = (daemon["label"], daemon["group_key"], daemon["status"], daemon["consumed_at"] or "-", duties)
        table.add_row(*map(escape, texts))
    return table
