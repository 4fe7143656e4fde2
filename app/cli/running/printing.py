"""Print runs: one with what it waits for and its resources, many as a table, one's verified counters."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import click
from rich.markup import escape
from rich.table import Table

from app.cli.next_steps import NextStep, list_connection_words
from app.cli.running.stats import choose_counters, count_errors, format_duration, is_final, list_resources
from app.cli.terminal import build_console, print_table
from app.engine.json_types import JSON, JsonObject
from app.engine.runs.books import describe_failed
from app.engine.status import RunStatus
from app.invocation import write_command

_COLOURS: Final = {"completed": "green", "failed": "red", "stopped": "yellow", "rate_limited": "yellow"}


def print_run(run: JsonObject, *, waits: JsonObject | None = None) -> None:
    """Print a run's status, what it waits for, the reason if it failed, and a table of its resources.

    ``waits`` is the API's answer about its waits and the pace of its resources; None is not known.
    """
    output = build_console()
    took = format_duration(run)
    output.print(f"run {escape(run['id'])}  {colour_status(run['status'])}{f'  {took}' if took else ''}")
    for wait in (waits or {}).get("waits", ()):
        output.print(f"  waits for {escape(wait['message'])}{escape(_find_advice(run, wait))}")
    if waits and waits["is_slow"]:
        output.print(f"  [yellow]slow[/]: its last runs took {waits['usual_seconds']:,.1f} s")
    if run.get("error"):
        output.print(f"  [red]{escape(run['error']['code'])}[/]: {escape(_format_reason(run['error']))}")
    _print_resources(run, {f"{pace['resource']} {pace['method']}": pace for pace in (waits or {}).get("resources", ())})
    for line in _list_readings(run):
        output.print(f"  {escape(line)}")
    for one in run.get("destinations") or ():
        output.print(f"  {escape(_describe_landing(one))}")
    for warning in _list_warnings(run):
        output.print(f"[yellow]warning[/] {escape(warning)}")
    if errors := sum(stats.get("errors", 0) for _, stats in list_resources(run)):
        listing = write_command(["run", "errors", run["id"], *list_connection_words()])
        output.print(f"{describe_failed(errors)}: '{escape(listing)}' lists them")


def _describe_landing(one: JsonObject) -> str:
    outcomes = " + ".join(f"{one[name]:,} {name}" for name in ("written", "unchanged", "quarantined", "filtered"))
    return f"at destination {one['label'] or one['destination_id']}: {one['records']:,} records = {outcomes}"


def explain_run(run: JsonObject, waits: JsonObject) -> str:
    """Return in one sentence what a run waits for, or what it ended by, with what can be done about it."""
    is_waiting = waits["waits"] and not run.get("error")
    advice = _find_advice(run, waits["waits"][0]) if is_waiting else ""
    return f"{waits['reason']}{advice}"


def print_runs(runs: Sequence[JsonObject], tenants: Mapping[str, str]) -> None:
    """Print a line per run; ``tenants`` are those of the accounts."""
    names = ("id", "status", "errors", "created", "duration", "job", "account", "tenant")
    table = Table(*names, box=None, pad_edge=False)
    for run in runs:
        account_id, errors = run["integrated_account_id"], count_errors(run)
        job = (run.get("sync_job") or {}).get("label") or run["sync_job_id"]
        others = (run["created_at"], format_duration(run) or "-", job, account_id, tenants.get(account_id, "-"))
        count = f"[red]{errors:,}[/]" if errors else "0"
        table.add_row(escape(run["id"]), colour_status(run["status"]), count, *map(escape, others))
    if runs:
        print_table(table)
    else:
        click.echo("There are no such runs.")


def print_verification(found: JsonObject) -> None:
    """Print each equation of a run's books with its two sides, and whether all of them hold."""
    output = build_console()
    verdict = "[green]the books balance[/]" if found["balanced"] else "[red]the books do not balance[/]"
    output.print(f"run {escape(found['id'])}  {colour_status(found['status'])}  {verdict}")
    table = Table("resource", "equation", box=None, pad_edge=False)
    for side in ("left", "right", ""):
        table.add_column(side, justify="right")
    for check in found["checks"]:
        mark = "[green]holds[/]" if check["holds"] else "[red]does not hold[/]"
        table.add_row(
            *map(escape, (check["resource"], check["equation"])), f"{check['left']:,}", f"{check['right']:,}", mark
        )
    print_table(table)


