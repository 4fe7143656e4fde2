"""The console of commands, and tables whose ids can be copied."""

from typing import Final

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

INTERRUPTED: Final = 130
"""The exit code of a command that Ctrl-C ended, as shells have it."""
_UNBOUNDED: Final = 100_000


def build_console() -> Console:
    """Return a console that does not fold lines in files and pipes."""
    made = Console(highlight=False)
    if not made.is_terminal:
        made.width = _UNBOUNDED
    return made


def print_table(table: Table) -> None:
    """Print a table with every word whole: on a narrow terminal its lines wrap, and no id is cut."""
    output = build_console()
    for column in table.columns:
        column.no_wrap = not any(" " in str(cell) for cell in column.cells)
    unbounded = output.options.update(width=_UNBOUNDED, max_width=_UNBOUNDED)
    output.width = max(output.width, Measurement.get(output, unbounded, table).minimum)
    output.print(table)
