"""Write ranges of accounts' logs into tables of a Postgres, together with the cursor: exactly once."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg import sql

from app.destinations.postgres import statements
from app.destinations.postgres.connection import Place, connect, read_place
from app.destinations.postgres.faults import explain_faults, may_be_of_record
from app.destinations.postgres.kept import KeptConnections
from app.destinations.postgres.merging import Merge, find_refused_by_merge, find_without_column
from app.destinations.postgres.tables import Connection, TablePlace, Tables
from app.destinations.refusals import ENCODING_FAULTS
from app.engine.errors import LeaseLostError
from app.engine.json_types import JsonObject
from app.net.addresses import AllowedNetworks
from app.services.destinations.ports import Batch, HeldKey, LogRange, Quarantined, Target, Written

_HELD_AT_ONCE: Final = 2000
_ERASED_AT_ONCE: Final = 10_000
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
            if refused := self._ensure_tables(connection, log_range):
                return Written(written=0, refused=refused)
            try:
                with connection.transaction():
                    connection.execute(_LONGEST_STATEMENT)
                    return self._write(connection, log_range, fence)
            except (psycopg.Error, *ENCODING_FAULTS) as error:
                # Of a record that is gone only the key is known: what refuses its removal is the table.
                if log_range.listing or not may_be_of_record(error):
                    raise
                if refused := self._find_refused(connection, log_range):
                    return Written(written=0, refused=refused)
                raise

    def read_cursor(self, account_id: str, epoch: int) -> int | None:
        """Return how far an account is written, of any epoch; 0 where the target knows nothing of it."""
        with self._use() as connection:
            self._ensure_notes(connection)
            place = (self._target.destination_id, account_id)
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
        place: dict[str, Any] = {"destination_id": self._target.destination_id, "account_id": log_range.account_id}
        seen = connection.execute(statements.SEEN, {**place, "epoch": log_range.epoch, "fence": fence}).fetchone()
        if seen is None:
            raise LeaseLostError
        count = sum(len(batch.records) for batch in log_range.batches)
        if seen[0] >= log_range.last_sequence and not log_range.listing:
            return Written(written=0, unchanged=count, sequences=frozenset())
        changed, size = 0, 0
        sequences: set[int] | None = set() if log_range.is_itemized else None
        for number, batch in enumerate(log_range.batches):
            merge = self._build_merge(log_range, batch)
            incoming = merge.make_incoming(connection, batch, number)
            written, copied = merge.bring(connection, incoming, batch, sequences)
            changed, size = changed + written, size + copied
        if not log_range.listing:
            connection.execute(statements.MOVE, {**place, "last": log_range.last_sequence})
        known = None if sequences is None else frozenset(sequences)
        return Written(written=changed, unchanged=count - changed, bytes=size, sequences=known)

    def _ensure_tables(self, connection: Connection, log_range: LogRange) -> list[Quarantined]:
        """Make the tables of a range ready; return the records with values for which a table has no more columns."""
        refused = []
        for batch in log_range.batches:
            place = self._place_of(log_range, batch)
            table = self._tables.ensure(connection, place, batch.schema, log_range.epoch)
            refused += find_without_column(batch, table)
        return refused

    def _place_of(self, log_range: LogRange, batch: Batch) -> TablePlace:
        return self._tables.place_of(log_range.integration_name, batch.resource, log_range.tenant_id)

    def _build_merge(self, log_range: LogRange, batch: Batch) -> Merge:
        return Merge(
            table=self._tables.known(self._place_of(log_range, batch)),
            mode=self._target.mode,
            deletes=self._target.deletes,
            account_id=log_range.account_id,
            tenant_id=log_range.tenant_id,
            is_rebuild=log_range.is_rebuild,
        )

    def _find_refused(self, connection: Connection, log_range: LogRange) -> list[Quarantined]:
        """Find the records that can not be written, in a transaction that is taken back."""
        with connection.transaction(force_rollback=True):
            connection.execute(_LONGEST_STATEMENT)
            # No commit follows, at which deferred ones would be checked.
            connection.execute("set constraints all immediate")
            return [
                one
                for number, batch in enumerate(log_range.batches)
                for one in find_refused_by_merge(connection, self._build_merge(log_range, batch), batch, number)
            ]


def _erase(connection: Connection, table: sql.Identifier, account_id: str) -> int:
    erased = 0
    values = {"account_id": account_id, "limit": _ERASED_AT_ONCE}
    while count := connection.execute(statements.build_erasure(table), values).rowcount:
        erased += count
    return erased
