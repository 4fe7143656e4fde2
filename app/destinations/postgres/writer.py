"""Write ranges of accounts' logs into tables of a Postgres, together with the cursor: exactly once."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg import sql

from app.destinations.postgres import statements
from app.destinations.postgres.connection import Place, connect, read_place
from app.destinations.postgres.faults import explain_faults
from app.destinations.postgres.kept import KeptConnections
from app.destinations.postgres.tables import Connection, Tables
from app.engine.errors import LeaseLostError
from app.engine.json_types import JSON, JsonObject
from app.engine.records.rows import encode
from app.engine.schemas.columns import Column, ColumnType
from app.engine.schemas.values import fit
from app.net.addresses import AllowedNetworks
from app.services.destinations.ports import Batch, HeldKey, LoggedRecord, LogRange, Target, Written

_NULL: Final = "\\N"
_LEAST, _MOST = -(2**63), 2**63 - 1
_HELD_AT_ONCE: Final = 2000
_ERASED_AT_ONCE: Final = 10_000
_COPY_CHARACTERS: Final = 256 * 1024
_LONGEST_STATEMENT: Final = sql.SQL("set local statement_timeout = '120s'")
_FACTS: Final = """
    select current_setting('server_version'), current_database(), current_user::text,
           has_database_privilege(current_database(), 'create')
"""


class PostgresWriter:
    """One destination in a Postgres; it connects at its first use, or takes a connection that was kept."""

    def __init__(self, target: Target, *, allowed: AllowedNetworks, kept: KeptConnections) -> None:
        self._target = target
        self._allowed = allowed
        self._kept = kept
        self._place: Place = read_place(target.config)
        self._tables = Tables(target)
        self._connection: Connection | None = None
        self._has_notes = False

    def test(self) -> JsonObject:
        """Connect anew, and make a table that is gone at the end; return what the server is and what the user may."""
        with explain_faults(self._place.password):
            self._connection = self._connect()
        with self._use() as connection, connection.transaction(force_rollback=True):
            row = connection.execute(_FACTS).fetchone()
            assert row is not None
            connection.execute("create temp table _ferryman_test (id integer) on commit drop")
            return {
                "server_version": row[0],
                "database": row[1],
                "user": row[2],
                "tls": bool(connection.pgconn.ssl_in_use),
                "can_create_schemas": row[3],
            }

    def write(self, log_range: LogRange, *, fence: int) -> Written:
        """Write a range and its cursor in one transaction; the same range again changes nothing."""
        with self._use() as connection:
            self._ensure_notes(connection)
            for batch in log_range.batches:
                place = self._tables.place_of(log_range.integration_name, batch.resource, log_range.tenant_id)
                self._tables.ensure(connection, place, batch.schema, log_range.epoch)
            with connection.transaction():
                connection.execute(_LONGEST_STATEMENT)
                return self._write(connection, log_range, fence)

    def read_cursor(self, account_id: str, epoch: int) -> int | None:
        """Return how far an account is written; 0 where the target knows nothing of it."""
        with self._use() as connection:
            self._ensure_notes(connection)
            place = (self._target.destination_id, account_id, epoch)
            row = connection.execute(statements.CURSOR, place).fetchone()
        return int(row[0]) if row else 0

    def read_held(self, account_id: str, tenant_id: str, resource: str) -> Iterator[HeldKey]:
        """Yield the keys that are held of a resource, in their order, each as its latest row is."""
        for table in self._find_tables(tenant_id, resource):
            after, page = "", [HeldKey("", 0, False)]
            while page:
                values = {"account_id": account_id, "after": after, "limit": _HELD_AT_ONCE}
                with self._use() as connection:
                    found = connection.execute(statements.build_page_of_held(table), values).fetchall()
                page = [HeldKey(str(key), int(sequence), is_deleted) for key, sequence, is_deleted in found]
                yield from page
                after = page[-1][0] if page else after

    def erase(self, account_id: str, tenant_id: str, resource: str | None) -> int:
        """Remove an account's rows from all tables, and its cursor; return how many rows."""
        with self._use() as connection:
            self._ensure_notes(connection)
            values = {"environment_id": self._target.environment_id, "resource": resource}
            found = connection.execute(statements.TABLES_OF, values).fetchall()
            erased = sum(_erase(connection, sql.Identifier(*names), account_id) for names in found)
            connection.execute(statements.FORGET, (self._target.destination_id, account_id))
        return erased

    def close(self) -> None:
        """Let go of the session, which is kept for the next writer to the same place."""
        if self._connection is not None:
            self._kept.give_back(self._place, self._connection)
            self._connection = None

    @contextmanager
    def _use(self) -> Iterator[Connection]:
        """Lend the connection; raise DestinationError for what goes wrong, after which the next use connects anew."""
        with explain_faults(self._place.password):
            if self._connection is None:
                self._connection = self._kept.take(self._place) or self._connect()
            try:
                yield self._connection
            except psycopg.Error:
                self._connection.close()
                self._connection = None
                raise

    def _connect(self) -> Connection:
        connection = connect(self._place, self._allowed)
        connection.autocommit = True
        return connection

    def _ensure_notes(self, connection: Connection) -> None:
        if not self._has_notes:
            self._tables.ensure_notes(connection)
            self._has_notes = True

    def _find_tables(self, tenant_id: str, resource: str) -> list[sql.Identifier]:
        with self._use() as connection:
            self._ensure_notes(connection)
            return self._tables.find_all(connection, tenant_id, resource)

    def _write(self, connection: Connection, log_range: LogRange, fence: int) -> Written:
        place: dict[str, Any] = {
            "destination_id": self._target.destination_id,
            "account_id": log_range.account_id,
            "tenant_id": log_range.tenant_id,
        }
        seen = connection.execute(statements.SEEN, {**place, "epoch": log_range.epoch, "fence": fence}).fetchone()
        if seen is None:
            raise LeaseLostError
        count = sum(len(batch.records) for batch in log_range.batches)
        if seen[0] >= log_range.last_sequence and not log_range.listing:
            return Written(written=0, unchanged=count)
        changed, size = 0, 0
        for number, batch in enumerate(log_range.batches):
            table = self._tables.place_of(log_range.integration_name, batch.resource, log_range.tenant_id)
            written, copied = self._write_batch(
                connection, self._tables.known(table), batch, {**place, "number": number}, log_range.is_rebuild
            )
            changed, size = changed + written, size + copied
        if not log_range.listing:
            connection.execute(statements.MOVE, {**place, "last": log_range.last_sequence})
        return Written(written=changed, unchanged=count - changed, bytes=size)

    def _write_batch(
        self, connection: Connection, table: sql.Identifier, batch: Batch, place: dict[str, Any], is_rebuild: bool
    ) -> tuple[int, int]:
        """Merge a batch; return how many rows changed, and how many characters were copied."""
        columns = list(batch.schema.list_shown())
        incoming = sql.Identifier(f"_ferryman_in_{place['number']}")
        connection.execute(statements.build_incoming(incoming, columns))
        size = _copy(connection, incoming, build_lines(batch.records, columns))
        mode, deletes = self._target.mode, self._target.deletes
        merges = statements.build_merge(table, incoming, columns, mode=mode, deletes=deletes, is_rebuild=is_rebuild)
        return sum(connection.execute(merge, place).rowcount for merge in merges), size


