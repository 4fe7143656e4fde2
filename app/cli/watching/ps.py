"""``ferryman ps``: the runs under way and the daemons, again and again, as ``top`` shows processes."""

import sys
import time
from typing import Final

import click
from rich.console import Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from app.cli.calling import json_option, pass_client, print_json
from app.cli.running.printing import colour_status
from app.cli.terminal import INTERRUPTED, Console, build_console, print_table
from app.cli.watching.looks import Look, look
from app.client import ApiClient, ApiError
from app.invocation import show_plain

_MOST_RUNS: Final = 100


@click.command()
@click.option("--once", is_flag=True, help="Print it once, and end; so it is without a terminal.")
@click.option(
    "--interval",
    default=2.0,
    show_default=True,
    type=click.FloatRange(0.5, 3600),
    help="Seconds between two looks.",
)
@click.option(
    "--limit",
    default=20,
    show_default=True,
    type=click.IntRange(1, _MOST_RUNS),
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
