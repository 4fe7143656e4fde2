"""Logging: one line per event with its facts, for people or as JSON, and with what the work at hand is about.

A line has ``time``, ``level``, ``logger``, ``message`` and the event's facts. ``bind`` adds facts such as ``run_id`` to
every line that is written within it, by whichever module.
"""

import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Final

from app import tracing

_JSON_LINES: Final = "json"
_VARIABLE: Final = "FERRYMAN_LOG_FORMAT"
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_CELERYS_OWN: Final = frozenset({"data"})
"""A task's arguments and result, of which Celery's message says enough."""
_NO_FACTS: Final = _STANDARD | _CELERYS_OWN
_HEAD: Final = ("time", "level", "logger", "message")
_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s %(message)s"

_bound: ContextVar[Mapping[str, object]] = ContextVar("bound", default={})  # noqa: B039  # never changed in place


@contextmanager
def bind(**facts: object) -> Iterator[None]:
    """Add facts to every line that is written within, also by coroutines that are submitted from there."""
    token = _bound.set({**_bound.get(), **facts})
    try:
        yield
    finally:
        _bound.reset(token)


def begin(**facts: object) -> None:
    """Replace what is bound: for a server's thread, which each request begins anew."""
    _bound.set(facts)


def list_facts(record: logging.LogRecord) -> dict[str, object]:
    """Return a record's facts: those that are bound, then its own, then the trace that it belongs to."""
    own = {name: value for name, value in vars(record).items() if name not in _NO_FACTS}
    facts = {**_bound.get(), **own}
    return {**facts, **tracing.list_ids(facts.get("run_id"))}


class FactsFormatter(logging.Formatter):
    """Writes ``time level logger message key=value …``."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        facts = " ".join(f"{name}={value}" for name, value in list_facts(record).items())
        head, newline, trace = super().format(record).partition("\n")
        return f"{head} {facts}{newline}{trace}".rstrip()


class JsonFormatter(logging.Formatter):
    """Writes one JSON object per line; a trace is its ``exception``."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        # A fact that is named as one of these would hide it.
        line |= {f"{name}_" if name in _HEAD else name: value for name, value in list_facts(record).items()}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def configure_logging(level: int = logging.INFO) -> None:
    """Log to standard error."""
    root = logging.getLogger()
    root.handlers[:] = [logging.StreamHandler(sys.stderr)]
    format_facts(root)
    root.setLevel(level)


def format_facts(logger: logging.Logger) -> None:
    """Set the formatter of all of a logger's handlers, as ``FERRYMAN_LOG_FORMAT`` names it."""
    formatter = JsonFormatter() if os.environ.get(_VARIABLE) == _JSON_LINES else FactsFormatter(_FORMAT)
    for handler in logger.handlers:
        handler.setFormatter(formatter)
