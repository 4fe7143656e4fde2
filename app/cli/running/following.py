"""Follow a run: bars on a terminal, else a line for each change."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Final

import click
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from app.cli.running.stats import choose_counters, format_counts, is_final, list_resources
from app.cli.terminal import Console
from app.engine.json_types import JsonObject
from app.invocation import show_plain

_POLL_SECONDS: Final = 0.5


def follow_run(read_run: Callable[[], JsonObject], *, quiet: bool = False) -> JsonObject:
    """Read a run until it has ended, showing what changes meanwhile; return it as it ended."""
    console = Console(stderr=True)
    if quiet:
        return _poll(read_run, lambda _run: None)
    return _with_bars(read_run, console) if console.is_terminal else _poll(read_run, _Lines().print)


def _poll(read_run: Callable[[], JsonObject], show: Callable[[JsonObject], object]) -> JsonObject:
    while not is_final(run := read_run()):
        show(run)
        time.sleep(_POLL_SECONDS)
    show(run)
    return run


def _with_bars(read_run: Callable[[], JsonObject], console: Console) -> JsonObject:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TextColumn("{task.fields[counts]}"))
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as bars:
        tasks = {"": bars.add_task("run", counts="")}

        def draw(run: JsonObject) -> None:
            bars.update(tasks[""], counts=run["status"])
            for name, stats in list_resources(run):
                if name not in tasks:
                    tasks[name] = bars.add_task(escape(show_plain(f"  {name}")), counts="")
                bars.update(tasks[name], counts=format_counts(stats, choose_counters(run)))

        return _poll(read_run, draw)


class _Lines:
    """Prints what has changed since the last poll, a line each, on stderr."""

    def __init__(self) -> None:
        self._printed: dict[str, str] = {}

    def print(self, run: JsonObject) -> None:
        for name, text in _lines_of(run):
            if self._printed.get(name) != text:
                self._printed[name] = text
                click.echo(show_plain(f"{datetime.now(UTC):%H:%M:%S}  {name}  {text}"), err=True)


def _lines_of(run: JsonObject) -> Iterator[tuple[str, str]]:
    yield f"run {run['id']}", run["status"]
    for name, stats in list_resources(run):
        if stats.get("status") != "waiting":
            yield name, f"{stats.get('status', '')}  {format_counts(stats, choose_counters(run))}"
