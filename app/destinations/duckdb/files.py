"""Open a file of DuckDB: one process at a time may, and the others get an error that says so."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias

import duckdb

from app.destinations.files import faults
from app.destinations.refusals import explain_encoding
from app.engine.errors import DestinationError

Connection: TypeAlias = duckdb.DuckDBPyConnection
EXTENSION: Final = ".duckdb"
_LOCKED: Final = re.compile(r"could not set lock|already open|being used", re.IGNORECASE)
_OF_DISK: Final = (
    (re.compile(r"no space left|disk quota|file too large", re.IGNORECASE), faults.FULL),
    (re.compile(r"read-only", re.IGNORECASE), faults.READ_ONLY),
    (re.compile(r"permission denied|not permitted", re.IGNORECASE), faults.NOT_ALLOWED),
)
_OF_RECORD: Final = (duckdb.DataError, duckdb.IntegrityError)
"""Of a value: one that does not convert, is out of range, or breaks a constraint."""
_OF_VALUE: Final = re.compile(r"malformed json|invalid (unicode|utf)", re.IGNORECASE)
_LONGEST: Final = 400
_BROKEN: Final = faults.Meaning("broken_file", "the file can not be read or written")


def open_file(path: Path) -> Connection:
    """Open a file, which is made where there is none; raise DestinationError."""
    with faults.explain_system_faults(path.name), explain_faults():
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = duckdb.connect(str(path))
        try:
            # By the connection's config it would ask for an extension, which has to be downloaded.
            ask(connection, "set TimeZone = 'UTC'")
            ask(connection, "set autoinstall_known_extensions = false")
        except duckdb.Error:
            connection.close()
            raise
        return connection


def ask(connection: Connection, statement: str, values: object = None) -> list[tuple[Any, ...]]:
    """Execute a statement, and return all that it gives: DuckDB begins no other before."""
    found: list[tuple[Any, ...]] = connection.execute(statement, values).fetchall()
    return found


@contextmanager
def explain_faults() -> Iterator[None]:
    """Raise DestinationError for what DuckDB raises."""
    try:
        yield
    except duckdb.IOException as error:
        text = str(error)
        if _LOCKED.search(text):
            message = "another process has the file open: DuckDB lets one process at a time write or read"
            raise DestinationError(message, code="file_in_use") from error
        raise faults.build_error(_find_of_disk(text) or _BROKEN) from error
    except duckdb.TransactionException as error:
        # A commit that the disk refuses is one too.
        if meaning := _find_of_disk(str(error)):
            raise faults.build_error(meaning) from error
        raise DestinationError("another transaction changes the same table", code="target_locked") from error
    except duckdb.Error as error:
        kind = type(error).__name__
        raise DestinationError(f"DuckDB refuses a statement ({kind})", code="target_refuses") from error


def explain_refusal(error: Exception) -> str | None:
    """Return why a record that was written alone was refused; None where that was no fault of the record's."""
    if not isinstance(error, duckdb.Error):
        return explain_encoding(error)
    text = next(iter(str(error).splitlines()), "")
    if isinstance(error, _OF_RECORD) or _OF_VALUE.search(text):
        return f"DuckDB can not hold it: {text}"[:_LONGEST]
    return None


def _find_of_disk(text: str) -> faults.Meaning | None:
    return next((meaning for pattern, meaning in _OF_DISK if pattern.search(text)), None)
