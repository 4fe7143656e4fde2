"""Write ranges of accounts' logs into tables of a DuckDB file, together with the cursor: exactly once.

Tables are created once, columns are only ever added, and their names are recorded beside them.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeAlias

import duckdb

from app.destinations.duckdb import statements
from app.destinations.duckdb.files import EXTENSION, Connection, ask, explain_faults, explain_refusal, open_file
from app.destinations.duckdb.statements import quote
from app.destinations.files.names import quote_part
from app.destinations.files.rows import build_rows
from app.destinations.refusals import ENCODING_FAULTS, find_refused
from app.engine.errors import DestinationError, LeaseLostError
from app.engine.json_types import JsonObject
from app.engine.objects.destinations import Layout, WriteMode
from app.engine.schemas.columns import Column
from app.engine.schemas.names import fold_name, make_unique
from app.formats.arrow import build_schema, build_table
from app.formats.layout import FileLayout
from app.services.destinations.ports import Batch, HeldKey, LoggedRecord, LogRange, Quarantined, Target, Written

TablePlace: TypeAlias = tuple[str, str, str]
"""What a table is for: an environment, an integration's name, a resource."""
_FIND: Final = """
    select schema_name, table_name, mode from ferryman._ferryman_table
     where environment_id = ? and integration_name = ? and resource = ?
"""
_FIND_ALL: Final = """
    select schema_name, table_name from ferryman._ferryman_table where $resource is null or resource = $resource
"""
_TAKEN: Final = "select table_name from information_schema.tables where table_schema = ?"
_COLUMNS: Final = "select column_name from information_schema.columns where table_schema = ? and table_name = ?"


class DuckDbWriter:
    """One destination in files of DuckDB; a file is open from its first use until ``close``."""

    def __init__(self, target: Target, path: Path) -> None:
        self._target = target
        self._path = path
        self._open: dict[Path, Connection] = {}

    def test(self) -> JsonObject:
        """Make a table, and take it back; return DuckDB's version."""
        path = self._find_path("test")
        is_new = not path.exists()
        with explain_faults(), self._use(path) as connection:
            ask(connection, "begin")
            ask(connection, "create table _ferryman_test (id integer)")
            ask(connection, "rollback")
        self.close()
        if is_new:
            path.unlink(missing_ok=True)
        return {"writes": True, "duckdb_version": duckdb.__version__}

    def write(self, log_range: LogRange, *, fence: int) -> Written:
        """Write a range and its cursor in one transaction; the same range again changes nothing."""
        with self._use(self._find_path(log_range.tenant_id)) as connection:
            for batch in log_range.batches:
                own = self._own(log_range.integration_name, batch.resource)
                ensure_table(connection, own, self._target.mode, list(batch.schema.list_shown()))
            try:
                with transaction(connection):
                    return self._write(connection, log_range, fence)
            except (duckdb.Error, *ENCODING_FAULTS) as error:
                if not log_range.listing and explain_refusal(error) and (found := self._find(connection, log_range)):
                    return Written(written=0, refused=found)
                raise

    def read_cursor(self, account_id: str, epoch: int) -> int | None:
        """Return how far an account is written; None where tenants have files of their own."""
        if self._target.layout is Layout.TENANT:
            return None
        with self._use(self._find_path("")) as connection:
            found = ask(connection, statements.SEEN, self._place(account_id))
        return int(found[0][0]) if found else 0

    def read_held(self, account_id: str, tenant_id: str, resource: str) -> Iterator[HeldKey]:
        """Yield the keys that are held of a resource, each as its latest row is."""
        with self._use(self._find_path(tenant_id)) as connection:
            for table in find_tables(connection, resource):
                found = ask(
                    connection,
                    f"select remote_id, max(sequence), max_by(deleted_at is not null, sequence) from {table}"
                    " where account_id = $account group by 1",
                    {"account": account_id},
                )
                yield from (HeldKey(str(key), int(sequence), is_deleted) for key, sequence, is_deleted in found)

    def erase(self, account_id: str, tenant_id: str, resource: str | None) -> int:
        """Remove an account's rows, and have the file written without them; return how many they were."""
        path = self._find_path(tenant_id)
        if not path.exists():
            return 0
        with self._use(path) as connection:
            count = 0
            for table in find_tables(connection, resource):
                count += _count(ask(connection, f"delete from {table} where account_id = $id", {"id": account_id}))
            if resource is None:
                ask(connection, statements.FORGET, self._place(account_id))
            ask(connection, "checkpoint")
        return count

    def close(self) -> None:
        """Close the files, so that others can open them."""
        for connection in self._open.values():
            connection.close()
        self._open.clear()

    def _find_path(self, tenant_id: str) -> Path:
        if self._target.layout is Layout.TENANT:
            return self._path / f"{quote_part(tenant_id)}{EXTENSION}"
        return self._path if self._path.suffix == EXTENSION else self._path.with_name(f"{self._path.name}{EXTENSION}")

    @contextmanager
    def _use(self, path: Path) -> Iterator[Connection]:
        """Lend the connection to a file; after a fault the next use opens it anew."""
        if path not in self._open:
            connection = self._open[path] = open_file(path)
            with explain_faults():
                for statement in statements.NOTES:
                    ask(connection, statement)
        try:
            with explain_faults():
                yield self._open[path]
        except DestinationError:
            self.close()
            raise

    def _own(self, integration_name: str, resource: str) -> TablePlace:
        return self._target.environment_id, integration_name, resource

    def _place(self, account_id: str) -> dict[str, Any]:
        return {"destination_id": self._target.destination_id, "account_id": account_id}

    def _write(self, connection: Connection, log_range: LogRange, fence: int) -> Written:
        place = self._place(log_range.account_id)
        cursor, epoch, seen_fence = next(iter(ask(connection, statements.SEEN, place)), (0, log_range.epoch, 0))
        if seen_fence > fence:
            raise LeaseLostError
        cursor = cursor if epoch == log_range.epoch else 0
        count = sum(len(batch.records) for batch in log_range.batches)
        if cursor >= log_range.last_sequence and not log_range.listing:
            return Written(written=0, unchanged=count, sequences=frozenset())
        sequences: set[int] = set()
        changed = sum(self._merge(connection, log_range, batch, sequences) for batch in log_range.batches)
        cursor = cursor if log_range.listing else log_range.last_sequence
        ask(connection, statements.MOVE, {**place, "epoch": log_range.epoch, "cursor": cursor, "fence": fence})
        return Written(written=changed, unchanged=count - changed, sequences=frozenset(sequences))

    def _find(self, connection: Connection, log_range: LogRange) -> list[Quarantined]:
        """Find the records that can not be written, in transactions that are taken back."""
        found: list[Quarantined] = []
        for batch in log_range.batches:

            def attempt(records: Sequence[LoggedRecord], batch: Batch = batch) -> str | None:
                try:
                    with transaction(connection, is_kept=False):
                        self._merge(connection, log_range, replace(batch, records=records), set())
                except (duckdb.Error, *ENCODING_FAULTS) as error:
                    if (reason := explain_refusal(error)) is None:
                        raise
                    return reason
                return None

            found += find_refused(batch, attempt)
        return found

    def _merge(self, connection: Connection, log_range: LogRange, batch: Batch, sequences: set[int]) -> int:
        """Merge a batch; return how many rows changed, and add their sequences."""
        table = find_table(connection, self._own(log_range.integration_name, batch.resource))
        absent = [record for record in batch.records if record.is_absent]
        layout = FileLayout(columns=list(batch.schema.list_shown()))
        incoming = build_table(layout, build_schema(layout), build_rows(log_range, batch, with_absent=False))
        mode, deletes = self._target.mode, self._target.deletes
        connection.register("incoming", incoming)
        try:
            found = ask(connection, statements.build_changed(table, mode=mode, deletes=deletes))
            changed = len(found)
            sequences.update(sequence for (sequence,) in found)
            names = [column.name for column in layout.columns]
            is_rebuild = log_range.is_rebuild
            for statement in statements.build_merge(table, names, mode=mode, deletes=deletes, is_rebuild=is_rebuild):
                ask(connection, statement)
        finally:
            connection.unregister("incoming")
        return changed + self._mark_absent(connection, table, log_range.account_id, absent)

    def _mark_absent(self, connection: Connection, table: str, account_id: str, absent: Sequence[LoggedRecord]) -> int:
        statement = statements.build_absence(table, mode=self._target.mode, deletes=self._target.deletes)
        changed = 0
        for record in absent:
            values = {
                "account_id": account_id,
                "remote_id": record.remote_id,
                "sequence": record.sequence,
                "deleted_at": record.deleted_at,
            }
            used = {name: value for name, value in values.items() if f"${name}" in statement}
            changed += _count(ask(connection, statement, used))
        return changed


