"""What a process of the stack on a data directory has written: its log file, which goes on while it runs."""

import re
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

import click

from app.cli.calling import print_json
from app.invocation import show_plain
from app.stack.data_directory import DataDirectory

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,99}")
_POLL_SECONDS: Final = 0.5


def find_file(directory: Path, name: str) -> Path | None:
    """Return the log file of a process of this name; None where none has written one here."""
    file = DataDirectory(directory).logs / f"{name}.log"
    return file if _NAME.fullmatch(name) and file.is_file() else None


def read_lines(file: Path, *, limit: int, follow: bool) -> Iterator[str]:
    """Yield the last lines of a file, and with ``follow`` without end those that come."""
    with file.open(errors="replace") as log:
        yield from deque(log, maxlen=limit)
        while follow:
            yield from log
            time.sleep(_POLL_SECONDS)
            _begin_again_if_cut(log, file)


def print_line(line: str, *, as_json: bool) -> None:
    """Print a line, or JSON that holds it."""
    if as_json:
        print_json({"line": line.rstrip("\n")})
    else:
        click.echo(show_plain(line), nl=not line.endswith("\n"))


def _begin_again_if_cut(log: IO[str], file: Path) -> None:
    """Read from the beginning of a file that the stack has cut since it was too long."""
    if file.stat().st_size < log.tell():
        log.seek(0)
