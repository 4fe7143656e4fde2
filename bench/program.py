"""``make bench [SCENARIO=name]``: measure, show a table, keep the figures; exit with 0 when every bar is met."""

import argparse
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from app.cli.terminal import build_console as make_console
from bench import results, table
from bench.measurement import BenchError, Measurement, exit_status
from bench.registry import SCENARIOS
from bench.scenario import Scenario
from bench.workbench import Effort, Workbench, opened

Open = Callable[[Effort, Callable[[str], None]], AbstractContextManager[Workbench]]

_QUICK_SCALE = 0.1


def main(arguments: Sequence[str] | None = None, *, open_workbench: Open = opened) -> int:
    """Measure what the command line asks for; give the program's status."""
    options = _options(arguments)
    console = make_console()
    if options.list:
        _list(console)
        return 0
    effort = Effort(scale=_QUICK_SCALE if options.quick else options.scale, rounds=options.rounds)
    chosen = [SCENARIOS[name] for name in options.scenario or SCENARIOS]
    with open_workbench(effort, lambda line: console.print(f"[dim]  {escape(line)}[/]")) as workbench:
        measurements = list(_measured(console, workbench, chosen))
    if options.scenario:
        table.show_texts(console, measurements)
    table.show(console, measurements)
    file = results.write_json(options.results, measurements, effort)
    console.print(f"All of it is in {escape(str(file))}.")
    is_broken = len(measurements) < len(chosen)
    if effort.is_full and not options.scenario and not is_broken:
        results.write_page(results.PAGE, measurements)
    return exit_status(measurements, is_broken=is_broken)


def _measured(console: Console, workbench: Workbench, chosen: Sequence[Scenario]) -> Iterator[Measurement]:
    """Measure one after the other; one that breaks is told, and leaves no figures."""
    for scenario in chosen:
        console.print(f"[bold]{scenario.name}[/]: {escape(scenario.what)}")
        began = time.monotonic()
        try:
            measurement = scenario.measure(workbench)
        except BenchError as error:
            console.print(f"[red]{scenario.name} broke:[/] {escape(str(error))}")
        except Exception:  # one scenario's fault must not cost the figures of the others
            console.print(f"[red]{scenario.name} broke:[/] {escape(traceback.format_exc())}")
        else:
            yield replace(measurement, seconds=time.monotonic() - began)


def _list(console: Console) -> None:
    for scenario in SCENARIOS.values():
        console.print(f"[bold]{scenario.name:<14}[/] {escape(scenario.what)} [dim]({escape(scenario.bar)})[/]")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--scenario", action="append", choices=[*SCENARIOS], help="measure this one; may be repeated")
    parser.add_argument("--list", action="store_true", help="list the scenarios and their bars")
    parser.add_argument("--quick", action="store_true", help="a tenth of the size; such figures are not kept")
    parser.add_argument("--scale", type=float, default=1.0, help="a part of the size")
    parser.add_argument("--rounds", type=int, default=3, help="how often each side is measured")
    parser.add_argument("--results", type=Path, default=results.RESULTS, help="where the JSON file goes")
    return parser.parse_args(arguments)