def choose_next_step(run: JsonObject) -> NextStep:
    """Return the words of the command that mostly comes after a look at a run."""
    if not is_final(run):
        return "run", "follow", run["id"]
    if run["status"] != RunStatus.COMPLETED:
        return "run", "resume", run["id"], "--follow"
    if count_errors(run):
        return "run", "resume", run["id"], "--errors-only", "--follow"
    if run.get("webhook_id"):
        return "webhook", "deliveries", run["webhook_id"], "--run", run["id"]
    return "record", "list", run["integrated_account_id"]


def colour_status(status: str) -> str:
    """Return a status as the console colours it."""
    return f"[{_COLOURS.get(status, 'cyan')}]{escape(status)}[/]"


def _print_resources(run: JsonObject, paces: Mapping[str, JsonObject]) -> None:
    table = Table("resource", "status", box=None, pad_edge=False)
    counters = choose_counters(run)
    for name in (*counters, *(("answer", "usually", "requests/s") if paces else ())):
        table.add_column(name, justify="right")
    for name, stats in list_resources(run):
        counted = [f"{stats.get(key, 0):,}" for key in counters]
        pace = _format_pace(paces.get(name, {})) if paces else ()
        table.add_row(escape(name), colour_status(stats.get("status", "")), *counted, *pace)
    if table.row_count:
        print_table(table)


def _format_pace(pace: JsonObject) -> tuple[str, str, str]:
    """Write how long an upstream takes to answer, in red where that is far more than usual, and the rate."""
    answer, rate = _format_milliseconds(pace.get("latency_ms")), pace.get("requests_per_second")
    latency = f"[red]{answer} (slow)[/]" if pace.get("is_slow") else answer
    return latency, _format_milliseconds(pace.get("usual_latency_ms")), "-" if rate is None else f"{rate:,.1f}"


def _format_milliseconds(value: JSON) -> str:
    if value is None:
        return "-"
    return f"{value / 1000:,.1f} s" if value >= 1000 else f"{value:,.0f} ms"


def _format_reason(error: JsonObject) -> str:
    resource = error.get("resource")
    return f"{resource}: {error['message']}" if resource else str(error["message"])


def _find_advice(run: JsonObject, wait: JsonObject) -> str:
    """Return what can be done about a wait."""
    match wait["kind"]:
        case "daemon" if "none is active" in wait["message"] or "none reports" in wait["message"]:
            group = run.get("daemon_group_key")
            words = ["daemon", *(("--group", group) if group else ()), *list_connection_words()]
            return f": '{write_command(words)}' starts one"
        case "limit":
            words = ["account", "budget", "reset", run["integrated_account_id"], *list_connection_words()]
            return f"; '{write_command(words)}' ends the wait"
        case "receiver":
            words = ["webhook", "deliveries", str(run["webhook_id"]), "--status", "pending", *list_connection_words()]
            return f"; '{write_command(words)}' lists them"
        case _:
            return ""


def _list_readings(run: JsonObject) -> Iterator[str]:
    for name, stats in list_resources(run):
        if ways := stats.get("reading"):
            yield f"{name} reads " + ", ".join(f"{way} ({reason})" for way, reason in ways.items())


def _list_warnings(run: JsonObject) -> Iterator[str]:
    for name, stats in list_resources(run):
        for code, warning in stats.get("warnings", {}).items():
            yield f"{name}: {code} ({warning['count']:,}): {warning['message']}"
