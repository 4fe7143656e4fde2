"""Where commands print."""

from rich.console import Console

_FILE_COLUMNS = 200


def console() -> Console:
    """Make a console; the lines of a file or a pipe are not folded at a terminal's width."""
    made = Console(highlight=False)
    if not made.is_terminal:
        made.width = _FILE_COLUMNS
    return made
