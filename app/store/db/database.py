"""Connections to Postgres: one engine per process."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

import psycopg
from psycopg import Cursor
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry, NullPool, Pool

from app import actors
from app.actors import Actor
from app.engine.errors import StoreUnavailableError
from app.engine.json_types import JSON
from app.engine.records.rows import encode
from app.services.maintenance.health import StoreState
from app.store.db.connections import Connections
from app.store.db.sqlstates import STORE_FAULTS, FaultRemedy, find_remedy, translate_fault

Row: TypeAlias = Mapping[Any, Any]
"""A row by the names of its columns, whichever way it was read."""

_RESTS_SINCE = "rests_since"
_POOL = "pool"
LONGEST_REST_SECONDS = 1.0

_CONNECTIONS: Final = "connections"
# It takes a session to find out that sessions are read-only.
_AUTOCOMMIT: Final = "AUTOCOMMIT"
_ACT: Final = text("select set_config('ferryman.actor', :actor, true)")
_STATE: Final = text("select current_setting('transaction_read_only') = 'on'")


def connect(
    database_url: str,
    *,
    pool_size: int = 10,
    is_pooled: bool = False,
    prepares: bool = True,
    actor: Actor | None = None,
) -> Engine:
    """Make the process's engine; it connects at first use, so never before a fork.

    A transient fault is raised as StoreUnavailableError. ``is_pooled`` is for a URL that leads to a pooler which
    lends a session for one transaction at a time. ``actor`` is who makes all changes, where no request says so.
    """
    connections = Connections(url=database_url, is_pooled=is_pooled, prepares=prepares, actor=actor)
    engine = _engine(connections, pool_size=pool_size, max_overflow=pool_size, pool_recycle=1800)
    _ping_rested(engine)
    close_when_replaced(engine, lambda: engine.pool)
    return engine


def connect_unpooled(engine: Engine) -> Engine:
    """Make an engine for the same database that connects for each use."""
    return _engine(connections_of(engine), poolclass=NullPool)


def connections_of(engine: Engine) -> Connections:
    """Return how an engine connects."""
    connections = engine.get_execution_options()[_CONNECTIONS]
    assert isinstance(connections, Connections)
    return connections


def _engine(connections: Connections, **pooling: Any) -> Engine:
    engine = create_engine(
        "postgresql+psycopg://",
        json_serializer=_dumps,
        # Not orjson: it reads an integer beyond 64 bits as a float.
        json_deserializer=json.loads,
        connect_args=connections.arguments(),
        execution_options={_CONNECTIONS: connections},
        **pooling,
    )
    event.listen(engine, "do_connect", lambda _dialect, _record, _arguments, named: connections.open(**named))
    event.listen(engine, "handle_error", _translate)
    event.listen(engine, "begin", lambda connection: _attribute(connection, actors.current() or connections.actor))
    return engine


def reading(engine: Engine) -> Connection:
    """Take a connection for statements that need no transaction: each costs one trip to Postgres instead of three."""
    return engine.connect().execution_options(isolation_level=_AUTOCOMMIT)


@contextmanager
def driver_cursor(connection: Connection) -> Iterator[Cursor[Any]]:
    """Yield a cursor for statements past SQLAlchemy, within its transaction: a statement costs half as much.

    SQLAlchemy does not see what is done there, so neither does its error handler: faults are translated here.
    """
    raw = connection.connection.driver_connection
    assert raw is not None
    try:
        with raw.cursor(binary=True) as cursor:
            yield cursor
    except STORE_FAULTS as error:
        if find_remedy(error) is FaultRemedy.NEW_SESSIONS:
            connection.invalidate()
            drop_sessions(connection.engine)
        if (meaning := translate_fault(error)) is None:
            raise
        raise meaning from error


def close_when_replaced(target: Engine | Pool, current: Callable[[], Pool]) -> None:
    """Close connections that come back to a pool that was replaced meanwhile: it keeps them open, for nobody."""

    def note_pool(_: object, record: ConnectionPoolEntry) -> None:
        record.info[_POOL] = current()

    def close(_: object, record: ConnectionPoolEntry) -> None:
        if record.info.get(_POOL) is not current():
            record.close()

    event.listen(target, "connect", note_pool)
    event.listen(target, "checkin", close)


def drop_sessions(engine: Engine) -> None:
    """Replace all sessions: idle ones are closed now, those in use when they are returned."""
    engine.dispose()


def state_of(engine: Engine) -> StoreState:
    """Return whether Postgres answers, and whether it takes writes."""
    try:
        with reading(engine) as connection:
            is_read_only = connection.execute(_STATE).scalar_one()
    except StoreUnavailableError:
        return StoreState.UNREACHABLE
    if is_read_only:
        # It may be this session alone: the next check uses another one.
        drop_sessions(engine)
        return StoreState.READ_ONLY
    return StoreState.OK


def _ping_rested(engine: Engine) -> None:
    """Test a connection that is used again after it was idle for long; one in use shows by itself if it is dead."""

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
    error = context.original_exception
    if context.connection is not None and context.engine is not None and find_remedy(error) is FaultRemedy.NEW_SESSIONS:
        context.is_disconnect = True
        drop_sessions(context.engine)
    if (meaning := translate_fault(error)) is not None:
        raise meaning from error


def _attribute(connection: Connection, actor: Actor | None) -> None:
    """Attribute what a transaction changes to who asked for it, if anybody did: the audit log's triggers read it."""
    if actor is not None and connection.get_execution_options().get("isolation_level") != _AUTOCOMMIT:
        connection.execute(_ACT, {"actor": actor.to_json()})


def _dumps(value: JSON) -> str:
    return encode(value).decode()
