"""Watch a run until it ends: live bars on a terminal, a line now and then anywhere else."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TypeAlias

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from app.demo.errors import DemoError
from app.engine.json_types import JsonObject
from app.engine.status import FINAL_RUN_STATUSES

_POLL_SECONDS = 0.1
_LINE_SECONDS = 2.0
_LONGEST_RUN_SECONDS = 120.0

# Shows how many records of each resource have arrived.
_Show: TypeAlias = Callable[[Mapping[str, int]], None]


def watch_run(read_run: Callable[[], JsonObject], holds: Mapping[str, int], console: Console) -> JsonObject:
    """Show the resources of ``holds`` fill up, and return the run as it ended; DemoError when it takes too long."""
    deadline = time.monotonic() + _LONGEST_RUN_SECONDS
    with _choose_display(console, holds) as show:
        while True:
            run = read_run()
            show({resource: int(find_list_stats(run, resource).get("persisted", 0)) for resource in holds})
            if run["status"] in FINAL_RUN_STATUSES:
                return run
            if time.monotonic() > deadline:
                raise DemoError(f"the run {run['id']} is still {run['status']} after {_LONGEST_RUN_SECONDS:.0f} s")
            time.sleep(_POLL_SECONDS)


def find_list_stats(run: JsonObject, resource: str) -> JsonObject:
    """Return a run's counters of a resource's list; empty when it was not started."""
    stats: JsonObject = run["resource_stats"].get(resource, {}).get("list", {})
    return stats


def _choose_display(console: Console, holds: Mapping[str, int]) -> AbstractContextManager[_Show]:
    return _show_bars(console, holds) if console.is_terminal else _show_lines(console, holds)


@contextmanager
def _show_bars(console: Console, holds: Mapping[str, int]) -> Iterator[_Show]:
    """Show a bar per resource, redrawn in place."""
    columns = (
        TextColumn("   {task.description:<9}"),
        BarColumn(bar_width=40, complete_style="cyan", finished_style="green"),
        TextColumn("[bold]{task.completed:>7,.0f}[/][dim] / {task.total:,}[/]"),
    )
    with Progress(*columns, console=console) as progress:
        tasks = {resource: progress.add_task(resource, total=held) for resource, held in holds.items()}

        def show(counts: Mapping[str, int]) -> None:
            for resource, count in counts.items():
                progress.update(tasks[resource], completed=count)

        yield show


@contextmanager
def _show_lines(console: Console, holds: Mapping[str, int]) -> Iterator[_Show]:
    """Show a line every two seconds, for logs."""
    next_line = time.monotonic() + _LINE_SECONDS

    def show(counts: Mapping[str, int]) -> None:
        nonlocal next_line
        if time.monotonic() >= next_line:
            next_line += _LINE_SECONDS
            console.print("   " + "  ".join(f"{name} {count:,}/{holds[name]:,}" for name, count in counts.items()))

    yield show
