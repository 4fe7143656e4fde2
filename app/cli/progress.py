"""Runs on a terminal: tables of what became of them, and bars while they go on."""

import time
from collections.abc import Callable, Iterator, Sequence

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from app.cli.terminal import console, print_table
from app.engine.json_types import JsonObject
from app.engine.status import FINAL_RUN_STATUSES, RunStatus

_POLL_SECONDS = 0.5
_COLOURS = {"completed": "green", "failed": "red", "stopped": "yellow", "rate_limited": "yellow"}
_COUNTERS = ("fetched", "persisted", "unchanged", "errors")
_SOMETIMES = ("repeated", "quarantined")
_WEBHOOK_COUNTERS = ("fetched", "queued", "delivered", "errors")


def follow_run(read_run: Callable[[], JsonObject], *, quiet: bool = False) -> JsonObject:
    """Read a run until its status is final, showing each resource's counters meanwhile; give it as it ended."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TextColumn("{task.fields[counts]}"))
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), disable=quiet, transient=True) as bars:
        tasks = {"": bars.add_task("run", counts="")}
        while (run := read_run())["status"] not in FINAL_RUN_STATUSES:
            bars.update(tasks[""], counts=run["status"])
            for name, stats in _resources(run):
                if name not in tasks:
                    tasks[name] = bars.add_task(escape(f"  {name}"), counts="")
                bars.update(tasks[name], counts=_counts(stats, _counters(run)))
            time.sleep(_POLL_SECONDS)
    return run


def print_run(run: JsonObject, *, daemons: int | None = None) -> None:
    """Print a run's status, what it waits for, the reason if it failed, and a table of its resources.

    ``daemons`` of its group are active; None where that is not known.
    """
    output = console()
    output.print(f"run {escape(run['id'])}  {_status(run['status'])}")
    if waits_for := _waits_for(run, daemons):
        output.print(f"  waits for {escape(waits_for)}")
    if run.get("error"):
        output.print(f"  [red]{escape(run['error']['code'])}[/]: {escape(run['error']['message'])}")
    table = Table("resource", "status", box=None, pad_edge=False)
    counters = _counters(run)
    for name in counters:
        table.add_column(name, justify="right")
    for name, stats in _resources(run):
        table.add_row(escape(name), _status(stats.get("status", "")), *(f"{stats.get(key, 0):,}" for key in counters))
    if table.row_count:
        print_table(table)
    for warning in _warnings(run):
        output.print(f"[yellow]warning[/] {escape(warning)}")
    if errors := sum(stats.get("errors", 0) for _, stats in _resources(run)):
        output.print(f"{errors:,} requests or records failed: 'ferryman run errors {escape(run['id'])}' lists them")


def print_verification(found: JsonObject) -> None:
    """Print each equation of a run's books with its two sides, and whether all of them hold."""
    output = console()
    verdict = "[green]the books balance[/]" if found["balanced"] else "[red]the books do not balance[/]"
    output.print(f"run {escape(found['id'])}  {_status(found['status'])}  {verdict}")
    table = Table("resource", "equation", box=None, pad_edge=False)
    for side in ("left", "right", ""):
        table.add_column(side, justify="right")
    for check in found["checks"]:
        mark = "[green]holds[/]" if check["holds"] else "[red]does not hold[/]"
        table.add_row(
            *map(escape, (check["resource"], check["equation"])), f"{check['left']:,}", f"{check['right']:,}", mark
        )
    print_table(table)


def print_runs(runs: Sequence[JsonObject]) -> None:
    """Print one line per run."""
    table = Table("id", "status", "created", "job", "account", box=None, pad_edge=False)
    for run in runs:
        facts = (run["created_at"], run["sync_job_id"], run["integrated_account_id"])
        table.add_row(escape(run["id"]), _status(run["status"]), *map(escape, facts))
    if runs:
        print_table(table)
    else:
        click.echo("There are no such runs.")


def _resources(run: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    for resource, methods in (run.get("resource_stats") or {}).items():
        for method, stats in methods.items():
            yield f"{resource} {method}", stats


def _warnings(run: JsonObject) -> Iterator[str]:
    for name, stats in _resources(run):
        for code, told in stats.get("warnings", {}).items():
            yield f"{name}: {code} ({told['count']:,}): {told['message']}"


def _waits_for(run: JsonObject, daemons: int | None) -> str | None:
    if run.get("waiting_on"):
        return f"run {run['waiting_on']}, which goes first"
    if run["status"] == RunStatus.RATE_LIMITED:
        return f"its upstream, which asked for that, until {run['retry_after']}"
    if run["status"] != RunStatus.CREATED or daemons is None:
        return None
    group = run["daemon_group_key"]
    if daemons:
        return f"a daemon of group '{group}', of which {daemons} are active"
    return f"a daemon of group '{group}', and none is active: 'ferryman daemon --group {group}' starts one"


def _counters(run: JsonObject) -> Sequence[str]:
    *counters, last = _WEBHOOK_COUNTERS if run.get("webhook_id") else _COUNTERS
    some = [name for name in _SOMETIMES if any(stats.get(name) for _, stats in _resources(run))]
    return [*counters, *some, last]


def _counts(stats: JsonObject, counters: Sequence[str]) -> str:
    return "  ".join(f"{stats.get(name, 0):,} {name}" for name in counters)


def _status(status: str) -> str:
    return f"[{_COLOURS.get(status, 'cyan')}]{escape(status)}[/]"
