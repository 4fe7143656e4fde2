"""Connections to Postgres: one engine per process."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

import psycopg
from psycopg import Cursor
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry

from app.engine.errors import StoreOutdatedError, StoreUnavailableError
from app.engine.json_types import JSON
from app.engine.record_rows import encode

# Lost connections, restarts, deadlocks: what a second try may mend.
PASSING_FAULTS = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.IdleInTransactionSessionTimeout,
    psycopg.errors.TransactionTimeout,
    PoolTimeoutError,
)

# A process of a new version that meets a database of an old one waits for its migration, as it does for Postgres.
_OUTDATED = (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn)
STORE_FAULTS = (*PASSING_FAULTS, *_OUTDATED)

Row: TypeAlias = Mapping[Any, Any]
"""A row by the names of its columns, whoever has read it."""

_RESTS_SINCE = "rests_since"
LONGEST_REST_SECONDS = 1.0

# A process that is frozen in the middle of a transaction would keep its locks, which all daemons wait for.
_OPTIONS = "-c timezone=UTC -c idle_in_transaction_session_timeout=10s"


def connect(database_url: str, *, pool_size: int = 10) -> Engine:
    """Make the process's engine; it connects at first use, so never before a fork.

    A fault that passes is raised as StoreUnavailableError.
    """
    url = database_url.replace("postgres://", "postgresql://", 1).replace("postgresql://", "postgresql+psycopg://", 1)
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_recycle=1800,
        json_serializer=_dumps,
        # Not orjson: it reads an integer beyond 64 bits as a float.
        json_deserializer=json.loads,
        connect_args=connect_arguments(),
    )
    translate_faults(engine)
    _ping_rested(engine)
    return engine


def reading(engine: Engine) -> Connection:
    """Take a connection for statements that need no transaction: each costs one trip to Postgres instead of three."""
    return engine.connect().execution_options(isolation_level="AUTOCOMMIT")


@contextmanager
def driver_cursor(connection: Connection) -> Iterator[Cursor[Any]]:
    """Give a cursor for statements past SQLAlchemy, within its transaction: a statement costs half as much.

    SQLAlchemy does not see what is done there, so neither does its error handler: faults are translated here.
    """
    raw = connection.connection.driver_connection
    assert raw is not None
    try:
        with raw.cursor(binary=True) as cursor:
            yield cursor
    except STORE_FAULTS as error:
        raise translated(error) from error


def translated(error: BaseException) -> StoreUnavailableError:
    """Give what a fault of the store means to whoever asked it."""
    return StoreOutdatedError() if isinstance(error, _OUTDATED) else StoreUnavailableError()


def connect_arguments() -> dict[str, object]:
    """Give what every connection is made with."""
    return {"connect_timeout": 5, "application_name": "ferryman", "options": _OPTIONS}


def translate_faults(engine: Engine) -> None:
    """Have faults that pass raised as StoreUnavailableError."""
    event.listen(engine, "handle_error", _translate)


def is_reachable(engine: Engine) -> bool:
    """Tell whether Postgres answers."""
    try:
        with engine.connect() as connection:
            connection.execute(text("select 1"))
    except StoreUnavailableError:
        return False
    return True


def _ping_rested(engine: Engine) -> None:
    """Ask connections whether they are alive when they are taken up after a rest; in use, they show it themselves."""

    def note_rest(_: object, record: ConnectionPoolEntry) -> None:
        record.info[_RESTS_SINCE] = time.monotonic()

    def ping(connection: DBAPIConnection, record: ConnectionPoolEntry, _: object) -> None:
        rests_since = record.info.get(_RESTS_SINCE)
        if rests_since is None or time.monotonic() < rests_since + LONGEST_REST_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except psycopg.Error as error:
            # The pool answers this with a new connection.
            raise DisconnectionError from error

    event.listen(engine, "checkin", note_rest)
    event.listen(engine, "checkout", ping)


def _translate(context: ExceptionContext) -> None:
    if isinstance(context.original_exception, STORE_FAULTS):
        raise translated(context.original_exception) from context.original_exception


def _dumps(value: JSON) -> str:
    return encode(value).decode()