def _copy(connection: Connection, incoming: sql.Identifier, lines: Iterable[str]) -> int:
    size, waiting, length = 0, [], 0
    with connection.cursor().copy(sql.SQL("copy {} from stdin").format(incoming)) as copy:
        for line in lines:
            waiting.append(line)
            length += len(line)
            if length >= _COPY_CHARACTERS:
                copy.write("".join(waiting))
                size, waiting, length = size + length, [], 0
        copy.write("".join(waiting))
    return size + length


def _erase(connection: Connection, table: sql.Identifier, account_id: str) -> int:
    erased = 0
    values = {"account_id": account_id, "limit": _ERASED_AT_ONCE}
    while count := connection.execute(statements.build_erasure(table), values).rowcount:
        erased += count
    return erased


def build_lines(records: Sequence[LoggedRecord], columns: Sequence[Column]) -> Iterable[str]:
    """Yield a line for each record: its key, numbers and times, then a value for each column."""
    writers = [(column.key, _build_value_writer(column)) for column in columns]
    nothing: dict[str, JSON] = {}
    for record in records:
        data = record.data if isinstance(record.data, dict) else nothing
        get = data.get
        head = f"{escape(record.remote_id)}\t{record.sequence}\t{record.synced_at.isoformat()}\t"
        deleted_at = _NULL if record.deleted_at is None else record.deleted_at.isoformat()
        is_absent = "t" if record.is_absent else "f"
        values = [_NULL if (value := get(key)) is None else write(value) for key, write in writers]
        yield "\t".join([f"{head}{deleted_at}\t{is_absent}", *values]) + "\n"


def escape(text: str) -> str:
    """Return a text as COPY reads it."""
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def _build_value_writer(column: Column) -> Callable[[JSON], str]:
    """Return what writes a value that is not null. The usual type of a column takes the short way around ``fit``."""
    others = _build_fitting_writer(column)
    match column.type:
        case ColumnType.TEXT:
            return lambda value: escape(value) if type(value) is str else others(value)
        case ColumnType.BIGINT:
            return lambda value: str(value) if type(value) is int and _LEAST <= value <= _MOST else others(value)
        case ColumnType.BOOLEAN:
            return lambda value: "t" if value is True else "f" if value is False else others(value)
        case ColumnType.JSONB:
            return _write_json
        case _:
            return others


def _build_fitting_writer(column: Column) -> Callable[[JSON], str]:
    def write(value: JSON) -> str:
        fitted = fit(value, column)
        if fitted is None:
            return _NULL
        if isinstance(fitted, bool):
            return "t" if fitted else "f"
        return escape(str(fitted))

    return write


def _write_json(value: JSON) -> str:
    # JSON has no bare tabs or line breaks.
    return encode(value).decode().replace("\\", "\\\\")
