"""Logging: one line per event, its facts behind its message."""

import logging
import sys
from typing import Final

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_CELERYS_OWN: Final = frozenset({"data"})
"""A task's arguments and result, of which Celery's message says enough."""
_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s %(message)s"


class FactsFormatter(logging.Formatter):
    """Writes ``time level logger message key=value …``."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        facts = " ".join(
            f"{name}={value}" for name, value in vars(record).items() if name not in _STANDARD | _CELERYS_OWN
        )
        head, newline, trace = super().format(record).partition("\n")
        return f"{head} {facts}{newline}{trace}".rstrip()


def configure_logging(level: int = logging.INFO) -> None:
    """Log to standard error."""
    root = logging.getLogger()
    root.handlers[:] = [logging.StreamHandler(sys.stderr)]
    format_facts(root)
    root.setLevel(level)


def format_facts(logger: logging.Logger) -> None:
    """Set the formatter of all of a logger's handlers, so that they write facts behind messages."""
    for handler in logger.handlers:
        handler.setFormatter(FactsFormatter(_FORMAT))