def _count(found: Sequence[tuple[Any, ...]]) -> int:
    """Return the number that a question or a change gives."""
    return int(found[0][0]) if found else 0


def ensure_table(connection: Connection, place: TablePlace, mode: WriteMode, columns: Sequence[Column]) -> None:
    """Make a table, or add the columns that it lacks; raise DestinationError where it is written otherwise."""
    with transaction(connection):
        found = ask(connection, _FIND, list(place))
        schema_name, table_name, known = found[0] if found else _make_table(connection, place, mode)
        if known != mode.value:
            message = f"table {schema_name}.{table_name} is written in the mode '{known}' by another destination"
            raise DestinationError(message, code="other_mode", is_final=True)
        present = {name for (name,) in ask(connection, _COLUMNS, [schema_name, table_name])}
        for column in columns:
            if column.name not in present:
                kind = statements.TYPES[column.type]
                table = quote(schema_name, table_name)
                ask(connection, f"alter table {table} add column {quote(column.name)} {kind}")


def find_table(connection: Connection, place: TablePlace) -> str:
    """Return the quoted name of a table that ``ensure_table`` has made."""
    schema_name, table_name, _ = ask(connection, _FIND, list(place))[0]
    return quote(schema_name, table_name)


def find_tables(connection: Connection, resource: str | None) -> list[str]:
    """Return the quoted names of all tables of a resource, or of all there are."""
    return [quote(*names) for names in ask(connection, _FIND_ALL, {"resource": resource})]


@contextmanager
def transaction(connection: Connection, *, is_kept: bool = True) -> Iterator[None]:
    """Commit at the end of the block, or take all of it back: after a fault, and where nothing is kept."""
    ask(connection, "begin")
    try:
        yield
    except BaseException:
        ask(connection, "rollback")
        raise
    ask(connection, "commit" if is_kept else "rollback")


def _make_table(connection: Connection, place: TablePlace, mode: WriteMode) -> tuple[str, str, str]:
    _, integration_name, resource = place
    schema_name = fold_name(integration_name)
    taken = {name for (name,) in ask(connection, _TAKEN, [schema_name])}
    table_name = make_unique(fold_name(resource), taken)
    ask(connection, f"create schema if not exists {quote(schema_name)}")
    ask(connection, statements.build_table(quote(schema_name, table_name), mode))
    ask(
        connection,
        "insert into ferryman._ferryman_table values (?, ?, ?, ?, ?, ?)",
        [*place, schema_name, table_name, mode.value],
    )
    return schema_name, table_name, mode.value
