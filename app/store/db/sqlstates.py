"""Which faults of Postgres are transient, by SQLSTATE, and what each means to the caller.

The codes: https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from typing import Final

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app.engine.errors import (
    StoreConflictError,
    StoreFullError,
    StoreOutdatedError,
    StoreReadOnlyError,
    StoreUnavailableError,
)
from app.engine.record_errors import UnwritablePageError
from app.engine.runs.work import PageWrite


class FaultRemedy(StrEnum):
    """What has to happen before the same question is answered."""

    LATER = "later"
    """Time passes; the session is as good as any other."""
    NEW_SESSIONS = "new_sessions"
    """The session can not answer it; those that were opened at the same time may not either."""
    AGAIN = "again"
    """Nothing: another transaction went first."""


PASSING: Final[Mapping[str, FaultRemedy]] = {
    "08": FaultRemedy.NEW_SESSIONS,  # connection_exception
    "25006": FaultRemedy.NEW_SESSIONS,  # read_only_sql_transaction: a standby now, or a read-only session
    "25P03": FaultRemedy.LATER,  # idle_in_transaction_session_timeout
    "25P04": FaultRemedy.LATER,  # transaction_timeout
    "26000": FaultRemedy.LATER,  # invalid_sql_statement_name: a pooler has dropped what was prepared
    "40": FaultRemedy.LATER,  # transaction_rollback, such as 40003, statement_completion_unknown
    "40001": FaultRemedy.AGAIN,  # serialization_failure
    "40P01": FaultRemedy.AGAIN,  # deadlock_detected
    "42P05": FaultRemedy.LATER,  # duplicate_prepared_statement: a pooler has lent a session that has it already
    "53": FaultRemedy.LATER,  # insufficient_resources: disk_full, out_of_memory, too_many_connections
    "55": FaultRemedy.LATER,  # object_not_in_prerequisite_state, such as 55P03, lock_not_available
    "57": FaultRemedy.LATER,  # operator_intervention, such as 57014, query_canceled
    "57P0": FaultRemedy.NEW_SESSIONS,  # admin_shutdown, crash_shutdown, cannot_connect_now, idle_session_timeout
    "58": FaultRemedy.LATER,  # system_error: I/O
}
"""By class or code; the longest that fits counts. Whatever is not here is the fault of what was asked."""

_READ_ONLY: Final = "25006"
_TOO_MANY: Final = "53300"
_NO_ROOM: Final = (
    *("too many clients", "connection slots are reserved", "too many connections"),
    *("no more connections allowed", "query_wait_timeout"),
)
"""What Postgres and PgBouncer say; in another language of the server it is a database that can not be reached."""
# Of a feature that is not supported, 0A000, only this passes, and its text is in Postgres' language: a table has got
# other columns since a statement was prepared, as a migration beside the work makes them.
_REPLANNING: Final = "RevalidateCachedQuery"
_PREPARED: Final = frozenset({"26000", "42P05"})
_POOLER_FORGETS: Final = (
    "a pooler keeps no prepared statements: set FERRYMAN_PREPARE_STATEMENTS=0, or have it keep them (docs/scaling.md)"
)
_NO_OPTIONS: Final = "unsupported startup parameter"
_POOLER_TAKES_NO_OPTIONS: Final = (
    "DATABASE_URL leads to a pooler: set FERRYMAN_SESSION_DATABASE_URL to the URL of Postgres itself (docs/scaling.md)"
)

# A process of a new version that meets a database of an old one waits for its migration, as it does for Postgres.
_OUTDATED: Final = (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn)
# Without a code: the connection was lost, could not be made, or was closed.
_WITHOUT_CODE: Final = (psycopg.OperationalError, psycopg.InterfaceError)
STORE_FAULTS: Final = (psycopg.Error, PoolTimeoutError)
"""What ``translate_fault`` knows of."""

# What Postgres will never take, as opposed to what a second try may mend.
_REFUSALS: Final = (
    psycopg.DataError,
    psycopg.errors.ProgramLimitExceeded,
    psycopg.errors.StatementTooComplex,
)


def find_remedy(error: BaseException) -> FaultRemedy | None:
    """Return the remedy of a transient fault; None for any other."""
    if isinstance(error, PoolTimeoutError):
        return FaultRemedy.LATER
    if not isinstance(error, psycopg.Error):
        return None
    if error.sqlstate is None:
        return FaultRemedy.NEW_SESSIONS if isinstance(error, _WITHOUT_CODE) else None
    if isinstance(error, psycopg.errors.FeatureNotSupported) and error.diag.source_function == _REPLANNING:
        return FaultRemedy.NEW_SESSIONS
    codes = (error.sqlstate[:length] for length in range(5, 1, -1))
    return next((PASSING[code] for code in codes if code in PASSING), None)


def translate_fault(error: BaseException) -> StoreUnavailableError | None:
    """Return what a transient fault of the store means to the caller; None for any other."""
    if isinstance(error, _OUTDATED):
        return StoreOutdatedError()
    cure = find_remedy(error)
    if cure is None:
        return None
    sqlstate = getattr(error, "sqlstate", None)
    if cure is FaultRemedy.AGAIN:
        return StoreConflictError()
    if sqlstate == _READ_ONLY:
        return StoreReadOnlyError()
    if _has_no_connection_left(error, sqlstate):
        return StoreFullError()
    return StoreUnavailableError(_hint(error, sqlstate))


def _has_no_connection_left(error: BaseException, sqlstate: str | None) -> bool:
    """Whether Postgres, or a pooler before it, refuses one more connection: while connecting there is only a text."""
    return sqlstate == _TOO_MANY or (sqlstate is None and any(words in str(error) for words in _NO_ROOM))


def _hint(error: BaseException, sqlstate: str | None) -> str | None:
    """Return what to set right where that is known; Postgres' own words may quote what was asked."""
    if sqlstate in _PREPARED:
        return _POOLER_FORGETS
    if sqlstate in {None, "08P01"} and _NO_OPTIONS in str(error):
        return _POOLER_TAKES_NO_OPTIONS
    return None


@contextmanager
def translate_refusals(page: PageWrite) -> Iterator[None]:
    """Raise a refusal of what the page holds as UnwritablePageError; Postgres' own words may quote records."""
    try:
        yield
    except (psycopg.Error, DBAPIError, StoreUnavailableError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error.__cause__ or error
        if not isinstance(cause, _REFUSALS):
            raise
        raise UnwritablePageError(
            f"what {page.counters.pages} page(s) of {page.counters.fetched} records hold can not be written: Postgres "
            f"refuses it as {type(cause).__name__} ({cause.sqlstate or 'found by its driver'})"
        ) from error
