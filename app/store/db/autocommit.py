"""Single statements on the hot paths, each a transaction of its own: straight to psycopg, past SQLAlchemy's engine.

To take a connection, set it to autocommit, wrap its result and reset it costs an engine some 190 µs of CPU, four times
what psycopg and Postgres need for the statement itself (docs/performance.md). SQLAlchemy still writes the SQL and keeps
the pool.
"""

import functools
import re
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TypeAlias, TypeVar, cast

import psycopg
from psycopg.rows import DictRow, dict_row
from sqlalchemy import ClauseElement, Engine, event
from sqlalchemy.dialects.postgresql import psycopg as dialects
from sqlalchemy.pool import PoolProxiedConnection, QueuePool

from app.engine.errors import StoreUnavailableError
from app.store.db.connections import Connections
from app.store.db.database import LONGEST_REST_SECONDS, Row, close_when_replaced, connections_of
from app.store.db.sqlstates import STORE_FAULTS, FaultRemedy, find_remedy, translate_fault

Values: TypeAlias = Mapping[str, Any]
T = TypeVar("T")

_RESTS_SINCE: Final = "rests_since"
_DIALECT: Final = dialects.PGDialect_psycopg(paramstyle="pyformat")  # type: ignore[no-untyped-call]

_CAST: Final = re.compile(r"cast\((%\(\w+\)s) as (\w+(?:\[\])?)\)")

_of_engines: "weakref.WeakKeyDictionary[Engine, Autocommit]" = weakref.WeakKeyDictionary()


class _ConnectionLostError(StoreUnavailableError):
    """The connection died, before the statement or while it ran."""


class Autocommit:
    """Runs statements that need no others beside them; a transient fault is raised as StoreUnavailableError.

    Values are given as psycopg adapts them: JSON as text, for which the statement has a cast. A statement of bytes is
    SQL as psycopg takes it.
    """

    def __init__(self, connections: Connections, *, pool_size: int) -> None:
        def connect() -> Any:
            return connections.open(**_arguments(connections))

        # Autocommit: nothing is left to be undone when a connection comes back.
        self._pool = QueuePool(
            connect, pool_size=pool_size, max_overflow=pool_size, recycle=1800, use_lifo=True, reset_on_return=None
        )
        close_when_replaced(self._pool, lambda: self._pool)

    def one(self, statement: ClauseElement | bytes, values: Values) -> Row | None:
        """Return the first row, if there is one."""
        return self._run(statement, values, lambda cursor: cursor.fetchone())

    def all(self, statement: ClauseElement | bytes, values: Values) -> list[Row]:
        """Return all rows."""
        return self._run(statement, values, lambda cursor: cast("list[Row]", cursor.fetchall()))

    def count(self, statement: ClauseElement | bytes, values: Values) -> int:
        """Count the rows that a change has touched."""
        return self._run(statement, values, lambda cursor: cursor.rowcount)

    def read(self, ask: Callable[[psycopg.Connection[DictRow]], T]) -> T:
        """Lend a connection for several reads; all of them are repeated once when it turns out to be dead."""
        try:
            return self.lend(ask)
        except _ConnectionLostError:
            return self.lend(ask)

    def dispose(self) -> None:
        """Close all connections; new ones are made as they are needed."""
        ended, self._pool = self._pool, self._pool.recreate()
        ended.dispose()

    def _run(self, statement: ClauseElement | bytes, values: Values, take: Callable[[psycopg.Cursor[DictRow]], T]) -> T:
        """Run a statement; one that only reads is repeated when its connection turns out to be dead."""
        sql = sql_of(statement)

        def ask(connection: psycopg.Connection[DictRow]) -> T:
            return take(connection.execute(sql, values))

        return self.read(ask) if sql.lstrip()[:6].lower() == b"select" else self.lend(ask)

    def lend(self, use: Callable[[psycopg.Connection[DictRow]], T]) -> T:
        """Call a function with a connection in autocommit mode, and return its result."""
        try:
            lent = self._borrow()
        except STORE_FAULTS as error:
            if (meaning := translate_fault(error)) is None:
                raise
            raise meaning from error
        connection = cast("psycopg.Connection[DictRow]", lent.driver_connection)
        is_spent = False
        try:
            return use(connection)
        except STORE_FAULTS as error:
            is_spent = find_remedy(error) is FaultRemedy.NEW_SESSIONS
            if (meaning := _ConnectionLostError() if connection.closed else translate_fault(error)) is None:
                raise
            raise meaning from error
        finally:
            if is_spent or connection.closed or not connection.autocommit:
                # What ended this one, or kept it from being rolled back, has most likely ended the others too.
                lent.invalidate()
                self.dispose()
            else:
                lent.info[_RESTS_SINCE] = time.monotonic()
                lent.close()

    def _borrow(self) -> PoolProxiedConnection:
        """Borrow a connection; one that was idle for long is tested first."""
        while True:
            lent = self._pool.connect()
            rests_since = lent.info.get(_RESTS_SINCE)
            if rests_since is None or time.monotonic() < rests_since + LONGEST_REST_SECONDS:
                return lent
            try:
                cast("psycopg.Connection[DictRow]", lent.driver_connection).execute("")
            except psycopg.Error:
                lent.invalidate()
            else:
                return lent


@contextmanager
def transaction(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Commit all statements of a block over a lent connection, or none; a block that commits itself saves a trip."""
    connection.autocommit = False
    try:
        yield
        connection.commit()
    finally:
        if not connection.closed:
            connection.rollback()
            connection.autocommit = True


def autocommit_of(engine: Engine) -> Autocommit:
    """Return the connections for single statements that belong to an engine: they end with it."""
    autocommit = _of_engines.get(engine)
    if autocommit is None:
        autocommit = _of_engines[engine] = Autocommit(connections_of(engine), pool_size=_pool_size(engine))
        event.listen(engine, "engine_disposed", _dispose)
    return autocommit


def _pool_size(engine: Engine) -> int:
    return engine.pool.size() if isinstance(engine.pool, QueuePool) else 1


def _dispose(engine: Engine) -> None:
    if (autocommit := _of_engines.get(engine)) is not None:
        autocommit.dispose()


def _arguments(connections: Connections) -> dict[str, Any]:
    """Plan each statement once: all find rows by keys, even if the tables were empty when they were planned."""
    arguments = connections.arguments(options="-c plan_cache_mode=force_generic_plan -c enable_seqscan=off")
    return {"prepare_threshold": 0, **arguments, "autocommit": True, "row_factory": dict_row}


@functools.cache
def sql_of(statement: ClauseElement | bytes) -> bytes:
    """Return a statement in fewer words: psycopg reads one of over 4,096 bytes anew each time."""
    if isinstance(statement, bytes):
        return statement
    lines = str(statement.compile(dialect=_DIALECT)).splitlines()
    return _CAST.sub(r"\1::\2", "\n".join(stripped for line in lines if (stripped := line.strip()))).encode()
