"""What Postgres refuses, in words for the owner of a destination, and whether another attempt would fail too."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import psycopg
from psycopg import errors

from app.engine.errors import DestinationError

_LONGEST: Final = 400


@dataclass(frozen=True, slots=True)
class _Meaning:
    code: str
    words: str
    is_final: bool = False


_DENIED: Final = _Meaning("wrong_credentials", "the server refuses the user or password", True)
_BUSY: Final = _Meaning("target_busy", "the server takes no work at the moment")
_LOCKED: Final = _Meaning("target_locked", "somebody else has locked the table")
_AWAY: Final = _Meaning("target_away", "the server can not be reached")
_TLS: Final = _Meaning("no_tls", "no verified TLS connection could be made", True)

_MEANINGS: Final[Mapping[str, _Meaning]] = {
    "28P01": _DENIED,
    "28000": _DENIED,
    "3D000": _Meaning("no_database", "there is no such database", True),
    "42501": _Meaning("missing_rights", "the user lacks a right", True),
    "53100": _Meaning("disk_full", "the server's disk is full"),
    "53200": _BUSY,
    "53300": _BUSY,
    "57P01": _AWAY,
    "57P02": _AWAY,
    "57P03": _BUSY,
    "57014": _Meaning("target_slow", "the server took too long"),
    "55P03": _LOCKED,
    "40P01": _LOCKED,
    "40001": _LOCKED,
    "25006": _Meaning("read_only", "the server is read-only"),
    "42P01": _Meaning("table_gone", "a table was removed while it was written"),
    "42703": _Meaning("column_gone", "a column was removed while it was written"),
    "42804": _Meaning("other_type", "a column has another type than Ferryman gave it", True),
}
_CONSTRAINT: Final = "a constraint that is not Ferryman's refuses the row"
_OF_RECORD: Final[Mapping[str, str]] = {
    "54000": "the record is larger than a row, a value or an index of Postgres may be",
    "22P05": "the database's encoding has no such character",
    "22021": "the database's encoding has no such character",
    "22003": "a number is out of range",
    "22007": "a date is out of range",
    "22008": "a date is out of range",
    "22001": "a text is longer than the column takes",
    "23502": _CONSTRAINT,
    "23514": _CONSTRAINT,
    "23505": _CONSTRAINT,
    "23P01": _CONSTRAINT,
    "23503": _CONSTRAINT,
}
"""What Postgres may say of one row and not of others; the rest of class 22, of values, too."""
_OF_VALUES: Final = "22"
_NOT_NULL: Final = "23502"
_CONNECTING: Final[Mapping[str, _Meaning]] = {
    # First: it says "database" too, and is over in a moment.
    "database system is": _BUSY,
    "password authentication failed": _DENIED,
    "no password supplied": _DENIED,
    "no pg_hba.conf entry": _DENIED,
    "authentication method requirement": _DENIED,
    'role "': _DENIED,
    'database "': _MEANINGS["3D000"],
    "certificate": _TLS,
    "does not support SSL": _TLS,
    "SSL error": _TLS,
    "too many": _BUSY,
}
"""Before there is a session, libpq has texts only: the server's own codes are lost."""


@contextmanager
def explain_faults(secret: str) -> Iterator[None]:
    """Raise DestinationError for what psycopg raises; a secret in its text is masked."""
    try:
        yield
    except psycopg.Error as error:
        meaning = _find_meaning(error)
        details = _describe(error, secret)
        message = f"{meaning.words}: {details}" if details else meaning.words
        raise DestinationError(message, code=meaning.code, is_final=meaning.is_final) from error


def may_be_of_record(error: Exception) -> bool:
    """Whether an error may be a record's; whatever Postgres says of itself, or of a table, is none."""
    state = error.sqlstate if isinstance(error, psycopg.Error) else _OF_VALUES
    return state is not None and (state in _OF_RECORD or state.startswith(_OF_VALUES))


def explain_refusal(error: psycopg.Error, written: Collection[str]) -> str | None:
    """Return why a record that was written alone was refused; None where that was no fault of the record's.

    ``written`` are the columns that Ferryman writes: any other one that may not be null refuses whatever there is.
    """
    state = error.sqlstate or ""
    if not may_be_of_record(error):
        return None
    if state == _NOT_NULL and error.diag.column_name not in written:
        return None
    return f"{_OF_RECORD.get(state, 'the server refuses a value')}: {_describe(error, '')}"


def _find_meaning(error: psycopg.Error) -> _Meaning:
    if error.sqlstate is not None and error.sqlstate in _MEANINGS:
        return _MEANINGS[error.sqlstate]
    if isinstance(error, errors.OperationalError | errors.InterfaceError) and error.sqlstate is None:
        text = str(error)
        return next((meaning for part, meaning in _CONNECTING.items() if part in text), _AWAY)
    if (words := _OF_RECORD.get(error.sqlstate or "")) is not None:
        return _Meaning("other_constraint" if words == _CONSTRAINT else "target_refuses", words, words == _CONSTRAINT)
    return _Meaning("target_refuses", "the server refuses a statement")


def _describe(error: psycopg.Error, secret: str) -> str:
    """Return the first line of what the server said; its details may hold values of records."""
    text = error.diag.message_primary or next(iter(str(error).splitlines()), "")
    return (text.replace(secret, "***") if secret else text)[:_LONGEST]
