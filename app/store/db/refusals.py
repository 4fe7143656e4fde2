"""What Postgres will never take, told apart from what a second try may mend."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
from sqlalchemy.exc import DBAPIError

from app.engine.errors import StoreUnavailableError
from app.engine.record_errors import UnwritablePageError
from app.engine.runs.work import PageWrite

_REFUSALS: Final = (
    psycopg.DataError,
    psycopg.errors.ProgramLimitExceeded,
    psycopg.errors.StatementTooComplex,
)


@contextmanager
def refusals_of(page: PageWrite) -> Iterator[None]:
    """Have a refusal for what the page holds raised as UnwritablePageError; Postgres' own words may quote records."""
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
