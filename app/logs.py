"""Logging: one line per event, its facts behind its message."""

import logging
import sys
from typing import Final

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class FactsFormatter(logging.Formatter):
    """Writes ``time level logger message key=value …``."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        facts = " ".join(f"{name}={value}" for name, value in vars(record).items() if name not in _STANDARD)
        head, newline, trace = super().format(record).partition("\n")
        return f"{head} {facts}{newline}{trace}".rstrip()


def configure(level: int = logging.INFO) -> None:
    """Log to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(FactsFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
