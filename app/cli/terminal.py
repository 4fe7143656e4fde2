"""The console of commands, and tables whose ids can be copied."""

from typing import Any, Final

from rich import console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from app.invocation import show_plain

INTERRUPTED: Final = 130
"""The exit code of a command that Ctrl-C ended, as shells have it."""
_UNBOUNDED: Final = 100_000


class Console(console.Console):
    """Shows what tenants and upstreams have written, and lets none of it command the terminal."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Make a text of what is printed, and of each cell of a table."""
        return super().render_str(show_plain(text), **options)


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
