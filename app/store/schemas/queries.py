"""A reader's own queries over views: read-only, in an environment's role, and for a while at most."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeVar

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row
from sqlalchemy import Engine

from app.engine.errors import Failure, InvalidInputError, StoreUnavailableError
from app.services.runs.conflicts import retry_conflicts
from app.store.db.database import connections_of
from app.store.schemas.readers import EnvironmentReaders

T = TypeVar("T")

_BEGIN: Final = "set transaction read only"
# Connections, resources, shutdown, I/O: nothing that another statement would cure.
_OF_THE_SERVER: Final = ("08", "53", "57P", "58")


@retry_conflicts
class ReaderQueries:
    """Asks on behalf of an environment's reader."""

    def __init__(self, engine: Engine, readers: EnvironmentReaders) -> None:
        self._engine = engine
        self._readers = readers

    def find_role(self, environment_id: str) -> str | None:
        """Return the role that an environment's queries run in, which is made unless it is there."""
        return self._readers.ensure(environment_id)

    def ask(
        self,
        statement: str,
        take: Callable[[Sequence[str], Iterable[Sequence[Any]]], T],
        *,
        role: str | None,
        timeout_seconds: int,
    ) -> T:
        """Run one statement, and return what ``take`` makes of the names of its columns and its rows, as they come.

        Where there is no row there are no names either. Without a role it runs in Ferryman's own. Raises
        InvalidInputError with what Postgres says of it.
        """
        connections = connections_of(self._engine)
        try:
            with connections.open(**connections.arguments()) as connection:
                # All of it holds for this transaction alone: a pooler may lend the session to others afterwards.
                connection.execute(_BEGIN)
                if role is not None:
                    connection.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
                connection.execute(
                    sql.SQL("set local statement_timeout = {}").format(sql.Literal(f"{timeout_seconds}s"))
                )
                return _stream(connection, statement, take)
        except psycopg.Error as error:
            is_lost = error.sqlstate is None and isinstance(error, psycopg.OperationalError)
            if is_lost or (error.sqlstate or "").startswith(_OF_THE_SERVER):
                raise StoreUnavailableError from error
            raise InvalidInputError([Failure("", _describe(error))]) from error


def _stream(
    connection: psycopg.Connection[Any],
    statement: str,
    take: Callable[[Sequence[str], Iterable[Sequence[Any]]], T],
) -> T:
    with connection.cursor(row_factory=tuple_row) as cursor:
        # Each row as it comes; and the protocol takes one statement only.
        rows = cursor.stream(statement)
        first = next(rows, None)
        names = [column.name for column in cursor.description or ()]
        return take(names, () if first is None else _chain(first, rows))


def _chain(first: Sequence[Any], rows: Iterable[Sequence[Any]]) -> Iterable[Sequence[Any]]:
    yield first
    yield from rows


def _describe(error: psycopg.Error) -> str:
    if error.diag.message_primary:
        hint = f" ({error.diag.message_hint})" if error.diag.message_hint else ""
        return f"{error.diag.message_primary}{hint}"
    return str(error)
